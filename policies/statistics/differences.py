"""What two groups differ in: shares (Newcombe 1998, method 10), and which has the larger values."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from policies.statistics.intervals import wilson


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """The first share minus the second, and its two-sided interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Larger:
    """The share of pairs in which the first is larger (a tie is half), and the chance of so much."""

    share: float
    chance: float


def larger_in_pairs(first: Sequence[float], second: Sequence[float]) -> Larger:
    """Compare every value of the first with every one of the second (Mann and Whitney 1947).

    ``chance`` is the one-sided p-value for "the first are larger", by the normal approximation with the
    corrections for ties and for continuity: good from about ten values in each on.
    """
    n, m = len(first), len(second)
    if not n or not m:
        raise ValueError("Nothing can be compared with nothing.")
    counted = Counter(first) + Counter(second)
    ranks: dict[float, float] = {}
    below = 0
    for value in sorted(counted):
        ranks[value] = below + (counted[value] + 1) / 2
        below += counted[value]
    u = sum(ranks[value] for value in first) - n * (n + 1) / 2
    total = n + m
    ties = sum(count**3 - count for count in counted.values())
    variance = n * m / 12 * ((total + 1) - ties / (total * (total - 1)))
    if variance <= 0:
        return Larger(share=0.5, chance=0.5)
    z = (u - n * m / 2 - 0.5) / math.sqrt(variance)
    return Larger(share=u / (n * m), chance=0.5 * math.erfc(z / math.sqrt(2)))


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
