"""The story of one action for people: what was proposed, what the gate said, who decided, what ran."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime

from django.contrib.auth.models import User
from django.utils.translation import gettext, gettext_noop, pgettext_lazy

from hitl_site.lib.strict_json import JsonValue
from policies.choices import ActorKind
from policies.models import LedgerEntry
from policies.selectors import ledger
from reviews.choices import ItemStatus
from reviews.models import ActionRequest, Decision, Execution, Permit, ReviewItem
from reviews.selectors import drills, inbox, independence
from reviews.selectors.actions import proposed_arguments
from reviews.selectors.difference import Difference, difference
from reviews.selectors.reasons import reason_codes
from reviews.selectors.their_answers import are_hidden
from reviews.selectors.verbs import verb_of
from reviews.selectors.why import Why, why_held
from reviews.selectors.workspace import plainly

_SENTENCES = {
    "action.allowed": ("check", gettext_noop("The gate allowed it")),
    "action.held": ("hand", gettext_noop("The gate held it for a person")),
    "action.denied": ("ban", gettext_noop("The gate denied it")),
    "action.observed": ("eye", gettext_noop("Reported after it ran")),
    "action.cancelled": ("undo-2", gettext_noop("The agent took it back")),
    "action.expired": ("hourglass", gettext_noop("Time ran out: nothing runs")),
    "item.escalated": ("arrow-up-right", gettext_noop("Passed on")),
    "item.reminded": ("clock", gettext_noop("Called to mind at half its time")),
    "item.skipped": ("skip-forward", gettext_noop("Left to others")),
    "drill.served": ("target", gettext_noop("Served as a drill: nobody proposed it")),
    "drill.answered": ("target", gettext_noop("Answered the drill")),
    "decision.recorded": ("pencil", gettext_noop("Answered")),
    "decision.undone": ("undo-2", gettext_noop("Took the answer back")),
    "decision.released": ("send", gettext_noop("The answer went out")),
    "second_opinion.drawn": ("layers", gettext_noop("Drawn for a second opinion")),
    "second_opinion.asked": ("layers", gettext_noop("A second opinion was asked for")),
    "second_opinion.agreed": ("layers", gettext_noop("A second person said the same")),
    "second_opinion.disagreed": ("layers", gettext_noop("A second person said otherwise")),
    "second_opinion.settled": ("layers", gettext_noop("A lead settled the disagreement")),
    "second_opinion.expired": ("hourglass", gettext_noop("No second opinion came in time")),
    "permit.issued": ("key-round", gettext_noop("A permit was issued")),
    "permit.consumed": ("play", gettext_noop("The permit was used: it ran")),
    "permit.revoked": ("ban", gettext_noop("The permit was revoked")),
    "permit.expired": ("hourglass", gettext_noop("The permit expired unused")),
    "execution.outcome": ("flag", gettext_noop("The agent reported what came of it")),
    "execution.outcome_unknown": ("circle-help", gettext_noop("No report came: the outcome is unknown")),
    "execution.outcome_conflict": (
        "circle-alert",
        gettext_noop("The agent contradicted its report; the first one stands"),
    ),
    "incident.opened": ("circle-alert", gettext_noop("An incident was opened")),
    "incident.reported_late": ("clock", gettext_noop("The agent reported after the incident was opened")),
    "incident.resolved": ("check", gettext_noop("The incident was resolved")),
}
# The values of a fixed set that an entry tells of, as the page says them.
_VALUES = {
    "approve": pgettext_lazy("told of", "approve"),
    "correct": pgettext_lazy("told of", "correct"),
    "reject": pgettext_lazy("told of", "reject"),
    "succeeded": pgettext_lazy("told of", "succeeded"),
    "failed": pgettext_lazy("told of", "failed"),
    "partial": pgettext_lazy("told of", "partial"),
    "unknown": pgettext_lazy("told of", "unknown"),
    "digest_mismatch": pgettext_lazy("told of", "digest mismatch"),
    "outcome_unknown": pgettext_lazy("told of", "outcome unknown"),
}
_ABOUT_THE_REASON = frozenset({"action.held", "action.allowed", "action.denied", "action.observed"})

_OF_ANSWERS = "decision."
LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Event:
    """One entry of the ledger, in words. ``seq`` is None until it has its place in the chain."""

    icon: str
    title: str
    who: str
    detail: str
    at: datetime
    seq: int | None


@dataclass(frozen=True)
class Answered:
    """One answer, with its reasons in words and what it changed."""

    decision: Decision
    verb: str
    reasons: tuple[str, ...]
    change: Difference | None


@dataclass(frozen=True)
class Story:
    action: ActionRequest
    title: str
    proposed: JsonValue
    final: JsonValue
    items: tuple[ReviewItem, ...]
    # None while an item about it is blind and open: then nothing here may give the reason away.
    why: Why | None
    answers: tuple[Answered, ...]
    permits: tuple[Permit, ...]
    executions: tuple[Execution, ...]
    events: tuple[Event, ...]


def story(*, action_id: str, viewer: User) -> Story:
    """Return the story of an action. Raises ``DoesNotExist``, also for those who may not look.

    Raises ``KeptApart`` for those who could give a second opinion that is waited for.
    """
    actions = ActionRequest.objects.all() if inbox.may_look(viewer) else ActionRequest.objects.none()
    action = actions.select_related(
        "agent", "agent_version", "action_type", "gate_check__policy_version", "context"
    ).get(public_id=action_id)
    independence.keep_apart(action, viewer)
    proposed: JsonValue = dict(proposed_arguments(action))
    items = tuple(action.items.select_related("action__agent").order_by("id"))
    hidden = any(
        item.blind
        and item.status in {ItemStatus.OPEN, ItemStatus.RECORDED}
        and item.kind not in independence.APART
        for item in items
    )
    final: JsonValue = (
        json.loads(bytes(action.final_arguments_canonical)) if action.final_arguments_canonical else None
    )
    decisions = list(action.decisions.select_related("item").order_by("id"))
    # Whoever may still answer along with others answers alone: no moment at which that is over is asked here.
    known = drills.is_known(action, viewer)
    kept_apart = any(are_hidden(item, viewer, decisions, now=LONG_AGO) for item in items)
    return Story(
        action=action,
        title=plainly(action.title),
        proposed=proposed,
        final=final,
        items=items,
        why=None if hidden else why_held(action.gate_check, action),
        answers=()
        if hidden or kept_apart
        else tuple(_answered(decision, action, proposed) for decision in decisions),
        permits=tuple(action.permits.order_by("id")),
        executions=tuple(action.executions.order_by("id")),
        events=tuple(
            _event(entry, hidden=hidden, as_held_by="" if known else action.agent.name)
            for entry in ledger.story(action.public_id)
            if not ((hidden or kept_apart) and entry.verb.startswith(_OF_ANSWERS))
            and not (entry.verb == "drill.answered" and not known)
        ),
    )


def _answered(decision: Decision, action: ActionRequest, proposed: JsonValue) -> Answered:
    labels = {reason.code: reason.words for reason in reason_codes(action.action_type)}
    change = (
        difference(proposed, json.loads(bytes(decision.final_arguments_canonical)))
        if decision.final_arguments_canonical
        else None
    )
    return Answered(
        decision=decision,
        verb=verb_of(decision.kind),
        reasons=tuple(labels.get(code, code) for code in decision.reasons),
        change=change,
    )


def _event(entry: LedgerEntry, *, hidden: bool, as_held_by: str) -> Event:
    # Whoever may still answer a drill reads of it what they would read of any action that was held.
    disguised = entry.verb == "drill.served" and as_held_by != ""
    verb = "action.held" if disguised else entry.verb
    icon, title = _SENTENCES.get(verb, ("circle-dot", verb))
    if hidden and verb in _ABOUT_THE_REASON:
        icon, title = "hand", gettext_noop("The gate answered")
    link = getattr(entry, "link", None)
    return Event(
        icon=icon,
        title=gettext(title) if verb in _SENTENCES else title,
        who=_who(entry) if not disguised else as_held_by,
        detail="" if hidden else _detail(entry),
        at=entry.occurred_at,
        seq=link.seq if link is not None else None,
    )


def _who(entry: LedgerEntry) -> str:
    return "Handrail" if entry.actor_kind == ActorKind.SYSTEM else entry.actor_name


def _detail(entry: LedgerEntry) -> str:
    payload = entry.payload.body if hasattr(entry, "payload") else None
    if not isinstance(payload, dict):
        return ""
    told = (
        (name, payload.get(name))
        for name in ("kind", "outcome", "to_user", "to_queue", "second_queue", "reason")
    )
    return ", ".join(_told(name, value) for name, value in told if isinstance(value, str) and value)


def _told(name: str, value: str) -> str:
    words = _VALUES.get(value) if name in {"kind", "outcome"} else None
    return value.replace("_", " ") if words is None else str(words)
