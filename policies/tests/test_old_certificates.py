"""A certificate that is too old: nothing is promoted on it, and it is proposed to be made anew."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from policies.choices import AutonomyLevel, ProposalState
from policies.models import ActionType, AgentVersion, AutonomyGrant, AutonomyProposal
from policies.selectors.autonomy import grant_in_force
from policies.selectors.evidence import evidence_of
from policies.services import autonomy, ladder, proposals
from policies.tests.base import make_policy, make_refund_type, make_user, recorded
from policies.tests.test_ladder import QUICK
from policies.tests.track_record import Record, may_grant

if TYPE_CHECKING:
    from django.contrib.auth.models import User

pytestmark = pytest.mark.django_db


@pytest.fixture
def refund(db: None) -> ActionType:
    return make_refund_type(error_limit=0.3, ladder={**QUICK, "drift_run": 100_000, "canary_labels": 10})


@pytest.fixture
def record(clerk_v1: AgentVersion, refund: ActionType, alice: User) -> Record:
    """At Threshold, certified, for longer than a certificate lasts, with everything in order."""
    make_policy(refund, alice, threshold=0.5, audit_rate=0.5)
    record = Record(clerk_v1)
    autonomy.grant(
        agent_version=clerk_v1,
        action_type=refund,
        level=AutonomyLevel.THRESHOLD,
        reason="earned",
        granted_by=alice,
        certified=True,
        expires_at=record.clock.now + timedelta(days=365),
        terms=autonomy.Terms(threshold=0.5, audit_rate=0.5),
        now=record.clock.tick(),
    )
    record.settle()
    return record


@pytest.fixture
def grace(db: None) -> User:
    return may_grant(make_user("grace"))


def health_of(record: Record, refund: ActionType) -> dict[str, bool]:
    found = evidence_of(record.version, refund, record.clock.now)
    assert found is not None
    rung = proposals.rung_of(found, grant=grant_in_force(record.version, refund, record.clock.now))
    assert rung is not None
    return {each.key: each.met for each in rung.health}


def test_a_certificate_of_180_days_freezes_promotions_and_is_proposed_to_be_renewed(
    record: Record, refund: ActionType, grace: User
) -> None:
    record.clock.tick(days=179)
    record.checked(40)
    record.settle()
    # Enough evidence for the next level, a day before.
    promotion = AutonomyProposal.objects.get(state=ProposalState.OPEN)
    assert (promotion.kind, promotion.to_level) == ("promotion", "autonomous")
    assert health_of(record, refund)["certificate"]

    record.clock.tick(days=1)
    ladder.tend(now=record.clock.now)

    assert not health_of(record, refund)["certificate"]
    with pytest.raises(proposals.UnableToApprove, match="certificate is not too old"):
        proposals.approve(
            proposal_id=promotion.public_id, approved_by=grace, reason="now", now=record.clock.now
        )
    proposals.refuse(proposal_id=promotion.public_id, refused_by=grace, reason="old", now=record.clock.tick())
    with pytest.raises(proposals.UnableToPropose, match="certificate is not too old"):
        proposals.propose(
            agent_version=record.version,
            action_type=refund,
            proposed_by=grace,
            note="",
            now=record.clock.tick(),
        )
    ladder.tend(now=record.clock.tick())
    renewal = AutonomyProposal.objects.get(state=ProposalState.OPEN)
    assert (renewal.kind, renewal.from_level, renewal.to_level) == ("renewal", "threshold", "threshold")
    # It freezes, and takes nothing away: what runs alone is checked as before.
    held = AutonomyGrant.objects.get(ended_at=None)
    assert (held.level, recorded("autonomy.demoted")) == ("threshold", [])
    assert record.act().route == "alone"

    granted = proposals.approve(
        proposal_id=renewal.public_id, approved_by=grace, reason="still good", now=record.clock.tick()
    )
    assert (granted.level, granted.certified, granted.threshold) == ("threshold", True, 0.5)
    assert (granted.expires_at - granted.granted_at).days == 180  # type: ignore[operator]  # it expires
    record.settle()
    assert health_of(record, refund)["certificate"]


def test_a_level_on_a_persons_word_has_no_certificate_to_grow_old(
    clerk_v1: AgentVersion, refund: ActionType, alice: User
) -> None:
    make_policy(refund, alice, threshold=0.5, audit_rate=0.5)
    record = Record(clerk_v1)
    autonomy.grant(
        agent_version=clerk_v1,
        action_type=refund,
        level=AutonomyLevel.AUTONOMOUS,
        reason="my word",
        granted_by=alice,
        expires_at=record.clock.now + timedelta(days=365),
        now=record.clock.tick(),
    )
    record.settle()
    record.clock.tick(days=200)
    record.checked(12)
    record.settle()
    assert not AutonomyProposal.objects.exists()
