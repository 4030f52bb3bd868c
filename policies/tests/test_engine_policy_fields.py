"""What a policy can say besides its rules: read, refused with its place, and what the gate makes of it."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.engine.agent_list import ListedAgent
from policies.engine.agreement import agreement
from policies.engine.calibration import Calibration
from policies.engine.evaluation import evaluate
from policies.engine.facts import AgentFacts, ScoreSource, Verdict
from policies.engine.measures import Measure, MeasureFunction, Unmeasured, amount_of, measured, own_share
from policies.engine.policy import InvalidPolicy, PolicyDocument
from policies.tests.engine_facts import facts, policy, rule

FULL: dict[str, Any] = {
    "score": "calibrated",
    "calibration": {"of": "lowest", "points": [[0.2, 0.1], [0.9, 0.8]]},
    "rules": [
        {
            "code": "much",
            "title": "Much",
            "when": "history.refunded > 500",
            "then": "review",
            "trigger": "high_risk",
        }
    ],
    "measures": [
        {
            "name": "refunded",
            "of": "/customer/id",
            "function": "sum",
            "pointer": "/amount",
            "window_seconds": 86_400,
            "action_types": ["refund.issue", "voucher.issue"],
        }
    ],
    "agents": [{"name": "clerk", "versions": ["3.2"]}, {"name": "helper", "versions": []}],
    "freeze_windows": [
        {
            "title": "Christmas",
            "from": "2026-12-24T18:00:00+01:00",
            "until": "2026-12-27T08:00:00Z",
            "then": "deny",
        },
        {
            "title": "Nights",
            "from": "18:00",
            "until": "08:00",
            "weekdays": ["mon", "fri"],
            "zone": "Europe/Berlin",
            "then": "review",
        },
    ],
    "denial_memory_seconds": 3_600,
    "checklist": ["The order is paid.", "The customer asked for it."],
    "small_screens": True,
    "reminder": False,
    "second_queue": "leads",
}
NOBODYS = "agent, subject, conversation, or a JSON pointer into the arguments, such as /amount"
NO_INSTANT = "a time with its offset, such as 2026-12-24T18:00:00+01:00 (RFC 3339)"
NO_ZONE_HERE = "a zone belongs to a window with weekdays; an instant has its offset"


def faults(document: dict[str, Any]) -> dict[str, str]:
    with pytest.raises(InvalidPolicy) as caught:
        PolicyDocument.from_document(document)
    return {error.pointer: error.message for error in caught.value.errors}


def test_every_field_is_read_and_written_back_exactly() -> None:
    read = PolicyDocument.from_document(FULL)
    assert {name: read.to_document()[name] for name in FULL} == FULL
    assert PolicyDocument.from_document(read.to_document()) == read


def test_what_is_left_out_has_the_safe_value() -> None:
    read = PolicyDocument.from_document({})
    assert (read.measures, read.agents, read.freeze_windows, read.calibration) == ((), None, (), None)
    assert read.small_screens is False
    assert (read.denial_memory_seconds, read.checklist, read.reminder, read.second_queue) == (
        86_400,
        (),
        True,
        "",
    )


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        (
            {"rules": [{"code": "a", "title": "A", "when": "history.gone > 1", "then": "deny"}]},
            {"/rules/0/when": "line 1, column 9: there is no measure gone; declared: none"},
        ),
        (
            {
                **FULL,
                "rules": [
                    {"code": "a", "title": "A", "when": "true &&\n history.refund > 1", "then": "deny"}
                ],
            },
            {"/rules/0/when": "line 2, column 10: there is no measure refund; declared: refunded"},
        ),
        (
            {"rules": [{"code": "a", "title": "A", "when": "size(history) > 1", "then": "deny"}]},
            {"/rules/0/when": "line 1, column 6: history is read by name: history.<measure>"},
        ),
        (
            {"rules": [{"code": "a", "title": "A", "when": "history[args.x] > 1", "then": "deny"}]},
            {"/rules/0/when": "line 1, column 1: history is read by name: history.<measure>"},
        ),
        (
            {"measures": [{"name": "In", "of": "order", "function": "mean", "window": 5}]},
            {
                "/measures/0/window": "unknown field; known are name, of, function, window_seconds, pointer, "
                "action_types",
                "/measures/0/name": "up to 64 of a-z, 0-9 and underscore, starting with a letter",
                "/measures/0/of": NOBODYS,
                "/measures/0/function": "one of count, sum",
                "/measures/0/window_seconds": "a whole number from 1 to 7776000",
            },
        ),
        (
            {
                "measures": [
                    {"name": "in", "of": "agent", "function": "sum", "window_seconds": 1},
                    {"name": "a", "of": "agent", "function": "count", "pointer": "/x", "window_seconds": 1},
                    {
                        "name": "a",
                        "of": "/~2",
                        "function": "count",
                        "window_seconds": True,
                        "action_types": ["", 5],
                    },
                    7,
                ]
            },
            {
                "/measures/0/name": "in is a word of CEL; take another name",
                "/measures/0/pointer": "a JSON pointer into the arguments, such as /amount",
                "/measures/1/pointer": "a count adds up nothing: leave the pointer out",
                "/measures/2/of": NOBODYS,
                "/measures/2/window_seconds": "a whole number from 1 to 7776000",
                "/measures/2/action_types/0": "the name of an action type",
                "/measures/2/action_types/1": "the name of an action type",
                "/measures/3": "a measure is an object",
                "/measures/2/name": "the name a is used twice",
            },
        ),
        ({"measures": {}}, {"/measures": "a list of measures"}),
        ({"measures": [{}] * 11}, {"/measures": "at most 10 measures"}),
        ({"agents": "clerk"}, {"/agents": "a list of up to 100 agents, or nothing for all of them"}),
        (
            {
                "agents": [
                    {"name": " ", "versions": "1"},
                    {"name": "a", "versions": ["1", "1"]},
                    {"name": "a"},
                    None,
                ]
            },
            {
                "/agents/0/name": "a name of 1 to 200 characters",
                "/agents/0/versions": "a list of up to 50 versions, empty for all",
                "/agents/1/versions/1": "1 is listed twice",
                "/agents/3": "an agent of the list is an object",
                "/agents/2/name": "a is listed twice",
            },
        ),
        (
            {
                "freeze_windows": [
                    {"title": "", "from": "2026-12-24T18:00:00", "until": "tomorrow", "zone": "UTC"},
                    {
                        "title": "A",
                        "from": "2026-12-24T18:00:00Z",
                        "until": "2026-12-24T18:00:00Z",
                        "then": "allow",
                    },
                    {
                        "title": "B",
                        "from": "24:00",
                        "until": 8,
                        "weekdays": ["mo"],
                        "zone": "Europe/Atlantis",
                    },
                    {
                        "title": "C",
                        "from": "1:00",
                        "until": "02:00",
                        "weekdays": ["mon", "mon"],
                        "zone": "../UTC",
                    },
                    "always",
                ]
            },
            {
                "/freeze_windows/0/title": "a text of 1 to 200 characters",
                "/freeze_windows/0/zone": NO_ZONE_HERE,
                "/freeze_windows/0/from": NO_INSTANT,
                "/freeze_windows/0/until": NO_INSTANT,
                "/freeze_windows/1/until": "after the time at which the window begins",
                "/freeze_windows/1/then": "review or deny: a freeze window can hold or refuse, never allow",
                "/freeze_windows/2/weekdays": "a list of mon, tue, wed, thu, fri, sat, sun",
                "/freeze_windows/2/from": "a local time such as 18:00",
                "/freeze_windows/2/until": "a local time such as 18:00",
                "/freeze_windows/2/zone": "the name of a time zone, such as Europe/Berlin or UTC",
                "/freeze_windows/3/weekdays": "each day once",
                "/freeze_windows/3/from": "a local time such as 18:00",
                "/freeze_windows/3/zone": "the name of a time zone, such as Europe/Berlin or UTC",
                "/freeze_windows/4": "a freeze window is an object",
            },
        ),
        ({"score": "calibrated"}, {"/calibration": "the score calibrated needs a map"}),
        (
            {"calibration": {"of": "agent", "points": [[0, 0], [1, 1]]}},
            {"/calibration": "a map belongs to the score calibrated alone"},
        ),
        (
            {"score": "calibrated", "calibration": {"of": "calibrated", "points": [[0, 0]]}},
            {
                "/calibration/of": "one of agent, judge, samples, lowest",
                "/calibration/points": "a list of 2 to 50 pairs of raw and calibrated",
            },
        ),
        (
            {
                "score": "calibrated",
                "calibration": {"of": "agent", "points": [[0.5, 0.6], [0.5, 0.5], [0.6, 1.5], [1]]},
            },
            {
                "/calibration/points/2/1": "a number from 0 to 1",
                "/calibration/points/3": "a pair of raw and calibrated",
            },
        ),
        (
            {"score": "calibrated", "calibration": {"of": "agent", "points": [[0.5, 0.6], [0.5, 0.5]]}},
            {
                "/calibration/points/1/0": "above the raw score of the point before",
                "/calibration/points/1/1": "not below that of the point before",
            },
        ),
        (
            {
                "denial_memory_seconds": -1,
                "small_screens": "no",
                "reminder": 1,
                "second_queue": "Bad Queue",
                "checklist": ["a", " ", "a", 5],
            },
            {
                "/denial_memory_seconds": "a whole number from 0 to 2592000",
                "/checklist/1": "a text of 1 to 200 characters",
                "/checklist/3": "a text of 1 to 200 characters",
                "/checklist/2": "this sentence is listed twice",
                "/small_screens": "true or false",
                "/reminder": "true or false",
                "/second_queue": "up to 64 of a-z, 0-9, dot, dash and underscore, not starting with a mark",
            },
        ),
        ({"checklist": ["x"] * 21}, {"/checklist": "a list of up to 20 sentences"}),
    ],
)
def test_every_fault_is_named_with_its_place(document: dict[str, Any], expected: dict[str, str]) -> None:
    assert faults(document) == expected


def test_who_is_not_on_the_list_is_held_and_never_runs_alone() -> None:
    listed = policy(agents=(ListedAgent(name="support-bot", versions=("3.1",)), ListedAgent(name="helper")))
    held = evaluate(facts(policy=listed))
    assert (held.verdict, [reason.code for reason in held.reasons]) == (Verdict.REVIEW, ["agent_not_listed"])
    assert held.reasons[0].detail == (
        "Policy version 7 lists the agents that it trusts, and support-bot in version 3.2 is not among them."
    )
    assert (held.propensity, held.min_propensity) == (1.0, 1.0)
    for name, version, expected in (
        ("support-bot", "3.1", Verdict.ALLOW),
        ("support-bot", None, Verdict.REVIEW),
        ("helper", "9", Verdict.ALLOW),
        ("Helper", "9", Verdict.REVIEW),
    ):
        agent = AgentFacts(name=name, version=version, known_version=True)
        assert evaluate(facts(policy=listed, agent=agent)).verdict is expected
    assert evaluate(facts(policy=policy(agents=()))).verdict is Verdict.REVIEW


@pytest.mark.parametrize(
    ("score", "agent", "judge", "samples", "used"),
    [
        ("samples", 0.99, 0.99, 0.95, (0.95, "samples")),
        ("samples", 0.99, 0.99, None, (None, None)),
        ("lowest", 0.99, 0.97, 0.95, (0.95, "samples")),
        ("lowest", 0.99, None, None, (0.99, "agent")),
        ("lowest", None, None, None, (None, None)),
        ("judge", None, 0.97, 0.1, (0.97, "judge")),
    ],
)
def test_the_policy_chooses_the_score(
    score: str, agent: float | None, judge: float | None, samples: float | None, used: tuple[Any, Any]
) -> None:
    chosen = policy(score=ScoreSource(score))
    found = evaluate(facts(policy=chosen, confidence=agent, judge_score=judge, sample_agreement=samples))
    assert (found.score, found.score_source) == used
    expected = Verdict.REVIEW if used[0] is None else Verdict.ALLOW
    assert found.verdict is expected
    if used[0] is None:
        assert [reason.code for reason in found.reasons] == ["no_score"]


def test_an_agreement_that_is_no_share_holds() -> None:
    for wrong in (1.5, -0.1, float("nan"), True, "0.9"):
        found = evaluate(facts(sample_agreement=wrong))
        assert [reason.code for reason in found.reasons] == ["invalid_score"]


MAP = Calibration(of=ScoreSource.LOWEST, points=((0.2, 0.1), (0.9, 0.8), (0.95, 0.8)))


@pytest.mark.parametrize(
    ("raw", "worth"), [(0, 0.0), (0.1, 0.05), (0.2, 0.1), (0.55, 0.45), (0.9, 0.8), (0.92, 0.8), (1, 0.8)]
)
def test_a_calibrated_score_lies_on_the_map(raw: float, worth: float) -> None:
    assert MAP.apply(raw) == pytest.approx(worth)


def test_the_threshold_is_asked_of_the_calibrated_score() -> None:
    mapped = policy(score=ScoreSource.CALIBRATED, calibration=MAP, threshold=0.8)
    sure = evaluate(facts(policy=mapped, confidence=0.99, judge_score=0.95))
    assert (sure.verdict, sure.score, sure.score_source) == (Verdict.ALLOW, 0.8, ScoreSource.CALIBRATED)
    unsure = evaluate(facts(policy=mapped, confidence=0.99, judge_score=0.55))
    assert [reason.code for reason in unsure.reasons] == ["below_threshold"]
    assert unsure.reasons[0].detail == (
        "The chance it is right is 45% (the calibrated score), policy version 7 asks for 80%."
    )
    missing = evaluate(facts(policy=mapped, confidence=None))
    assert [reason.code for reason in missing.reasons] == ["no_score"]


shares = st.floats(0, 1)
maps = (
    st.lists(st.tuples(shares, shares), min_size=2, max_size=8, unique_by=lambda point: point[0])
    .map(lambda points: tuple(zip(*(sorted(each) for each in zip(*points, strict=True)), strict=True)))
    .map(lambda points: Calibration(of=ScoreSource.AGENT, points=points))
)


@given(mapped=maps, one=shares, other=shares)
def test_a_map_never_falls_and_never_leaves_the_shares(mapped: Calibration, one: float, other: float) -> None:
    low, high = sorted((one, other))
    assert 0 <= mapped.apply(low) <= mapped.apply(high) <= 1
    assert mapped.apply(high) <= mapped.points[-1][1]


@pytest.mark.parametrize(
    ("samples", "share"),
    [
        (None, None),
        ([], None),
        ([{"to": "anna", "n": 1}], 1.0),
        ([{"n": 1.0, "to": "anna"}, {"to": "anna", "n": 2}], 0.5),
        ([{"to": "anna", "n": True}, {"to": "Anna", "n": 1}, None, "anna", 7], 0.0),
        ([{"arguments": {"to": "anna", "n": 1}}], 1.0),
        ([{"action_type": "pay", "arguments": {"to": "anna", "n": 1}}], 1.0),
        ([{"action_type": "other", "arguments": {"to": "anna", "n": 1}}], 0.0),
        ([{"action_type": "pay", "arguments": {"to": "anna", "n": 1}, "x": 1}], 0.0),
        ([{"to": "anna", "n": 1}] * 2 + [{}], 2 / 3),
    ],
)
def test_agreement_is_the_share_of_samples_that_propose_the_very_same(
    samples: Any, share: float | None
) -> None:
    assert agreement(samples, action_type="pay", arguments={"to": "anna", "n": 1}) == share


def a_sum(**changes: Any) -> Measure:
    plain: dict[str, Any] = {
        "name": "m",
        "of": "agent",
        "function": MeasureFunction.SUM,
        "pointer": "/amount",
        "window_seconds": 60,
    }
    return Measure(**{**plain, **changes})


@pytest.mark.parametrize(
    ("value", "amount"),
    [
        (5, "5"),
        (-5, "5"),
        (0.1, "0.1"),
        ("12.50", "12.50"),
        ("-12.50", "12.50"),
        (True, None),
        (None, None),
        ("12,50", None),
        (" 5", None),
        ("5\n", None),
        ("٥", None),
        ("1e3", None),
        (float("nan"), None),
        (float("inf"), None),
        ([5], None),
    ],
)
def test_an_amount_is_a_number_or_a_plain_decimal_text_without_its_sign(
    value: object, amount: str | None
) -> None:
    assert amount_of(value) == (None if amount is None else Decimal(amount))


def test_an_action_adds_its_own_share_where_the_measure_sees_its_type() -> None:
    arguments = {"amount": 40}
    assert own_share(a_sum(), action_type="pay", arguments=arguments) == 40
    assert own_share(a_sum(action_types=("pay",)), action_type="pay", arguments=arguments) == 40
    assert own_share(a_sum(action_types=("other",)), action_type="pay", arguments={}) == 0
    assert own_share(a_sum(function=MeasureFunction.COUNT, pointer=""), action_type="pay", arguments={}) == 1
    assert own_share(a_sum(), action_type="pay", arguments={}) == Unmeasured(
        "the arguments have nothing at /amount"
    )
    assert own_share(a_sum(), action_type="pay", arguments={"amount": "x"}) == Unmeasured(
        "at /amount is no amount"
    )
    assert measured(Decimal("0.1"), Decimal("0.2")) == 0.3
    assert measured(Decimal(10) ** 400, Decimal(1)) == Unmeasured("the sum is beyond all numbers")


def test_only_a_rule_that_reads_a_failed_measure_fails() -> None:
    one, other = a_sum(name="one"), a_sum(name="other")
    rules = (
        rule("history.one > 500", Verdict.DENY, code="first"),
        rule("history.other > 500", code="second"),
        rule("args.amount > 500", code="third"),
    )
    found = evaluate(
        facts(
            policy=policy(measures=(one, other), rules=rules),
            history={"one": Unmeasured("nobody knows"), "other": 501.0},
        )
    )
    assert [(reason.code, reason.rule) for reason in found.reasons] == [
        ("rule_matched", "second"),
        ("rule_error", "first"),
    ]
    assert found.reasons[1].detail.endswith("history.one could not be measured: nobody knows.")
    assert found.history == {"other": 501.0}


@pytest.mark.parametrize(
    ("when", "then", "sentence"),
    [
        (
            "args.amount > 41",
            Verdict.REVIEW,
            "The rule a_rule (A rule of the operator) of policy version 7 was nearest: it would have held "
            "args.amount over 41, and it was 40. The chance it is right is 95%, policy version 7 asks for "
            "90%.",
        ),
        (
            "args.amount == 7 || 41.5 <= double(args.amount)",
            Verdict.DENY,
            "The rule a_rule (A rule of the operator) of policy version 7 was nearest: it would have refused "
            "args.amount from 41.5, and it was 40. The chance it is right is 95%, policy version 7 asks for "
            "90%.",
        ),
        (
            "args.amount > 500",
            Verdict.REVIEW,
            "The chance it is right is 95%, policy version 7 asks for 90%; its rule did not match.",
        ),
        (
            "args.amount > 41 && args.order_id == ''",
            Verdict.REVIEW,
            "The chance it is right is 95%, policy version 7 asks for 90%; its rule did not match.",
        ),
    ],
)
def test_an_allow_names_the_nearest_of_score_and_rules(when: str, then: Verdict, sentence: str) -> None:
    found = evaluate(facts(policy=policy(rules=(rule(when, then),))))
    assert (found.verdict, found.nearest_miss) == (Verdict.ALLOW, sentence)
