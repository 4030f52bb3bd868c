"""The gate's semantics, one fact changed at a time (docs/algorithms/gate.md)."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import pytest

from policies.engine.evaluation import Evaluation, evaluate, reevaluate, strictest
from policies.engine.facts import (
    AgentFacts,
    ConversationFacts,
    Facts,
    Level,
    Risk,
    Route,
    ScoreSource,
    Trigger,
    Verdict,
)
from policies.tests.engine_facts import action_type, facts, policy, rule

NAN = float("nan")
NO_COUNT: Any = NAN
EDGE, HIGH = "policy_edge", "high_risk"
UNKNOWN_VERSION = AgentFacts(name="support-bot", version="9", known_version=False)


def codes(evaluation: Evaluation) -> list[str]:
    return [reason.code for reason in evaluation.reasons]


def test_an_action_that_nothing_speaks_against_is_allowed_with_all_that_must_be_stored() -> None:
    assert evaluate(facts()) == Evaluation(
        verdict=Verdict.ALLOW,
        reasons=(),
        score=0.95,
        score_source=ScoreSource.AGENT,
        threshold=0.9,
        level=Level.THRESHOLD,
        route=Route.ALONE,
        propensity=0.05,
        min_propensity=0.05,
        audit_selected=False,
        blind=False,
        approvals_required=1,
        nearest_miss="The chance it is right is 95%, policy version 7 asks for 90%.",
    )


@pytest.mark.parametrize(
    ("changes", "verdict", "expected"),
    [
        ({"kill_switch": True}, "deny", [("kill_switch", EDGE)]),
        ({"kill_switch": None}, "deny", [("kill_switch", EDGE)]),
        ({"agent_active": False}, "deny", [("agent_inactive", EDGE)]),
        (
            {"action_type": None},
            "review",
            [("unknown_action_type", EDGE), ("autonomy_review_all", EDGE)],
        ),
        ({"policy": None, "policy_version": None}, "review", [("no_policy", EDGE)]),
        (
            {"arguments": {"order_id": "ORD-1", "amount": 900}},
            "review",
            [("arguments_out_of_scope", EDGE)],
        ),
        ({"arguments": {"order_id": "ORD-1", "amount": NAN}}, "review", [("arguments_unusable", EDGE)]),
        ({"arguments": [1]}, "review", [("arguments_unusable", EDGE)]),
        (
            {"action_type": action_type(argument_schema={"type": "nonsense"})},
            "review",
            [("scope_unusable", EDGE)],
        ),
        ({"action_type": action_type(argument_schema=None), "arguments": {"any": 1}}, "allow", []),
        ({"action_type": action_type(risk=Risk.MEDIUM)}, "allow", []),
        ({"action_type": action_type(risk=Risk.HIGH)}, "review", [("high_risk", HIGH)]),
        (
            {"action_type": action_type(risk=Risk.HIGH), "level": Level.AUTONOMOUS},
            "review",
            [("high_risk", "high_risk")],
        ),
        ({"action_type": action_type(risk="hihg")}, "review", [("high_risk", HIGH)]),
        ({"action_type": action_type(irreversible=True)}, "allow", []),
        (
            {"action_type": action_type(widens_rights=True), "level": Level.AUTONOMOUS},
            "review",
            [("widens_rights", "high_risk")],
        ),
        ({"confidence": 0.9}, "allow", []),
        ({"confidence": 0.8999999}, "review", [("below_threshold", "low_confidence")]),
        ({"confidence": None}, "review", [("no_score", "low_confidence")]),
        (
            {"confidence": NAN},
            "review",
            [("invalid_score", "low_confidence"), ("no_score", "low_confidence")],
        ),
        ({"judge_score": 1.5}, "review", [("invalid_score", "low_confidence")]),
        ({"judge_score": NAN, "level": Level.AUTONOMOUS}, "review", [("invalid_score", "low_confidence")]),
        ({"policy": policy(threshold=None)}, "review", [("no_threshold", "low_confidence")]),
        ({"policy": policy(threshold=0.0), "confidence": 0.0}, "allow", []),
        ({"level": Level.AUTONOMOUS, "confidence": 0.1}, "allow", []),
        ({"level": Level.AUTONOMOUS, "confidence": None}, "allow", []),
        ({"level": Level.REVIEW_ALL}, "review", [("autonomy_review_all", EDGE)]),
        ({"level": Level.SHADOW}, "review", [("autonomy_shadow", EDGE)]),
        ({"level": "autonomous"}, "review", [("invalid_facts", EDGE)]),
        (
            {"action_type": action_type(autonomy_cap=Level.REVIEW_ALL), "level": Level.AUTONOMOUS},
            "review",
            [("autonomy_review_all", EDGE)],
        ),
        (
            {"agent": UNKNOWN_VERSION, "level": Level.AUTONOMOUS},
            "review",
            [("unknown_agent_version", EDGE), ("autonomy_review_all", EDGE)],
        ),
        ({"draw": 1.0}, "review", [("invalid_facts", EDGE)]),
        ({"draw": NAN}, "review", [("invalid_facts", EDGE)]),
        ({"blind_draw": None}, "review", [("invalid_facts", EDGE)]),
        ({"conversation": ConversationFacts(message_count=NO_COUNT)}, "review", [("invalid_facts", EDGE)]),
        ({"subject": "\ud800"}, "review", [("invalid_facts", EDGE)]),
        ({"agent": None}, "review", [("engine_error", EDGE)]),
        ({"policy": {"threshold": 0}}, "review", [("engine_error", EDGE)]),
        ({"policy": policy(rules=(rule("args.amount > 30"),))}, "review", [("rule_matched", EDGE)]),
        (
            {"policy": policy(rules=(rule("args.amount > 30", trigger=Trigger.HIGH_RISK),))},
            "review",
            [("rule_matched", "high_risk")],
        ),
        (
            {"policy": policy(rules=(rule("args.amount > 30", Verdict.DENY),))},
            "deny",
            [("rule_matched", EDGE)],
        ),
        ({"policy": policy(rules=(rule("args.amount > 300"),))}, "allow", []),
        ({"policy": policy(rules=(rule("args.nothing > 1"),))}, "review", [("rule_error", EDGE)]),
        ({"policy": policy(rules=(rule("args.amount"),))}, "review", [("rule_error", EDGE)]),
        (
            {"policy": policy(rules=(rule("args.nothing > 1", Verdict.DENY),))},
            "review",
            [("rule_error", EDGE)],
        ),
    ],
)
def test_one_changed_fact_gives_exactly_these_reasons(
    changes: dict[str, object], verdict: str, expected: list[tuple[str, str]]
) -> None:
    evaluation = evaluate(facts(**changes))

    assert evaluation.verdict == verdict
    assert [(reason.code, reason.trigger.value) for reason in evaluation.reasons] == expected


def test_every_matched_reason_is_collected_and_the_strictest_comes_first() -> None:
    rules = (
        rule("args.amount > 30", code="first"),
        rule("agent.name == 'support-bot'", Verdict.DENY, code="second"),
        rule("args.missing", code="third"),
        rule("false", code="fourth"),
    )

    evaluation = evaluate(
        facts(
            policy=policy(rules=rules),
            action_type=action_type(risk=Risk.CRITICAL),
            confidence=0.2,
            level=Level.REVIEW_ALL,
        )
    )

    assert evaluation.verdict is Verdict.DENY
    assert [(reason.code, reason.rule) for reason in evaluation.reasons] == [
        ("rule_matched", "second"),
        ("rule_matched", "first"),
        ("high_risk", None),
        ("rule_error", "third"),
        ("below_threshold", None),
        ("autonomy_review_all", None),
    ]


@pytest.mark.parametrize(
    ("source", "confidence", "judge", "score", "used"),
    [
        (ScoreSource.AGENT, 0.95, 0.1, 0.95, ScoreSource.AGENT),
        (ScoreSource.JUDGE, 0.1, 0.95, 0.95, ScoreSource.JUDGE),
        (ScoreSource.JUDGE, 0.95, None, None, None),
        (ScoreSource.LOWEST, 0.95, 0.3, 0.3, ScoreSource.JUDGE),
        (ScoreSource.LOWEST, 0.2, 0.3, 0.2, ScoreSource.AGENT),
        (ScoreSource.LOWEST, None, 0.97, 0.97, ScoreSource.JUDGE),
        (ScoreSource.LOWEST, None, None, None, None),
        (ScoreSource.AGENT, 1, None, 1.0, ScoreSource.AGENT),
        (ScoreSource.AGENT, True, None, None, None),
    ],
)
def test_the_score_is_the_one_the_policy_asks_for(
    source: ScoreSource,
    confidence: float | None,
    judge: float | None,
    score: float | None,
    used: ScoreSource | None,
) -> None:
    evaluation = evaluate(facts(policy=policy(score=source), confidence=confidence, judge_score=judge))

    assert (evaluation.score, evaluation.score_source) == (score, used)
    assert (evaluation.verdict is Verdict.ALLOW) is (score is not None and score >= 0.9)


@pytest.mark.parametrize(
    ("changes", "propensity", "minimum", "route"),
    [
        ({}, 0.05, 0.05, Route.ALONE),
        ({"level": Level.AUTONOMOUS}, 0.05, 0.05, Route.ALONE),
        ({"confidence": 0.1}, 1.0, 0.05, Route.HELD),
        ({"policy": policy(rules=(rule("true"),))}, 1.0, 0.05, Route.HELD),
        ({"level": Level.REVIEW_ALL}, 1.0, 1.0, Route.HELD),
        ({"action_type": action_type(risk=Risk.HIGH)}, 1.0, 1.0, Route.HELD),
        ({"policy": None}, 1.0, 1.0, Route.HELD),
        ({"kill_switch": True}, 0.0, 0.0, Route.DENIED),
        ({"kill_switch": True, "policy": None}, 0.0, 0.0, Route.DENIED),
    ],
)
def test_the_propensity_is_the_probability_that_a_person_looks(
    changes: dict[str, object], propensity: float, minimum: float, route: Route
) -> None:
    evaluation = evaluate(facts(**changes))

    assert (evaluation.propensity, evaluation.min_propensity, evaluation.route) == (
        propensity,
        minimum,
        route,
    )


@pytest.mark.parametrize(("draw", "selected"), [(0.0, True), (0.0499, True), (0.05, False), (0.99, False)])
def test_an_allowed_action_is_audited_when_its_draw_is_under_the_rate(draw: float, selected: bool) -> None:
    evaluation = evaluate(facts(draw=draw))

    assert evaluation.verdict is Verdict.ALLOW
    assert evaluation.audit_selected is selected
    assert evaluation.blind is selected


def test_neither_a_held_nor_a_denied_action_is_drawn_for_audit() -> None:
    assert evaluate(facts(draw=0.0, confidence=0.1)).audit_selected is False
    assert evaluate(facts(draw=0.0, kill_switch=True)).audit_selected is False


@pytest.mark.parametrize(("draw", "blind"), [(0.0, True), (0.0999, True), (0.1, False)])
def test_a_share_of_held_actions_is_blind(draw: float, blind: bool) -> None:
    assert evaluate(facts(confidence=0.1, blind_draw=draw)).blind is blind


def test_critical_risk_needs_two_approvals_whatever_the_policy_says() -> None:
    critical = action_type(risk=Risk.CRITICAL)

    assert evaluate(facts(action_type=critical)).approvals_required == 2
    assert evaluate(facts(action_type=critical, policy=None)).approvals_required == 2
    assert evaluate(facts(action_type=critical, policy=policy(approvals_required=4))).approvals_required == 4
    assert evaluate(facts(policy=policy(approvals_required=3), confidence=0.1)).approvals_required == 3


def test_the_level_in_force_is_the_lower_of_grant_and_cap() -> None:
    capped = action_type(autonomy_cap=Level.THRESHOLD)

    evaluation = evaluate(facts(action_type=capped, level=Level.AUTONOMOUS, confidence=0.3))

    assert evaluation.level is Level.THRESHOLD
    assert codes(evaluation) == ["below_threshold"]


def test_an_unknown_action_type_still_passes_the_rules_of_a_policy_that_is_given() -> None:
    refused = policy(rules=(rule("args.amount > 30", Verdict.DENY),))

    assert evaluate(facts(action_type=None, policy=refused)).verdict is Verdict.DENY


@pytest.mark.parametrize(
    ("stated", "code"),
    [
        ({"violations": []}, None),
        ({"violations": ["late_refund"]}, "rule_matched"),
        ({}, "rule_error"),
        ({"violations": NAN}, "invalid_facts"),
        ({"violations": [["x"] * 400] * 400}, "invalid_facts"),
    ],
)
def test_what_the_platform_states_can_hold_an_action_and_its_absence_too(
    stated: dict[str, object], code: str | None
) -> None:
    evaluation = evaluate(
        facts(policy=policy(rules=(rule("size(context.violations) > 0"),)), platform_facts=stated)
    )

    assert [reason.code for reason in evaluation.reasons] == ([code] if code else [])


def test_a_long_list_among_what_the_platform_states_bounds_the_loops_over_it() -> None:
    loops = rule("context.seen.exists(one, context.seen.exists(other, one > other))")
    evaluation = evaluate(facts(policy=policy(rules=(loops,)), platform_facts={"seen": list(range(5_000))}))

    assert [reason.code for reason in evaluation.reasons] == ["rule_error"]


def test_no_fact_carries_what_an_agent_says_in_its_own_favour() -> None:
    names = {each.name for each in fields(Facts)}

    assert not names & {"reason", "summary", "rationale", "title", "context", "messages"}


def test_the_same_facts_give_the_same_answer() -> None:
    held = facts(policy=policy(rules=(rule("args.amount > 30"), rule("args.x", code="b"))), confidence=0.4)

    assert evaluate(held) == evaluate(replace(held))


def test_the_strictest_of_several_keeps_all_reasons_and_the_most_approvals() -> None:
    allowed = evaluate(facts())
    held = evaluate(facts(confidence=0.2, policy=policy(approvals_required=3)))
    denied = evaluate(facts(kill_switch=True))

    together = strictest(allowed, held, denied)

    assert together.verdict is Verdict.DENY
    assert codes(together) == ["kill_switch", "below_threshold"]
    assert together.approvals_required == 3
    assert strictest(allowed, allowed) == allowed
    assert strictest().verdict is Verdict.REVIEW


@pytest.mark.parametrize("previous", [Verdict.ALLOW, Verdict.REVIEW, Verdict.DENY, "review", "deny"])
@pytest.mark.parametrize("changes", [{}, {"confidence": 0.1}, {"kill_switch": True}])
def test_a_later_check_is_never_milder(previous: Verdict, changes: dict[str, object]) -> None:
    now = facts(**changes)

    evaluation = reevaluate(previous, now)

    assert evaluation.verdict is Verdict.strictest(Verdict(previous), evaluate(now).verdict)
    assert evaluation.reasons or evaluation.verdict is Verdict.ALLOW
    assert evaluation.audit_selected is False
    assert (
        evaluation.route
        is {"allow": Route.ALONE, "review": Route.HELD, "deny": Route.DENIED}[evaluation.verdict]
    )


def test_a_later_check_keeps_an_earlier_evaluation_that_was_stricter() -> None:
    earlier = evaluate(facts(confidence=0.2))

    assert reevaluate(earlier, facts()) == earlier
    assert reevaluate(evaluate(facts()), facts(kill_switch=True)).verdict is Verdict.DENY


def test_an_earlier_verdict_that_nobody_knows_is_held() -> None:
    evaluation = reevaluate("fine", facts())  # type: ignore[arg-type]  # garbage on purpose

    assert evaluation.verdict is Verdict.REVIEW
    assert codes(evaluation) == ["invalid_facts"]
