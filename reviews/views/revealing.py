"""Showing what is covered in an agent's context."""

from __future__ import annotations

from django.http import HttpResponse
from django.views.decorators.http import require_POST

from hitl_site.lib.clock import database_now
from hitl_site.lib.http import AuthenticatedRequest, is_fragment
from reviews.services import revealing
from reviews.views import conflicts, pages
from reviews.views.access import for_reviewers


@for_reviewers
@require_POST
def reveal(request: AuthenticatedRequest, item_id: str) -> HttpResponse:
    """Put the request on record, then show the timeline with its secrets. What is typed stays."""
    now = database_now()
    shown = pages.load(request, item_id, now=now, posted=pages.posted_fields(request))
    if not shown.may_decide:
        notice = conflicts.notice_of_ending(shown, now=now)
        return pages.answer(request, shown, now=now, notice=notice, status=409)
    revealing.reveal(item_id=item_id, reviewer=request.user, now=now)
    if is_fragment(request):
        return pages.part(request, "timeline", shown, now=now, uncovered=shown.uncovered())
    return pages.answer(request, shown, now=now, uncovered=shown.uncovered())
