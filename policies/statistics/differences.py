"""The difference of two shares, with its interval (Newcombe 1998, method 10)."""

from __future__ import annotations

import math
from dataclasses import dataclass

from policies.statistics.intervals import wilson


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """The first share minus the second, and its two-sided interval."""

    value: float
    low: float
    high: float


def difference_of_shares(k: int, n: int, other_k: int, other_n: int, confidence: float = 0.95) -> Difference:
    """Return k / n minus other_k / other_n; the interval joins the two score intervals."""
    if not n or not other_n:
        raise ValueError("A share is of at least one.")
    first, second = k / n, other_k / other_n
    low, high = wilson(k, n, confidence)
    other_low, other_high = wilson(other_k, other_n, confidence)
    value = first - second
    return Difference(
        value=value,
        low=value - math.hypot(first - low, other_high - second),
        high=value + math.hypot(high - first, second - other_low),
    )
