"""What holds for all facts: the gate never raises, and no change in the safe direction loosens it."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from policies.engine.evaluation import evaluate, reevaluate
from policies.engine.facts import (
    AgentFacts,
    ConversationFacts,
    Facts,
    Level,
    Mode,
    Risk,
    ScoreSource,
    Trigger,
    Verdict,
)
from policies.engine.loosening import loosens
from policies.engine.policy import PolicyDocument
from policies.tests.engine_facts import REFUND_SCHEMA, action_type, facts, rule

CONDITIONS = (
    "args.amount > 30",
    "args.amount > 30.5",
    "args.missing == 1",
    "confidence < 0.5",
    "judge == null",
    "agent.name.startsWith('s')",
    "args.list.exists(x, x > 3)",
    "size(args) > 2",
    "'order_id' in args && args.order_id.matches('^ORD')",
    "conversation.messages == 0",
    "action.risk == 'medium'",
    "subject == null",
)

scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=True, allow_infinity=True)
    | st.text(max_size=8)
    | st.binary(max_size=4)
    | st.just(object())
)
garbage: st.SearchStrategy[Any] = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
)
shares = st.floats(min_value=0, max_value=1)
draws = st.floats(min_value=0, max_value=1, exclude_max=True)
scores = st.none() | shares | st.sampled_from([math.nan, math.inf, -0.1, 1.1])
rules = st.builds(
    lambda when, then, trigger: rule(when, then, trigger=trigger),
    st.sampled_from(CONDITIONS),
    st.sampled_from([Verdict.REVIEW, Verdict.DENY]),
    st.sampled_from([Trigger.POLICY_EDGE, Trigger.HIGH_RISK]),
)
rule_sets = st.lists(rules, max_size=4).map(
    lambda drawn: tuple(replace(each, code=f"rule_{index}") for index, each in enumerate(drawn))
)
documents = st.builds(
    PolicyDocument,
    threshold=st.none() | shares,
    score=st.sampled_from([each for each in ScoreSource if each is not ScoreSource.CALIBRATED]),
    rules=rule_sets,
    audit_rate=st.floats(min_value=0.01, max_value=1),
    deadline_seconds=st.integers(1, 86_400),
    undo_seconds=st.integers(0, 60),
    approvals_required=st.integers(1, 5),
    permit_ttl_seconds=st.integers(1, 3_600),
    blind_share=shares,
)
arguments = st.fixed_dictionaries(
    {},
    optional={
        "order_id": st.sampled_from(["ORD-1", "x"]),
        "amount": st.integers(0, 600) | st.floats(0, 600),
        "list": st.lists(st.integers(0, 9), max_size=4),
    },
)
action_types = st.none() | st.builds(
    action_type,
    risk=st.sampled_from(Risk),
    irreversible=st.booleans(),
    argument_schema=st.sampled_from([None, REFUND_SCHEMA]),
    autonomy_cap=st.sampled_from(Level),
    widens_rights=st.booleans(),
)
sound_facts = st.builds(
    Facts,
    action_type=action_types,
    arguments=arguments,
    agent=st.builds(
        AgentFacts,
        name=st.sampled_from(["support", "other"]),
        version=st.just("1"),
        known_version=st.booleans(),
    ),
    level=st.sampled_from(Level),
    policy=st.none() | documents,
    policy_version=st.none() | st.integers(1, 9),
    draw=draws,
    blind_draw=draws,
    kill_switch=st.sampled_from([False, False, False, True]),
    agent_active=st.sampled_from([True, True, True, False]),
    confidence=scores,
    judge_score=scores,
    mode=st.sampled_from(Mode),
    subject=st.none() | st.text(max_size=5),
    conversation=st.builds(ConversationFacts, id=st.none(), message_count=st.integers(0, 3)),
)
# Facts from which an allow is near, so that the properties below are not met by holding everything.
permissive_facts = st.builds(
    facts,
    arguments=st.fixed_dictionaries({"order_id": st.just("ORD-1"), "amount": st.integers(0, 500)}),
    level=st.sampled_from([Level.THRESHOLD, Level.AUTONOMOUS]),
    policy=documents,
    confidence=shares,
    judge_score=st.none() | shares,
    draw=draws,
    blind_draw=draws,
)
any_facts = sound_facts | permissive_facts


@given(
    names=st.lists(
        st.sampled_from(
            [
                "action_type", "arguments", "agent", "level", "policy", "policy_version", "draw",
                "blind_draw", "kill_switch", "agent_active", "confidence", "judge_score", "mode",
                "environment", "subject", "conversation", "platform_facts",
            ]
        ),
        max_size=4,
    ),
    data=st.data(),
)  # fmt: skip
def test_no_garbage_makes_the_gate_raise_and_without_a_policy_none_is_allowed(
    names: list[str], data: st.DataObject
) -> None:
    broken = facts(**{name: data.draw(garbage, label=name) for name in names})

    evaluation = evaluate(broken)

    assert isinstance(evaluation.verdict, Verdict)
    if not isinstance(broken.policy, PolicyDocument):
        assert evaluation.verdict is not Verdict.ALLOW


@given(thing=garbage)
def test_what_is_no_facts_at_all_is_not_allowed(thing: object) -> None:
    assert evaluate(thing).verdict is not Verdict.ALLOW  # type: ignore[arg-type]  # garbage on purpose


@given(given_facts=any_facts)
@settings(max_examples=200)
def test_an_allow_means_that_nothing_at_all_spoke_against_it(given_facts: Facts) -> None:
    evaluation = evaluate(given_facts)

    assert 0 <= evaluation.min_propensity <= evaluation.propensity <= 1
    assert (evaluation.verdict is Verdict.ALLOW) is (evaluation.reasons == ())
    assert (evaluation.nearest_miss is not None) is (evaluation.verdict is Verdict.ALLOW)
    assert not evaluation.audit_selected or evaluation.verdict is Verdict.ALLOW
    ranks = [reason.strictness.strictness for reason in evaluation.reasons]
    assert ranks == sorted(ranks, reverse=True)
    if evaluation.verdict is Verdict.ALLOW:
        assert given_facts.policy is not None
        assert given_facts.action_type is not None
        assert evaluation.propensity == given_facts.policy.audit_rate >= 0.01
        assert evaluation.audit_selected is (given_facts.draw < evaluation.propensity)


@given(given_facts=any_facts, added=rules)
def test_adding_a_rule_never_loosens(given_facts: Facts, added: Any) -> None:
    if given_facts.policy is None:
        return
    more = replace(given_facts.policy, rules=(*given_facts.policy.rules, added))

    before, after = evaluate(given_facts), evaluate(replace(given_facts, policy=more))

    assert after.verdict.strictness >= before.verdict.strictness
    assert set(before.reasons) <= set(after.reasons)


@given(given_facts=any_facts, threshold=shares)
def test_raising_or_removing_the_threshold_never_loosens(given_facts: Facts, threshold: float) -> None:
    if given_facts.policy is None or given_facts.policy.threshold is None:
        return
    higher = replace(given_facts.policy, threshold=max(threshold, given_facts.policy.threshold))
    none = replace(given_facts.policy, threshold=None)

    before = evaluate(given_facts).verdict.strictness

    assert evaluate(replace(given_facts, policy=higher)).verdict.strictness >= before
    assert evaluate(replace(given_facts, policy=none)).verdict.strictness >= before


@given(given_facts=permissive_facts, lower=shares)
def test_lowering_the_confidence_never_loosens(given_facts: Facts, lower: float) -> None:
    # Without rules: an operator may well write one that asks for more of the sure ones.
    assert given_facts.policy is not None
    assert given_facts.confidence is not None
    plain = replace(given_facts, policy=replace(given_facts.policy, rules=()))
    less_sure = replace(plain, confidence=min(lower, given_facts.confidence))

    assert evaluate(less_sure).verdict.strictness >= evaluate(plain).verdict.strictness


@given(given_facts=any_facts, level=st.sampled_from(Level))
def test_less_trust_never_loosens(given_facts: Facts, level: Level) -> None:
    lower = Level.lowest(level, given_facts.level)

    after = evaluate(replace(given_facts, level=lower))

    assert after.verdict.strictness >= evaluate(given_facts).verdict.strictness


@given(given_facts=any_facts, other=documents)
@settings(max_examples=200)
def test_a_policy_that_is_not_looser_lets_nothing_more_through(
    given_facts: Facts, other: PolicyDocument
) -> None:
    before = given_facts.policy
    if before is None:
        return
    codes = {each.code for each in before.rules}
    thresholds = (before.threshold, other.threshold)
    tighter = replace(
        before,
        threshold=None if None in thresholds else max(each for each in thresholds if each is not None),
        rules=(*before.rules, *(each for each in other.rules if each.code not in codes)),
        audit_rate=max(before.audit_rate, other.audit_rate),
        approvals_required=max(before.approvals_required, other.approvals_required),
    )

    assert bool(loosens(before, tighter)) is False
    for after in (tighter, other):
        if not loosens(before, after):
            later = evaluate(replace(given_facts, policy=after))
            assert later.verdict.strictness >= evaluate(given_facts).verdict.strictness


@given(given_facts=any_facts, then=st.none() | documents)
def test_a_policy_that_changes_midway_leaves_the_stricter_answer(
    given_facts: Facts, then: PolicyDocument | None
) -> None:
    first = evaluate(given_facts)
    later = replace(given_facts, policy=then)

    both = reevaluate(first, later)

    assert both.verdict is Verdict.strictest(first.verdict, evaluate(later).verdict)
    assert both.approvals_required == max(first.approvals_required, evaluate(later).approvals_required)


@given(text=st.text(max_size=40))
def test_text_of_the_agent_in_the_arguments_never_lowers_a_verdict(text: str) -> None:
    open_type = action_type(argument_schema=None)
    plain = facts(action_type=open_type, arguments={"amount": 40}, confidence=0.2)

    talked = evaluate(replace(plain, arguments={"amount": 40, "reason": text, "note": text}))

    assert talked.verdict is evaluate(plain).verdict is Verdict.REVIEW
