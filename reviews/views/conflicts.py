"""What a reviewer reads when an answer could not be taken: who was first, what changed, what is missing."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from typing import Final

from django.http import HttpResponse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext, gettext_lazy, pgettext

from hitl_site.lib.http import AuthenticatedRequest
from reviews.choices import DecisionKind, ItemKind, ItemStatus
from reviews.forms import DecisionForm
from reviews.models import Decision
from reviews.selectors.changes import changes_since
from reviews.selectors.difference import difference, is_same
from reviews.selectors.workspace import Workspace, with_errors
from reviews.selectors.workspace_parts import Ending, Standing
from reviews.services import attention, decisions, rights
from reviews.views import pages
from reviews.views.pages import Complaint, Notice


def _and_kept(said: str) -> str:
    """Say as well where what was typed is now."""
    kept = gettext("Your version is kept below: you can read and copy it.")
    return f"{said} {kept}"


_ALL_THE_SAME: Final = {
    DecisionKind.APPROVE: gettext_lazy("Approve all the same"),
    DecisionKind.CORRECT: gettext_lazy("Correct all the same"),
    DecisionKind.REJECT: gettext_lazy("Reject all the same"),
}


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
        gettext("This would contradict what was decided before"),
        said,
        offers_next=False,
        confirms=kind,
        confirm_label=str(_ALL_THE_SAME[DecisionKind(kind)]),
    )


def notice_of_ending(shown: Workspace, *, now: datetime) -> Notice | None:
    """Return what to say of an item that nobody decides any more; None while it is open."""
    ending = shown.ending
    if shown.drill is not None:
        return Notice("ok", "target", gettext("This was a drill"), shown.drill)
    if ending is None:
        return None
    if ending.decision is None:
        return _cancelled(shown) if ending.status == ItemStatus.CANCELLED else _expired(shown)
    when = moment(ending.at)
    if ending.mine:
        gone = ending.decision.released_at is not None or ending.decision.release_at <= now
        text = (
            gettext("It has gone out.")
            if gone
            else gettext("It has not gone out yet: you can still take it back.")
        )
        return Notice("ok", "check", _title(ending, when), text)
    return Notice("ok", "check", _title(ending, when), gettext("Nothing is left to decide."))


def _title(ending: Ending, when: str) -> str:
    if ending.mine:
        return gettext("You {verb} this at {when}").format(verb=ending.verb, when=when)
    return gettext("{who} {verb} this at {when}").format(who=ending.who, verb=ending.verb, when=when)


def moment(at: datetime) -> str:
    """Return a time of day in the viewer's zone, with its date when that is not today."""
    local = timezone.localtime(at)
    is_today = local.date() == timezone.localdate()
    return date_format(local, "H:i:s" if is_today else pgettext("format of a moment", "j M Y, H:i"))


def _already_decided(
    request: AuthenticatedRequest, shown: Workspace, problem: Exception, now: datetime
) -> HttpResponse:
    assert isinstance(problem, decisions.AlreadyDecided)
    first, own = problem.decision, shown.standing == Standing.ANSWERED
    now_shown = pages.load(request, shown.item.public_id, now=now, posted=pages.posted_fields(request))
    if first is not None and _is_the_same(request, first, shown):
        return pages.next_item(request, after=shown, now=now)  # sent twice: a retry, or a second tab
    if own or first is None or now_shown.ending is None:
        notice = Notice("warn", "clock", gettext("You have answered already"), _and_kept(str(problem)))
    else:
        ending = now_shown.ending
        same = is_same(ending.final, shown.own.value)
        notice = Notice(
            "warn",
            "users",
            _title(ending, moment(ending.at)),
            _and_kept(gettext("Your answer was not taken.")),
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
    said = (
        [gettext("Reasons: {reasons}").format(reasons=", ".join(labels.get(code, code) for code in codes))]
        if codes
        else []
    )
    return (*said, gettext("Note: {note}").format(note=note)) if note else tuple(said)


def _expired(shown: Workspace) -> Notice:
    at = shown.ending.at if shown.ending is not None else shown.item.due_at
    if shown.item.kind == ItemKind.SECOND_OPINION:
        title = gettext("Time ran out at {when}; what was decided first stands").format(when=moment(at))
        said = gettext("Nobody gave a second opinion in time.")
    else:
        title = gettext("Time ran out at {when}; nothing will run").format(when=moment(at))
        said = gettext("Nobody decided in time.")
    return Notice("no", "hourglass", title, said if shown.typed is None else _and_kept(said))


def _cancelled(shown: Workspace) -> Notice:
    at = shown.ending.at if shown.ending is not None else shown.item.due_at
    return Notice(
        "no",
        "undo-2",
        gettext("The agent took this back at {when}; nothing will run").format(when=moment(at)),
        gettext("No answer is needed."),
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
        gettext("This item has changed since you opened it"),
        gettext("Nothing was decided. Your version is as you left it: look again, then decide."),
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
        complaints = (Complaint(problem.about, gettext("Your answer"), str(problem)),)
    return pages.answer(request, marked, now=now, errors=complaints, status=422)


def _denied(
    request: AuthenticatedRequest, shown: Workspace, problem: Exception, now: datetime
) -> HttpResponse:
    complaints = (
        Complaint(
            "", gettext("Policy"), gettext("{problem}. Change it, or reject it.").format(problem=problem)
        ),
    )
    return pages.answer(request, shown, now=now, errors=complaints, status=422)


def _incident(
    request: AuthenticatedRequest, shown: Workspace, problem: Exception, now: datetime
) -> HttpResponse:
    notice = Notice("warn", "siren", gettext("This is an incident"), str(problem), offers_next=False)
    return pages.answer(request, shown, now=now, notice=notice, status=409)


def _small_screen(
    request: AuthenticatedRequest, shown: Workspace, problem: Exception, now: datetime
) -> HttpResponse:
    text = gettext(
        "Nothing was decided, and your version is as you left it. Rejecting and escalating work here too."
    )
    notice = Notice("warn", "shield-alert", str(problem), text, offers_next=False)
    return pages.answer(request, shown, now=now, notice=notice, status=409)


def _not_allowed(
    request: AuthenticatedRequest, shown: Workspace, problem: Exception, now: datetime
) -> HttpResponse:
    notice = Notice("no", "lock", gettext("You may not decide this"), _and_kept(str(problem)))
    return pages.answer(request, shown, now=now, notice=notice, status=403)


def _unknown_opening(
    request: AuthenticatedRequest, shown: Workspace, problem: Exception, now: datetime
) -> HttpResponse:
    notice = Notice(
        "warn",
        "refresh-cw",
        gettext("This page was open under another name, or for another item"),
        gettext("Nothing was decided. Your version is as you left it: look again, then decide."),
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
