"""Deciding an item, and taking an answer back."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime

from django.http import HttpResponse
from django.shortcuts import redirect, render, resolve_url
from django.utils.translation import gettext
from django.views.decorators.http import require_http_methods, require_POST

from hitl_site.lib.clock import database_now
from hitl_site.lib.http import AuthenticatedRequest, is_fragment
from reviews.forms import DecisionForm, SeenForm
from reviews.selectors.workspace import Workspace
from reviews.services import attention, claims, decisions, pace
from reviews.views import conflicts, editing, pages, screens
from reviews.views.access import for_reviewers
from reviews.views.pages import Complaint, Notice

# Where a complaint of the form leads, by its code.
_ANCHORS = {"checks": "checks", "required": "required"}


@for_reviewers
@require_http_methods(["GET", "HEAD", "POST"])
def decide(request: AuthenticatedRequest, item_id: str) -> HttpResponse:
    """Take a verdict and go on to the next item; or change the form where one of its buttons was pressed."""
    if request.method != "POST":
        return redirect("reviews:review", item_id=item_id)  # a reload after an answer with errors
    now = database_now()
    shown = pages.load(request, item_id, now=now, posted=pages.posted_fields(request))
    if "op" in request.POST:
        return editing.redraw(request, shown, now=now)
    if not shown.is_untouched:
        editing.keep(request, shown, now=now)
    form = DecisionForm(request.POST, workspace=shown)
    complaints = _complaints(form, shown)
    if complaints:
        return pages.answer(request, shown, now=now, errors=complaints, status=422)
    against = shown.precedents.contradiction(form.cleaned_data["kind"])
    if against and request.POST.get("against") != form.cleaned_data["kind"] and shown.may_decide:
        return pages.answer(request, shown, now=now, notice=conflicts.against(form, against), status=409)
    try:
        decisions.decide(
            item_id=item_id,
            reviewer=request.user,
            answer=form.answer(),
            shown_digest=form.cleaned_data["shown_digest"],
            item_version=form.cleaned_data["item_version"],
            opening=_opening(request, shown, now=now),
            channel=screens.channel_of(request),
            now=now,
        )
    except conflicts.REFUSALS as problem:
        return conflicts.answer(request, shown, problem, now=now)
    pace.notice(reviewer=request.user, now=now)
    return pages.next_item(request, after=shown, now=now)


@for_reviewers
@require_POST
def undo(request: AuthenticatedRequest, decision_id: str) -> HttpResponse:
    """Take one's own answer back and return to its item, where everything is as it was typed."""
    now = database_now()
    try:
        item = decisions.undo(decision_id=decision_id, reviewer=request.user, now=now)
    except decisions.TooLateToUndo as problem:
        return _too_late_to_undo(request, decision_id, problem, now=now)
    if not is_fragment(request):
        way = pages.query_of(pages.way_of(request, now=now))
        return redirect(resolve_url("reviews:review", item_id=item.public_id) + way)
    with suppress(claims.UnableToClaim):
        claims.claim(item_id=item.public_id, reviewer=request.user, now=now)
    notice = Notice(
        "ok",
        "undo-2",
        gettext("Taken back"),
        gettext("Nothing has gone out. Your version is as you left it."),
        offers_next=False,
    )
    shown = pages.load(request, item.public_id, now=now)
    ended = conflicts.notice_of_ending(shown, now=now)
    return pages.answer(request, shown, now=now, notice=ended or notice, moved=True)


def _complaints(form: DecisionForm, shown: Workspace) -> tuple[Complaint, ...]:
    """Return all that keeps this answer from being taken, before any service is asked."""
    valid = form.is_valid()
    wants_arguments = form.data.get("kind") == "correct"
    unread = shown.edit.errors if wants_arguments else ()
    found = [*pages.complaints_of(shown, unread)]
    if valid:
        return tuple(found)
    for name, problems in form.errors.as_data().items():
        label = gettext("Note") if name == "note" else gettext("Your answer")
        for problem in problems:
            anchor = "note" if name == "note" else _ANCHORS.get(str(problem.code), "")
            found.extend(Complaint(anchor, label, message) for message in problem.messages)
    return tuple(found)


def _opening(request: AuthenticatedRequest, shown: Workspace, *, now: datetime) -> attention.Opening | None:
    """Return how the item was read, with what the form itself says of it. A page without token is unknown."""
    seen = SeenForm(request.POST)
    if not seen.is_valid() or not seen.cleaned_data["token"]:
        return None
    token, item_id = seen.cleaned_data["token"], shown.item.public_id
    if seen.cleaned_data["seen_end"] or seen.parts_opened:
        attention.note(
            token=token,
            item_id=item_id,
            reviewer=request.user,
            arguments_seen=seen.cleaned_data["seen_end"],
            parts_opened=seen.parts_opened,
            editing=False,
            now=now,
        )
    return attention.opening(token=token, item_id=item_id, reviewer=request.user)


def _too_late_to_undo(
    request: AuthenticatedRequest, decision_id: str, problem: Exception, *, now: datetime
) -> HttpResponse:
    if is_fragment(request):
        return render(
            request, "reviews/review/_undo.html", {"undo": None, "undo_problem": str(problem)}, status=409
        )
    decision = request.user.decisions.select_related("item").get(public_id=decision_id)
    shown = pages.load(request, decision.item.public_id, now=now)
    notice = Notice("no", "clock", gettext("Too late to take it back"), str(problem))
    return pages.answer(request, shown, now=now, notice=notice, status=409)
