"""Two versions on the same cases: how far apart their error rates are, and how sure that is.

Only the cases on which the two differ say anything of which is better. ``exact_p`` and ``sign_interval`` rest
on those alone and are exact; ``difference`` adds the size of the difference among all cases.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from policies.statistics.intervals import clopper_pearson, wilson

_HALF: Final = 0.5


@dataclass(frozen=True, kw_only=True, slots=True)
class Pairs:
    """Cases by how both did: wrong before and right now (``fixed``), the reverse (``broken``), and so on."""

    fixed: int
    broken: int
    still_wrong: int
    still_right: int

    def __post_init__(self) -> None:
        if min(self.fixed, self.broken, self.still_wrong, self.still_right) < 0:
            raise ValueError("A number of cases is never below 0.")

    @property
    def n(self) -> int:
        """Return how many cases both answered."""
        return self.fixed + self.broken + self.still_wrong + self.still_right

    @property
    def wrong_before(self) -> int:
        """Return how many cases the earlier version got wrong."""
        return self.fixed + self.still_wrong

    @property
    def wrong_now(self) -> int:
        """Return how many cases the later version got wrong."""
        return self.broken + self.still_wrong


@dataclass(frozen=True, kw_only=True, slots=True)
class Difference:
    """The error rate before minus the one now: above 0, the later version is better."""

    value: float
    low: float
    high: float


def difference(pairs: Pairs, confidence: float = 0.95) -> Difference:
    """Return the fall of the error rate with its interval for paired proportions.

    Newcombe (1998), "Improved confidence intervals for the difference between binomial proportions based on
    paired data", Statistics in Medicine 17, 2635-2650, method 10: Wilson's limits of both rates, put together
    with the correlation of the pairs, where the numerator of phi is corrected for continuity when it is above
    0. Without a case nothing is known: from -1 to 1.
    """
    n = pairs.n
    if n == 0:
        return Difference(value=0.0, low=-1.0, high=1.0)
    before, now = pairs.wrong_before / n, pairs.wrong_now / n
    low_before, high_before = wilson(pairs.wrong_before, n, confidence)
    low_now, high_now = wilson(pairs.wrong_now, n, confidence)
    phi = _correlation(pairs)
    value = before - now
    below = _joined(before - low_before, high_now - now, phi)
    above = _joined(high_before - before, now - low_now, phi)
    return Difference(value=value, low=max(-1.0, value - below), high=min(1.0, value + above))


def sign_interval(pairs: Pairs, confidence: float = 0.95) -> tuple[float, float]:
    """Return the exact interval of the share fixed among the cases on which the two differ.

    Clopper and Pearson (1934). It leaves out 1/2 exactly when ``exact_p`` is below 1 - confidence.
    """
    return clopper_pearson(pairs.fixed, pairs.fixed + pairs.broken, confidence)


def exact_p(pairs: Pairs) -> float:
    """Return the two-sided p-value that neither version is better, exactly.

    McNemar's (1947) test by the binomial distribution: of the cases on which the two differ, half would be
    fixed and half broken. Without one there is nothing to tell them apart: 1.
    """
    differing = pairs.fixed + pairs.broken
    fewer = min(pairs.fixed, pairs.broken)
    if 2 * fewer == differing:
        return 1.0
    # Integers, so that a thousand cases lose no digit.
    tail = sum(math.comb(differing, k) for k in range(fewer + 1))
    share: float = 2 * tail / (1 << differing)
    return min(1.0, share)


def _joined(one: float, other: float, phi: float) -> float:
    return math.sqrt(max(0.0, one * one - 2 * phi * one * other + other * other))


def _correlation(pairs: Pairs) -> float:
    both, neither = pairs.still_wrong, pairs.still_right
    wrong_before, wrong_now, n = pairs.wrong_before, pairs.wrong_now, pairs.n
    denominator = wrong_before * (n - wrong_before) * wrong_now * (n - wrong_now)
    if denominator == 0:
        return 0.0
    numerator = float(both * neither - pairs.fixed * pairs.broken)
    if numerator > 0:
        numerator = max(0.0, numerator - n * _HALF)
    return numerator / math.sqrt(denominator)
