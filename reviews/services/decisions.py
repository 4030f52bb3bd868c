"""Decisions: a person's answer, what follows from it, and the moment in which it can be taken back."""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import cast

from django.contrib.auth.models import User
from django.db import transaction
from pydantic import JsonValue

from hitl_site.lib import ids
from hitl_site.lib.canonical import action_digest, canonicalize
from hitl_site.lib.textdiff import json_patch
from policies.engine.facts import Verdict
from policies.selectors.policies import live_version
from policies.services import gate, ledger
from reviews.adapters.submission import ARGUMENTS_LIMIT
from reviews.choices import OVERRIDES, ActionState, DecisionKind, ItemKind, ItemStatus, SkipReason
from reviews.models import ActionRequest, Decision, Escalation, Queue, ReviewItem, Skip
from reviews.schema_form import FieldError, validate
from reviews.selectors.actions import Arguments, proposed_arguments
from reviews.selectors.reasons import reason_codes
from reviews.services import gatekeeping, wakeups
from reviews.services.attention import Opening
from reviews.services.rights import NotAllowed, current_reviewer


class UnableToDecide(Exception):
    """The item cannot take this answer from this person now. Nothing has changed."""


class AlreadyDecided(UnableToDecide):
    """Somebody was first. ``decision`` is theirs, when there is one."""

    def __init__(self, message: str, decision: Decision | None = None) -> None:
        super().__init__(message)
        self.decision = decision


class TimeRanOut(UnableToDecide):
    """The deadline passed; the answer came too late."""


class Cancelled(UnableToDecide):
    """The agent took the action back."""


class StaleView(UnableToDecide):
    """What the person had before them is not what the item is now."""


class InvalidAnswer(UnableToDecide):
    """The answer itself is incomplete or cannot stand. ``errors`` say where."""

    def __init__(self, message: str, errors: Sequence[FieldError] = ()) -> None:
        super().__init__(message)
        self.errors = tuple(errors)


class DeniedByPolicy(UnableToDecide):
    """The policy in force forbids these arguments, whoever approves."""

    def __init__(self, titles: Sequence[str]) -> None:
        super().__init__("The policy in force forbids this: " + "; ".join(titles))


class TooLateToUndo(UnableToDecide):
    """The undo window is over: the answer has gone out."""


@dataclass(frozen=True)
class Answer:
    """What a person answers. ``arguments`` come with ``correct`` alone; reasons are codes of the type."""

    kind: DecisionKind
    arguments: JsonValue = None
    reasons: tuple[str, ...] = ()
    note: str = ""
    bulk: bool = False


@dataclass(frozen=True)
class Decided:
    decision: Decision
    item: ReviewItem
    replayed: bool


@dataclass(frozen=True)
class _Final:
    """What would run: arguments, their bytes and digest. All empty for a rejection."""

    arguments: Arguments | None
    canonical: bytes | None
    digest: str


@transaction.atomic
def decide(
    *,
    item_id: str,
    reviewer: User,
    answer: Answer,
    shown_digest: str,
    item_version: int,
    opening: Opening | None,
    now: datetime,
    channel: str = "web",
) -> Decided:
    """Record a person's answer and everything that follows from it, or nothing.

    Locks the item, then checks: the right as it stands now, that nobody was first, the deadline, that the
    person saw these very arguments, and that the policy in force does not forbid what would run. The same
    answer by the same person again is answered with the first one.
    """
    reviewer = current_reviewer(reviewer)
    item = _lock_item(item_id)
    action = item.action
    if action.agent.owner_id == reviewer.pk:
        raise NotAllowed("You own this agent; somebody else decides for it.")
    earlier = item.decisions.filter(reviewer=reviewer, undone_at=None).first()
    if earlier is not None and _is_same(earlier, answer, item):
        return Decided(decision=earlier, item=item, replayed=True)
    _check_open(item, earlier, now=now)
    if not hmac.compare_digest(shown_digest, action.digest) or item_version != item.version:
        raise StaleView("This item has changed since you opened it.")

    final = _final(item, answer)
    _check_reasons(item, answer)
    required = _ask_policy(item, final, now=now)
    terminal = _is_terminal(item, answer, final, required=required)
    decision = Decision.objects.create(
        public_id=ids.new("dec"),
        item=item,
        action=action,
        reviewer=reviewer,
        reviewer_name=reviewer.get_full_name() or reviewer.get_username(),
        kind=answer.kind,
        terminal=terminal,
        final_arguments_canonical=final.canonical if answer.kind == DecisionKind.CORRECT else None,
        final_digest=final.digest,
        patch=_patch(item, final) if answer.kind == DecisionKind.CORRECT else [],
        reasons=list(answer.reasons),
        note=answer.note,
        shown_digest=shown_digest,
        item_version=item_version,
        blind=item.blind,
        bulk=answer.bulk,
        opened_at=opening.opened_at if opening else None,
        decision_ms=opening.milliseconds_until(now) if opening else None,
        arguments_seen=opening.arguments_seen if opening else False,
        parts_opened=list(opening.parts_opened) if opening else [],
        channel=channel,
        considered=_is_considered(item, answer, opening, now=now),
        policy_version=live_version(action.action_type) if action.action_type else None,
        decided_at=now,
        release_at=now + timedelta(seconds=_undo_seconds(item)),
    )
    item.version += 1
    item.approvals_required = required
    item.claimed_by = None
    item.lease_expires_at = None
    if terminal:
        item.status = ItemStatus.RECORDED
    item.save(update_fields=["version", "approvals_required", "claimed_by", "lease_expires_at", "status"])
    # What was typed stays a draft until the release: taking the answer back brings it back.
    _record(decision, "decision.recorded", now=now, payload={"terminal": terminal})
    wakeups.inbox_changed(item.public_id)
    return Decided(decision=decision, item=item, replayed=False)


@transaction.atomic
def undo(*, decision_id: str, reviewer: User, now: datetime) -> ReviewItem:
    """Take one's own answer back while its undo window lasts. Taking it back twice changes nothing more."""
    found = Decision.objects.filter(public_id=decision_id, reviewer=reviewer).select_related("item").first()
    if found is None:
        raise NotAllowed("This is not a decision of yours.")
    item = _lock_item(found.item.public_id)
    decision = Decision.objects.select_for_update().get(pk=found.pk)
    if decision.undone_at is not None:
        return item
    if decision.released_at is not None or decision.release_at <= now:
        raise TooLateToUndo("The undo window is over; this answer has gone out.")
    _take_back(decision, by=reviewer, now=now)
    # An approval that closed the item counted this one: without it, too few people have approved.
    resting = item.decisions.select_for_update().filter(
        terminal=True, undone_at=None, released_at=None, final_digest=decision.final_digest
    )
    for other in resting if decision.final_digest else resting.none():
        _take_back(other, by=reviewer, because_of=decision, now=now)
    item.version += 1
    if (
        item.status == ItemStatus.RECORDED
        and not item.decisions.filter(terminal=True, undone_at=None).exists()
    ):
        item.status = ItemStatus.OPEN
    item.save(update_fields=["version", "status"])
    wakeups.inbox_changed(item.public_id)
    return item


@transaction.atomic
def escalate(
    *,
    item_id: str,
    reviewer: User,
    note: str,
    item_version: int,
    now: datetime,
    to_user: User | None = None,
    to_queue: Queue | None = None,
) -> ReviewItem:
    """Pass an item on to a person or a queue, with a note. It decides nothing, and the deadline stays."""
    reviewer = current_reviewer(reviewer)
    if (to_user is None) == (to_queue is None):
        raise InvalidAnswer("Say to whom: a person or a queue.")
    if not note.strip():
        raise InvalidAnswer("Say why you pass it on.")
    item = _lock_item(item_id)
    _check_open(item, None, now=now)
    if item_version != item.version:
        raise StaleView("This item has changed since you opened it.")
    if to_user is not None:
        _check_target(item, to_user, reviewer=reviewer)
        item.escalated_to = to_user
    if to_queue is not None:
        item.queue = to_queue
        item.escalated_to = None
    item.version += 1
    item.claimed_by = None
    item.lease_expires_at = None
    item.save(update_fields=["queue", "escalated_to", "version", "claimed_by", "lease_expires_at"])
    Escalation.objects.create(
        item=item,
        reviewer=reviewer,
        reviewer_name=reviewer.get_full_name() or reviewer.get_username(),
        to_user=to_user,
        to_queue=to_queue,
        note=note.strip(),
        escalated_at=now,
    )
    # Whoever passes an item on has had their say; it must not come back to them as the next one.
    Skip.objects.get_or_create(
        item=item, reviewer=reviewer, defaults={"reason": SkipReason.NOT_MY_FIELD, "skipped_at": now}
    )
    if to_user is not None:
        Skip.objects.filter(item=item, reviewer=to_user).delete()
    ledger.record(
        actor=ledger.Actor.person(reviewer),
        verb="item.escalated",
        object_kind="item",
        object_id=item.public_id,
        action_id=item.action.public_id,
        payload={
            "to_user": to_user.get_username() if to_user else None,
            "to_queue": to_queue.slug if to_queue else None,
        },
        now=now,
    )
    wakeups.inbox_changed(item.public_id)
    return item


@transaction.atomic
def skip(*, item_id: str, reviewer: User, reason: SkipReason, now: datetime) -> ReviewItem:
    """Leave an item to others. For them nothing changes; skipping twice changes nothing more."""
    reviewer = current_reviewer(reviewer)
    item = _lock_item(item_id)
    _check_open(item, None, now=now)
    _, fresh = Skip.objects.get_or_create(
        item=item, reviewer=reviewer, defaults={"reason": reason, "skipped_at": now}
    )
    if item.claimed_by_id == reviewer.pk:
        item.claimed_by = None
        item.lease_expires_at = None
        item.save(update_fields=["claimed_by", "lease_expires_at"])
        wakeups.inbox_changed(item.public_id)
    if fresh:
        ledger.record(
            actor=ledger.Actor.person(reviewer),
            verb="item.skipped",
            object_kind="item",
            object_id=item.public_id,
            action_id=item.action.public_id,
            payload={"reason": reason.value},
            now=now,
        )
    return item


def _take_back(decision: Decision, *, by: User, now: datetime, because_of: Decision | None = None) -> None:
    decision.undone_at = now
    decision.save(update_fields=["undone_at"])
    cause: dict[str, JsonValue] = {"because_of": because_of.public_id} if because_of is not None else {}
    _record(decision, "decision.undone", now=now, payload=cause, actor=by)


def _lock_item(item_id: str) -> ReviewItem:
    """Lock the action, then the item: everybody who changes either takes the locks in this order."""
    action_pk = ReviewItem.objects.values_list("action_id", flat=True).get(public_id=item_id)
    ActionRequest.objects.select_for_update(of=("self",)).get(pk=action_pk)
    return (
        ReviewItem.objects.select_for_update(of=("self",))
        .select_related(
            "action__agent",
            "action__agent_version",
            "action__action_type",
            "action__gate_check",
            "action__context",
        )
        .get(public_id=item_id)
    )


def _check_open(item: ReviewItem, own: Decision | None, *, now: datetime) -> None:
    if item.status in {ItemStatus.RECORDED, ItemStatus.DECIDED}:
        first = item.decisions.filter(terminal=True, undone_at=None).first()
        raise AlreadyDecided(_who_decided(first, own), first)
    if item.status == ItemStatus.CANCELLED:
        raise Cancelled("The agent took this action back.")
    if item.status == ItemStatus.EXPIRED or (item.kind == ItemKind.GATE and item.due_at <= now):
        raise TimeRanOut("Time ran out; nothing will run.")
    if own is not None:
        raise AlreadyDecided("You have given your answer; it waits for another person.", own)


def _who_decided(first: Decision | None, own: Decision | None) -> str:
    if first is None:
        return "This item has been decided already."
    if own is not None and first.pk == own.pk:
        return "You have decided this item already."
    return f"{first.reviewer_name} has decided this item already."


def _is_same(decision: Decision, answer: Answer, item: ReviewItem) -> bool:
    """Say whether ``answer`` is the one already recorded, sent again."""
    if (decision.kind, tuple(decision.reasons), decision.note) != (answer.kind, answer.reasons, answer.note):
        return False
    if answer.kind != DecisionKind.CORRECT:
        return True
    try:
        return canonicalize(answer.arguments) == bytes(decision.final_arguments_canonical or b"")
    except ValueError:
        return False


def _final(item: ReviewItem, answer: Answer) -> _Final:
    """Return what would run. Corrections must fit the action type's schema and really change something."""
    action = item.action
    if answer.kind == DecisionKind.REJECT:
        return _Final(arguments=None, canonical=None, digest="")
    if answer.kind == DecisionKind.APPROVE:
        return _Final(
            arguments=proposed_arguments(action),
            canonical=bytes(action.arguments_canonical),
            digest=action.digest,
        )
    if not isinstance(answer.arguments, dict):
        raise InvalidAnswer("The arguments must be an object.", [FieldError("", "This must be an object.")])
    try:
        canonical = canonicalize(answer.arguments)
    except ValueError as error:
        raise InvalidAnswer(
            "The arguments hold something that cannot be sent.", [FieldError("", str(error))]
        ) from None
    if len(canonical) > ARGUMENTS_LIMIT:
        raise InvalidAnswer(f"The arguments are too large; {ARGUMENTS_LIMIT // 1024} KiB is the most.")
    if canonical == bytes(action.arguments_canonical):
        raise InvalidAnswer("You changed nothing. Approve it as it is, or change a field.")
    if action.action_type is not None:
        errors = validate(action.action_type.argument_schema, answer.arguments)
        if errors:
            raise InvalidAnswer("Some fields need another look.", errors)
    digest = action_digest(
        agent=action.agent.name,
        subject=action.subject,
        action_type=action.action_type_name,
        environment=action.environment,
        arguments=answer.arguments,
    )
    return _Final(arguments=answer.arguments, canonical=canonical, digest=digest)


def _check_reasons(item: ReviewItem, answer: Answer) -> None:
    known = {reason.code for reason in reason_codes(item.action.action_type)}
    unknown = sorted(set(answer.reasons) - known)
    if unknown:
        raise InvalidAnswer(f"Unknown reason: {', '.join(unknown)}.")
    if answer.kind in OVERRIDES and not answer.reasons:
        raise InvalidAnswer("Say why: choose at least one reason.")


def _ask_policy(item: ReviewItem, final: _Final, *, now: datetime) -> int:
    """Put what would run to the policy in force; return how many people must approve it."""
    if final.arguments is None or item.kind != ItemKind.GATE:
        return item.approvals_required
    evaluation = gate.recheck(
        proposal=gatekeeping.proposal_of(item.action, arguments=final.arguments),
        previous_verdict=Verdict(item.action.gate_check.verdict),
        now=now,
    )
    if evaluation.verdict == Verdict.DENY:
        raise DeniedByPolicy([reason.title for reason in evaluation.reasons])
    return max(item.approvals_required, evaluation.approvals_required)


def _is_terminal(item: ReviewItem, answer: Answer, final: _Final, *, required: int) -> bool:
    """A rejection closes the item at once; what runs needs ``required`` people who say the very same."""
    if answer.kind == DecisionKind.REJECT or item.kind != ItemKind.GATE:
        return True
    agreeing = item.decisions.filter(final_digest=final.digest, undone_at=None).count()
    return agreeing + 1 >= required


def _is_considered(item: ReviewItem, answer: Answer, opening: Opening | None, *, now: datetime) -> bool:
    """Say whether this answer may count as evidence: an approval needs time to have been read."""
    if answer.bulk:
        return False
    if answer.kind in OVERRIDES:
        return True
    floor = item.action.action_type.reading_floor_ms if item.action.action_type else 0
    return opening is not None and opening.milliseconds_until(now) >= floor


def _undo_seconds(item: ReviewItem) -> int:
    # Nothing runs on the answer to a routine check; it can be taken back like any other.
    return gatekeeping.document_of(item.action.gate_check).undo_seconds


def _patch(item: ReviewItem, final: _Final) -> list[JsonValue]:
    return cast(list[JsonValue], json_patch(proposed_arguments(item.action), final.arguments))


def _check_target(item: ReviewItem, target: User, *, reviewer: User) -> None:
    if target.pk == reviewer.pk:
        raise InvalidAnswer("Pass it on to somebody else.")
    if item.action.agent.owner_id == target.pk:
        raise InvalidAnswer("That person owns the agent and cannot decide for it.")
    current_reviewer(target)


def _record(
    decision: Decision,
    verb: str,
    *,
    now: datetime,
    payload: dict[str, JsonValue] | None = None,
    actor: User | None = None,
) -> None:
    ledger.record(
        actor=ledger.Actor.person(actor or decision.reviewer),
        verb=verb,
        object_kind="decision",
        object_id=decision.public_id,
        action_id=decision.action.public_id,
        payload={
            "kind": decision.kind,
            "item_id": decision.item.public_id,
            "reasons": list(decision.reasons),
            "final_digest": decision.final_digest,
            "considered": decision.considered,
            **(payload or {}),
        },
        now=now,
    )


def close_state(kind: DecisionKind) -> ActionState:
    """Return the state that a released decision leaves its action in."""
    return {
        DecisionKind.APPROVE: ActionState.APPROVED,
        DecisionKind.CORRECT: ActionState.CORRECTED,
        DecisionKind.REJECT: ActionState.REJECTED,
    }[kind]
