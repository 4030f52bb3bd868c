"""Reference values from independent sources: statsmodels 0.15.0; exact rationals with mpmath's betainc."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.statistics.intervals import clopper_pearson, hajek_rate, lower_limit, upper_limit, wilson

# k, n, delta, one-sided exact lower, upper, two-sided Wilson at 1 - delta
LIMITS = [
    (0, 59, 0.05, 0.0, 0.049507609888226944, 0.0, 0.06112937052678842),
    (1, 150, 0.05, 0.00034189683586856496, 0.03123381692094288, 0.001177801335017433, 0.03679283977481816),
    (7, 200, 0.05, 0.01653963501789509, 0.06473252213684853, 0.01705554200856719, 0.07047061152229073),
    (3, 300, 0.01, 0.0014572881867993485, 0.03309274220691033, 0.0025296797838373596, 0.03867533876126693),
    (20, 20, 0.05, 0.8608916593317348, 1.0, 0.8388748419471804, 0.9999999999999999),
    (12, 40, 0.1, 0.2045010005830701, 0.41160100048511494, 0.196632891603838, 0.42870848785434523),
]

# Labels looked at always (weight 1) and one time in four (weight 4), each as right and wrong;
# then rate, effective number and upper limit at delta .05.
WEIGHTED = [
    ((16, 7), (4, 2), 0.3191489361702128, 18.563025210084035, 0.5361575012767914),
    ((8, 3), (4, 2), 0.3142857142857143, 11.448598130841122, 0.5982661395915849),
    ((0, 0), (1, 2), 0.6666666666666666, 3.0, 0.9830475724915585),
    ((23, 5), (2, 0), 0.1388888888888889, 21.6, 0.3211024219486079),
    ((12, 3), (2, 0), 0.13043478260869565, 11.25531914893617, 0.40784786165199194),
    ((0, 0), (2, 0), 0.0, 2.0, 0.7763932022500211),
]

counts = st.integers(0, 300).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


@pytest.mark.parametrize(("k", "n", "delta", "low", "high", "wilson_low", "wilson_high"), LIMITS)
def test_limits_are_those_of_the_reference(
    k: int, n: int, delta: float, low: float, high: float, wilson_low: float, wilson_high: float
) -> None:
    assert lower_limit(k, n, delta) == pytest.approx(low, abs=1e-9)
    assert upper_limit(k, n, delta) == pytest.approx(high, abs=1e-9)
    assert clopper_pearson(k, n, 1 - 2 * delta) == pytest.approx((low, high), abs=1e-9)
    assert wilson(k, n, 1 - delta) == pytest.approx((wilson_low, wilson_high), abs=1e-9)


@pytest.mark.parametrize(("always", "seldom", "rate", "n_eff", "high"), WEIGHTED)
def test_a_weighted_rate_is_that_of_the_reference(
    always: tuple[int, int], seldom: tuple[int, int], rate: float, n_eff: float, high: float
) -> None:
    weights = [1.0] * sum(always) + [4.0] * sum(seldom)
    errors = [0] * always[0] + [1] * always[1] + [0] * seldom[0] + [1] * seldom[1]

    found = hajek_rate(weights, errors, delta=0.05)

    assert found.n == sum(always) + sum(seldom)
    assert found.rate == pytest.approx(rate, abs=1e-12)
    assert found.n_eff == pytest.approx(n_eff, abs=1e-9)
    assert found.high == pytest.approx(high, abs=1e-6)


def test_without_a_trial_nothing_is_known() -> None:
    assert clopper_pearson(0, 0) == (0.0, 1.0)
    assert wilson(0, 0) == (0.0, 1.0)
    assert (lower_limit(0, 0), upper_limit(0, 0)) == (0.0, 1.0)
    empty = hajek_rate([], [])
    assert (empty.n, empty.n_eff, empty.rate, empty.low, empty.high) == (0, 0.0, None, 0.0, 1.0)


def test_at_the_ends_the_exact_limits_have_closed_forms() -> None:
    low, high = clopper_pearson(0, 10)
    assert low == 0.0
    assert high == pytest.approx(1 - 0.025 ** (1 / 10), abs=1e-12)

    low, high = clopper_pearson(10, 10)
    assert low == pytest.approx(0.025 ** (1 / 10), abs=1e-12)
    assert high == 1.0

    assert wilson(0, 10)[0] == 0.0
    assert wilson(10, 10)[1] == 1.0


def test_equal_weights_give_the_plain_rate_and_the_exact_limits() -> None:
    found = hajek_rate([20.0] * 200, [1] * 7 + [0] * 193)

    assert found.rate == pytest.approx(0.035, abs=1e-15)
    assert found.n_eff == pytest.approx(200, abs=1e-9)
    assert (found.low, found.high) == pytest.approx((0.01653963501789509, 0.06473252213684853), abs=1e-9)


def test_weights_count_by_their_ratios_however_large_or_small() -> None:
    plain = hajek_rate([1.0, 2.0, 4.0], [0, 1, 0])

    for scale in (1e-200, 1e200):
        scaled = hajek_rate([scale, 2 * scale, 4 * scale], [0, 1, 0])
        assert scaled.rate == pytest.approx(plain.rate)
        assert scaled.n_eff == pytest.approx(plain.n_eff)


def test_a_graded_loss_counts_by_its_size() -> None:
    assert hajek_rate([1.0, 3.0], [0.5, 0.0]).rate == pytest.approx(0.125)


@pytest.mark.parametrize(
    ("weights", "errors"),
    [
        ([1.0], []),
        ([0.0], [0]),
        ([-1.0], [0]),
        ([math.inf], [0]),
        ([math.nan], [0]),
        ([1.0], [2]),
        ([1.0], [math.nan]),
    ],
)
def test_what_is_no_weight_or_no_error_is_refused(weights: list[float], errors: list[float]) -> None:
    with pytest.raises(ValueError):
        hajek_rate(weights, errors)


@pytest.mark.parametrize(("k", "n"), [(-1, 3), (4, 3), (0, -1)])
def test_counts_that_cannot_be_are_refused(k: int, n: int) -> None:
    for function in (clopper_pearson, wilson, lower_limit, upper_limit):
        with pytest.raises(ValueError, match="cannot be"):
            function(k, n)


@pytest.mark.parametrize("confidence", [0.0, 1.0, 1.5, math.nan])
def test_a_confidence_that_cannot_be_is_refused(confidence: float) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        clopper_pearson(1, 2, confidence)


@given(counts=counts, confidence=st.floats(0.5, 0.999))
def test_every_interval_lies_in_order_around_the_rate(counts: tuple[int, int], confidence: float) -> None:
    k, n = counts
    rate = k / n if n else 0.5

    for low, high in (clopper_pearson(k, n, confidence), wilson(k, n, confidence)):
        assert 0 <= low <= rate + 1e-12
        assert rate - 1e-12 <= high <= 1


@given(
    labels=st.lists(st.tuples(st.floats(1, 100), st.integers(0, 1)), min_size=1, max_size=60),
)
def test_a_weighted_rate_lies_within_its_limits(labels: list[tuple[float, int]]) -> None:
    found = hajek_rate([weight for weight, _ in labels], [error for _, error in labels])

    assert found.rate is not None
    assert 1 - 1e-9 <= found.n_eff <= found.n + 1e-9
    assert found.low - 1e-9 <= found.rate <= found.high + 1e-9
