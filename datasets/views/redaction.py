"""Pages of redaction: the profiles, one profile as a form, and what it would do to real cases."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext
from django.views.decorators.http import require_GET, require_http_methods

from datasets.forms.redaction import ProfileEditor
from datasets.models import Dataset, RedactionProfile
from datasets.redaction import InvalidProfile
from datasets.selectors import redaction as questions
from datasets.services import redaction as acts
from datasets.services import redaction_preview
from datasets.views.access import ACT
from hitl_site.lib.access import needs_one_of
from hitl_site.lib.clock import database_now
from hitl_site.lib.http import AuthenticatedRequest


@require_GET
@needs_one_of(*ACT)
def index(request: AuthenticatedRequest) -> HttpResponse:
    """List the profiles. The first look makes the one that everybody needs."""
    acts.default_profile(now=database_now())
    return render(
        request,
        "datasets/redaction/index.html",
        {"profiles": questions.profiles(), "bar_title": gettext("Redaction")},
    )


@require_http_methods(["GET", "HEAD", "POST"])
@needs_one_of(*ACT)
def new(request: AuthenticatedRequest) -> HttpResponse:
    """Show the form of a new profile; a POST makes it."""
    if request.method == "POST":
        return _save(request, None)
    return _form(request, ProfileEditor(stored=None))


@require_http_methods(["GET", "HEAD", "POST"])
@needs_one_of(*ACT)
def edit(request: AuthenticatedRequest, profile_id: str) -> HttpResponse:
    """Show a profile as a form, by its newest number; a POST saves the next one."""
    newest = acts.newest_of(_profile(profile_id).name)
    if request.method == "POST":
        return _save(request, newest)
    return _form(request, ProfileEditor(stored=newest))


@require_GET
@needs_one_of(*ACT)
def preview(request: AuthenticatedRequest, profile_id: str) -> HttpResponse:
    """Show what the profile would do to the newest cases of a dataset, before and after."""
    profile = _profile(profile_id)
    datasets = Dataset.objects.order_by("name")
    wanted = request.GET.get("dataset", "")
    dataset = get_object_or_404(datasets, public_id=wanted) if wanted else datasets.first()
    shown, status = None, 200
    if dataset is not None:
        try:
            shown = redaction_preview.preview(profile, dataset)
        except InvalidProfile as exc:
            said = gettext("This release cannot read this profile: {problem}")
            messages.error(request, said.format(problem=exc))
            status = 409
    context = {
        "profile": profile,
        "datasets": datasets,
        "dataset": dataset,
        "shown": shown,
        "bar_title": gettext("Redaction"),
    }
    return render(request, "datasets/redaction/preview.html", context, status=status)


def _save(request: AuthenticatedRequest, stored: RedactionProfile | None) -> HttpResponse:
    if "more" in request.POST:
        return _form(request, ProfileEditor.with_more_rows(stored=stored, data=request.POST))
    editor = ProfileEditor(stored=stored, data=request.POST)
    profile = editor.profile()
    if profile is None:
        return _form(request, editor, status=422)
    try:
        saved = acts.save_profile(
            name=editor.form.cleaned_data["name"] if stored is None else stored.name,
            profile=profile,
            based_on=editor.form.cleaned_data["based_on"] if stored is not None else 0,
            saved_by=request.user,
            now=database_now(),
        )
    except acts.UnableToSave as exc:
        editor.form.add_error("name" if stored is None else None, str(exc))
        return _form(request, editor, status=409)
    said = gettext("Saved as {profile}. Versions frozen from now on use it.")
    messages.success(request, said.format(profile=saved))
    return redirect("datasets:redaction_preview", saved.public_id)


def _form(request: AuthenticatedRequest, editor: ProfileEditor, status: int = 200) -> HttpResponse:
    stored = editor.stored
    context = {
        "editor": editor,
        "profile": stored,
        "numbers": [] if stored is None else questions.numbers(stored.name),
        "uses": [] if stored is None else questions.uses(stored.name),
        "action": reverse("datasets:redaction_new")
        if stored is None
        else reverse("datasets:redaction_edit", args=[stored.public_id]),
        "bar_title": gettext("Redaction"),
    }
    return render(request, "datasets/redaction/edit.html", context, status=status)


def _profile(profile_id: str) -> RedactionProfile:
    return get_object_or_404(RedactionProfile, public_id=profile_id)
