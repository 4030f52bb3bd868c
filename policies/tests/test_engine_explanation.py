from __future__ import annotations

import re
from pathlib import Path

import pytest

from policies.engine import explanation
from policies.engine.conditions import VARIABLES, compile_condition
from policies.engine.evaluation import evaluate
from policies.engine.explanation import audit_sample, percent
from policies.engine.facts import AgentFacts, Facts, Level, ScoreSource, Trigger, Verdict
from policies.tests.engine_facts import action_type, facts, policy, rule


@pytest.mark.parametrize(
    ("value", "beside", "expected"),
    [
        (0.71, None, "71%"),
        (0.71, 0.9, "71%"),
        (0.0, None, "0%"),
        (1.0, None, "100%"),
        (0.1, None, "10%"),
        (0.125, None, "12.5%"),
        (1 / 3, None, "33.33%"),
        (0.855, 0.2, "85.5%"),
        (0.9, 0.9, "90%"),
        (0.89999, 0.9, "89.999%"),
        (0.9, 0.89999, "90%"),
        (0.29, 0.3, "29%"),
    ],
)
def test_a_share_is_told_exactly_enough(value: float, beside: float | None, expected: str) -> None:
    assert percent(value, beside=beside) == expected


@pytest.mark.parametrize(
    ("given_facts", "title", "detail"),
    [
        (
            facts(confidence=0.71),
            "Low confidence",
            "The chance it is right is 71% (the agent's own score), policy version 7 asks for 90%.",
        ),
        (
            facts(
                confidence=0.1,
                judge_score=0.89999,
                policy=policy(score=ScoreSource.JUDGE),
                policy_version=None,
            ),
            "Low confidence",
            "The chance it is right is 89.999% (the judge's score), the policy asks for 90%.",
        ),
        (
            facts(confidence=None),
            "No confidence given",
            "Policy version 7 asks for the agent's own score, and there is none.",
        ),
        (
            facts(confidence=7),
            "The score is no probability",
            "The agent's own score is not a number from 0 to 1, so it proves nothing.",
        ),
        (
            facts(arguments={"order_id": "ORD-1", "amount": 900}),
            "Outside the declared scope",
            "The arguments leave what this action type declares. "
            "/amount: 900 is greater than the maximum of 500",
        ),
        (
            facts(policy=policy(rules=(rule("args.amount > 30", code="large", title="Large refund"),))),
            "Large refund",
            "The rule large of policy version 7 asks for a review of such actions.",
        ),
        (
            facts(
                policy=policy(
                    rules=(rule("args.amount > 30", Verdict.DENY, code="large", title="Too large"),)
                )
            ),
            "Too large",
            "The rule large of policy version 7 refuses such actions.",
        ),
        (
            facts(policy=policy(rules=(rule("args.vip", code="vip", title="VIP"),))),
            "A rule could not be checked",
            "The rule vip (VIP) of policy version 7 gave no answer: there is no field 'vip'.",
        ),
        (
            facts(level=Level.REVIEW_ALL),
            "Not yet trusted alone",
            "At the level review all, a person decides on every action of this type.",
        ),
        (
            facts(level=Level.AUTONOMOUS, action_type=action_type(autonomy_cap=Level.REVIEW_ALL)),
            "Not yet trusted alone",
            "At the level review all, a person decides on every action of this type. "
            "Granted was autonomous, this action type goes no further than review all.",
        ),
        (
            facts(agent=AgentFacts(name="bot", version="9", known_version=False)),
            "Unknown agent version",
            "The version 9 of bot is not registered; trust is earned version by version.",
        ),
    ],
)
def test_a_reason_is_told_in_plain_words(given_facts: Facts, title: str, detail: str) -> None:
    reason = evaluate(given_facts).reasons[0]

    assert (reason.title, reason.detail) == (title, detail)


@pytest.mark.parametrize(
    ("given_facts", "expected"),
    [
        (facts(), "The chance it is right is 95%, policy version 7 asks for 90%."),
        (
            facts(policy=policy(rules=(rule("false"),))),
            "The chance it is right is 95%, policy version 7 asks for 90%; its rule did not match.",
        ),
        (
            facts(level=Level.AUTONOMOUS, confidence=0.3),
            "The chance it is right is 30%, under the 90% of policy version 7, not asked at this level.",
        ),
        (
            facts(
                level=Level.AUTONOMOUS,
                confidence=None,
                policy=policy(rules=(rule("false"), rule("false", code="b"))),
            ),
            "Of policy version 7, none of its 2 rules matched.",
        ),
        (
            facts(level=Level.AUTONOMOUS, confidence=None),
            "Policy version 7 has no rule that could have held it.",
        ),
    ],
)
def test_an_allow_tells_what_came_closest_to_holding_it(given_facts: Facts, expected: str) -> None:
    evaluation = evaluate(given_facts)

    assert evaluation.verdict is Verdict.ALLOW
    assert evaluation.nearest_miss == expected


def test_the_audit_is_explained_apart_from_the_reasons_that_an_agent_sees() -> None:
    drawn = evaluate(facts(draw=0.0))

    assert drawn.audit_selected is True
    assert drawn.reasons == ()
    reason = audit_sample(0.05, 7)
    assert (reason.code, reason.trigger, reason.strictness) == ("audit_sample", Trigger.AUDIT, Verdict.ALLOW)
    assert reason.detail == (
        "It ran alone. Policy version 7 has 5% of such actions looked at afterwards, drawn by chance."
    )


def test_no_sentence_speaks_jargon() -> None:
    for changes in ({"kill_switch": True}, {"action_type": None}, {"policy": None}, {"level": Level.SHADOW}):
        for reason in evaluate(facts(**changes)).reasons:
            assert not re.search(r"HITL|ECE|propensity|CEL\b", f"{reason.title} {reason.detail}")
            assert reason.detail.endswith(".")


def test_the_page_about_the_gate_names_every_reason_and_variable_and_its_examples_compile() -> None:
    page = (Path(__file__).parents[2] / "docs/algorithms/gate.md").read_text(encoding="utf-8")

    for code in re.findall(r'code="([a-z_]+)"', Path(explanation.__file__).read_text(encoding="utf-8")):
        assert f"`{code}`" in page
    for name, names in VARIABLES.items():
        for each in [f"{name}.{field}" for field in names or ()] or [name]:
            assert f"`{each}`" in page
    examples = page.split("```")[1].strip().splitlines()
    assert len(examples) == 9
    for example in [*examples, "double(args.amount) * 1.2 > 100.0"]:
        compile_condition(example)
