"""The time that a right answer takes at least: the fifth percentile of what right answers took.

How many it takes to speak of a fifth percentile: with 59 values the chance that the smallest lies under it is
1 - 0.95^59, over 95% (Wilks, "Determination of sample sizes for setting tolerance limits", Annals of
Mathematical Statistics 12, 1941). With fewer the sample may not reach that far down at all.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

# One in so many right answers may be faster.
ONE_IN: Final = 20
FEWEST: Final = 59
# A time that one pair of people takes says how fast those two are.
FEWEST_PEOPLE: Final = 3


def floor_time(took: Sequence[int], *, people: int) -> int | None:
    """Return the longest of these times with at most 5% of them under it; None while they are too few.

    ``people`` is how many different people took them. It is one of the times and nothing between two, so that
    the share under it is known exactly.
    """
    if len(took) < FEWEST or people < FEWEST_PEOPLE:
        return None
    return sorted(took)[len(took) // ONE_IN]
