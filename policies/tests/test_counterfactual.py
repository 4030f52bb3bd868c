"""What the columns say of a policy is what the engine says; what labels certify is what bets certify."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import date
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.engine.evaluation import evaluate
from policies.engine.facts import ActionTypeFacts, AgentFacts, Facts, Level, Verdict
from policies.engine.number_rules import compared
from policies.engine.policy import PolicyDocument
from policies.selectors.certificates import Population, certified_by
from policies.selectors.evidence_limits import Limits
from policies.selectors.what_if import reading_of
from policies.statistics import certificate, columns
from policies.statistics.certificate import Certificate
from policies.statistics.columns import Flag, Label, PastAction
from policies.statistics.counterfactual import DENIED, HELD, RELEASED, Comparison, Known, answers
from policies.statistics.evidence import BettingEvidence
from policies.statistics.tracking import Label as Judged
from policies.statistics.tracking import Tally

DAY = date(2026, 5, 1)
STATES = {RELEASED: Verdict.ALLOW, HELD: Verdict.REVIEW, DENIED: Verdict.DENY}
TYPE = ActionTypeFacts(
    name="refund.issue",
    title="Refund",
    risk="medium",
    irreversible=False,
    argument_schema=None,
    autonomy_cap=Level.AUTONOMOUS,
    widens_rights=False,
)


def past(number: int = 0, **fields: Any) -> PastAction:
    return PastAction(**{"check": number, "policy": 1, "day": DAY, "flags": Flag.SAMPLED, **fields})


def policy(**fields: Any) -> PolicyDocument:
    rules = [
        {"code": f"r{n}", "title": "?", "then": "review", **rule}
        for n, rule in enumerate(fields.pop("rules", []))
    ]
    return PolicyDocument.from_document({"rules": rules, **fields})


def engine_says(action: PastAction, document: PolicyDocument) -> Verdict:
    arguments = {name.removeprefix("/"): value for name, value in action.numbers.items()}
    return evaluate(
        Facts(
            action_type=TYPE,
            arguments=arguments,
            agent=AgentFacts(name="clerk", version="1", known_version=True),
            level=Level.THRESHOLD,
            policy=document,
            policy_version=1,
            draw=0.999,
            blind_draw=0.999,
            kill_switch=False,
            agent_active=True,
            confidence=action.confidence,
            judge_score=action.judge,
            sample_agreement=action.samples,
        )
    ).verdict


SHARES = (
    st.none()
    | st.sampled_from([0.0, 0.29, 0.5, 0.83, 0.86, 0.9, 1.0])
    | st.integers(0, 1000).map(lambda n: n / 1000)
)
AMOUNTS = st.sampled_from([0, 149.99, 150, 150.01, 200, -3, 1e12]) | st.integers(0, 400)
ACTIONS = st.builds(
    lambda confidence, judge, samples, amount: past(
        confidence=confidence,
        judge=judge,
        samples=samples,
        numbers={} if amount is None else {"/amount": float(amount)},
    ),
    SHARES, SHARES, SHARES, st.none() | AMOUNTS,
)  # fmt: skip
POLICIES = st.builds(
    lambda threshold, score, operator, limit, then, samples: policy(
        threshold=threshold,
        score="calibrated" if score == "calibrated" else score,
        calibration={"of": "agent", "points": [[0.5, 0.2], [0.9, 0.86]]} if score == "calibrated" else None,
        rules=[
            {"when": f"args.amount {operator} {limit}", "then": then},
            *([{"when": f"samples < {samples}"}] if samples is not None else []),
        ],
    ),
    SHARES,
    st.sampled_from(["agent", "judge", "samples", "lowest", "calibrated"]),
    st.sampled_from(["<", "<=", ">", ">="]),
    st.sampled_from(["150", "150.0", "200", "149.99"]),
    st.sampled_from(["review", "deny"]),
    st.none() | st.sampled_from(["0.8", "0.5"]),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(ACTIONS, min_size=1, max_size=12), POLICIES)
def test_the_columns_answer_as_the_engine_does(actions: list[PastAction], document: PolicyDocument) -> None:
    kept = columns.of_actions(actions)
    reading = reading_of(document, ["/amount"])
    said = answers(kept, reading.question, {})
    assert not reading.conditions
    assert [STATES[int(state)] for state in said.state] == [engine_says(each, document) for each in actions]


def test_what_no_policy_decides_stays_as_it_was() -> None:
    kept = columns.of_actions(
        [past(confidence=1.0, flags=Flag.FIXED_HOLD), past(confidence=1.0, flags=Flag.FIXED_DENY)]
    )
    said = answers(kept, reading_of(policy(threshold=0.5, score="agent"), []).question, {})
    assert said.state.tolist() == [HELD, DENIED]


def test_any_other_rule_holds_where_it_is_known_to_be_true() -> None:
    document = policy(threshold=0.5, score="agent", rules=[{"when": "args.amount > 5 && args.amount < 9"}])
    question = reading_of(document, ["/amount"]).question
    kept = columns.of_actions([past(n, confidence=0.9) for n in range(3)])
    known = Known(true=np.array([True, False, False]), known=np.array([True, True, False]))
    said = answers(kept, question, {question.others[0].sha256: known})
    assert said.state.tolist() == [HELD, RELEASED, RELEASED]
    assert said.unknown.tolist() == [False, False, True]
    assert answers(kept, question, {}).unknown.all()


def test_columns_come_back_as_they_were_packed() -> None:
    first = columns.of_actions([past(1, confidence=0.86, numbers={"/a": 1.5}), past(2, judge=0.1)])
    both = columns.joined(first, columns.of_actions([past(3, label=Label.WRONG, numbers={"/b": 2.0})]))
    back = columns.unpack(both.pack(), both.pack_numbers(), size=3, fields=both.fields)
    for name in columns.COLUMNS:
        np.testing.assert_array_equal(getattr(back, name), getattr(both, name))
    np.testing.assert_array_equal(back.numbers["/a"], [1.5, math.nan, math.nan])
    np.testing.assert_array_equal(back.numbers["/b"], [math.nan, math.nan, 2.0])
    assert columns.day_of(back.day[0]) == DAY


def test_two_policies_are_counted_with_weights_and_their_flips_named_worst_first() -> None:
    actions = [
        past(1, confidence=0.95, label=Label.RIGHT, flags=Flag.ALONE | Flag.SAMPLED, propensity=0.25),
        past(2, confidence=0.87, label=Label.RIGHT),
        past(3, confidence=0.88, label=Label.WRONG),
        past(4, confidence=0.86),
        past(5, confidence=0.5, label=Label.WRONG),
        past(6, confidence=0.99, label=Label.WEAK),
    ]
    kept = columns.of_actions(actions)
    new = answers(kept, reading_of(policy(threshold=0.86, score="agent"), []).question, {})
    now = answers(kept, reading_of(policy(threshold=0.9, score="agent"), []).question, {})
    found = Comparison()
    found.add(kept, new=new, now=now)
    assert (found.new.n, found.new.released, found.now.released) == (6, 5, 2)
    assert (found.new.labelled, found.new.errors, found.new.w, found.new.wy) == (3, 1, 6.0, 1.0)
    assert (found.unlocked, found.locked) == (3, 0)
    assert [flip.check for flip in found.worst(10, released=True)] == [3, 4, 2]
    assert found.score_bins.n.sum() == 6


@pytest.mark.parametrize(
    ("when", "place"),
    [
        ("args.amount > 150", "/amount"),
        (" args.a.b <= 1.50 ", "/a/b"),
        ("samples < 0.8", "samples"),
    ],
)
def test_a_rule_that_compares_one_number_says_where_it_stands(when: str, place: str) -> None:
    (rule,) = policy(rules=[{"when": when}]).rules
    found = compared(rule.when)
    assert found is not None
    assert found.place == place


@pytest.mark.parametrize(
    "when",
    [
        "args.amount > 1 && true",
        "args.a > args.b",
        "1 < args.a",
        "args['a'] > 1",
        "history.x > 1",
        "!(args.a > 1)",
    ],
)
def test_any_other_condition_has_no_slider(when: str) -> None:
    assert compared(when) is None


def test_the_certificate_rests_on_the_same_bets_as_evidence_does() -> None:
    random = np.random.default_rng(7)
    score = random.random(400).astype(np.float32)
    loss = (random.random(400) < 0.02).astype(np.float64)
    weight = np.where(score > 0.5, 1.0, 0.2)
    found = certificate.certify(
        grid=[(0.5, 0.5), (0.0, 1.0)], score=score, loss=loss, weight=weight, limit=0.05, delta=0.05
    )
    for point in found.points:
        bets = BettingEvidence(alpha=0.05)
        for s, each, w in zip(score, loss, weight, strict=True):
            if s >= np.float32(point.threshold):
                bets.observe(float(each), float(w))
        assert point.e_value == pytest.approx(math.exp(bets.highest_log_e))
        assert point.labels == bets.n


def test_good_labels_certify_and_bad_ones_do_not() -> None:
    score = np.linspace(0, 1, 600, dtype=np.float32)
    grid = certificate.grid_of(score)
    one = np.ones(600)
    good = certificate.certify(grid=grid, score=score, loss=np.zeros(600), weight=one, limit=0.05, delta=0.05)
    assert good.threshold == 0.0
    wrong_below = (score < 0.5).astype(np.float64)
    half = certificate.certify(grid=grid, score=score, loss=wrong_below, weight=one, limit=0.05, delta=0.05)
    assert half.threshold == pytest.approx(0.5, abs=0.03)
    bad = certificate.certify(grid=grid, score=score, loss=one, weight=one, limit=0.05, delta=0.05)
    assert (bad.threshold, bad.labels_missing) == (None, None)
    few = certificate.certify(
        grid=grid, score=score[-20:], loss=np.zeros(20), weight=one[-20:], limit=0.05, delta=0.05
    )
    assert few.threshold is None
    assert few.labels_missing is not None
    assert few.labels_missing > 20


def test_a_label_that_repeats_an_event_is_an_action_and_no_label() -> None:
    actions = [
        past(1, confidence=0.95, label=Label.RIGHT),
        past(2, confidence=0.95, label=Label.WRONG),
        past(3, confidence=0.95, label=Label.WRONG),
    ]
    kept = columns.of_actions(actions)
    said = answers(kept, reading_of(policy(threshold=0.9, score="agent"), []).question, {})
    found = Comparison()
    found.add(kept, new=said, now=None, repeats=np.array([3]))
    assert (found.new.n, found.new.released) == (3, 3)
    assert (found.new.labelled, found.new.errors, found.every.labelled) == (2, 1, 2)
    assert [float(each.sum()) for each in found.bins] == [3, 2, 1, 2, 2, 1]


def test_repeated_events_certify_nothing_that_single_ones_would_not() -> None:
    limits = Limits(limit=0.05, alpha=0.05, delta=0.05, catch=None)
    kept = columns.of_actions(
        [past(n, confidence=0.5 + n / 1000, label=Label.RIGHT, flags=Flag.SAMPLED) for n in range(1, 401)]
    )

    def certified(repeats: list[int]) -> Certificate:
        return certified_by(
            [Population(kept, kept.confidence, np.zeros(len(kept), dtype=bool))],
            repeats=np.array(repeats, dtype=np.int64),
            limits=limits,
            of=("test of repeats", len(repeats)),
        )

    # The first fifty scores fix the grid; their labels do not count on it.
    assert (certified([]).labels, certified([]).threshold is not None) == (350, True)
    assert certified(list(range(60, 401))).labels == 9
    assert certified(list(range(60, 401))).threshold is None


def test_what_a_rule_of_the_draft_stops_speaks_for_no_threshold() -> None:
    # Large ones are always right; of the small ones, which alone would run, one in eight is wrong.
    large = [
        past(n, confidence=0.5 + n / 2000, label=Label.RIGHT, numbers={"/amount": 900.0}) for n in range(600)
    ]
    small = [
        past(
            n,
            confidence=0.5 + n / 2000,
            label=Label.WRONG if n % 8 == 0 else Label.RIGHT,
            numbers={"/amount": 10.0},
        )
        for n in range(600, 760)
    ]
    kept = columns.of_actions(large + small)

    def certified(*rules: dict[str, str]) -> Certificate:
        question = reading_of(policy(threshold=0.9, score="agent", rules=rules), ["/amount"]).question
        said = answers(kept, question, {})
        return certified_by(
            [Population(kept, said.score, said.stopped)],
            repeats=np.zeros(0, dtype=np.int64),
            limits=Limits(limit=0.05, alpha=0.05, delta=0.05, catch=None),
            of=("test of rules", rules != ()),
        )

    assert (certified().labels, certified().threshold is not None) == (710, True)
    held = certified({"when": "args.amount > 100"})
    # Fifty of the small ones fix the grid.
    assert (held.labels, held.threshold) == (110, None)


def test_labels_count_up_to_the_first_that_is_awaited_in_the_order_of_sampling() -> None:
    later = [past(n, confidence=0.9, label=Label.RIGHT) for n in range(301, 401)]
    earlier = [past(n, confidence=0.9, label=Label.RIGHT) for n in range(1, 301)]
    # Two versions' chunks: the one that is read first holds the later actions.
    kept = [columns.of_actions(later), columns.of_actions(earlier)]

    def labels(*parts: columns.Columns) -> int:
        nothing = [np.zeros(len(part), dtype=bool) for part in parts]
        return certified_by(
            [Population(part, part.confidence, each) for part, each in zip(parts, nothing, strict=True)],
            repeats=np.zeros(0, dtype=np.int64),
            limits=Limits(limit=0.05, alpha=0.05, delta=0.05, catch=None),
            of=("test of the watermark", [part.label.tolist() for part in parts].__repr__()),
        ).labels

    assert labels(*kept) == 350
    for label, counted in ((Label.NONE, 149), (Label.MISSING, 349), (Label.WEAK, 349)):
        said = kept[1].label.copy()
        said[199] = label
        assert labels(kept[0], replace(kept[1], label=said)) == counted


def test_the_editor_and_the_ladder_try_the_same_thresholds_on_the_same_labels() -> None:
    random = np.random.default_rng(5)
    scores = (random.beta(5, 1.6, 900) * 1000).round() / 1000
    wrong = random.random(900) < 0.15 * (1 - scores)
    tally = Tally.begin(alpha=0.05)
    for score, error in zip(scores.tolist(), wrong.tolist(), strict=True):
        tally.take(
            Judged(error=error, loss=float(error), weight=1.0, score=score, unhindered=True, alone=False)
        )
        tally.see(score)
    kept = columns.of_actions(
        [
            past(number, confidence=score, label=Label.WRONG if error else Label.RIGHT)
            for number, (score, error) in enumerate(zip(scores.tolist(), wrong.tolist(), strict=True))
        ]
    )
    found = certified_by(
        [Population(kept, kept.confidence, np.zeros(len(kept), dtype=bool))],
        repeats=np.zeros(0, dtype=np.int64),
        limits=Limits(limit=0.05, alpha=0.05, delta=0.05, catch=None),
        of="test of both",
    )
    assert len(found.points) == len(tally.points)
    for point, other in zip(found.points, tally.points, strict=True):
        assert point.threshold == pytest.approx(other.threshold, abs=1e-6)
        assert (point.share, point.labels, point.errors) == (other.share, other.n, other.k)
    # Another e-value, and the whole budget where an attempt on the ladder has half of it: nearly the same.
    ladder = [
        point.threshold for point, sure in zip(tally.points, tally.certified(0.025), strict=True) if sure
    ]
    assert found.threshold is not None
    assert found.threshold <= min(ladder) + 1e-6
    assert min(ladder) - found.threshold < 0.1


def test_a_long_history_is_looked_at_less_often_and_says_no_more_for_it() -> None:
    random = np.random.default_rng(11)
    score = random.random(6000).astype(np.float32)
    loss = (random.random(6000) < 0.04).astype(np.float64)
    weight = np.where(score > 0.5, 1.0, 0.2)
    found = certificate.certify(
        grid=[(0.5, 0.5), (0.0, 1.0)], score=score, loss=loss, weight=weight, limit=0.05, delta=0.05
    )
    for point in found.points:
        inside = score >= np.float32(point.threshold)
        bets = BettingEvidence(alpha=0.05)
        for each, w in zip(loss[inside].tolist(), weight[inside].tolist(), strict=True):
            bets.observe(each, w)
        assert (point.labels, point.errors) == (bets.n, int(loss[inside].sum()))
        assert math.exp(bets.log_e) - 1e-9 <= point.e_value <= math.exp(bets.highest_log_e) + 1e-9


def test_the_worst_of_many_flips_are_named_whatever_their_order() -> None:
    actions = [past(n, confidence=0.86 + n / 10_000) for n in range(1, 301)]
    actions += [past(n, confidence=0.89, label=Label.WRONG) for n in range(301, 304)]
    kept = columns.of_actions(actions)
    new = answers(kept, reading_of(policy(threshold=0.5, score="agent"), []).question, {})
    now = answers(kept, reading_of(policy(threshold=0.95, score="agent"), []).question, {})
    found = Comparison()
    found.add(kept, new=new, now=now)
    assert found.unlocked == 303
    assert [flip.check for flip in found.worst(6, released=True)] == [303, 302, 301, 1, 2, 3]
