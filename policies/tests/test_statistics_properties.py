"""What must hold of the statistics whatever the labels are (and what a perfect order or none comes to)."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import groupby

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.statistics import certificate, confidence, evidence, what_if
from policies.statistics.evidence import BettingEvidence, beta_log_e, betting_log_e

LABELS = st.lists(st.booleans(), min_size=1, max_size=80)
LIMITS = st.sampled_from([0.01, 0.05, 0.3])
# Score, whether wrong (None: nobody looked), the probability of being looked at.
ACTIONS = st.lists(
    st.tuples(
        st.integers(0, 1000).map(lambda n: n / 1000),
        st.none() | st.booleans(),
        st.sampled_from([0.05, 0.2, 1.0]),
    ),
    min_size=1,
    max_size=60,
)


def curves_of(actions: Sequence[tuple[float, bool | None, float]]) -> what_if.Curves:
    scores, errors, shares = zip(*actions, strict=True)
    losses = [None if error is None else float(error) for error in errors]
    return what_if.curves(what_if.bin_scores(scores, losses, shares))


@given(LABELS, LIMITS)
def test_an_error_more_is_never_evidence_more_and_order_says_nothing(
    labels: list[bool], limit: float
) -> None:
    errors, total = sum(labels), len(labels)
    assert math.exp(beta_log_e(errors, total, limit)) >= 0
    if errors < total:
        assert beta_log_e(errors + 1, total, limit) <= beta_log_e(errors, total, limit) + 1e-9
    forwards = betting_log_e([float(each) for each in labels], [1.0] * total, limit)
    backwards = betting_log_e([float(each) for each in reversed(labels)], [1.0] * total, limit)
    assert forwards[-1] == pytest.approx(backwards[-1], abs=1e-9)
    worse = [1.0, *(float(each) for each in labels[1:])]
    assert betting_log_e(worse, [1.0] * total, limit)[-1] <= forwards[-1] + 1e-9


@given(LABELS, LIMITS)
def test_bets_of_weight_one_are_a_mixture_of_likelihood_ratios(labels: list[bool], limit: float) -> None:
    found = betting_log_e([float(each) for each in labels], [1.0] * len(labels), limit)[-1]
    ratios = []
    for fraction in evidence.FRACTIONS:
        rate, ratio = fraction * limit, 1.0
        for wrong in labels:
            ratio *= rate / limit if wrong else (1 - rate) / (1 - limit)
        ratios.append(ratio)
    assert math.exp(found) == pytest.approx(sum(ratios) / len(ratios), rel=1e-9)


@pytest.mark.parametrize("limit", [0.01, 0.05, 0.3])
@pytest.mark.parametrize("weight", [0.02, 0.5, 1.0])
def test_a_label_of_an_agent_at_the_limit_is_worth_nothing_on_average(limit: float, weight: float) -> None:
    # Exactly: the mean over right and wrong of what one label multiplies each bet by.
    for fraction in evidence.FRACTIONS:
        right, wrong = (BettingEvidence(alpha=limit, fractions=(fraction,)) for _ in range(2))
        right.observe(0.0, weight)
        wrong.observe(1.0, weight)
        mean = (1 - limit) * math.exp(right.log_e) + limit * math.exp(wrong.log_e)
        assert mean == pytest.approx(1.0, abs=1e-12)


@pytest.mark.parametrize("limit", [0.01, 0.05])
@pytest.mark.parametrize("n", [1, 7, 40])
def test_counts_of_an_agent_at_the_limit_are_worth_nothing_on_average(limit: float, n: int) -> None:
    # The sum over all there can be, each with its exact chance.
    mean = sum(
        math.comb(n, k) * limit**k * (1 - limit) ** (n - k) * math.exp(beta_log_e(k, n, limit))
        for k in range(n + 1)
    )
    assert mean == pytest.approx(1.0, abs=1e-9)


@settings(max_examples=60, deadline=None)
@given(ACTIONS, st.randoms(use_true_random=False))
def test_a_higher_threshold_holds_more_and_the_order_of_actions_says_nothing(
    actions: list[tuple[float, bool | None, float]], random: object
) -> None:
    found = curves_of(actions)
    assert np.all(np.diff(found.escalation) >= -1e-12)
    assert np.all(np.diff(found.labelled) <= 0)
    shuffled = list(actions)
    random.shuffle(shuffled)  # type: ignore[attr-defined]  # hypothesis' own Random
    again = curves_of(shuffled)
    for name in ("escalation", "risk", "risk_low", "risk_high", "n_eff", "shipped", "cost"):
        assert np.allclose(getattr(again, name), getattr(found, name), rtol=1e-9, equal_nan=True)


@given(ACTIONS)
def test_where_everybody_was_looked_at_rates_are_plain_means(
    actions: list[tuple[float, bool | None, float]],
) -> None:
    plain = [(score, bool(wrong), 1.0) for score, wrong, _ in actions]
    found = curves_of(plain)
    for place in (0, 500, 900):
        above = [wrong for score, wrong, _ in plain if score >= place / 1000]
        assert found.labelled[place] == len(above)
        assert found.escalation[place] == pytest.approx(1 - len(above) / len(plain))
        if above:
            assert found.risk[place] == pytest.approx(sum(above) / len(above))
            assert found.n_eff[place] == pytest.approx(len(above))


def test_money_is_hours_mistakes_and_delay_of_what_is_held() -> None:
    # Ten actions: four at 90%, one of them wrong; six at 50%, two of them wrong. All were looked at.
    actions = [(0.9, place == 0, 1.0) for place in range(4)] + [(0.5, place < 2, 1.0) for place in range(6)]
    scores, errors, shares = zip(*actions, strict=True)
    found = what_if.curves(
        what_if.bin_scores(scores, [float(error) for error in errors], shares),
        volume=1000,
        prices=what_if.Prices(
            minutes_per_review=6, hourly=50, error=20, delay=0.5, audit_rate=0.25, miss_rate=0.1
        ),
    )
    # From 90% on 400 of 1,000 run alone, 100 of them wrong; 600 are held, 200 of them wrong, a tenth missed.
    assert found.shipped[900] == pytest.approx(0.1 + 0.2 * 0.1)
    assert found.reviewer_hours[900] == pytest.approx((600 + 0.25 * 400) * 6 / 60)
    assert found.cost[900] == pytest.approx(70 * 50 + 120 * 20 + 600 * 0.5)
    # Where all runs alone, nothing waits.
    assert found.cost[0] == pytest.approx(0.25 * 1000 * 6 / 60 * 50 + 300 * 20)


def test_what_nobody_labelled_is_not_right_and_a_score_of_one_is_the_highest() -> None:
    found = curves_of([(1.0, None, 0.05), (1.0, True, 0.05), (0.5, None, 1.0)])
    assert (found.labelled[999], found.risk[999]) == (1, 1.0)
    assert found.escalation[999] == pytest.approx(1 / 3)
    silent = curves_of([(0.7, None, 0.05)] * 5)
    assert not silent.has_evidence.any()
    assert np.isnan(silent.risk).all()
    assert (silent.risk_low == 0).all()
    assert (silent.risk_high == 1).all()


def test_scores_that_are_all_the_same_have_one_threshold() -> None:
    score = np.full(400, 0.7, dtype=np.float32)
    found = certificate.certify(
        grid=certificate.grid_of(score[:50]),
        score=score,
        loss=np.zeros(400),
        weight=np.ones(400),
        limit=0.05,
        delta=0.05,
    )
    assert {point.threshold for point in found.points} == {float(score[0])}
    assert {point.labels for point in found.points} == {400}
    assert found.threshold == float(score[0])


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 12), st.booleans(), st.integers(1, 4)), min_size=1, max_size=30))
def test_an_isotonic_fit_is_the_nearest_of_all_growing_ones(labels: list[tuple[int, bool, int]]) -> None:
    scores = sorted({score for score, _, _ in labels})

    def total(start: int, end: int, of: Callable[[int, bool], float]) -> float:
        """Return a weighted sum over the scores from one place to another."""
        inside = scores[start : end + 1]
        return sum(weight * of(score, right) for score, right, weight in labels if score in inside)

    def mean(start: int, end: int) -> float:
        return total(start, end, lambda _, right: float(right)) / total(start, end, lambda *_: 1.0)

    # The fit has a closed form (Robertson, Wright and Dykstra 1988), which knows of no pools.
    count = len(scores)
    nearest = [
        max(min(mean(start, end) for end in range(place, count)) for start in range(place + 1))
        for place in range(count)
    ]
    pools = [list(places) for _, places in groupby(range(count), key=lambda place: round(nearest[place], 9))]
    expected = [
        (
            total(pool[0], pool[-1], lambda score, _: score / 12) / total(pool[0], pool[-1], lambda *_: 1.0),
            nearest[pool[0]],
        )
        for pool in pools
    ]
    given_scores, right, weights = zip(*labels, strict=True)
    found = confidence.isotonic(
        [each / 12 for each in given_scores], [float(each) for each in right], weights
    )
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        assert one == pytest.approx(other, abs=1e-9)
