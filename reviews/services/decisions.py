"""Decisions: a person's answer, what follows from it, and the moment in which it can be taken back."""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import cast

from django.contrib.auth.models import User
from django.db import transaction
from django.utils.translation import gettext
from pydantic import JsonValue

from hitl_site.lib import ids, rows
from hitl_site.lib.instances import made
from hitl_site.lib.textdiff import json_patch
from policies.engine.facts import Verdict
from policies.selectors.policies import live_version
from policies.selectors.reason_words import title_in_words
from policies.services import gate, ledger
from reviews.choices import OVERRIDES, ActionState, DecisionKind, ItemKind, ItemStatus
from reviews.models import Decision, Preferences, ReviewItem
from reviews.selectors import independence
from reviews.selectors.actions import proposed_arguments
from reviews.selectors.attention import floor_of
from reviews.services import drills, gatekeeping, second_reviews, wakeups
from reviews.services.answers import (
    Answer,
    ChecksMissing,
    Final,
    InvalidAnswer,
    check_reasons,
    final_of,
    is_same,
    ticked,
)
from reviews.services.attention import Opening
from reviews.services.locks import lock_item, standing_answers
from reviews.services.open_items import (
    AlreadyDecided,
    Cancelled,
    NotForDecision,
    StaleView,
    TimeRanOut,
    UnableToDecide,
    check_open,
)
from reviews.services.reading import Channel, NotRead, SmallScreen, check_read, check_screen
from reviews.services.rights import NotAllowed, current_reviewer, who_may_review

__all__ = [
    "AlreadyDecided",
    "Answer",
    "Cancelled",
    "Channel",
    "ChecksMissing",
    "Decided",
    "DeniedByPolicy",
    "InvalidAnswer",
    "NotForDecision",
    "NotRead",
    "SmallScreen",
    "StaleView",
    "TimeRanOut",
    "TooLateToUndo",
    "UnableToDecide",
    "close_state",
    "decide",
    "undo",
]


class DeniedByPolicy(UnableToDecide):
    """The policy in force forbids these arguments, whoever approves."""

    def __init__(self, titles: Sequence[str]) -> None:
        super().__init__(
            gettext("The policy in force forbids this: {reasons}").format(reasons="; ".join(titles))
        )


class TooLateToUndo(UnableToDecide):
    """The undo window is over: the answer has gone out."""


@dataclass(frozen=True)
class Decided:
    decision: Decision
    item: ReviewItem
    replayed: bool


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
    channel: Channel = Channel.WEB,
) -> Decided:
    """Record a person's answer and everything that follows from it, or nothing.

    Locks the item, then checks: the right as it stands now, that nobody was first, the deadline, that the
    person saw these very arguments, ticked what the policy wants checked and has a screen that it asks for,
    and that the policy in force does not forbid what would run. The same answer by the same person again is
    answered with the first one.
    """
    reviewer = current_reviewer(reviewer)
    item = lock_item(item_id)
    action = item.action
    because = independence.why_not(item, reviewer, heed_queue=True)
    if because:
        raise NotAllowed(because)
    standing = standing_answers(item)
    earlier = next((each for each in standing if each.reviewer_id == reviewer.pk), None)
    if earlier is not None and is_same(earlier, answer):
        return Decided(decision=earlier, item=item, replayed=True)
    check_open(item, earlier, now=now)
    if not hmac.compare_digest(shown_digest, action.digest) or item_version != item.version:
        raise StaleView(gettext("This item has changed since you opened it."))

    final = final_of(item, answer)
    check_reasons(item, answer)
    in_force = live_version(action.action_type) if action.action_type is not None else None
    checklist = ticked(item, answer, in_force)
    check_screen(item, answer, channel)
    check_read(item, answer, opening, now=now)
    same = {each.reviewer_id for each in standing if each.final_digest == final.digest}
    required = max(
        _ask_policy(item, final, now=now),
        second_reviews.people_needed(item=item, kind=answer.kind, people={reviewer.pk, *same}, now=now),
    )
    terminal = _is_terminal(item, answer, same, required=required)
    decision = made(
        Decision,
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
        checklist=checklist,
        considered=_is_considered(item, answer, opening, now=now),
        policy_version=in_force,
        decided_at=now,
        release_at=now + timedelta(seconds=_undo_seconds(item, reviewer)),
    )
    rows.insert(decision)
    item.version += 1
    item.approvals_required = required
    item.disagreed_at = _disagreed_at(item, [*standing, decision], now=now)
    item.claimed_by = None
    item.lease_expires_at = None
    if terminal:
        item.status = ItemStatus.RECORDED
    item.save(
        update_fields=[
            "version",
            "approvals_required",
            "disagreed_at",
            "claimed_by",
            "lease_expires_at",
            "status",
        ]
    )
    if action.drill:
        drills.answered(decision=decision, now=now)
    else:
        drills.plan(decision=decision, now=now)
    # What was typed stays a draft until the release: taking the answer back brings it back.
    _record(
        decision,
        "decision.recorded",
        now=now,
        payload={"terminal": terminal, "answers_differ": item.disagreed_at is not None},
    )
    wakeups.inbox_changed(item.public_id)
    return Decided(decision=decision, item=item, replayed=False)


@transaction.atomic
def undo(*, decision_id: str, reviewer: User, now: datetime) -> ReviewItem:
    """Take one's own answer back while its undo window lasts. Taking it back twice changes nothing more."""
    found = Decision.objects.filter(public_id=decision_id, reviewer=reviewer).select_related("item").first()
    if found is None:
        raise NotAllowed(gettext("This is not a decision of yours."))
    item = lock_item(found.item.public_id)
    decision = Decision.objects.select_for_update().get(pk=found.pk)
    if decision.undone_at is not None:
        return item
    if item.action.drill:
        raise TooLateToUndo(
            gettext("This was a drill, and you have been told what was right: the answer stands.")
        )
    if decision.released_at is not None or decision.release_at <= now:
        raise TooLateToUndo(gettext("The undo window is over; this answer has gone out."))
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
    item.disagreed_at = _disagreed_at(item, item.decisions.filter(undone_at=None), now=now)
    item.save(update_fields=["version", "disagreed_at", "status"])
    wakeups.inbox_changed(item.public_id)
    return item


def _take_back(decision: Decision, *, by: User, now: datetime, because_of: Decision | None = None) -> None:
    decision.undone_at = now
    decision.save(update_fields=["undone_at"])
    cause: dict[str, JsonValue] = {"because_of": because_of.public_id} if because_of is not None else {}
    _record(decision, "decision.undone", now=now, payload=cause, actor=by)


def _ask_policy(item: ReviewItem, final: Final, *, now: datetime) -> int:
    """Put what would run to the policy in force; return how many people must approve it."""
    if final.arguments is None or item.kind != ItemKind.GATE:
        return item.approvals_required
    evaluation = gate.recheck(
        proposal=gatekeeping.proposal_of(item.action, arguments=final.arguments),
        previous_verdict=Verdict(item.action.gate_check.verdict),
        now=now,
    )
    if evaluation.verdict == Verdict.DENY:
        raise DeniedByPolicy([title_in_words(reason.code, reason.title) for reason in evaluation.reasons])
    if item.reserved_for_id is not None:
        return 1  # a drill for them alone: nobody else could approve it as well
    return max(item.approvals_required, evaluation.approvals_required)


def _is_terminal(item: ReviewItem, answer: Answer, same: set[int], *, required: int) -> bool:
    """A rejection closes the item at once; what runs needs ``required`` people who say the very same.

    Those who said the ``same`` before count with this one, each only while they might still give it: they may
    review, and do not answer for the agent by now.
    """
    if answer.kind == DecisionKind.REJECT or item.kind != ItemKind.GATE or required <= 1:
        return True
    people = {person for person in same if not independence.owns(item.action, person)}
    return len(who_may_review(people, action_type_name=item.action_type_name)) + 1 >= required


def _disagreed_at(item: ReviewItem, standing: Iterable[Decision], *, now: datetime) -> datetime | None:
    """Return since when the approvals that stand are for different arguments; None while they are not."""
    if len({each.final_digest for each in standing} - {""}) < 2:
        return None
    return item.disagreed_at or now


def _is_considered(item: ReviewItem, answer: Answer, opening: Opening | None, *, now: datetime) -> bool:
    """Say whether this answer may count as evidence: an approval needs time to have been read."""
    if answer.bulk:
        return False
    if answer.kind in OVERRIDES:
        return True
    return opening is not None and opening.milliseconds_until(now) >= floor_of(item.action)


def _undo_seconds(item: ReviewItem, reviewer: User) -> int:
    """Return how long the answer rests: as the policy says, or shorter where the person wants that."""
    # Nothing runs on the answer to a routine check; it can be taken back like any other.
    most = gatekeeping.document_of(item.action.gate_check).undo_seconds
    own = Preferences.objects.filter(user=reviewer).values_list("undo_seconds", flat=True).first()
    return most if own is None else min(own, most)


def _patch(item: ReviewItem, final: Final) -> list[JsonValue]:
    return cast(list[JsonValue], json_patch(proposed_arguments(item.action), final.arguments))


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
