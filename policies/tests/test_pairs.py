"""The same cases, two versions: the paired interval and the exact test."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from policies.statistics.pairs import Difference, Pairs, difference, exact_p, sign_interval

counts = st.integers(0, 300)
pairs = st.builds(Pairs, fixed=counts, broken=counts, still_wrong=counts, still_right=counts)


def of(fixed: int, broken: int, still_wrong: int, still_right: int) -> Pairs:
    return Pairs(fixed=fixed, broken=broken, still_wrong=still_wrong, still_right=still_right)


def test_the_interval_of_a_textbook_example() -> None:
    # 41 pairs: 14 twice yes, 5 yes then no, none the other way, 22 twice no. Worked out by hand: Wilson's
    # limits are 0.3216..0.6139 of 19 and 0.2157..0.4948 of 14; phi is (308 - 20.5) / sqrt(19*22*14*27).
    found = difference(of(5, 0, 14, 22))
    assert found.value == pytest.approx(5 / 41)
    assert (round(found.low, 4), round(found.high, 4)) == (0.0115, 0.2265)


def test_the_interval_by_its_formula() -> None:
    n, z = 49, 1.959963984540054

    def limits(k: int) -> tuple[float, float]:
        centre, half = k + z * z / 2, z * math.sqrt(k * (n - k) / n + z * z / 4)
        return (centre - half) / (n + z * z), (centre + half) / (n + z * z)

    (l1, u1), (l2, u2) = limits(33), limits(23)
    phi = (21 * 14 - 12 * 2 - 24.5) / math.sqrt(33 * 16 * 23 * 26)
    one, two = 33 / n - l1, u2 - 23 / n
    three, four = u1 - 33 / n, 23 / n - l2
    found = difference(of(12, 2, 21, 14))
    assert found.low == pytest.approx(10 / n - math.sqrt(one**2 - 2 * phi * one * two + two**2))
    assert found.high == pytest.approx(10 / n + math.sqrt(three**2 - 2 * phi * three * four + four**2))


@given(pairs=pairs)
def test_the_interval_holds_the_difference_and_turns_with_the_versions(pairs: Pairs) -> None:
    found = difference(pairs)
    assert -1 <= found.low <= found.value <= found.high <= 1
    turned = difference(of(pairs.broken, pairs.fixed, pairs.still_wrong, pairs.still_right))
    assert turned.value == pytest.approx(-found.value)
    assert turned.low == pytest.approx(-found.high)
    assert turned.high == pytest.approx(-found.low)


@given(pairs=pairs)
def test_the_test_is_the_binomial_one(pairs: Pairs) -> None:
    differing = pairs.fixed + pairs.broken
    expected = stats.binomtest(pairs.fixed, differing).pvalue if differing else 1.0
    assert exact_p(pairs) == pytest.approx(expected)


def test_nothing_is_known_without_a_case() -> None:
    nothing = of(0, 0, 0, 0)
    assert difference(nothing) == Difference(value=0.0, low=-1.0, high=1.0)
    assert exact_p(nothing) == 1.0
    assert sign_interval(nothing) == (0.0, 1.0)


def test_six_fixed_and_none_broken_is_the_first_that_is_sure() -> None:
    assert exact_p(of(5, 0, 0, 10)) == pytest.approx(0.0625)
    assert exact_p(of(6, 0, 0, 10)) == pytest.approx(0.03125)
    assert sign_interval(of(6, 0, 0, 10))[0] > 0.5 > sign_interval(of(5, 0, 0, 10))[0]


def test_a_thousand_differing_cases_lose_no_digit() -> None:
    assert 0 < exact_p(of(1000, 0, 0, 0)) < 1e-300


def test_fewer_than_none_cannot_be() -> None:
    with pytest.raises(ValueError, match="below 0"):
        of(-1, 0, 0, 0)
