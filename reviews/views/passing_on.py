"""Leaving an item to others: passed on with a note, or skipped. Small pages, or dialogs."""

from __future__ import annotations

from datetime import datetime

from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext
from django.views.decorators.http import require_http_methods

from hitl_site.lib.clock import database_now
from hitl_site.lib.http import AuthenticatedRequest, is_fragment
from reviews.choices import ItemKind, SkipReason
from reviews.forms import EscalationForm, SkipForm
from reviews.models import ReviewItem
from reviews.selectors import inbox, independence, people
from reviews.selectors.turn import name_of
from reviews.selectors.workspace import plainly
from reviews.services import decisions
from reviews.services import passing_on as acts
from reviews.views import conflicts, pages
from reviews.views.access import for_reviewers

_CLOSED = (
    decisions.AlreadyDecided,
    decisions.TimeRanOut,
    decisions.Cancelled,
    decisions.StaleView,
    decisions.NotForDecision,
)


@for_reviewers
@require_http_methods(["GET", "HEAD", "POST"])
def escalate(request: AuthenticatedRequest, item_id: str) -> HttpResponse:
    """Pass an item on to a person or a queue, with a note."""
    item = _item(request, item_id)
    posted = request.POST if request.method == "POST" else None
    form = EscalationForm(
        posted,
        initial={"item_version": item.version},
        people=people.receivers_of(item, sender=request.user),
        queues=people.queues_for(item),
        own_agent=independence.owns(item.action, request.user.pk),
    )
    if posted is None:
        return _dialog(request, "escalate", item, form)
    if not form.is_valid():
        return _dialog(request, "escalate", item, form, status=422)
    now = database_now()
    try:
        acts.escalate(item_id=item_id, reviewer=request.user, now=now, **form.cleaned_data)
    except decisions.InvalidAnswer as problem:
        form.add_error(None, str(problem))
        return _dialog(request, "escalate", item, form, status=422)
    except _CLOSED as problem:
        return _too_late(request, item, problem, now=now)
    person, queue = form.cleaned_data["to_user"], form.cleaned_data["to_queue"]
    messages.success(
        request, gettext("Passed on to {receiver}.").format(receiver=name_of(person) if person else queue)
    )
    return _onward(request, item, now=now)


@for_reviewers
@require_http_methods(["GET", "HEAD", "POST"])
def skip(request: AuthenticatedRequest, item_id: str) -> HttpResponse:
    """Leave an item to others, and say why."""
    item = _item(request, item_id)
    if request.method != "POST":
        return _dialog(request, "skip", item, SkipForm())
    form = SkipForm(request.POST)
    if not form.is_valid():
        return _dialog(request, "skip", item, form, status=422)
    now = database_now()
    try:
        reason = SkipReason(form.cleaned_data["reason"])
        acts.skip(item_id=item_id, reviewer=request.user, reason=reason, now=now)
    except _CLOSED as problem:
        return _too_late(request, item, problem, now=now)
    return _onward(request, item, now=now)


def _too_late(
    request: AuthenticatedRequest, item: ReviewItem, problem: Exception, *, now: datetime
) -> HttpResponse:
    if item.kind == ItemKind.INCIDENT:
        messages.error(request, gettext("{problem} Nothing was changed.").format(problem=problem))
        return redirect("reviews:incidents")
    return conflicts.answer(request, pages.load(request, item.public_id, now=now), problem, now=now)


def _onward(request: AuthenticatedRequest, item: ReviewItem, *, now: datetime) -> HttpResponse:
    """Lead to what comes next: for an incident, which has a page of its own kind, to the others."""
    if item.kind == ItemKind.INCIDENT:
        return redirect("reviews:incidents")
    return pages.next_item(request, after=pages.load(request, item.public_id, now=now), now=now)


def _item(request: AuthenticatedRequest, item_id: str) -> ReviewItem:
    return (
        inbox.visible_to(request.user)
        .select_related("agent", "queue", "action__agent")
        .get(public_id=item_id)
    )


def _dialog(
    request: AuthenticatedRequest, name: str, item: ReviewItem, form: forms.Form, *, status: int = 200
) -> HttpResponse:
    way = pages.query_of(pages.way_of(request, now=database_now()))
    template = f"_{name}.html" if is_fragment(request) else f"{name}.html"
    context = {
        "item": item,
        "title": plainly(item.title),
        "form": form,
        "in_dialog": is_fragment(request),
        "way_query": way,
    }
    return render(request, f"reviews/review/{template}", context, status=status)
