"""The card that tells a person they go fast, and the break they may take. Seen by nobody else."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext
from django.views.decorators.http import require_POST, require_safe

from hitl_site.lib.clock import database_now
from hitl_site.lib.http import AuthenticatedRequest
from reviews.choices import PaceAnswer
from reviews.selectors import attention
from reviews.services import pace
from reviews.views.access import for_reviewers


@for_reviewers
@require_POST
def answer(request: AuthenticatedRequest) -> HttpResponse:
    """Take the person's word and go where it leads: to the break, or back to the item they were at."""
    said = request.POST.get("answer", "")
    if said not in PaceAnswer.values:
        messages.error(request, gettext("Choose one of the two: take five, or go on."))
        return redirect("reviews:inbox")
    try:
        pace.answer(reviewer=request.user, said=PaceAnswer(said), now=database_now())
    except pace.NothingToAnswer:
        return redirect("reviews:inbox")  # answered in another tab
    if said == PaceAnswer.TAKE_FIVE:
        return redirect("reviews:break")
    item_id = request.POST.get("item", "")
    return redirect("reviews:review", item_id=item_id) if item_id else redirect("reviews:inbox")


@for_reviewers
@require_safe
def rest(request: AuthenticatedRequest) -> HttpResponse:
    """Say until when nothing new is served to this person."""
    now = database_now()
    until = attention.on_a_break_until(request.user, now=now)
    if until is None:
        return redirect("reviews:inbox")
    return render(
        request, "reviews/pace/page.html", {"until": until, "now": now, "bar_title": gettext("A break")}
    )
