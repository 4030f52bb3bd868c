"""What a reviewer reads when an answer could not be taken: who was first, what changed, what is missing."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime

from django.http import HttpResponse
from django.utils import timezone
from django.utils.formats import date_format

from hitl_site.lib.http import AuthenticatedRequest
from reviews.choices import ItemKind, ItemStatus
from reviews.forms import DecisionForm
from reviews.models import Decision
from reviews.selectors.changes import changes_since
from reviews.selectors.difference import difference, is_same
from reviews.selectors.workspace import Workspace, with_errors
from reviews.selectors.workspace_parts import Standing
from reviews.services import attention, decisions, rights
from reviews.views import pages
from reviews.views.pages import Complaint, Notice

KEPT = "Your version is kept below: you can read and copy it."


def answer(
    request: AuthenticatedRequest, shown: Workspace, problem: Exception, *, now: datetime
) -> HttpResponse:
    """Answer a refused verdict with the page as it is now, in the person's own words still."""
    respond = _ANSWERS.get(type(problem))
    if respond is None:
        raise problem
    return respond(request, shown, problem, now)


def against(form: DecisionForm, said: str) -> Notice:
    """Ask once more before an answer that contradicts what was decided before: a question, not a block."""
    kind = str(form.cleaned_data["kind"])
    return Notice(
        "warn",
        "scale",
        "This would contradict what was decided before",
        said,
        offers_next=False,
        confirms=kind,
        confirm_label=f"{kind.capitalize()} all the same",
    )


def notice_of_ending(shown: Workspace, *, now: datetime) -> Notice | None:
    """Return what to say of an item that nobody decides any more; None while it is open."""
    ending = shown.ending
    if shown.drill is not None:
        return Notice("ok", "target", "This was a drill", shown.drill)
    if ending is None:
        return None
    if ending.decision is None:
        return _cancelled(shown) if ending.status == ItemStatus.CANCELLED else _expired(shown)
    when = moment(ending.at)
    if ending.mine:
        gone = ending.decision.released_at is not None or ending.decision.release_at <= now
        text = "It has gone out." if gone else "It has not gone out yet: you can still take it back."
        return Notice("ok", "check", f"You {ending.verb} this at {when}", text)
    return Notice("ok", "check", f"{ending.who} {ending.verb} this at {when}", "Nothing is left to decide.")


def moment(at: datetime) -> str:
    """Return a time of day in the viewer's zone, with its date when that is not today."""
    local = timezone.localtime(at)
    is_today = local.date() == timezone.localdate()
    return date_format(local, "H:i:s" if is_today else "j M Y, H:i")


def _already_decided(
    request: AuthenticatedRequest, shown: Workspace, problem: Exception, now: datetime
) -> HttpResponse:
    assert isinstance(problem, decisions.AlreadyDecided)
    first, own = problem.decision, shown.standing == Standing.ANSWERED
    now_shown = pages.load(request, shown.item.public_id, now=now, posted=pages.posted_fields(request))
    if first is not None and _is_the_same(request, first, shown):
        return pages.next_item(request, after=shown, now=now)  # sent twice: a retry, or a second tab
    if own or first is None or now_shown.ending is None:
        notice = Notice("warn", "clock", "You have answered already", f"{problem} {KEPT}")
    else:
        ending = now_shown.ending
        who = "You" if ending.mine else ending.who
        same = is_same(ending.final, shown.own.value)
        notice = Notice(
            "warn",
            "users",
            f"{who} {ending.verb} this at {moment(ending.at)}",
            f"Your answer was not taken. {KEPT}",
            lines=_said_by(ending.decision, shown),
            compare=None if same else difference(ending.final, shown.own.value),
        )
    return pages.answer(request, now_shown, now=now, notice=notice, status=409)


def _is_the_same(request: AuthenticatedRequest, first: Decision, shown: Workspace) -> bool:
    """Say whether the answer that came is the one of this person that stands already."""
    if first.reviewer_id != request.user.pk or request.POST.get("kind") != first.kind:
        return False
    if first.final_arguments_canonical is None:
        return True
    return is_same(json.loads(bytes(first.final_arguments_canonical)), shown.own.value)


def _said_by(decision: object, shown: Workspace) -> tuple[str, ...]:
    labels = {reason.code: reason.label for reason in shown.reasons}
    codes: list[str] = getattr(decision, "reasons", [])
    note: str = getattr(decision, "note", "")
    said = [f"Reasons: {', '.join(labels.get(code, code) for code in codes)}"] if codes else []
    return (*said, f"Note: {note}") if note else tuple(said)


def _expired(shown: Workspace) -> Notice:
    at = shown.ending.at if shown.ending is not None else shown.item.due_at
    kept = f" {KEPT}" if shown.typed is not None else ""
    if shown.item.kind == ItemKind.SECOND_OPINION:
        title = f"Time ran out at {moment(at)}; what was decided first stands"
        return Notice("no", "hourglass", title, f"Nobody gave a second opinion in time.{kept}")
    return Notice(
        "no", "hourglass", f"Time ran out at {moment(at)}; nothing will run", f"Nobody decided in time.{kept}"
    )


def _cancelled(shown: Workspace) -> Notice:
    at = shown.ending.at if shown.ending is not None else shown.item.due_at
    return Notice(
        "no",
        "undo-2",
        f"The agent took this back at {moment(at)}; nothing will run",
        "No answer is needed.",
    )


def _too_late(
    request: AuthenticatedRequest, shown: Workspace, problem: Exception, now: datetime
) -> HttpResponse:
    now_shown = pages.load(request, shown.item.public_id, now=now, posted=pages.posted_fields(request))
    return pages.answer(request, now_shown, now=now, notice=notice_of_ending(now_shown, now=now), status=410)


def _stale(
    request: AuthenticatedRequest, shown: Workspace, problem: Exception, now: datetime
) -> HttpResponse:
    now_shown = pages.load(request, shown.item.public_id, now=now, posted=pages.posted_fields(request))
    since = _opened_at(request, shown)
    notice = Notice(
        "warn",
        "refresh-cw",
        "This item has changed since you opened it",
        "Nothing was decided. Your version is as you left it: look again, then decide.",
        lines=changes_since(now_shown.item, since, hidden=now_shown.hidden or now_shown.kept_apart)
        if since
        else (),
        offers_next=False,
    )
    return pages.answer(request, now_shown, now=now, notice=notice, status=409)


def _opened_at(request: AuthenticatedRequest, shown: Workspace) -> datetime | None:
    try:
        return attention.opening(
            token=request.POST.get("token", ""), item_id=shown.item.public_id, reviewer=request.user
        ).opened_at
    except attention.UnknownOpening:
        return None


def _invalid(
    request: AuthenticatedRequest, shown: Workspace, problem: Exception, now: datetime
) -> HttpResponse:
    assert isinstance(problem, decisions.InvalidAnswer)
    marked = with_errors(shown, problem.errors) if shown.edit.editor == "form" else shown
    complaints = pages.complaints_of(shown, problem.errors)
    if not complaints:
        anchor = "reasons" if "reason" in str(problem).lower() else ""
        if isinstance(problem, decisions.ChecksMissing):
            anchor = "required"
        if "note" in str(problem):
            anchor = "note"
        complaints = (Complaint(anchor, "Your answer", str(problem)),)
    return pages.answer(request, marked, now=now, errors=complaints, status=422)


def _denied(
    request: AuthenticatedRequest, shown: Workspace, problem: Exception, now: datetime
) -> HttpResponse:
    complaints = (Complaint("", "Policy", f"{problem}. Change it, or reject it."),)
    return pages.answer(request, shown, now=now, errors=complaints, status=422)


def _incident(
    request: AuthenticatedRequest, shown: Workspace, problem: Exception, now: datetime
) -> HttpResponse:
    notice = Notice("warn", "siren", "This is an incident", str(problem), offers_next=False)
    return pages.answer(request, shown, now=now, notice=notice, status=409)


def _small_screen(
    request: AuthenticatedRequest, shown: Workspace, problem: Exception, now: datetime
) -> HttpResponse:
    text = "Nothing was decided, and your version is as you left it. Rejecting and escalating work here too."
    notice = Notice("warn", "shield-alert", str(problem), text, offers_next=False)
    return pages.answer(request, shown, now=now, notice=notice, status=409)


def _not_allowed(
    request: AuthenticatedRequest, shown: Workspace, problem: Exception, now: datetime
) -> HttpResponse:
    notice = Notice("no", "lock", "You may not decide this", f"{problem} {KEPT}")
    return pages.answer(request, shown, now=now, notice=notice, status=403)


def _unknown_opening(
    request: AuthenticatedRequest, shown: Workspace, problem: Exception, now: datetime
) -> HttpResponse:
    notice = Notice(
        "warn",
        "refresh-cw",
        "This page was open under another name, or for another item",
        "Nothing was decided. Your version is as you left it: look again, then decide.",
        offers_next=False,
    )
    return pages.answer(request, shown, now=now, notice=notice, status=409, new_opening=True)


_Respond = Callable[[AuthenticatedRequest, Workspace, Exception, datetime], HttpResponse]
_ANSWERS: dict[type[Exception], _Respond] = {
    decisions.AlreadyDecided: _already_decided,
    decisions.TimeRanOut: _too_late,
    decisions.Cancelled: _too_late,
    decisions.StaleView: _stale,
    decisions.InvalidAnswer: _invalid,
    decisions.ChecksMissing: _invalid,
    decisions.NotRead: _invalid,
    decisions.SmallScreen: _small_screen,
    decisions.NotForDecision: _incident,
    decisions.DeniedByPolicy: _denied,
    rights.NotAllowed: _not_allowed,
    attention.UnknownOpening: _unknown_opening,
}
REFUSALS = tuple(_ANSWERS)
