"""A person's own decisions, with the way back for those that have not gone out."""

from __future__ import annotations

from datetime import timedelta

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext
from django.views.decorators.http import require_POST, require_safe

from hitl_site.lib.clock import database_now
from hitl_site.lib.http import AuthenticatedRequest
from hitl_site.lib.pagination import InvalidCursor, page
from reviews.choices import DecisionKind
from reviews.models import Decision
from reviews.selectors import attention, decisions, team_page
from reviews.services import second_opinions
from reviews.views.access import for_reviewers, for_those_who_look

PAGE_SIZE = 50
CONSIDERED_OVER = timedelta(days=30)


@for_those_who_look
@require_safe
def index(request: AuthenticatedRequest) -> HttpResponse:
    """Show what this person decided, newest first."""
    now = database_now()
    kind, action_type = request.GET.get("kind", ""), request.GET.get("type", "")[:120]
    mine = decisions.of_person(request.user)
    if kind in DecisionKind:
        mine = mine.filter(kind=kind)
    if action_type:
        mine = mine.filter(item__action_type_name=action_type)
    try:
        shown = page(
            mine,
            order_by=["-id"],
            limit=PAGE_SIZE,
            scope=f"history?person={request.user.pk}&kind={kind}&type={action_type}",
            cursor=request.GET.get("after") or request.GET.get("before"),
        )
    except InvalidCursor:
        return redirect("reviews:history")
    rows = [decisions.told(decision, now=now) for decision in shown.items]
    context = {
        "rows": rows,
        "page": shown,
        "considered": attention.considered_rates(request.user, since=now - CONSIDERED_OVER),
        "numbers": team_page.numbers(request.user, now=now),
        "kinds": DecisionKind.choices,
        "kind": kind,
        "action_type": action_type,
        "types": decisions.of_person(request.user)
        .order_by("item__action_type_name")
        .values_list("item__action_type_name", flat=True)
        .distinct(),
        "bar_title": gettext("My decisions"),
    }
    return render(request, "reviews/history/page.html", context)


@for_reviewers
@require_POST
def second_look(request: AuthenticatedRequest, decision_id: str) -> HttpResponse:
    """Ask somebody else to look at one's own decision. What was decided stands."""
    decision = Decision.objects.select_related("action").get(public_id=decision_id, reviewer=request.user)
    asked = second_opinions.ask(
        action=decision.action,
        because="Asked by who decided it",
        asked_by=request.user,
        now=database_now(),
    )
    if asked is None:
        messages.info(
            request, gettext("There is nothing to ask: it has not gone out, or somebody has been asked.")
        )
    else:
        messages.success(request, gettext("Somebody else will look at it, without seeing your answer."))
    return redirect("reviews:history")
