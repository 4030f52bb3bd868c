"""What freezes a promotion that is earned: anything that makes the evidence doubtful (statistics.md 2)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from policies.choices import AutonomyLevel, ProposalState
from policies.engine.facts import Level
from policies.engine.ladder import Situation, next_rung
from policies.engine.ladder_settings import LadderSettings
from policies.models import ActionType, AgentVersion, AutonomyProposal, LedgerEntry
from policies.selectors.evidence import evidence_of
from policies.services import ladder
from policies.tests.base import make_policy, make_refund_type, trust
from policies.tests.track_record import Record

if TYPE_CHECKING:
    from django.contrib.auth.models import User

EARNED = Situation(
    level=Level.REVIEW_ALL,
    cap=Level.AUTONOMOUS,
    days=20,
    comparisons=400,
    errors=2,
    upper=0.02,
    e=400,
    enough=True,
    labels_to_go=0,
    threshold=0.8,
    share=0.6,
    catch_lower=0.8,
    agreement=0.8,
    psi=0.05,
    blind_share=0.2,
    blind_upper=0.25,
)


def test_what_is_earned_and_healthy_may_be_proposed() -> None:
    rung = next_rung(EARNED, LadderSettings())
    assert rung is not None
    assert (rung.is_earned, rung.is_frozen, rung.is_ready) == (True, False, True)


@pytest.mark.parametrize(
    ("key", "change"),
    [
        ("alarm", {"alarm": True}),
        ("overdue", {"overdue": 6, "overdue_share": 0.051}),
        ("missing", {"missing_share": 0.21}),
        ("catch_rate", {"catch_lower": 0.69}),
        ("agreement", {"agreement": 0.66}),
        ("psi", {"psi": 0.21}),
        ("blind", {"blind_share": 0.01, "blind_upper": 0.09}),
        ("certificate", {"certificate_days": 180.0}),
    ],
)
def test_each_doubt_freezes_what_is_earned_by_itself(key: str, change: dict[str, Any]) -> None:
    rung = next_rung(replace(EARNED, **change), LadderSettings())
    assert rung is not None
    assert [each.key for each in rung.health if not each.met] == [key]
    assert (rung.is_earned, rung.is_ready) == (True, False)


def test_what_nobody_can_say_yet_freezes_nothing_and_is_told() -> None:
    nothing = {"catch_lower": None, "agreement": None, "psi": None, "blind_share": None}
    rung = next_rung(replace(EARNED, **nothing), LadderSettings())  # type: ignore[arg-type]  # each may be None
    assert rung is not None
    assert rung.is_ready
    unknown = {each.key for each in rung.health if not each.known}
    assert unknown == {"catch_rate", "agreement", "psi", "blind", "certificate"}


@pytest.mark.django_db
def test_overdue_checks_block_a_promotion_until_they_are_answered(
    clerk_v1: AgentVersion, alice: User
) -> None:
    quick = {"delta": 0.2, "autonomous_days": 0, "autonomous_audits": 10, "overdue_demote": 0.5}
    refund: ActionType = make_refund_type(error_limit=0.3, ladder=quick)
    make_policy(refund, alice, threshold=0.5, audit_rate=0.5)
    trust(clerk_v1, refund, alice, AutonomyLevel.THRESHOLD)
    record = Record(clerk_v1)
    record.settle()
    # Clean checks enough, and behind them three that nobody answers: 7%, under what takes a level away.
    record.checked(40)
    waiting = [record.act_until_drawn() for _ in range(3)]
    record.clock.tick(hours=73)
    record.settle()
    ladder.tend(now=record.clock.now)
    found = evidence_of(clerk_v1, refund, record.clock.now)
    assert found is not None
    assert (found.overdue, found.tally.alone.n) == (3, 40)
    assert not AutonomyProposal.objects.exists()
    assert not LedgerEntry.objects.filter(verb="autonomy.demoted").exists()

    for check in waiting:
        record.answer(check)
    record.settle()
    proposal = AutonomyProposal.objects.get()
    assert (proposal.to_level, proposal.state) == ("autonomous", ProposalState.OPEN)
