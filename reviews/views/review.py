"""The review page: one item, and everything that is needed to decide it. Opening it writes nothing."""

from __future__ import annotations

from django.http import HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_safe

from hitl_site.lib.clock import database_now
from hitl_site.lib.http import AuthenticatedRequest, is_fragment
from reviews.choices import ItemKind
from reviews.views import conflicts, pages
from reviews.views.access import for_those_who_look

_PARTS = frozenset({"undo", "bar"})


@for_those_who_look
@require_safe
def show(request: AuthenticatedRequest, item_id: str) -> HttpResponse:
    """Show one item, or the part of its page that follows what others do."""
    now = database_now()
    wanted = request.GET.get("part", "") if is_fragment(request) else ""
    shown = pages.load(request, item_id, now=now, compare=wanted not in _PARTS)
    if shown.item.kind == ItemKind.INCIDENT:
        return redirect("reviews:incident", shown.item.incident.public_id)
    if wanted in _PARTS:
        return pages.part(request, wanted, shown, now=now)
    return pages.answer(request, shown, now=now, notice=conflicts.notice_of_ending(shown, now=now))


@for_those_who_look
@require_safe
def done(request: AuthenticatedRequest) -> HttpResponse:
    """Say that nothing waits for this person."""
    return pages.done(request, now=database_now())
