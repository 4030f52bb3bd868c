"""The review page: one item, and everything that is needed to decide it. Opening it writes nothing."""

from __future__ import annotations

from django.http import Http404, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext
from django.views.decorators.http import require_safe

from hitl_site.lib.clock import database_now
from hitl_site.lib.http import AuthenticatedRequest, is_fragment
from reviews.choices import ItemKind
from reviews.selectors.timeline import Step
from reviews.selectors.workspace import Workspace
from reviews.views import conflicts, pages
from reviews.views.access import for_those_who_look

_PARTS = frozenset({"undo", "bar", "steps", "step"})


@for_those_who_look
@require_safe
def show(request: AuthenticatedRequest, item_id: str) -> HttpResponse:
    """Show one item, or the part of its page that follows what others do."""
    now = database_now()
    wanted = request.GET.get("part", "") if is_fragment(request) else ""
    shown = pages.load(request, item_id, now=now, compare=wanted not in _PARTS)
    if shown.item.kind == ItemKind.INCIDENT:
        return redirect("reviews:incident", shown.item.incident.public_id)
    if wanted == "steps":
        return pages.part(request, "steps", shown, now=now, steps=shown.timeline.steps)
    if wanted == "step":
        return pages.part(
            request, "step", shown, now=now, step=_step(request, shown), whole=True, opened=True
        )
    if wanted in _PARTS:
        return pages.part(request, wanted, shown, now=now)
    return pages.answer(request, shown, now=now, notice=conflicts.notice_of_ending(shown, now=now))


def _step(request: AuthenticatedRequest, shown: Workspace) -> Step:
    wanted = request.GET.get("step", "")
    for step in shown.timeline.steps:
        if str(step.number) == wanted:
            return step
    raise Http404(gettext("There is no such step."))


@for_those_who_look
@require_safe
def done(request: AuthenticatedRequest) -> HttpResponse:
    """Say that nothing waits for this person."""
    return pages.done(request, now=database_now())
