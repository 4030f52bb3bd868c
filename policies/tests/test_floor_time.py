"""The floor time: what at most 5% of right answers were faster than, from 59 of three people on."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.statistics.floor_time import FEWEST, FEWEST_PEOPLE, floor_time


def test_the_least_number_is_wilks() -> None:
    """From 59 on the smallest of them lies under the true fifth percentile in 95% of samples."""
    assert 1 - 0.95**FEWEST > 0.95 > 1 - 0.95 ** (FEWEST - 1)


@pytest.mark.parametrize(("n", "expected"), [(58, None), (59, 3), (60, 4), (79, 4), (80, 5), (1000, 51)])
def test_at_most_one_in_twenty_lies_under_it(n: int, expected: int | None) -> None:
    took = list(range(1, n + 1))
    Random(5).shuffle(took)
    assert floor_time(took, people=3) == expected


def test_the_pace_of_two_people_is_no_floor() -> None:
    took = [1000] * 500
    assert floor_time(took, people=FEWEST_PEOPLE - 1) is None
    assert floor_time(took, people=FEWEST_PEOPLE) == 1000


@settings(max_examples=25)
@given(st.lists(st.integers(0, 2_147_483_647), min_size=FEWEST, max_size=200))
def test_it_is_the_longest_time_that_95_percent_took(took: list[int]) -> None:
    found = floor_time(took, people=3)
    assert found in took
    assert found is not None
    assert 20 * sum(each < found for each in took) <= len(took)
    longer = [each for each in took if each > found]
    assert not longer or 20 * sum(each < min(longer) for each in took) > len(took)
