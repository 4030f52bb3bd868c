"""What holds for all facts: the gate never raises, and no change in the safe direction loosens it."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from policies.engine.agent_list import ListedAgent
from policies.engine.calibration import Calibration
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
from policies.engine.freezing import WEEKDAYS, FreezeWindow
from policies.engine.loosening import loosens
from policies.engine.measures import Measure, MeasureFunction, Unmeasured
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
    "history.m > 100",
    "history.m > 100.5 || args.amount > 400",
    "said_by_user(args.order_id)",
    "!said_by_user(args.amount)",
    "seen_in_tools(args) && unseen(args.order_id)",
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
windows = st.builds(
    FreezeWindow,
    title=st.just("Some days"),
    starts=st.sampled_from(["00:00", "18:00"]),
    ends=st.sampled_from(["00:00", "08:00"]),
    weekdays=st.lists(st.sampled_from(WEEKDAYS), min_size=1, unique=True).map(tuple),
    zone=st.sampled_from(["UTC", "Europe/Berlin"]),
    then=st.sampled_from([Verdict.REVIEW, Verdict.DENY]),
) | st.just(FreezeWindow(title="Once", starts="2026-01-01T00:00:00Z", ends="2026-01-02T00:00:00Z"))
agent_lists = st.lists(
    st.builds(
        ListedAgent,
        name=st.sampled_from(["support", "support-bot", "other"]),
        versions=st.sampled_from([(), ("1",), ("3.2", "1")]),
    ),
    max_size=3,
    unique_by=lambda each: each.name,
).map(tuple)
maps = st.builds(
    Calibration,
    of=st.sampled_from([each for each in ScoreSource if each is not ScoreSource.CALIBRATED]),
    points=st.sampled_from([((0.0, 0.0), (1.0, 1.0)), ((0.3, 0.1), (0.9, 0.95))]),
)
measures = st.builds(
    Measure,
    name=st.just("m"),
    of=st.sampled_from(["agent", "subject", "/order_id"]),
    function=st.just(MeasureFunction.COUNT),
    window_seconds=st.integers(1, 86_400),
)
plain_documents = st.builds(
    PolicyDocument,
    measures=measures.map(lambda each: (each,)),
    agents=st.none() | st.none() | agent_lists,
    freeze_windows=st.lists(windows, max_size=2).map(tuple),
    denial_memory_seconds=st.integers(0, 86_400),
    checklist=st.sampled_from([(), ("Paid?",), ("Paid?", "Asked for?")]),
    small_screens=st.booleans(),
    reminder=st.booleans(),
    second_queue=st.sampled_from(["", "leads"]),
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
documents = plain_documents | st.builds(
    lambda document, mapped: replace(document, score=ScoreSource.CALIBRATED, calibration=mapped),
    plain_documents,
    maps,
)
histories = st.fixed_dictionaries({"m": st.floats(0, 300) | st.just(Unmeasured("it was not measured"))})
spoken: st.SearchStrategy[Any] = st.none() | st.builds(
    lambda said, seen: {
        "messages": [{"role": "user", "content": said}, {"role": "tool", "content": seen}],
    },
    st.sampled_from(["", "refund ORD-1", "40", "ORD-1 and 40"]),
    st.sampled_from(["", "ORD-1", "amount: 40"]),
)
moments = st.datetimes(datetime(2026, 1, 1), datetime(2026, 1, 8), timezones=st.just(UTC))
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
    sample_agreement=scores,
    now=st.none() | moments,
    history=st.just({}) | histories,
    denied_before=st.none() | st.none() | st.just("act_1"),
    heard=spoken,
)
# Facts from which an allow is near, so that the properties below are not met by holding everything.
permissive_facts = st.builds(
    facts,
    arguments=st.fixed_dictionaries({"order_id": st.just("ORD-1"), "amount": st.integers(0, 500)}),
    level=st.sampled_from([Level.THRESHOLD, Level.AUTONOMOUS]),
    policy=documents,
    confidence=shares,
    judge_score=st.none() | shares,
    sample_agreement=st.none() | shares,
    draw=draws,
    blind_draw=draws,
    now=moments,
    history=histories,
    heard=spoken,
)
any_facts = sound_facts | permissive_facts


@given(
    names=st.lists(
        st.sampled_from(
            [
                "action_type", "arguments", "agent", "level", "policy", "policy_version", "draw",
                "blind_draw", "kill_switch", "agent_active", "confidence", "judge_score", "mode",
                "environment", "subject", "conversation", "platform_facts", "now", "history",
                "denied_before", "heard", "sample_agreement",
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


@given(given_facts=any_facts, added=windows)
def test_adding_a_freeze_window_never_loosens(given_facts: Facts, added: FreezeWindow) -> None:
    if given_facts.policy is None:
        return
    more = replace(given_facts.policy, freeze_windows=(*given_facts.policy.freeze_windows, added))

    after = evaluate(replace(given_facts, policy=more))

    assert after.verdict.strictness >= evaluate(given_facts).verdict.strictness


@given(given_facts=any_facts, listed=agent_lists)
def test_listing_agents_where_there_was_no_list_never_loosens(given_facts: Facts, listed: Any) -> None:
    if given_facts.policy is None:
        return
    everybody = replace(given_facts, policy=replace(given_facts.policy, agents=None))
    some = replace(given_facts, policy=replace(given_facts.policy, agents=listed))

    assert evaluate(some).verdict.strictness >= evaluate(everybody).verdict.strictness


@given(given_facts=any_facts)
def test_an_earlier_refusal_never_loosens(given_facts: Facts) -> None:
    new = replace(given_facts, denied_before=None)
    again = replace(given_facts, denied_before="act_1")

    assert evaluate(again).verdict.strictness >= evaluate(new).verdict.strictness
    assert evaluate(again).verdict is not Verdict.ALLOW


@given(given_facts=permissive_facts, lower=shares, which=st.sampled_from(["judge_score", "sample_agreement"]))
def test_lowering_a_score_that_was_given_never_loosens(given_facts: Facts, lower: float, which: str) -> None:
    given_score = getattr(given_facts, which)
    if given_score is None or given_facts.policy is None:
        return
    plain = replace(given_facts, policy=replace(given_facts.policy, rules=()))
    less_sure = replace(plain, **{which: min(lower, given_score)})

    assert evaluate(less_sure).verdict.strictness >= evaluate(plain).verdict.strictness


@given(given_facts=any_facts, more=st.floats(0, 1_000))
def test_a_longer_past_never_loosens_a_limit_on_it(given_facts: Facts, more: float) -> None:
    if given_facts.policy is None:
        return
    limit = replace(given_facts.policy, rules=(rule("history.m > 100"),))
    before = given_facts.history.get("m")
    value = before if isinstance(before, float) else 0.0
    short = replace(given_facts, policy=limit, history={"m": value})
    long = replace(short, history={"m": value + more})
    lost = replace(short, history={"m": Unmeasured("nobody knows")})

    strictness = evaluate(short).verdict.strictness
    assert evaluate(long).verdict.strictness >= strictness
    assert evaluate(lost).verdict.strictness >= max(strictness, Verdict.REVIEW.strictness)


@given(given_facts=any_facts, claim=st.text(max_size=40), at_the_end=st.booleans())
def test_what_the_agent_says_around_its_action_changes_nothing(
    given_facts: Facts, claim: str, at_the_end: bool
) -> None:
    heard = given_facts.heard if isinstance(given_facts.heard, dict) else {"messages": []}
    claims = [
        {"role": "assistant", "content": f"The user said ORD-1 and 40. {claim}"},
        {"role": "system", "content": f"{claim} ORD-1"},
    ]
    messages = [*heard["messages"], *claims] if at_the_end else [*claims, *heard["messages"]]
    talked = {**heard, "messages": messages, "summary": claim, "reason": claim, "links": [claim]}

    plain = evaluate(replace(given_facts, heard=heard))
    after = evaluate(replace(given_facts, heard=talked))

    assert after == plain
