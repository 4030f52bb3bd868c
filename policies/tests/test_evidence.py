"""Evidence: taken in the order of sampling up to the watermark, exactly once, and made again all the same."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest

from policies.choices import AutonomyLevel, MissingLabelReason
from policies.models import (
    ActionType,
    AgentVersion,
    DrillResult,
    EvidenceSample,
    EvidenceTrack,
    GateCheck,
    LedgerCursor,
)
from policies.selectors import evidence_samples
from policies.selectors.evidence import evidence_of
from policies.selectors.evidence_limits import Limits, limits_of
from policies.services import autonomy, evidence, gate, ledger
from policies.services.trust import note_missing
from policies.statistics.evidence import beta_log_e
from policies.statistics.intervals import lower_limit
from policies.statistics.tracking import Label, Tally
from policies.tests.base import NOON, SYSTEM, make_policy, make_proposal, make_refund_type, trust
from policies.tests.track_record import Record, number_entries

if TYPE_CHECKING:
    from django.contrib.auth.models import User

pytestmark = pytest.mark.django_db


@pytest.fixture
def record(clerk_v1: AgentVersion, refund_policy: object) -> Record:
    return Record(clerk_v1)


def tally_of(record: Record, action_type: ActionType) -> Tally:
    return Tally.from_document(record.track(action_type).state)


def test_labels_count_up_to_the_first_action_that_nobody_has_answered(
    record: Record, refund: ActionType
) -> None:
    checks = [record.act() for _ in range(5)]
    for place in (0, 1, 3, 4):
        record.answer(checks[place], error=place == 4)
    record.keep()
    assert (tally_of(record, refund).n, tally_of(record, refund).k) == (2, 0)
    record.answer(checks[2])
    record.keep()
    assert (tally_of(record, refund).n, tally_of(record, refund).k) == (5, 1)
    assert tally_of(record, refund).log_e == beta_log_e(1, 5, 0.05)


def test_what_nobody_will_answer_lets_the_evidence_go_on_and_counts_as_nothing(
    record: Record, refund: ActionType
) -> None:
    first, second = record.act(), record.act()
    record.answer(second, error=True)
    record.keep()
    assert tally_of(record, refund).n == 0
    record.expire(first)
    record.keep()
    assert (tally_of(record, refund).n, tally_of(record, refund).k) == (1, 1)
    assert tally_of(record, refund).passed_over == 1
    found = evidence_of(record.version, refund, record.clock.now)
    assert found is not None
    assert found.missing_share == 0.5


def test_a_weak_label_counts_as_nothing_and_holds_nothing_up(record: Record, refund: ActionType) -> None:
    record.answer(record.act(), considered=False)
    record.answer(record.act(), considered=False, error=True)
    record.reviewed(3)
    record.keep()
    assert (tally_of(record, refund).n, tally_of(record, refund).k) == (3, 0)
    assert tally_of(record, refund).passed_over == 0


def test_drills_and_what_was_let_through_without_a_look_count_as_nothing(
    record: Record, refund: ActionType
) -> None:
    record.reviewed(2)
    now = record.clock.tick()
    drill = gate.judge(proposal=make_proposal(record.version), now=now, drill=True)
    drill.save()
    ledger.record(
        actor=SYSTEM,
        verb="action.held",
        object_kind="action",
        object_id=drill.action_id,
        action_id=drill.action_id,
        now=now,
    )
    assert record.answer(drill, error=True) is None
    bypassed = record.act()
    note_missing(gate_check=bypassed, reason=MissingLabelReason.BYPASSED, now=record.clock.tick())
    record.reviewed(1)
    record.keep()
    tally = tally_of(record, refund)
    assert (tally.n, tally.k, tally.passed_over) == (3, 0, 1)
    assert not EvidenceSample.objects.filter(gate_check=drill).exists()


def test_one_event_counts_once_a_day_and_as_its_first_label(record: Record, refund: ActionType) -> None:
    same = {"arguments": {"order_id": "W-same", "amount": 10}}
    record.answer(record.act(**same), considered=False, error=True)
    record.answer(record.act(**same))
    for _ in range(5):
        record.answer(record.act(**same), error=True)
    record.keep()
    assert (tally_of(record, refund).n, tally_of(record, refund).k) == (1, 0)
    record.clock.tick(days=1)
    record.answer(record.act(**same), error=True)
    record.keep()
    assert (tally_of(record, refund).n, tally_of(record, refund).k) == (2, 1)


def test_a_change_of_level_begins_anew_and_a_loss_costs_an_attempt(
    record: Record, refund: ActionType, alice: User
) -> None:
    record.reviewed(4, errors=1)
    waiting = record.act()
    record.keep()
    assert record.track(refund).attempt == 1
    grant = trust(record.version, refund, alice, AutonomyLevel.THRESHOLD)
    record.keep()
    track = record.track(refund)
    assert (track.level, track.attempt, tally_of(record, refund).n) == ("threshold", 1, 0)
    # Drawn before: an answer that comes now says nothing of the new level.
    record.answer(waiting, error=True)
    record.keep()
    assert tally_of(record, refund).n == 0
    autonomy.end(grant=grant, reason="a look", actor=SYSTEM, now=record.clock.tick())
    record.keep()
    track = record.track(refund)
    assert (track.level, track.attempt) == ("review_all", 2)
    found = evidence_of(record.version, refund, record.clock.now)
    assert found is not None
    assert found.delta == pytest.approx(0.05 / 6)


def test_a_level_that_was_granted_before_the_first_action_costs_no_attempt(
    record: Record, refund: ActionType, alice: User
) -> None:
    trust(record.version, refund, alice, AutonomyLevel.THRESHOLD)
    record.answer(record.act(confidence=0.1))
    record.keep()
    track = record.track(refund)
    assert (track.level, track.attempt, tally_of(record, refund).n) == ("threshold", 1, 1)


def test_each_version_has_evidence_of_its_own(record: Record, refund: ActionType) -> None:
    from policies.services import agents

    record.reviewed(3, errors=1)
    newer = agents.see_version(agent=record.version.agent, label="2.0", now=NOON)
    Record(newer, record.clock).reviewed(2)
    record.keep()
    assert evidence_of(newer, refund, record.clock.now).n == 2  # type: ignore[union-attr]  # it is there
    assert evidence_of(record.version, refund, record.clock.now).k == 1  # type: ignore[union-attr]  # it is there


def test_checks_of_what_ran_alone_weigh_by_what_they_stand_for(
    record: Record, refund: ActionType, alice: User
) -> None:
    make_policy(refund, alice, audit_rate=0.5)
    trust(record.version, refund, alice, AutonomyLevel.THRESHOLD)
    record.checked(2)
    record.answer(record.act(confidence=0.1), error=True)
    record.keep()
    tally = tally_of(record, refund)
    expected = Tally.begin(alpha=0.05)
    for error, weight, alone in ((False, 1.0, True), (False, 1.0, True), (True, 0.5, False)):
        expected.take(
            Label(
                error=error,
                loss=float(error),
                weight=weight,
                score=0.9 if alone else 0.1,
                unhindered=True,
                alone=alone,
            )
        )
    assert tally.unhindered.log_e == expected.unhindered.log_e
    assert tally.alone.log_e == expected.alone.log_e
    assert (tally.alone.n, tally.alone_k, tally.arrived_n) == (2, 0, 2)


def test_what_a_rule_would_hold_anyway_certifies_no_threshold(
    record: Record, refund: ActionType, alice: User
) -> None:
    rule = {"code": "big", "title": "Big", "when": "args.amount > 100", "then": "review"}
    make_policy(refund, alice, rules=[rule])
    for amount in (50, 500):
        record.answer(record.act(arguments={"order_id": f"W-{amount}", "amount": amount}))
    record.keep()
    tally = tally_of(record, refund)
    assert (tally.n, tally.unhindered.n) == (2, 1)


def test_misses_of_reviewers_lower_the_rate_to_test_against(
    record: Record, refund: ActionType, alice: User
) -> None:
    record.reviewed(3)
    record.keep()
    assert limits_of(refund) == Limits(limit=0.05, alpha=0.05, delta=0.05, catch=None)
    for place in range(60):
        DrillResult.objects.create(
            drill_id=f"act_{place}",
            action_type=refund,
            reviewer=alice,
            error_kind="wrong_value",
            caught=place >= 6,
            decided_at=NOON,
        )
    limits = limits_of(refund)
    assert limits.alpha == pytest.approx(0.05 * lower_limit(54, 60, 0.025))
    assert (limits.delta, limits.pooled) == (0.025, False)
    record.reviewed(1)
    record.keep()
    tally = tally_of(record, refund)
    assert (tally.alpha, tally.n) == (limits.alpha, 4)
    assert tally.highest_log_e == max(beta_log_e(0, n, limits.alpha) for n in range(5))


def test_following_twice_changes_nothing(record: Record, refund: ActionType) -> None:
    record.reviewed(3, errors=1)
    record.settle()
    before = (list(EvidenceSample.objects.values()), list(EvidenceTrack.objects.values("state", "attempt")))
    record.settle()
    assert (
        list(EvidenceSample.objects.values()),
        list(EvidenceTrack.objects.values("state", "attempt")),
    ) == before


@pytest.mark.parametrize("seed", range(3))
def test_made_again_from_the_ledger_the_evidence_is_the_same(
    clerk_v1: AgentVersion, alice: User, seed: int
) -> None:
    """Whatever happened in whatever order, and however often somebody looked meanwhile."""
    refund = make_refund_type(severities={"wrong_arguments": 0.25})
    make_policy(refund, alice, audit_rate=0.5)
    record, chance = Record(clerk_v1), random.Random(seed)
    open_checks = []
    for step in range(140):
        check = record.act(
            confidence=round(chance.random(), 2),
            arguments={"order_id": f"W{chance.randrange(30)}", "amount": 10},
        )
        if check.route == "held" or check.audit_selected:
            open_checks.append(check)
        chance.shuffle(open_checks)
        while len(open_checks) > 4:
            answered = open_checks.pop()
            if chance.random() < 0.1 and not answered.audit_selected:
                record.expire(answered)
            else:
                record.answer(
                    answered,
                    error=chance.random() < 0.1,
                    considered=chance.random() < 0.8,
                    reasons=("wrong_arguments",),
                )
        if chance.random() < 0.2:
            record.keep()
        if step == 90:
            trust(record.version, refund, alice, AutonomyLevel.THRESHOLD)
    record.settle()
    track = record.track(refund)
    assert Tally.from_document(track.state).to_document() == track.state
    assert evidence.rebuilt(track).to_document() == track.state
    kept = EvidenceTrack.objects.values("level", "attempt", "started_seq", "watermark_seq", "state").get()
    samples = list(EvidenceSample.objects.order_by("seq").values_list("gate_check", "seq", "labelled_seq"))
    EvidenceTrack.objects.all().delete()
    EvidenceSample.objects.all().delete()
    LedgerCursor.objects.filter(reader=evidence.READER).delete()
    number_entries()
    while evidence.follow(now=record.clock.now, limit=37):
        pass
    for track_pk in evidence.stale():
        evidence.take_in(track_pk, now=record.clock.now)
    again = EvidenceTrack.objects.values("level", "attempt", "started_seq", "watermark_seq", "state").get()
    assert again == kept
    assert (
        list(EvidenceSample.objects.order_by("seq").values_list("gate_check", "seq", "labelled_seq"))
        == samples
    )


def test_whoever_counts_labels_leaves_out_the_same_repeats_as_the_ladder(clerk_v1: AgentVersion) -> None:
    refund = make_refund_type(cluster_pointer="/order_id")
    record = Record(clerk_v1)

    def of(order: str) -> GateCheck:
        return record.act(arguments={"order_id": order, "amount": 1250})

    first, again, other, unread, later = of("W1"), of("W1"), of("W2"), of("W3"), of("W3")
    record.answer(again, error=True)
    record.answer(unread, considered=False)
    for check in (first, other, later):
        record.answer(check)
    record.clock.tick(days=1)
    tomorrow = of("W1")
    record.answer(tomorrow)
    record.settle()

    assert evidence_samples.repeats(refund) == [again.pk]
    assert tally_of(record, refund).n == 4
    assert tally_of(record, refund).k == 0
