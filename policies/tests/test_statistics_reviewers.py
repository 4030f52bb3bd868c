"""Runs of approvals and times that are compared: against every case there is, and against scipy."""

from __future__ import annotations

from itertools import groupby, product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from policies.statistics.detection import chance_of_run
from policies.statistics.differences import larger_in_pairs

VALUES = st.lists(st.integers(0, 12).map(float), min_size=1, max_size=30)


@pytest.mark.parametrize("rate", [0.0, 0.3, 0.9, 1.0])
@pytest.mark.parametrize("trials", [1, 5, 9])
def test_the_chance_of_a_run_is_that_of_all_cases_together(rate: float, trials: int) -> None:
    for length in range(1, trials + 2):
        expected = 0.0
        for case in product((True, False), repeat=trials):
            longest = max((len(list(run)) for hit, run in groupby(case) if hit), default=0)
            if longest >= length:
                expected += rate ** sum(case) * (1 - rate) ** (trials - sum(case))
        assert chance_of_run(length, trials=trials, rate=rate) == pytest.approx(expected)


def test_no_run_is_of_nothing() -> None:
    assert chance_of_run(3, trials=0, rate=0.5) == 0.0
    with pytest.raises(ValueError, match="at least one"):
        chance_of_run(0, trials=5, rate=0.5)


@given(VALUES, VALUES)
@settings(max_examples=60, deadline=None)
def test_pairs_are_compared_as_scipy_does(first: list[float], second: list[float]) -> None:
    found = larger_in_pairs(first, second)
    pairs = [(a > b) + (a == b) / 2 for a in first for b in second]
    assert found.share == pytest.approx(sum(pairs) / len(pairs))
    if len({*first, *second}) > 1:
        reference = stats.mannwhitneyu(first, second, alternative="greater", method="asymptotic")
        assert found.chance == pytest.approx(reference.pvalue)


def test_what_never_differs_is_no_difference() -> None:
    found = larger_in_pairs([3.0, 3.0], [3.0])
    assert (found.share, found.chance) == (0.5, 0.5)
    with pytest.raises(ValueError, match="nothing"):
        larger_in_pairs([], [1.0])
