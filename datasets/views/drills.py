"""Drills for those who look after them: what they are made from, one to look at, in or out of use."""

from __future__ import annotations

import secrets

from django.contrib import messages
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext, ngettext
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from datasets.forms.drills import SeedsForm
from datasets.selectors import drills as questions
from datasets.services import drills as making
from hitl_site.lib.access import needs_one_of
from hitl_site.lib.clock import database_now
from hitl_site.lib.http import AuthenticatedRequest
from reviews.choices import SeedState
from reviews.models import DrillSeed
from reviews.selectors.difference import difference
from reviews.selectors.drills import kind_in_words
from reviews.services import drills

MANAGE = (drills.MANAGE,)


@require_http_methods(["GET", "HEAD", "POST"])
@needs_one_of(*MANAGE)
def index(request: AuthenticatedRequest) -> HttpResponseBase:
    """Show the seeds and what drills have shown; a POST makes seeds of past cases."""
    if request.method != "POST":
        return _index(request, SeedsForm())
    form = SeedsForm(request.POST)
    if not form.is_valid():
        return _index(request, form, status=422)
    made = making.make_seeds(**form.cleaned_data, made_by=request.user, now=database_now())
    if made.seeds:
        count = len(made.seeds)
        said = ngettext(
            "{n} made. Look at each before you approve it.",
            "{n} made. Look at each before you approve it.",
            count,
        )
        messages.success(request, said.format(n=count))
    else:
        messages.warning(request, gettext("No past case of this type can become a drill yet."))
    return redirect("datasets:drills")


@require_safe
@needs_one_of(*MANAGE)
def seed(request: AuthenticatedRequest, seed_id: str) -> HttpResponseBase:
    """Show one drill as this seed would make it: what would be proposed beside what is right."""
    found = get_object_or_404(
        DrillSeed.objects.select_related("action_type", "source__action__context", "source__reviewer"),
        public_id=seed_id,
    )
    shown = drills.preview(found, now=database_now(), key=secrets.token_bytes(8))
    right = None
    if shown.case is not None and found.planted and shown.case.expected is not None:
        right = difference(dict(shown.case.arguments), dict(shown.case.expected))
    context = {
        "seed": found,
        "shown": shown,
        "right": right,
        "kind": kind_in_words(found.error_kind, found.action_type),
        "bar_title": gettext("A drill"),
    }
    return render(request, "datasets/drill/page.html", context)


@require_POST
@needs_one_of(*MANAGE)
def judge(request: AuthenticatedRequest, seed_id: str) -> HttpResponseBase:
    """Take a seed into use or out of it."""
    found = get_object_or_404(DrillSeed, public_id=seed_id)
    state = request.POST.get("state", "")
    if state not in {SeedState.APPROVED, SeedState.RETIRED}:
        messages.error(request, gettext("Choose one of the two: approve it, or retire it."))
        return redirect("datasets:drill", seed_id)
    try:
        drills.judge_seed(seed=found, state=SeedState(state), judged_by=request.user, now=database_now())
    except drills.UnableToUse as problem:
        messages.error(request, str(problem))
        return redirect("datasets:drill", seed_id)
    said = gettext("In use.") if state == SeedState.APPROVED else gettext("Retired.")
    messages.success(request, said)
    return redirect("datasets:drills")


def _index(request: AuthenticatedRequest, form: SeedsForm, status: int = 200) -> HttpResponse:
    context = {"rows": questions.rows(), "form": form, "bar_title": gettext("Drills")}
    return render(request, "datasets/drills/page.html", context, status=status)
