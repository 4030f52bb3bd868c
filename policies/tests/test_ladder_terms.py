"""What a level rests on: when that goes, the level goes too, and nothing older than today grants one."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from django.core.exceptions import PermissionDenied

from policies.choices import AutonomyLevel, ProposalState
from policies.models import ActionType, AgentVersion, AutonomyGrant, AutonomyProposal
from policies.selectors.autonomy import level_in_force
from policies.selectors.evidence import evidence_of
from policies.services import (
    action_types,
    autonomy,
    double_reviews,
    evidence,
    ladder,
    ledger,
    policies,
    proposals,
)
from policies.services.agents import see_version
from policies.tests.base import SYSTEM, make_policy, make_refund_type, make_user, recorded, trust
from policies.tests.test_ladder import QUICK, approve, earn
from policies.tests.track_record import Record, may_grant, number_entries
from tests.plugins.draws import drawn

if TYPE_CHECKING:
    from django.contrib.auth.models import User

pytestmark = pytest.mark.django_db

JUDGED: dict[str, object] = {"threshold": 0.5, "audit_rate": 0.5, "score": "judge"}


@pytest.fixture
def refund(db: None) -> ActionType:
    return make_refund_type(error_limit=0.3, ladder=QUICK)


@pytest.fixture
def record(clerk_v1: AgentVersion, refund: ActionType, alice: User) -> Record:
    make_policy(refund, alice, threshold=0.5, audit_rate=0.5)
    return Record(clerk_v1)


@pytest.fixture
def grace(db: None) -> User:
    return may_grant(make_user("grace"))


def level(record: Record, action_type: ActionType) -> str:
    return str(level_in_force(record.version, action_type, record.clock.now)[0])


def certify(
    record: Record,
    action_type: ActionType,
    by: User,
    at: AutonomyLevel,
    *,
    days: int = 100,
    certified: bool = True,
    **terms: object,
) -> AutonomyGrant:
    now = record.clock.tick()
    return autonomy.grant(
        agent_version=record.version,
        action_type=action_type,
        level=at,
        reason="earned",
        granted_by=by,
        certified=certified,
        expires_at=now + timedelta(days=days),
        terms=autonomy.Terms(**terms),  # type: ignore[arg-type]  # any field
        now=now,
    )


def publish(record: Record, action_type: ActionType, author: User, document: dict[str, object]) -> None:
    policies.put_in_force(
        action_type=action_type,
        document=document,
        author=author,
        reason="another score",
        now=record.clock.tick(),
    )


# ---------------------------------------------------------------- what is granted


def test_a_threshold_that_is_no_longer_certified_is_not_granted_though_another_is(
    record: Record, refund: ActionType, grace: User
) -> None:
    proposal = earn(record)
    assert proposal.threshold is not None
    record.reviewed(60, errors=60, confidence=0.6)
    number_entries()
    evidence.follow(now=record.clock.now)
    found = evidence_of(record.version, refund, record.clock.now)
    assert found is not None
    assert proposal.threshold <= 0.6
    with pytest.raises(proposals.UnableToApprove, match="no longer certified"):
        proposals.approve(
            proposal_id=proposal.public_id, approved_by=grace, reason="fine", now=record.clock.tick()
        )
    assert not AutonomyGrant.objects.exists()
    record.settle()
    proposal.refresh_from_db()
    assert proposal.state == ProposalState.WITHDRAWN
    ladder.tend(now=record.clock.now)
    # What still stands is proposed in its place, and can be granted.
    again = AutonomyProposal.objects.get(state=ProposalState.OPEN)
    assert again.threshold is not None
    assert again.threshold > 0.6
    assert approve(record, again, grace).threshold == again.threshold


def test_nothing_is_granted_against_a_limit_that_was_changed_since(
    record: Record, refund: ActionType, grace: User
) -> None:
    proposal = earn(record)
    action_types.change(action_type=refund, error_limit=0.02, actor=SYSTEM, now=record.clock.tick())
    with pytest.raises(proposals.UnableToApprove, match="Evidence"):
        proposals.approve(
            proposal_id=proposal.public_id, approved_by=grace, reason="fine", now=record.clock.tick()
        )
    assert not AutonomyGrant.objects.exists()


@pytest.mark.parametrize("threshold", [None, 0.5])
def test_a_level_without_a_certified_threshold_is_not_renewed_as_certified(
    record: Record, refund: ActionType, alice: User, threshold: float | None
) -> None:
    action_types.change(
        action_type=refund, autonomy_cap=AutonomyLevel.THRESHOLD, actor=SYSTEM, now=record.clock.tick()
    )
    certify(
        record,
        refund,
        alice,
        AutonomyLevel.THRESHOLD,
        days=10,
        certified=threshold is not None,
        threshold=threshold,
        audit_rate=0.5,
    )
    record.settle()
    record.checked(40)
    record.settle()
    renewals = AutonomyProposal.objects.filter(kind="renewal").values_list("threshold", flat=True)
    assert list(renewals) == ([] if threshold is None else [0.5])


def test_an_owner_grants_no_more_to_their_own_agent_not_even_on_their_word(
    record: Record, refund: ActionType, grace: User, alice: User
) -> None:
    agent = record.version.agent
    agent.owner = grace
    agent.save()

    def override(by: User, to: AutonomyLevel) -> AutonomyGrant:
        return autonomy.override(
            agent_version=record.version,
            action_type=refund,
            level=to,
            reason="trust me",
            granted_by=by,
            expires_at=None,
            now=record.clock.tick(),
        )

    with pytest.raises(autonomy.UnableToGrant, match="You own this agent"):
        override(grace, AutonomyLevel.AUTONOMOUS)
    with pytest.raises(PermissionDenied):
        override(alice, AutonomyLevel.AUTONOMOUS)
    assert not AutonomyGrant.objects.exists()
    assert not override(may_grant(alice), AutonomyLevel.AUTONOMOUS).certified
    assert override(grace, AutonomyLevel.THRESHOLD).level == "threshold"


# ---------------------------------------------------------------- what is lost


def test_a_cap_that_was_lowered_keeps_no_level_from_being_lost(
    record: Record, refund: ActionType, alice: User
) -> None:
    trust(record.version, refund, alice, AutonomyLevel.AUTONOMOUS)
    record.settle()
    action_types.change(
        action_type=refund, autonomy_cap=AutonomyLevel.THRESHOLD, actor=SYSTEM, now=record.clock.tick()
    )
    refund.refresh_from_db()
    assert level(record, refund) == "threshold"
    record.checked(8, errors=8)
    record.settle()
    assert [entry["because"] for entry in recorded("autonomy.demoted")] == ["drift"]
    # One rung under what was in force, not under what had once been granted.
    assert level(record, refund) == "review_all"


def test_an_alarm_is_not_unsaid_by_what_came_after_it_in_the_same_batch(
    record: Record, refund: ActionType, alice: User
) -> None:
    trust(record.version, refund, alice, AutonomyLevel.THRESHOLD)
    record.settle()
    record.checked(6, errors=6)
    record.checked(40)
    record.settle()
    assert [entry["because"] for entry in recorded("autonomy.demoted")] == ["drift"]


def test_a_check_that_nobody_answers_stays_overdue_however_long_it_waits(
    record: Record, refund: ActionType, alice: User
) -> None:
    trust(record.version, refund, alice, AutonomyLevel.THRESHOLD)
    record.settle()
    waiting = [record.act_until_drawn() for _ in range(3)]
    number_entries()
    evidence.follow(now=record.clock.now)
    found = evidence_of(record.version, refund, record.clock.tick(days=31))
    assert found is not None
    assert (found.overdue, found.overdue_share) == (3, 1.0)
    record.answer(waiting[0])
    found = evidence_of(record.version, refund, record.clock.now)
    assert found is not None
    assert found.overdue == 2


def test_a_canary_is_widened_by_what_ran_on_the_new_level_alone(
    record: Record, refund: ActionType, alice: User
) -> None:
    granted = certify(
        record,
        refund,
        alice,
        AutonomyLevel.AUTONOMOUS,
        threshold=0.5,
        audit_rate=0.5,
        canary_share=0.05,
        canary_base=AutonomyLevel.THRESHOLD,
    )
    record.settle()

    def checked_on(wanted: str) -> None:
        with drawn():
            check = record.act()
            while not (check.audit_selected and check.level == wanted):
                if check.audit_selected:
                    record.expire(check)
                check = record.act()
        record.answer(check)

    for _ in range(5):
        checked_on("threshold")
    record.clock.tick(hours=2)
    record.settle()
    granted.refresh_from_db()
    assert granted.canary_share == 0.05
    for _ in range(3):
        checked_on("autonomous")
    record.settle()
    granted.refresh_from_db()
    assert granted.canary_share == 0.25


@pytest.mark.parametrize("why", ["ran out", "taken back", "another score"])
def test_a_certificate_that_no_longer_stands_is_nothing_to_fall_back_on(
    record: Record, refund: ActionType, alice: User, why: str
) -> None:
    first = certify(record, refund, alice, AutonomyLevel.THRESHOLD, days=10, threshold=0.5, audit_rate=0.5)
    if why == "taken back":
        autonomy.end(grant=first, reason="too early", actor=SYSTEM, now=record.clock.tick())
    certify(record, refund, alice, AutonomyLevel.AUTONOMOUS, certified=why != "taken back", audit_rate=0.5)
    record.settle()
    if why == "ran out":
        record.clock.tick(days=10)
    if why == "another score":
        publish(record, refund, alice, JUDGED)
    record.checked(8, errors=8, judge_score=0.9)
    record.settle()
    assert [entry["after"] for entry in recorded("autonomy.demoted")] == ["review_all"]
    assert level(record, refund) == "review_all"


def test_what_is_fallen_back_on_lasts_no_longer_than_its_own_certificate(
    record: Record, refund: ActionType, alice: User
) -> None:
    first = certify(record, refund, alice, AutonomyLevel.THRESHOLD, days=10, threshold=0.5, audit_rate=0.5)
    certify(record, refund, alice, AutonomyLevel.AUTONOMOUS, days=100, audit_rate=0.5)
    record.settle()
    record.checked(8, errors=8)
    record.settle()
    held = level_in_force(record.version, refund, record.clock.now)[1]
    assert held is not None
    assert (held.level, held.certified, held.expires_at) == ("threshold", True, first.expires_at)


# ---------------------------------------------------------------- another score, another beginning


def test_a_certified_threshold_ends_with_the_score_it_was_certified_for(
    record: Record, refund: ActionType, alice: User
) -> None:
    granted = certify(record, refund, alice, AutonomyLevel.THRESHOLD, threshold=0.7, audit_rate=0.5)
    record.settle()
    publish(record, refund, alice, {"threshold": 0.6, "audit_rate": 0.5})
    granted.refresh_from_db()
    # The same score, another threshold: the stricter of both holds, and the certificate stands.
    assert granted.ended_at is None
    publish(record, refund, alice, JUDGED)
    granted.refresh_from_db()
    assert granted.ended_at == record.clock.now
    assert recorded("autonomy.demoted")[0]["because"] == "score_changed"
    assert record.act(confidence=0.9, judge_score=0.9).route == "held"


def test_labels_of_two_scores_certify_no_threshold_together(
    record: Record, refund: ActionType, alice: User
) -> None:
    record.reviewed(60)
    record.settle()
    before = record.track(refund)
    assert (evidence_of(record.version, refund, record.clock.now) or before).n == 60  # type: ignore[union-attr]  # it is there
    publish(record, refund, alice, JUDGED)
    record.settle()
    after = record.track(refund)
    assert (after.attempt, after.level) == (before.attempt + 1, before.level)
    assert after.started_seq > before.watermark_seq
    record.reviewed(5, judge_score=0.4)
    record.settle()
    found = evidence_of(record.version, refund, record.clock.now)
    assert found is not None
    # The scores before are no grid for the score since.
    assert (found.n, found.tally.points) == (5, [])
    publish(record, refund, alice, {**JUDGED, "threshold": 0.6})
    record.settle()
    assert record.track(refund).attempt == after.attempt


def test_evidence_goes_by_the_level_of_first_contact_that_holds_now(
    clerk_v1: AgentVersion, alice: User
) -> None:
    refund = make_refund_type(first_contact_level=AutonomyLevel.SHADOW, ladder=QUICK)
    make_policy(refund, alice, threshold=0.5)
    record = Record(clerk_v1)
    record.reviewed(3)
    record.settle()
    assert record.track(refund).level == "shadow"
    action_types.change(
        action_type=refund,
        first_contact_level=AutonomyLevel.REVIEW_ALL,
        actor=SYSTEM,
        now=record.clock.tick(),
    )
    record.reviewed(2)
    record.settle()
    track = record.track(refund)
    found = evidence_of(record.version, refund, record.clock.now)
    assert found is not None
    assert (track.level, track.attempt, found.n) == ("review_all", 1, 2)


def test_a_new_label_for_a_version_brings_back_no_error_budget(
    record: Record, refund: ActionType, alice: User
) -> None:
    trust(record.version, refund, alice, AutonomyLevel.THRESHOLD)
    record.settle()
    record.checked(8, errors=8)
    record.settle()
    assert record.track(refund).attempt == 2
    again = Record(
        see_version(agent=record.version.agent, label="1.0.1", now=record.clock.tick()), record.clock
    )
    again.reviewed(1)
    again.settle()
    track = again.track(refund)
    found = evidence_of(again.version, refund, again.clock.now)
    assert found is not None
    assert (track.attempt, found.n, found.k) == (2, 1, 0)


# ---------------------------------------------------------------- an answer that was overturned


@pytest.mark.parametrize(
    ("first", "settled", "errors"),
    [
        ("approve", "reject", 1),
        ("approve", "correct", 1),
        ("approve", "approve", 0),
        ("reject", "approve", 1),
    ],
)
def test_an_approval_that_was_overturned_is_an_error_and_nothing_is_taken_back_for_it(
    record: Record, refund: ActionType, alice: User, grace: User, first: str, settled: str, errors: int
) -> None:
    check = record.act()
    record.answer(check, error=first == "reject")
    record.reviewed(2)
    record.settle()
    review = double_reviews.record(
        gate_check=check,
        first_reviewer=alice,
        second_reviewer=grace,
        first_kind=first,
        second_kind="approve" if first == "reject" else "reject",
        agreed=False,
        propensity=None,
        now=record.clock.tick(),
    )
    double_reviews.settle(double_review=review, kind=settled, now=record.clock.tick())
    ledger.record(
        actor=SYSTEM,
        verb="second_opinion.settled",
        object_kind="decision",
        object_id=check.public_id,
        action_id=check.action_id,
        now=record.clock.now,
    )
    record.settle()
    found = evidence_of(record.version, refund, record.clock.now)
    assert found is not None
    assert (found.k, found.n) == (errors, 3)
    assert evidence.rebuilt(record.track(refund)).to_document() == found.tally.to_document()
