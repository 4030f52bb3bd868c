"""Trust: one observation a gate check, and the rows of the trust page."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from hitl_site.lib import ids
from policies.choices import AutonomyLevel, MissingLabelReason, Trigger
from policies.models import ActionType, AgentVersion, GateCheck, MissingLabel, Observation
from policies.selectors.trust import TrustFilter, trust_rows
from policies.services import gate, trust
from policies.statistics.intervals import clopper_pearson
from policies.tests.base import NOON, make_agent, make_policy, make_proposal
from policies.tests.base import trust as grant_trust

if TYPE_CHECKING:
    from django.contrib.auth.models import User
    from pytest_django import DjangoAssertNumQueries

pytestmark = pytest.mark.django_db


def observe(check: GateCheck, *, error: bool = False, considered: bool = True) -> Observation | None:
    # As if the draw had fallen on it.
    check.audit_selected = check.route == "alone"
    return trust.observe(
        gate_check=check,
        decision_id=ids.new("dec"),
        audited=check.route == "alone",
        error=error,
        considered=considered,
        blind=check.blind,
        now=NOON,
    )


def test_an_observation_keeps_what_was_logged_at_the_gate(
    clerk_v1: AgentVersion, refund: ActionType, alice: User
) -> None:
    make_policy(refund, alice, audit_rate=0.25)
    grant_trust(clerk_v1, refund, alice)
    check = gate.check(proposal=make_proposal(clerk_v1), now=NOON)
    seen = observe(check, error=True)
    stored = Observation.objects.get()
    assert stored == seen
    assert (stored.propensity, stored.min_propensity, stored.score) == (0.25, 0.25, 0.9)
    assert stored.cluster_key == check.cluster_key
    assert (stored.agent_version, stored.action_type) == (clerk_v1, refund)
    assert (stored.audited, stored.error, stored.considered) == (True, True, True)


def test_a_second_comparison_of_one_check_changes_nothing(
    clerk_v1: AgentVersion, refund_policy: object
) -> None:
    check = gate.check(proposal=make_proposal(clerk_v1), now=NOON)
    first = observe(check, error=False)
    assert observe(check, error=True) == first
    assert Observation.objects.get().error is False


def test_a_denied_action_and_a_drill_say_nothing_of_the_agent(
    clerk_v1: AgentVersion, refund: ActionType, alice: User
) -> None:
    rule = {"code": "never", "title": "Never", "when": "true", "then": "deny"}
    make_policy(refund, alice, rules=[rule])
    check = gate.check(proposal=make_proposal(clerk_v1), now=NOON)
    assert observe(check) is None
    check.drill, check.propensity = True, 1.0
    assert observe(check) is None
    assert not Observation.objects.exists()


def test_what_nobody_held_or_drew_says_nothing_of_the_agent(
    clerk_v1: AgentVersion, refund: ActionType, alice: User
) -> None:
    make_policy(refund, alice, audit_rate=0.01)
    grant_trust(clerk_v1, refund, alice)
    check = gate.check(proposal=make_proposal(clerk_v1), now=NOON)
    check.audit_selected = False
    seen = trust.observe(
        gate_check=check,
        decision_id=ids.new("dec"),
        audited=False,
        error=True,
        considered=True,
        blind=False,
        now=NOON,
    )
    assert seen is None
    assert not Observation.objects.exists()
    assert trust.note_missing(gate_check=check, reason=MissingLabelReason.EXPIRED, now=NOON) is None


def test_a_missing_label_is_noted_once_and_never_beside_an_answer(
    clerk_v1: AgentVersion, refund_policy: object
) -> None:
    check, other = (gate.check(proposal=make_proposal(clerk_v1), now=NOON) for _ in range(2))
    first = trust.note_missing(gate_check=check, reason=MissingLabelReason.EXPIRED, now=NOON)
    again = trust.note_missing(gate_check=check, reason=MissingLabelReason.STOPPED, now=NOON)
    assert first is not None
    assert again == first
    assert MissingLabel.objects.get().reason == "expired"
    observe(other)
    assert trust.note_missing(gate_check=other, reason=MissingLabelReason.EXPIRED, now=NOON) is None


@pytest.mark.parametrize(
    ("reasons", "severity"),
    [((), 1.0), (("wrong_arguments",), 0.3), (("wrong_arguments", "wrong_target"), 0.9), (("other",), 1.0)],
)
def test_an_error_weighs_as_much_as_the_gravest_of_its_reasons(
    refund: ActionType, reasons: tuple[str, ...], severity: float
) -> None:
    refund.severities = {"wrong_arguments": 0.3, "wrong_target": 0.9}
    assert trust.severity_of(refund, reasons) == severity


def test_a_row_counts_what_was_proposed_held_and_found_wrong(
    clerk_v1: AgentVersion,
    refund: ActionType,
    alice: User,
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    make_policy(refund, alice, audit_rate=0.5)
    granted = grant_trust(clerk_v1, refund, alice)
    alone = [gate.check(proposal=make_proposal(clerk_v1), now=NOON) for _ in range(4)]
    low = [gate.check(proposal=make_proposal(clerk_v1, confidence=0.1), now=NOON) for _ in range(3)]
    odd = gate.check(proposal=make_proposal(clerk_v1, arguments={"order_id": "W1"}), now=NOON)
    _, robo = make_agent("robo")
    gate.check(proposal=make_proposal(robo, action_type_name="rocket.launch"), now=NOON)
    observe(alone[0], error=True)
    observe(alone[1])
    observe(alone[2], error=True, considered=False)
    observe(low[0], error=True)
    observe(low[1])
    observe(odd)
    with django_assert_num_queries(5):
        rows = trust_rows(TrustFilter(), now=NOON)
    row, unknown = rows
    assert (row.action_type_name, row.agent_version, row.action_type) == ("refund.issue", clerk_v1, refund)
    assert (row.proposed, row.alone, row.denied, row.held) == (8, 4, 0, 4)
    assert row.share_alone == 0.5
    assert row.held_by_trigger == {
        Trigger.HIGH_RISK: 0,
        Trigger.LOW_CONFIDENCE: 3,
        Trigger.POLICY_EDGE: 1,
    }
    assert (row.observed, row.errors, row.audited, row.audited_errors) == (5, 2, 2, 1)
    assert row.error_interval == clopper_pearson(1, 2)
    # Audits drawn at 1/2 stand for two each: (2·1 + 2·0 + 1 + 0 + 0) of (2 + 2 + 1 + 1 + 1).
    assert row.overall.rate == pytest.approx(3 / 7)
    assert row.drawn == GateCheck.objects.filter(audit_selected=True).count()
    assert (row.level, row.grant) == (AutonomyLevel.THRESHOLD, granted)
    assert (unknown.action_type, unknown.level, unknown.error_interval) == (None, "review_all", (0.0, 1.0))
    assert unknown.audited_error_rate is None


def test_rows_are_those_asked_for(clerk_v1: AgentVersion, refund_policy: object) -> None:
    _, robo = make_agent("robo")
    later = NOON + timedelta(days=1)
    gate.check(proposal=make_proposal(clerk_v1), now=NOON)
    observe(gate.check(proposal=make_proposal(robo), now=later), error=True)

    def versions(**fields: object) -> list[AgentVersion]:
        return [row.agent_version for row in trust_rows(TrustFilter(**fields), now=later)]  # type: ignore[arg-type]  # any field

    assert versions() == [clerk_v1, robo]
    assert versions(agent=robo.agent) == [robo]
    assert versions(since=later) == [robo]
    assert versions(until=later) == [clerk_v1]
    assert versions(action_type_name="rocket.launch") == []
    assert [row.errors for row in trust_rows(TrustFilter(since=later), now=later)] == [1]
