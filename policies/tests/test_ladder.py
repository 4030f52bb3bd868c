"""The ladder: earned by evidence, granted by a person, tried on a share, and lost at once."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, transaction

from policies.choices import AutonomyLevel, ProposalState
from policies.models import (
    ActionType,
    AgentVersion,
    AutonomyGrant,
    AutonomyProposal,
    EvalStanding,
    KillSwitch,
    LedgerEntry,
)
from policies.selectors.autonomy import level_in_force
from policies.selectors.evidence import evidence_of
from policies.services import autonomy, ladder, minor_versions, proposals
from policies.services.agents import see_version
from policies.tests.base import make_policy, make_refund_type, make_user, recorded, trust
from policies.tests.track_record import Record, may_grant

if TYPE_CHECKING:
    from django.contrib.auth.models import User

pytestmark = pytest.mark.django_db

# Wide cut-offs, so that a few dozen labels tell the whole story.
QUICK: dict[str, float] = {
    "delta": 0.2,
    "threshold_days": 0,
    "autonomous_days": 0,
    "autonomous_audits": 10,
    "canary_hours": 1,
    "canary_labels": 3,
    "canary_errors": 1,
    "audit_start": 0.5,
    "audit_halving": 50,
    "drift_run": 100,
}


@pytest.fixture
def refund(db: None) -> ActionType:
    return make_refund_type(error_limit=0.3, ladder=QUICK)


@pytest.fixture
def policy(refund: ActionType, alice: User) -> object:
    return make_policy(refund, alice, threshold=0.5, audit_rate=0.01)


@pytest.fixture
def record(clerk_v1: AgentVersion, policy: object) -> Record:
    return Record(clerk_v1)


@pytest.fixture
def grace(db: None) -> User:
    return may_grant(make_user("grace"))


def earn(record: Record) -> AutonomyProposal:
    """Let people review until the level Threshold is proposed."""
    for place in range(110):
        record.answer(record.act(confidence=0.6 + 0.35 * (place % 10) / 9))
    record.settle()
    return AutonomyProposal.objects.get(state=ProposalState.OPEN)


def approve(record: Record, proposal: AutonomyProposal, by: User) -> AutonomyGrant:
    granted = proposals.approve(
        proposal_id=proposal.public_id, approved_by=by, reason="it earned this", now=record.clock.tick()
    )
    record.settle()
    return granted


def level(record: Record, action_type: ActionType) -> str:
    return str(level_in_force(record.version, action_type, record.clock.now)[0])


def test_what_is_earned_is_proposed_once_with_its_evidence_frozen(record: Record, refund: ActionType) -> None:
    proposal = earn(record)
    assert (proposal.from_level, proposal.to_level, proposal.proposed_by) == ("review_all", "threshold", None)
    assert proposal.threshold is not None
    assert 0.6 <= proposal.threshold <= 0.95
    assert (proposal.evidence["labels"], proposal.evidence["errors"]) == (110, 0)
    assert proposal.evidence_digest == proposals.digest_of(proposal.evidence)
    assert level(record, refund) == "review_all"
    record.reviewed(2)
    record.settle()
    assert AutonomyProposal.objects.count() == 1
    with pytest.raises(IntegrityError), transaction.atomic():
        AutonomyProposal.objects.update(threshold=0.1)


def test_a_bad_agent_is_not_proposed(record: Record) -> None:
    for place in range(110):
        record.answer(record.act(confidence=0.9), error=place % 3 == 0)
    record.settle()
    assert not AutonomyProposal.objects.exists()


def test_an_approval_tries_the_level_on_a_small_share_first(
    record: Record, refund: ActionType, grace: User
) -> None:
    proposal = earn(record)
    granted = approve(record, proposal, grace)
    assert (granted.level, granted.certified, granted.threshold) == ("threshold", True, proposal.threshold)
    assert (granted.canary_share, granted.canary_base, granted.audit_rate) == (0.05, "review_all", 0.5)
    assert (granted.expires_at - granted.granted_at).days == 180  # type: ignore[operator]  # it expires
    proposal.refresh_from_db()
    assert (proposal.state, proposal.grant, proposal.closed_by) == ("approved", granted, grace)
    routes = [record.act(confidence=0.95).route]
    while len(set(routes)) < 2:
        routes.append(record.act(confidence=0.95).route)
    assert set(routes) == {"held", "alone"}
    assert recorded("autonomy.granted")[0]["proposal"] == proposal.public_id
    with pytest.raises(proposals.NoLongerOpen):
        approve(record, proposal, grace)


def test_a_canary_widens_step_by_step_with_enough_clean_checks(
    record: Record, refund: ActionType, grace: User
) -> None:
    granted = approve(record, earn(record), grace)
    record.checked(3, confidence=0.95)
    record.settle()
    granted.refresh_from_db()
    assert granted.canary_share == 0.05
    record.clock.tick(hours=2)
    ladder.tend(now=record.clock.now)
    granted.refresh_from_db()
    assert granted.canary_share == 0.25
    record.clock.tick(hours=2)
    record.checked(3, confidence=0.95)
    record.settle()
    granted.refresh_from_db()
    assert (granted.canary_share, granted.canary_since, granted.audit_rate) == (1.0, None, 0.5)
    assert [entry["after"]["canary_share"] for entry in recorded("autonomy.canary_widened")] == [0.25, 1.0]
    assert record.act(confidence=0.95).route == "alone"


def test_errors_in_a_canary_take_the_level_back(record: Record, refund: ActionType, grace: User) -> None:
    granted = approve(record, earn(record), grace)
    record.checked(2, errors=2, confidence=0.95)
    record.settle()
    granted.refresh_from_db()
    assert granted.ended_at is not None
    assert level(record, refund) == "review_all"
    demoted = recorded("autonomy.demoted")[-1]
    assert (demoted["because"], demoted["before"], demoted["after"]) == (
        "canary_errors",
        "threshold",
        "review_all",
    )
    assert record.act(confidence=0.95).route == "held"
    assert record.track(refund).attempt == 2


def test_drift_takes_a_level_away_and_withdraws_what_is_proposed(
    record: Record, refund: ActionType, alice: User
) -> None:
    trust(record.version, refund, alice, AutonomyLevel.THRESHOLD)
    make_policy(refund, alice, threshold=0.5, audit_rate=0.5)
    record.checked(20, errors=0)
    record.settle()
    assert level(record, refund) == "threshold"
    record.checked(6, errors=6)
    record.settle()
    assert level(record, refund) == "review_all"
    demoted = recorded("autonomy.demoted")
    assert [entry["because"] for entry in demoted] == ["drift"]
    assert demoted[0]["detector"] >= demoted[0]["detector_limit"]
    assert not AutonomyProposal.objects.filter(state=ProposalState.OPEN).exists()


def test_a_critical_error_takes_everything_away_in_the_very_act(
    record: Record, refund: ActionType, alice: User
) -> None:
    refund.severities = {"wrong_target": 0.95, "wrong_arguments": 0.2}
    refund.save()
    trust(record.version, refund, alice, AutonomyLevel.AUTONOMOUS)
    make_policy(refund, alice, threshold=0.5, audit_rate=0.5)
    record.answer(record.act_until_drawn(), error=True, reasons=("wrong_arguments",))
    record.answer(record.act_until_drawn(), error=True)
    record.answer(record.act_until_drawn(), error=True, considered=False, reasons=("wrong_target",))
    assert level(record, refund) == "autonomous"
    record.answer(record.act_until_drawn(), error=True, reasons=("wrong_target",))
    assert level(record, refund) == "review_all"
    assert recorded("autonomy.demoted")[0]["because"] == "critical_error"


def test_overdue_checks_and_silence_take_a_level_away(
    record: Record, refund: ActionType, alice: User
) -> None:
    trust(record.version, refund, alice, AutonomyLevel.THRESHOLD)
    make_policy(refund, alice, threshold=0.5, audit_rate=0.5)
    for _ in range(3):
        record.act_until_drawn()
    record.settle()
    record.clock.tick(hours=71)
    ladder.tend(now=record.clock.now)
    assert level(record, refund) == "threshold"
    record.clock.tick(hours=2)
    ladder.tend(now=record.clock.now)
    assert recorded("autonomy.demoted")[0]["because"] == "audits_overdue"
    assert level(record, refund) == "review_all"


def test_a_level_on_which_nobody_hears_anything_ends(record: Record, refund: ActionType, alice: User) -> None:
    trust(record.version, refund, alice, AutonomyLevel.THRESHOLD)
    record.settle()
    record.clock.tick(days=15)
    ladder.tend(now=record.clock.now)
    # Nothing ran, so nothing is missed.
    assert level(record, refund) == "threshold"
    while record.act().audit_selected:
        pass
    record.settle()
    ladder.tend(now=record.clock.now)
    assert recorded("autonomy.demoted")[0]["because"] == "no_labels"


def test_the_way_down_from_autonomous_stops_at_the_last_certified_threshold(
    record: Record, refund: ActionType, alice: User
) -> None:
    version, now = record.version, record.clock.tick()
    autonomy.grant(
        agent_version=version,
        action_type=refund,
        level=AutonomyLevel.THRESHOLD,
        reason="earned",
        granted_by=alice,
        certified=True,
        terms=autonomy.Terms(threshold=0.7, audit_rate=0.5),
        now=now,
    )
    trust(version, refund, alice, AutonomyLevel.AUTONOMOUS)
    record.settle()
    record.checked(8, errors=8)
    record.settle()
    held = level_in_force(version, refund, record.clock.now)[1]
    assert held is not None
    assert (held.level, held.threshold, held.certified) == ("threshold", 0.7, True)
    assert (held.granted_by, held.granted_by_name) == (None, "Handrail")


def test_a_grant_that_ran_out_is_written_down_once(record: Record, refund: ActionType, alice: User) -> None:
    expires = record.clock.now + timedelta(days=1)
    trust(record.version, refund, alice, AutonomyLevel.THRESHOLD, expires_at=expires)
    record.clock.tick(days=2)
    ladder.tend(now=record.clock.now)
    ladder.tend(now=record.clock.now)
    assert AutonomyGrant.objects.get().ended_at == expires
    assert [entry["after"] for entry in recorded("autonomy.lapsed")] == ["review_all"]


def test_a_proposal_that_nobody_answers_runs_out(record: Record, grace: User) -> None:
    proposal = earn(record)
    record.clock.tick(days=8)
    with pytest.raises(proposals.NoLongerOpen):
        approve(record, proposal, grace)
    assert not AutonomyGrant.objects.exists()
    assert proposals.expire_due(now=record.clock.now) == 1
    proposal.refresh_from_db()
    assert proposal.state == "expired"


def test_a_refusal_is_not_argued_with(record: Record, grace: User) -> None:
    proposal = earn(record)
    proposals.refuse(
        proposal_id=proposal.public_id, refused_by=grace, reason="not yet", now=record.clock.tick()
    )
    record.reviewed(2)
    record.settle()
    assert list(AutonomyProposal.objects.values_list("state", flat=True)) == ["refused"]


def test_evidence_that_turned_withdraws_the_proposal(record: Record, grace: User) -> None:
    proposal = earn(record)
    for _ in range(60):
        record.answer(record.act(confidence=0.95), error=True)
    record.settle()
    proposal.refresh_from_db()
    assert (proposal.state, proposal.closed_by_name) == ("withdrawn", "Handrail")
    with pytest.raises(proposals.NoLongerOpen):
        approve(record, proposal, grace)


def test_only_who_may_grant_approves_and_never_the_owner(
    record: Record, refund: ActionType, alice: User, grace: User
) -> None:
    proposal = earn(record)
    entries = LedgerEntry.objects.count()
    with pytest.raises(PermissionDenied):
        approve(record, proposal, alice)
    record.version.agent.owner = grace
    record.version.agent.save()
    with pytest.raises(proposals.UnableToApprove, match="own"):
        approve(record, proposal, grace)
    with pytest.raises(proposals.UnableToApprove, match="why"):
        proposals.approve(proposal_id=proposal.public_id, approved_by=grace, reason=" ", now=record.clock.now)
    assert not AutonomyGrant.objects.exists()
    assert LedgerEntry.objects.count() == entries


def test_a_costly_type_takes_another_person_than_the_proposer(
    record: Record, refund: ActionType, grace: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    proposal = earn(record)
    proposals.refuse(
        proposal_id=proposal.public_id, refused_by=grace, reason="I ask", now=record.clock.tick()
    )
    own = proposals.propose(
        agent_version=record.version,
        action_type=refund,
        proposed_by=grace,
        note="it is good",
        now=record.clock.tick(),
    )
    ActionType.objects.update(irreversible=True)
    with pytest.raises(proposals.UnableToApprove, match="another person"):
        approve(record, own, grace)
    assert not AutonomyGrant.objects.exists()


def test_nothing_is_proposed_by_hand_that_is_not_earned(
    record: Record, refund: ActionType, grace: User
) -> None:
    record.reviewed(5)
    record.settle()
    with pytest.raises(proposals.UnableToPropose, match="Evidence"):
        proposals.propose(
            agent_version=record.version,
            action_type=refund,
            proposed_by=grace,
            note="",
            now=record.clock.tick(),
        )
    assert not AutonomyProposal.objects.exists()


def test_evals_that_are_asked_for_must_have_run_and_pass_what_was_corrected(
    record: Record, refund: ActionType, grace: User
) -> None:
    refund.evals_required = True
    refund.save()
    for _ in range(110):
        record.answer(record.act(confidence=0.9))
    record.settle()
    assert not AutonomyProposal.objects.exists()
    standing = EvalStanding.objects.create(
        agent_version=record.version,
        run_id="evr_1",
        cases=9,
        failed_corrections=0,
        finished_at=record.clock.now,
    )
    record.reviewed(1, confidence=0.9)
    record.settle()
    proposal = AutonomyProposal.objects.get()
    standing.failed_corrections = 1
    standing.save()
    with pytest.raises(proposals.UnableToApprove, match="corrected earlier"):
        approve(record, proposal, grace)
    assert not AutonomyGrant.objects.exists()


def test_the_share_that_is_checked_falls_with_clean_checks_and_never_to_nothing(
    record: Record, refund: ActionType, alice: User
) -> None:
    autonomy.grant(
        agent_version=record.version,
        action_type=refund,
        level=AutonomyLevel.THRESHOLD,
        reason="earned",
        granted_by=alice,
        certified=True,
        terms=autonomy.Terms(threshold=0.5, audit_rate=0.5),
        now=record.clock.tick(),
    )
    record.settle()
    record.checked(50)
    record.settle()
    held = AutonomyGrant.objects.get()
    # What finds a five-fold jump within this volume is more than half of the start.
    assert held.audit_rate is not None
    assert 0.25 <= held.audit_rate < 0.5
    assert recorded("autonomy.audit_rate_lowered")[0]["clean_checks"] == 50


def test_a_critical_error_stops_the_agent_where_the_declaration_says_so(
    record: Record, refund: ActionType, alice: User
) -> None:
    refund.severities = {"wrong_target": 0.95}
    refund.ladder = {**QUICK, "critical_suspends": 1}
    refund.save()
    trust(record.version, refund, alice, AutonomyLevel.AUTONOMOUS)
    make_policy(refund, alice, threshold=0.5, audit_rate=0.5)
    record.answer(record.act_until_drawn(), error=True)
    assert not KillSwitch.objects.exists()
    record.answer(record.act_until_drawn(), error=True, reasons=("wrong_target",))
    assert level(record, refund) == "review_all"
    stop = KillSwitch.objects.get()
    assert (stop.scope, stop.agent, stop.engaged_by, stop.lifted_at) == (
        "agent",
        record.version.agent,
        None,
        None,
    )
    assert stop.reason == "A person confirmed a critical error with refund.issue: wrong_target."
    assert record.act().route == "denied"
    # Again, while it is stopped: one stop.
    assert recorded("kill_switch.engaged")[0]["agent"] == record.version.agent.public_id
    assert len(recorded("kill_switch.engaged")) == 1


def test_the_lower_limit_of_the_error_rate_takes_a_level_away(
    record: Record, refund: ActionType, alice: User
) -> None:
    # A detector that never warns: the limit acts alone.
    refund.ladder = {**QUICK, "drift_run": 100_000}
    refund.save()
    trust(record.version, refund, alice, AutonomyLevel.THRESHOLD)
    make_policy(refund, alice, threshold=0.5, audit_rate=0.5)
    record.checked(1, errors=1)
    record.settle()
    assert level(record, refund) == "threshold"
    for _ in range(20):
        record.checked(1, errors=1)
        record.settle()
        if level(record, refund) == "review_all":
            break
    told = recorded("autonomy.demoted")[0]
    assert told["because"] == "rate_above_limit"
    assert told["lower"] > told["limit"] == 0.3
    assert told["says"].startswith("At least ")


def test_another_version_begins_at_first_contact_with_no_evidence(
    record: Record, refund: ActionType, alice: User
) -> None:
    trust(record.version, refund, alice, AutonomyLevel.AUTONOMOUS)
    newer = Record(version_after(record), record.clock)
    assert record.act().route == "alone"
    assert newer.act().route == "held"
    newer.settle()
    assert (newer.track(refund).attempt, newer.track(refund).level) == (1, "review_all")


def test_a_minor_change_goes_on_at_the_certified_threshold_checked_four_times_as_often(
    record: Record, refund: ActionType, alice: User, grace: User
) -> None:
    earlier = certified(record, refund, alice, AutonomyLevel.THRESHOLD, threshold=0.7)
    trust_again = autonomy.grant(
        agent_version=record.version,
        action_type=refund,
        level=AutonomyLevel.AUTONOMOUS,
        reason="earned",
        granted_by=alice,
        certified=True,
        expires_at=record.clock.now + timedelta(days=20),
        now=record.clock.tick(),
    )
    newer = Record(version_after(record), record.clock)

    held = minor_versions.carry_on(
        agent_version=newer.version,
        action_type=refund,
        reason="A typing error in the prompt",
        declared_by=grace,
        now=record.clock.tick(),
    )

    assert earlier.threshold == held.threshold == 0.7
    assert (held.level, held.certified, held.minor_of) == ("threshold", False, record.version)
    # Of 0.5 at the start of a grant: no more than everything.
    assert (held.audit_rate, held.expires_at) == (1.0, trust_again.expires_at)
    assert recorded("autonomy.granted")[-1]["minor_of"] == record.version.label
    assert newer.act(confidence=0.69).route == "held"
    check = newer.act(confidence=0.71)
    assert (check.route, check.propensity) == ("alone", 1.0)
    newer.settle()
    found = evidence_of(newer.version, refund, record.clock.now)
    assert found is not None
    assert (found.level, found.n) == ("threshold", 0)
    # What it does alone is worse: it loses the level as any other does.
    newer.checked(6, errors=6, confidence=0.9)
    newer.settle()
    assert level(newer, refund) == "review_all"
    assert level(record, refund) == "autonomous"


def test_what_is_checked_after_a_minor_change_falls_from_four_times_as_much(
    record: Record, refund: ActionType, alice: User, grace: User
) -> None:
    refund.ladder = {**QUICK, "audit_start": 0.2, "audit_floor": 0.01}
    refund.save()
    certified(record, refund, alice, AutonomyLevel.THRESHOLD, threshold=0.5)
    newer = Record(version_after(record), record.clock)
    held = minor_versions.carry_on(
        agent_version=newer.version,
        action_type=refund,
        reason="minor",
        declared_by=grace,
        now=record.clock.tick(),
    )
    assert held.audit_rate == 0.8
    newer.settle()
    newer.checked(49)
    newer.settle()
    held.refresh_from_db()
    assert held.audit_rate == 0.8
    newer.checked(1)
    newer.settle()
    held.refresh_from_db()
    assert held.audit_rate == 0.4


@pytest.mark.parametrize("why", ["not certified", "being tried", "ended", "has its own", "owner", "no right"])
def test_a_change_is_not_minor_to_everybody(
    record: Record, refund: ActionType, alice: User, grace: User, why: str
) -> None:
    earlier = certified(record, refund, alice, AutonomyLevel.THRESHOLD, threshold=0.7)
    newer = version_after(record)
    person = alice if why == "no right" else grace
    changes: dict[str, dict[str, object]] = {
        "not certified": {"certified": False},
        "being tried": {"canary_share": 0.05, "canary_base": "review_all"},
        "ended": {"ended_at": record.clock.now},
    }
    if why in changes:
        AutonomyGrant.objects.filter(pk=earlier.pk).update(**changes[why])
    if why == "has its own":
        trust(newer, refund, alice, AutonomyLevel.REVIEW_ALL)
    if why == "owner":
        newer.agent.owner = grace
        newer.agent.save()
    grants, entries = AutonomyGrant.objects.count(), LedgerEntry.objects.count()
    with pytest.raises((autonomy.UnableToGrant, PermissionDenied)):
        minor_versions.carry_on(
            agent_version=newer,
            action_type=refund,
            reason="minor",
            declared_by=person,
            now=record.clock.tick(),
        )
    assert (AutonomyGrant.objects.count(), LedgerEntry.objects.count()) == (grants, entries)


def version_after(record: Record) -> AgentVersion:
    """Return a newer version of the same agent."""
    return see_version(agent=record.version.agent, label="the next", now=record.clock.tick())


def certified(
    record: Record, action_type: ActionType, by: User, to: AutonomyLevel, *, threshold: float
) -> AutonomyGrant:
    """Grant what evidence would have earned."""
    return autonomy.grant(
        agent_version=record.version,
        action_type=action_type,
        level=to,
        reason="earned",
        granted_by=by,
        certified=True,
        expires_at=record.clock.now + timedelta(days=30),
        terms=autonomy.Terms(threshold=threshold, audit_rate=0.5),
        now=record.clock.tick(),
    )
