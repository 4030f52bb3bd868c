"""A person's own decisions, with the way back for those that have not gone out."""

from __future__ import annotations

from datetime import timedelta

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_safe

from hitl_site.lib.clock import database_now
from hitl_site.lib.http import AuthenticatedRequest
from hitl_site.lib.pagination import InvalidCursor, page
from reviews.selectors import attention, decisions
from reviews.views.access import for_those_who_look

PAGE_SIZE = 50
CONSIDERED_OVER = timedelta(days=30)


@for_those_who_look
@require_safe
def index(request: AuthenticatedRequest) -> HttpResponse:
    """Show what this person decided, newest first."""
    now = database_now()
    try:
        shown = page(
            decisions.of_person(request.user),
            order_by=["-id"],
            limit=PAGE_SIZE,
            scope=f"history?person={request.user.pk}",
            cursor=request.GET.get("after") or request.GET.get("before"),
        )
    except InvalidCursor:
        return redirect("reviews:history")
    rows = [decisions.told(decision, now=now) for decision in shown.items]
    context = {
        "rows": rows,
        "page": shown,
        "considered": attention.considered_rates(request.user, since=now - CONSIDERED_OVER),
        "bar_title": "My decisions",
    }
    return render(request, "reviews/history/page.html", context)
