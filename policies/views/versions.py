"""Pages of one policy version: what it says, its time in shadow, going back to it, taking it out of force."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from hitl_site.lib.access import needs_one_of
from hitl_site.lib.clock import database_now
from hitl_site.lib.http import AuthenticatedRequest
from hitl_site.lib.pagination import InvalidCursor
from policies.choices import PolicyState, PublicationState
from policies.forms.agents import ReasonForm
from policies.models import PolicyVersion
from policies.selectors import people, policy_pages, shadow
from policies.selectors import policies as questions
from policies.selectors import publications as found
from policies.selectors.score_changes import score_change
from policies.services import policies as acts
from policies.services import publications, rights
from policies.views.action_types import MANAGE, SEE
from policies.views.publications import REFUSED, say_how_it_stands


@require_GET
@needs_one_of(*SEE)
def show(request: AuthenticatedRequest, name: str, number: int) -> HttpResponse:
    """Show one version: what it says, how it differs from another, who wrote it and why."""
    version = _version(name, number)
    against = _named(version, request.GET.get("against", ""))
    context = {
        "version": version,
        "action_type": version.action_type,
        "document": questions.live_document(version),
        "change": policy_pages.change(version, against=against),
        "others": [each for each in policy_pages.versions(version.action_type) if each.pk != version.pk],
        "against": against,
        "waiting": found.waiting_for(version.action_type),
        "is_publishable": found.is_publishable(version),
        "shadow": shadow.summary(version) if version.shadowed_at is not None else None,
        "may_manage": request.user.has_perm(MANAGE),
        "bar_title": gettext("Policies"),
    }
    return render(request, "policies/version/page.html", context)


@require_GET
@needs_one_of(*SEE)
def show_shadow(request: AuthenticatedRequest, name: str, number: int) -> HttpResponse:
    """Show what a version in shadow would have said of live actions, where that differs."""
    version = _version(name, number)
    try:
        page = shadow.differing(
            version,
            direction=request.GET.get("direction", ""),
            cursor=request.GET.get("after") or request.GET.get("before"),
        )
    except InvalidCursor:
        return redirect("policies:shadow", name, number)
    context = {
        "version": version,
        "action_type": version.action_type,
        "summary": shadow.summary(version),
        "rows": page,
        "direction": request.GET.get("direction", ""),
        "form": ReasonForm(),
        "waiting": found.waiting_for(version.action_type),
        "may_manage": request.user.has_perm(MANAGE),
        "bar_title": gettext("Policies"),
    }
    return render(request, "policies/shadow/page.html", context)


@require_POST
@needs_one_of(MANAGE)
def start_shadow(request: AuthenticatedRequest, name: str, number: int) -> HttpResponse:
    """Put a draft in shadow."""
    try:
        acts.start_shadow(
            version=_version(name, number),
            person=request.user,
            content_sha256=request.POST.get("content_sha256", ""),
            now=database_now(),
        )
    except (acts.NotInThatState, acts.DraftChanged, rights.NotAllowed) as problem:
        messages.error(request, str(problem))
        return redirect("policies:version", name, number)
    told = gettext("Version {number} is in shadow: it is asked about every action and holds none.")
    messages.success(request, told.format(number=number))
    return redirect("policies:shadow", name, number)


@require_POST
@needs_one_of(MANAGE)
def end_shadow(request: AuthenticatedRequest, name: str, number: int) -> HttpResponse:
    """End a version's time in shadow; it is retired."""
    form = ReasonForm(request.POST)
    if not form.is_valid():
        messages.error(request, gettext("Say why: others will read it."))
        return redirect("policies:shadow", name, number)
    try:
        acts.end_shadow(
            version=_version(name, number),
            person=request.user,
            reason=form.cleaned_data["reason"],
            now=database_now(),
        )
    except (acts.NotInThatState, rights.NotAllowed) as problem:
        messages.error(request, str(problem))
    else:
        messages.success(request, gettext("Version {number} is no longer asked.").format(number=number))
    return redirect("policies:shadow", name, number)


@require_http_methods(["GET", "HEAD", "POST"])
@needs_one_of(MANAGE)
def retire(request: AuthenticatedRequest, name: str, number: int) -> HttpResponse:
    """Say what it means to have no policy in force; a POST with a reason does it."""
    version = _version(name, number)
    if version.state != PolicyState.LIVE:
        told = gettext("Version {number} of {name} is not in force.")
        messages.info(request, told.format(number=number, name=name))
        return redirect("policies:version", name, number)
    form = ReasonForm(request.POST if request.method == "POST" else None)
    status = 200
    if request.method == "POST":
        status = 422
        if form.is_valid():
            try:
                acts.retire(
                    version=version,
                    person=request.user,
                    reason=form.cleaned_data["reason"],
                    now=database_now(),
                )
            except (acts.NotInThatState, rights.NotAllowed) as problem:
                form.add_error(None, str(problem))
                status = 409
            else:
                told = gettext("No policy of {name} is in force now: everything is held.")
                messages.success(request, told.format(name=name))
                return redirect("policies:action_type", name)
    context = {
        "version": version,
        "action_type": version.action_type,
        "form": form,
        "bar_title": gettext("Policies"),
    }
    return render(request, "policies/retire/page.html", context, status=status)


@require_http_methods(["GET", "HEAD", "POST"])
@needs_one_of(MANAGE)
def roll_back(request: AuthenticatedRequest, name: str, number: int) -> HttpResponse:
    """Show what an old text would change now; a POST writes it as the next version and asks to publish it."""
    version = _version(name, number)
    if version.state != PolicyState.RETIRED:
        told = gettext("Version {number} of {name} is not retired.")
        messages.info(request, told.format(number=number, name=name))
        return redirect("policies:version", name, number)
    if request.method != "POST":
        return _rolling_back(request, version, ReasonForm())
    form = ReasonForm(request.POST)
    if not form.is_valid():
        return _rolling_back(request, version, form, status=422)
    try:
        publication = publications.roll_back(
            to=version,
            person=request.user,
            reason=form.cleaned_data["reason"],
            draft_sha256=request.POST.get("draft_sha256", ""),
            now=database_now(),
        )
    except (*REFUSED, acts.InvalidPolicy) as problem:
        form.add_error(None, str(problem))
        return _rolling_back(request, version, form, status=409)
    say_how_it_stands(request, publication)
    if publication.state == PublicationState.OPEN:
        return redirect("policies:publication", publication.public_id)
    return redirect("policies:action_type", name)


def _rolling_back(
    request: AuthenticatedRequest, version: PolicyVersion, form: ReasonForm, status: int = 200
) -> HttpResponse:
    context = {
        "version": version,
        "action_type": version.action_type,
        "change": policy_pages.change_now(version),
        "score_change": score_change(version.action_type, version.document),
        "takes": found.requirement(version),
        "counted": len(people.managers_among([request.user.pk])),
        "draft": questions.draft_version(version.action_type),
        "waiting": found.waiting_for(version.action_type),
        "form": form,
        "bar_title": gettext("Policies"),
    }
    return render(request, "policies/rollback/page.html", context, status=status)


def _version(name: str, number: int) -> PolicyVersion:
    return get_object_or_404(
        PolicyVersion.objects.select_related("action_type", "rollback_of"),
        action_type__name=name,
        number=number,
    )


def _named(version: PolicyVersion, number: str) -> PolicyVersion | None:
    """Return the other version to compare with, None where none or nonsense was asked for."""
    if not (number.isascii() and number.isdecimal() and len(number) < 7):
        return None
    others = PolicyVersion.objects.filter(action_type=version.action_type, number=int(number))
    return others.exclude(pk=version.pk).first()
