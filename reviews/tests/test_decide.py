"""A person's answer: what it changes, what it needs, and what a refusal leaves untouched."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction

from hitl_site.lib import ids
from hitl_site.lib.clock import database_now
from policies.models import LedgerEntry, Observation
from policies.services import policies
from reviews.choices import ActionState, DecisionKind, ItemStatus, SkipReason
from reviews.models import ActionRequest, Decision, Escalation, Permit, Queue, ReviewItem
from reviews.selectors import people
from reviews.services import cancellations, deadlines, decisions, passing_on, rights
from reviews.tests.cast import REFUND, Cast, decide_as, held

LATER = timedelta(seconds=6)


def _nothing_decided() -> bool:
    return (
        Decision.objects.count() == 0
        and Permit.objects.count() == 0
        and Observation.objects.count() == 0
        and set(ReviewItem.objects.values_list("status", flat=True)) == {"open"}
        and not LedgerEntry.objects.filter(verb__startswith="decision.").exists()
    )


def test_an_approval_is_held_for_the_undo_window_and_then_yields_a_permit(cast: Cast) -> None:
    item = held(cast)
    now = database_now()
    decided = decide_as(cast.alice, item, now=now)

    item.refresh_from_db()
    assert item.status == ItemStatus.RECORDED
    assert ActionRequest.objects.get().state == ActionState.PENDING_REVIEW
    assert decided.decision.release_at == now + timedelta(seconds=5)
    assert deadlines.release_due(now=now + timedelta(seconds=4)) == 0
    assert Permit.objects.count() == 0

    assert deadlines.release_due(now=now + LATER) == 1
    assert deadlines.release_due(now=now + LATER) == 0
    action = ActionRequest.objects.get()
    assert (action.state, action.final_digest) == (ActionState.APPROVED, action.digest)
    permit = Permit.objects.get()
    assert (permit.basis, permit.digest, permit.decision) == ("approved", action.digest, decided.decision)
    observation = Observation.objects.get()
    assert (observation.error, observation.audited, observation.considered) == (False, False, True)
    assert (observation.score, observation.propensity) == (0.71, 1.0)


def test_a_correction_runs_the_corrected_arguments_under_their_own_digest(cast: Cast) -> None:
    item = held(cast)
    now = database_now()
    decided = decide_as(cast.alice, item, DecisionKind.CORRECT, arguments={**REFUND, "amount": 148}, now=now)

    assert decided.decision.patch == [{"op": "replace", "path": "/amount", "value": 148}]
    deadlines.release_due(now=now + LATER)
    action = ActionRequest.objects.get()
    assert action.state == ActionState.CORRECTED
    assert bytes(action.final_arguments_canonical or b"") == (
        b'{"amount":148,"message":"Sorry!","order":"SO-48213"}'
    )
    assert action.final_digest != action.digest
    assert Permit.objects.get().digest == action.final_digest
    assert Observation.objects.get().error is True


def test_a_rejection_runs_nothing(cast: Cast) -> None:
    item = held(cast)
    now = database_now()
    decide_as(cast.alice, item, DecisionKind.REJECT, now=now, note="He was paid already.")
    deadlines.release_due(now=now + LATER)

    action = ActionRequest.objects.get()
    assert (action.state, action.final_digest) == (ActionState.REJECTED, "")
    assert Permit.objects.count() == 0
    assert Decision.objects.get().note == "He was paid already."


@pytest.mark.parametrize(
    ("kind", "answer", "words"),
    [
        (DecisionKind.REJECT, {"reasons": ()}, "choose at least one reason"),
        (DecisionKind.CORRECT, {"reasons": (), "arguments": {**REFUND, "amount": 1}}, "at least one reason"),
        (DecisionKind.REJECT, {"reasons": ("made_up",)}, "Unknown reason"),
        (DecisionKind.CORRECT, {"arguments": REFUND}, "changed nothing"),
        (DecisionKind.CORRECT, {"arguments": {**REFUND, "amount": 184.0}}, "changed nothing"),
        (DecisionKind.CORRECT, {"arguments": {**REFUND, "amount": "148"}}, "another look"),
        (DecisionKind.CORRECT, {"arguments": {**REFUND, "extra": 1}}, "another look"),
        (DecisionKind.CORRECT, {"arguments": ["no", "object"]}, "must be an object"),
        (DecisionKind.CORRECT, {"arguments": {**REFUND, "amount": 2**60}}, "cannot be sent"),
    ],
)
def test_an_incomplete_answer_changes_nothing(
    cast: Cast, kind: DecisionKind, answer: dict[str, Any], words: str
) -> None:
    item = held(cast)
    with pytest.raises(decisions.InvalidAnswer, match=words):
        decide_as(cast.alice, item, kind, **answer)
    assert _nothing_decided()


def test_a_second_decision_changes_nothing_and_is_told_who_was_first(cast: Cast) -> None:
    item = held(cast)
    first = decide_as(cast.alice, item)
    with pytest.raises(decisions.AlreadyDecided) as refusal:
        decide_as(cast.bob, item, DecisionKind.REJECT)
    assert refusal.value.decision == first.decision
    assert Decision.objects.get().kind == DecisionKind.APPROVE


def test_the_same_answer_sent_twice_is_one_decision(cast: Cast) -> None:
    item = held(cast)
    first = decide_as(cast.alice, item, DecisionKind.REJECT, note="no")
    again = decide_as(cast.alice, item, DecisionKind.REJECT, note="no")
    assert again.replayed
    assert again.decision == first.decision
    assert Decision.objects.count() == 1


def test_the_owner_of_an_agent_never_decides_for_it(cast: Cast) -> None:
    item = held(cast)
    with pytest.raises(rights.NotAllowed):
        decide_as(cast.carol, item)
    assert _nothing_decided()


def test_a_right_taken_away_counts_at_once(cast: Cast) -> None:
    item = held(cast)
    assert cast.alice.has_perm("reviews.review_item")
    cast.alice.groups.clear()
    with pytest.raises(rights.NotAllowed):
        decide_as(cast.alice, item)
    assert _nothing_decided()


def test_a_manager_may_look_but_not_decide(cast: Cast) -> None:
    item = held(cast)
    with pytest.raises(rights.NotAllowed):
        decide_as(cast.dan, item)
    assert _nothing_decided()


def test_an_answer_to_other_arguments_than_these_is_stale(cast: Cast) -> None:
    item = held(cast)
    with pytest.raises(decisions.StaleView):
        decisions.decide(
            item_id=item.public_id,
            reviewer=cast.alice,
            answer=decisions.Answer(kind=DecisionKind.APPROVE),
            shown_digest="sha256:" + "0" * 64,
            item_version=item.version,
            opening=None,
            now=database_now(),
        )
    assert _nothing_decided()


def test_an_answer_after_the_deadline_comes_too_late(cast: Cast) -> None:
    item = held(cast, timeout="1m")
    late = database_now() + timedelta(minutes=2)
    with pytest.raises(decisions.TimeRanOut):
        decide_as(cast.alice, item, now=late)
    assert _nothing_decided()


def test_silence_denies(cast: Cast) -> None:
    item = held(cast, timeout="1m")
    late = database_now() + timedelta(minutes=2)
    assert deadlines.expire_due(now=late) == 1
    assert deadlines.expire_due(now=late) == 0
    item.refresh_from_db()
    action = ActionRequest.objects.get()
    assert (action.state, item.status) == (ActionState.EXPIRED, ItemStatus.EXPIRED)
    assert Permit.objects.count() == Observation.objects.count() == 0


def test_an_answer_in_time_outlives_the_deadline_in_its_undo_window(cast: Cast) -> None:
    item = held(cast, timeout="1m")
    action = item.action
    decide_as(cast.alice, item, now=action.expires_at - timedelta(seconds=1))
    after = action.expires_at + LATER
    assert deadlines.expire_due(now=after) == 0
    assert deadlines.release_due(now=after) == 1
    assert ActionRequest.objects.get().state == ActionState.APPROVED


def test_what_is_taken_back_in_time_never_was(cast: Cast) -> None:
    item = held(cast)
    now = database_now()
    decided = decide_as(cast.alice, item, now=now)
    reopened = decisions.undo(
        decision_id=decided.decision.public_id, reviewer=cast.alice, now=now + timedelta(seconds=4)
    )
    assert reopened.status == ItemStatus.OPEN
    assert deadlines.release_due(now=now + LATER) == 0
    assert Permit.objects.count() == Observation.objects.count() == 0

    again = decide_as(cast.alice, item, DecisionKind.REJECT)
    assert (again.replayed, Decision.objects.filter(undone_at=None).count()) == (False, 1)


def test_what_has_gone_out_is_not_taken_back(cast: Cast) -> None:
    item = held(cast)
    now = database_now()
    decided = decide_as(cast.alice, item, now=now)
    with pytest.raises(decisions.TooLateToUndo):
        decisions.undo(decision_id=decided.decision.public_id, reviewer=cast.alice, now=now + LATER)
    with pytest.raises(rights.NotAllowed):
        decisions.undo(decision_id=decided.decision.public_id, reviewer=cast.bob, now=now)
    assert Decision.objects.get().undone_at is None


def test_a_critical_action_needs_two_people_who_say_the_same(cast: Cast) -> None:
    policies.put_in_force(
        action_type=cast.refund,
        document={"threshold": 0.9, "approvals_required": 2},
        author=cast.olga,
        reason="two people",
        now=database_now(),
    )
    item = held(cast)
    now = database_now()
    first = decide_as(cast.alice, item, now=now)
    item.refresh_from_db()
    assert (first.decision.terminal, item.status) == (False, ItemStatus.OPEN)
    assert deadlines.release_due(now=now + LATER) == 0

    with pytest.raises(decisions.AlreadyDecided):
        decide_as(cast.alice, item, DecisionKind.REJECT, now=now)

    second = decide_as(cast.bob, item, now=now)
    assert second.decision.terminal
    assert deadlines.release_due(now=now + LATER) == 1
    assert ActionRequest.objects.get().state == ActionState.APPROVED
    assert Permit.objects.count() == 1
    told = LedgerEntry.objects.get(verb="decision.released").payload.body
    assert told is not None
    assert told["released_with"] == [first.decision.public_id]


def test_two_approvals_of_different_arguments_run_neither(cast: Cast) -> None:
    policies.put_in_force(
        action_type=cast.refund,
        document={"threshold": 0.9, "approvals_required": 2},
        author=cast.olga,
        reason="two people",
        now=database_now(),
    )
    item = held(cast)
    decide_as(cast.alice, item)
    other = decide_as(cast.bob, item, DecisionKind.CORRECT, arguments={**REFUND, "amount": 148})
    item.refresh_from_db()
    assert (other.decision.terminal, item.status) == (False, ItemStatus.OPEN)
    assert Permit.objects.count() == 0


def test_the_policy_in_force_forbids_what_an_edit_would_run(cast: Cast) -> None:
    policies.put_in_force(
        action_type=cast.refund,
        document={
            "threshold": 0.9,
            "rules": [
                {"code": "too_much", "title": "Over 1000", "when": "args.amount > 1000.0", "then": "deny"}
            ],
        },
        author=cast.olga,
        reason="a ceiling",
        now=database_now(),
    )
    item = held(cast, arguments={**REFUND, "amount": 999.5})
    with pytest.raises(decisions.DeniedByPolicy, match="Over 1000"):
        decide_as(cast.alice, item, DecisionKind.CORRECT, arguments={**REFUND, "amount": 1000.5})
    assert _nothing_decided()


def test_an_agent_that_takes_its_action_back_ends_an_answer_in_its_undo_window(cast: Cast) -> None:
    item = held(cast)
    now = database_now()
    decide_as(cast.alice, item, now=now)
    action = cancellations.cancel(action_id=item.action.public_id, agent=cast.clerk, now=now)
    again = cancellations.cancel(action_id=item.action.public_id, agent=cast.clerk, now=now)
    assert (action.state, again.state) == (ActionState.CANCELLED, ActionState.CANCELLED)
    assert deadlines.release_due(now=now + LATER) == 0
    assert Permit.objects.count() == Observation.objects.count() == 0


def test_passing_on_and_skipping_decide_nothing(cast: Cast) -> None:
    item = held(cast)
    passing_on.skip(
        item_id=item.public_id, reviewer=cast.alice, reason=SkipReason.NEED_TIME, now=database_now()
    )
    with pytest.raises(decisions.InvalidAnswer, match="owns the agent"):
        passing_on.escalate(
            item_id=item.public_id,
            reviewer=cast.alice,
            to_user=cast.carol,
            note="yours",
            item_version=item.version,
            now=database_now(),
        )
    passing_on.escalate(
        item_id=item.public_id,
        reviewer=cast.alice,
        to_user=cast.bob,
        note="evidence looks thin",
        item_version=item.version,
        now=database_now(),
    )
    item.refresh_from_db()
    assert (item.status, item.escalated_to) == (ItemStatus.OPEN, cast.bob)
    assert Decision.objects.count() == 0


def test_the_agents_owner_sends_an_item_to_a_queue_and_never_to_a_person(cast: Cast) -> None:
    item = held(cast)
    now = database_now()
    money = Queue.objects.create(public_id=ids.new("que"), slug="money", name="Money", created_at=now)
    assert not people.receivers_of(item, sender=cast.carol).exists()
    with pytest.raises(decisions.InvalidAnswer, match="not yours to choose"):
        passing_on.escalate(
            item_id=item.public_id,
            reviewer=cast.carol,
            to_user=cast.bob,
            note="Bob is kind",
            item_version=item.version,
            now=now,
        )
    item.refresh_from_db()
    assert (item.escalated_to, item.version) == (None, 1)
    assert not Escalation.objects.exists()

    passing_on.escalate(
        item_id=item.public_id,
        reviewer=cast.carol,
        to_queue=money,
        note="about money",
        item_version=item.version,
        now=now,
    )
    item.refresh_from_db()
    assert (item.queue, item.escalated_to) == (money, None)


def test_the_database_takes_no_answer_of_the_agents_owner(cast: Cast) -> None:
    item = held(cast)
    decide_as(cast.alice, item, DecisionKind.REJECT)
    with (
        connection.cursor() as cursor,
        pytest.raises(DatabaseError, match="owns an agent"),
        transaction.atomic(),
    ):
        cursor.execute(
            "INSERT INTO reviews_decision SELECT (jsonb_populate_record(d, %s)).* FROM reviews_decision d",
            [json.dumps({"id": 10**9, "public_id": ids.new("dec"), "reviewer_id": cast.carol.pk})],
        )
    assert Decision.objects.get().reviewer == cast.alice


def test_a_final_state_is_final_by_the_database(cast: Cast) -> None:
    item = held(cast)
    now = database_now()
    decide_as(cast.alice, item, DecisionKind.REJECT, now=now)
    deadlines.release_due(now=now + LATER)
    for change in (
        {"state": "approved"},
        {"state": "pending_review", "closed_at": None},
        {"final_digest": "sha256:x", "final_arguments_canonical": b"{}"},
        {"digest": "sha256:x"},
    ):
        with pytest.raises(DatabaseError), transaction.atomic():
            ActionRequest.objects.update(**change)
    assert ActionRequest.objects.get().state == ActionState.REJECTED
    with pytest.raises(DatabaseError), transaction.atomic():
        Decision.objects.update(kind="approve")
    with pytest.raises(DatabaseError), transaction.atomic():
        Decision.objects.all().delete()


def test_no_permit_without_a_decision_by_the_database(cast: Cast) -> None:
    item = held(cast)
    action = item.action
    now = database_now()
    with pytest.raises(DatabaseError, match="no permit without a decision"), transaction.atomic():
        Permit.objects.create(
            public_id="prm_forged",
            action=action,
            agent=cast.clerk,
            basis="allowed",
            digest=action.digest,
            token="x",
            issued_at=now,
            expires_at=now + timedelta(hours=1),
        )
    assert Permit.objects.count() == 0
