"""The gate: facts in, a stored verdict out; whatever goes wrong, never an allow."""

from __future__ import annotations

from datetime import timedelta
from hashlib import sha256
from typing import TYPE_CHECKING

import pytest
from django.conf import settings
from django.db import DatabaseError

from policies.choices import AgentState, AutonomyLevel, KillSwitchScope, PolicyState, Risk
from policies.engine.facts import Verdict
from policies.engine.sampling import audit_draw
from policies.models import ActionType, AgentVersion, GateCheck, PolicyVersion
from policies.services import action_types, agents, gate, kill_switch, policies
from policies.tests.base import NOON, SYSTEM, make_policy, make_proposal, make_refund_type, trust

if TYPE_CHECKING:
    from django.contrib.auth.models import User
    from pytest_django import DjangoAssertNumQueries

    from hitl_site.lib.strict_json import JsonValue

pytestmark = pytest.mark.django_db


def codes(check: GateCheck) -> list[str]:
    return [reason["code"] for reason in check.reasons]


def test_a_trusted_version_above_the_threshold_is_allowed_with_all_that_counts_later(
    clerk_v1: AgentVersion, refund: ActionType, refund_policy: PolicyVersion, alice: User
) -> None:
    trust(clerk_v1, refund, alice)
    proposal = make_proposal(clerk_v1, confidence=0.9)
    gate.check(proposal=proposal, now=NOON)
    check = GateCheck.objects.get(action_id=proposal.action_id)
    drawn = audit_draw(settings.AUDIT_DRAW_SECRET, proposal.action_id, "audit") < 0.2
    assert (check.verdict, check.route, check.trigger) == ("allow", "alone", "audit" if drawn else None)
    assert (check.score, check.score_source, check.threshold) == (0.9, "agent", 0.8)
    assert (check.propensity, check.min_propensity) == (0.2, 0.2)
    assert check.audit_selected is drawn
    assert check.blind is drawn
    assert check.level == "threshold"
    assert check.policy_version == refund_policy
    assert check.agent_version == clerk_v1
    assert check.cluster_key == proposal.arguments["order_id"]  # type: ignore[call-overload, index]  # an object
    assert check.evaluated_at == NOON
    assert check.drill is False


def test_a_version_without_a_grant_is_reviewed_however_sure_it_is(
    clerk_v1: AgentVersion, refund_policy: PolicyVersion
) -> None:
    check = gate.check(proposal=make_proposal(clerk_v1, confidence=1.0), now=NOON)
    assert (check.verdict, check.route, check.level) == ("review", "held", "review_all")
    assert codes(check) == ["autonomy_review_all"]
    assert (check.propensity, check.min_propensity, check.audit_selected) == (1.0, 1.0, False)


def test_a_low_score_is_held_as_low_confidence(
    clerk_v1: AgentVersion, refund: ActionType, refund_policy: PolicyVersion, alice: User
) -> None:
    trust(clerk_v1, refund, alice)
    check = gate.check(proposal=make_proposal(clerk_v1, confidence=0.5), now=NOON)
    assert (check.verdict, check.trigger) == ("review", "low_confidence")
    assert codes(check) == ["below_threshold"]
    # Held now, yet one like it could have run alone: that is what the lowest propensity is for.
    assert (check.propensity, check.min_propensity) == (1.0, 0.2)


@pytest.mark.parametrize(
    ("context", "held_by"),
    [
        ({"facts": {"violations": []}}, []),
        ({"facts": {"violations": ["late_refund"]}}, ["rule_matched"]),
        ({"facts": ["violations"]}, ["rule_error"]),
        (None, ["rule_error"]),
    ],
)
def test_a_rule_reads_the_facts_of_the_context(
    clerk_v1: AgentVersion, refund: ActionType, alice: User, context: JsonValue, held_by: list[str]
) -> None:
    rule = {"code": "checked", "title": "A check", "when": "size(context.violations) > 0", "then": "review"}
    make_policy(refund, alice, rules=[rule])
    trust(clerk_v1, refund, alice)
    check = gate.check(proposal=make_proposal(clerk_v1, context=context), now=NOON)
    assert codes(check) == held_by
    assert check.verdict == ("review" if held_by else "allow")


def test_an_action_type_that_nobody_declared_is_held_as_an_edge_case(clerk_v1: AgentVersion) -> None:
    check = gate.check(proposal=make_proposal(clerk_v1, action_type_name="rocket.launch"), now=NOON)
    assert (check.verdict, check.trigger) == ("review", "policy_edge")
    assert "unknown_action_type" in codes(check)
    assert check.action_type is None
    assert check.action_type_name == "rocket.launch"


def test_an_action_type_without_a_policy_in_force_is_held(clerk_v1: AgentVersion, refund: ActionType) -> None:
    check = gate.check(proposal=make_proposal(clerk_v1), now=NOON)
    assert check.verdict == "review"
    assert "no_policy" in codes(check)
    assert check.policy_version is None


def test_arguments_outside_the_declared_scope_are_held(
    clerk_v1: AgentVersion, refund: ActionType, refund_policy: PolicyVersion, alice: User
) -> None:
    trust(clerk_v1, refund, alice, AutonomyLevel.AUTONOMOUS)
    arguments = {"order_id": "W1", "amount": 99_999}
    check = gate.check(proposal=make_proposal(clerk_v1, arguments=arguments), now=NOON)
    assert (check.verdict, check.trigger) == ("review", "policy_edge")
    assert codes(check) == ["arguments_out_of_scope"]


@pytest.mark.parametrize("arguments", [[], "refund", 7, None, True, [{"order_id": "W1"}]])
def test_arguments_that_are_no_object_are_held_and_stored(
    clerk_v1: AgentVersion, refund: ActionType, refund_policy: PolicyVersion, alice: User, arguments: object
) -> None:
    trust(clerk_v1, refund, alice, AutonomyLevel.AUTONOMOUS)
    check = gate.check(proposal=make_proposal(clerk_v1, arguments=arguments), now=NOON)
    assert check.verdict == "review"
    assert check.cluster_key == ""


def test_a_lapsed_grant_is_no_grant(
    clerk_v1: AgentVersion, refund: ActionType, refund_policy: PolicyVersion, alice: User
) -> None:
    trust(clerk_v1, refund, alice, expires_at=NOON + timedelta(hours=1))
    before = gate.check(proposal=make_proposal(clerk_v1), now=NOON + timedelta(minutes=59))
    after = gate.check(proposal=make_proposal(clerk_v1), now=NOON + timedelta(hours=1))
    assert (before.verdict, before.level) == ("allow", "threshold")
    assert (after.verdict, after.level) == ("review", "review_all")


def test_a_cap_that_was_lowered_after_the_grant_counts(
    clerk_v1: AgentVersion, refund: ActionType, refund_policy: PolicyVersion, alice: User
) -> None:
    trust(clerk_v1, refund, alice, AutonomyLevel.AUTONOMOUS)
    action_types.change(action_type=refund, autonomy_cap=AutonomyLevel.REVIEW_ALL, actor=SYSTEM, now=NOON)
    check = gate.check(proposal=make_proposal(clerk_v1), now=NOON)
    assert (check.verdict, check.level) == ("review", "review_all")


def test_a_critical_type_needs_two_people(clerk_v1: AgentVersion, alice: User) -> None:
    wire = make_refund_type(name="wire.send", risk=Risk.CRITICAL)
    make_policy(wire, alice)
    check = gate.check(proposal=make_proposal(clerk_v1, action_type_name="wire.send"), now=NOON)
    assert (check.verdict, check.trigger, check.approvals_required) == ("review", "high_risk", 2)


@pytest.mark.parametrize("scope", list(KillSwitchScope))
def test_a_stop_denies_and_lifting_it_allows_again(
    clerk_v1: AgentVersion,
    refund: ActionType,
    refund_policy: PolicyVersion,
    alice: User,
    scope: KillSwitchScope,
) -> None:
    trust(clerk_v1, refund, alice)
    stop = kill_switch.engage(
        scope=scope,
        agent=clerk_v1.agent if scope == KillSwitchScope.AGENT else None,
        action_type=refund if scope == KillSwitchScope.ACTION_TYPE else None,
        reason="odd refunds",
        engaged_by=alice,
        now=NOON,
    )
    denied = gate.check(proposal=make_proposal(clerk_v1), now=NOON)
    kill_switch.lift(kill_switch=stop, reason="found it", lifted_by=alice, now=NOON)
    allowed = gate.check(proposal=make_proposal(clerk_v1), now=NOON)
    assert (denied.verdict, denied.route, codes(denied)) == ("deny", "denied", ["kill_switch"])
    assert (denied.propensity, denied.min_propensity) == (0.0, 0.0)
    assert allowed.verdict == "allow"


@pytest.mark.parametrize("state", [AgentState.PAUSED, AgentState.RETIRED])
def test_an_agent_that_is_not_active_is_denied(
    clerk_v1: AgentVersion, refund: ActionType, refund_policy: PolicyVersion, alice: User, state: AgentState
) -> None:
    trust(clerk_v1, refund, alice)
    stop = {AgentState.PAUSED: agents.pause_agent, AgentState.RETIRED: agents.retire_agent}[state]
    stop(agent=clerk_v1.agent, reason="odd refunds", actor=SYSTEM, now=NOON)
    check = gate.check(proposal=make_proposal(clerk_v1), now=NOON)
    assert (check.verdict, codes(check)) == ("deny", ["agent_inactive"])


def test_a_policy_that_cannot_be_read_holds_the_action_as_a_gate_error(
    clerk_v1: AgentVersion, refund: ActionType, alice: User, caplog: pytest.LogCaptureFixture
) -> None:
    trust(clerk_v1, refund, alice, AutonomyLevel.AUTONOMOUS)
    draft = policies.save_draft(action_type=refund, document={}, author=alice, now=NOON)
    # As another release could have written it: the database does not read documents.
    PolicyVersion.objects.filter(pk=draft.pk).update(
        document={"audit_rate": 0}, state=PolicyState.LIVE, published_at=NOON
    )
    proposal = make_proposal(clerk_v1)
    gate.check(proposal=proposal, now=NOON)
    check = GateCheck.objects.get(action_id=proposal.action_id)
    assert (check.verdict, check.route, check.trigger) == ("review", "held", "policy_edge")
    assert codes(check) == ["gate_error"]
    assert (check.propensity, check.audit_selected, check.blind) == (1.0, False, False)
    assert "holds it" in caplog.text


@pytest.mark.parametrize("field", [{"mode": "sideways"}, {"context": {"messages": 7}}, {"context": [1]}])
def test_odd_proposals_are_answered_and_never_allowed_by_an_error(
    clerk_v1: AgentVersion, refund_policy: PolicyVersion, field: dict[str, object]
) -> None:
    check = gate.check(proposal=make_proposal(clerk_v1, **field), now=NOON)
    assert check.verdict == "review"


def test_an_error_of_the_database_passes_through_and_nothing_is_stored(
    clerk_v1: AgentVersion, refund_policy: PolicyVersion
) -> None:
    with pytest.raises(DatabaseError):
        gate.check(proposal=make_proposal(clerk_v1, action_id="a" * 41), now=NOON)


def test_a_check_asks_one_question_and_keeps_one_row(
    clerk_v1: AgentVersion,
    refund: ActionType,
    refund_policy: PolicyVersion,
    alice: User,
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    trust(clerk_v1, refund, alice)
    proposal = make_proposal(clerk_v1)
    gate.check(proposal=make_proposal(clerk_v1, action_id="act_before"), now=NOON)  # the policy is compiled
    # all that stands now, and the row that keeps the answer
    with django_assert_num_queries(2):
        gate.check(proposal=proposal, now=NOON)


def test_a_dry_run_gives_the_same_answer_and_keeps_nothing(
    clerk_v1: AgentVersion, refund: ActionType, refund_policy: PolicyVersion, alice: User
) -> None:
    trust(clerk_v1, refund, alice)
    proposal = make_proposal(clerk_v1)
    outlook = gate.evaluate(proposal=proposal, now=NOON)
    assert outlook.evaluation.verdict is Verdict.ALLOW
    assert outlook.policy_version == refund_policy
    assert not GateCheck.objects.exists()


def test_an_edited_action_is_held_again_when_the_edit_leaves_the_scope(
    clerk_v1: AgentVersion, refund: ActionType, refund_policy: PolicyVersion, alice: User
) -> None:
    trust(clerk_v1, refund, alice, AutonomyLevel.AUTONOMOUS)
    edited = make_proposal(clerk_v1, arguments={"order_id": "W1", "amount": 0})
    found = gate.recheck(proposal=edited, previous_verdict=Verdict.ALLOW, now=NOON)
    assert found.verdict is Verdict.REVIEW


@pytest.mark.parametrize(("previous", "verdict"), [("allow", "deny"), ("review", "deny"), ("deny", "deny")])
def test_a_policy_that_became_stricter_wins(
    clerk_v1: AgentVersion,
    refund: ActionType,
    refund_policy: PolicyVersion,
    alice: User,
    previous: str,
    verdict: str,
) -> None:
    trust(clerk_v1, refund, alice)
    rule = {"code": "no_large", "title": "No large refunds", "when": "args.amount > 1000", "then": "deny"}
    make_policy(refund, alice, rules=[rule])
    found = gate.recheck(proposal=make_proposal(clerk_v1), previous_verdict=previous, now=NOON)
    assert found.verdict == verdict


@pytest.mark.parametrize("previous", ["review", "deny"])
def test_a_policy_that_became_looser_never_helps(
    clerk_v1: AgentVersion, refund: ActionType, refund_policy: PolicyVersion, alice: User, previous: str
) -> None:
    trust(clerk_v1, refund, alice, AutonomyLevel.AUTONOMOUS)
    found = gate.recheck(proposal=make_proposal(clerk_v1), previous_verdict=previous, now=NOON)
    assert found.verdict == previous


@pytest.mark.parametrize(
    ("pointer", "arguments", "expected"),
    [
        ("", {"order_id": "W1"}, ""),
        ("/order_id", {"order_id": "W1"}, "W1"),
        ("/order_id", {"order_id": 7}, "7"),
        ("/order_id", {"order_id": None}, "null"),
        ("/order_id", {}, ""),
        ("/orders/0/id", {"orders": [{"id": "W9"}]}, "W9"),
        ("/orders/1/id", {"orders": [{"id": "W9"}]}, ""),
        ("/orders/-1", {"orders": ["W9"]}, ""),
        ("/a~1b/c~0d", {"a/b": {"c~d": "x"}}, "x"),
        ("/order", {"order": {"b": 1, "a": 2}}, '{"a":2,"b":1}'),
        ("/order_id", ["W1"], ""),
        ("/order_id", {"order_id": "x" * 201}, "sha256:" + sha256(b"x" * 201).hexdigest()),
    ],
)
def test_the_cluster_key_is_what_the_pointer_finds(pointer: str, arguments: object, expected: str) -> None:
    refund = make_refund_type(cluster_pointer=pointer)
    assert gate.cluster_key(refund, arguments) == expected  # type: ignore[arg-type]  # any JSON
