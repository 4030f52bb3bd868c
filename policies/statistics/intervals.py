"""Limits of an error rate: exact, for a chart's bars, and for items drawn with unequal probability.

`clopper_pearson`, `wilson` and `jeffreys` are two-sided. `hajek_rate` gives two one-sided limits, as
statistics.md 1.1 uses them; `lower_limit` and `upper_limit` are one-sided too.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class WeightedRate:
    """A rate from labels that stand for unequal numbers of actions.

    `n` labels weigh as much as `n_eff` labels of equal weight would. `rate` is None without a label.
    `low` and `high` are approximate limits, for a chart, not for granting trust.
    """

    n: int
    n_eff: float
    rate: float | None
    low: float
    high: float


def clopper_pearson(k: int, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """Return the exact two-sided interval for k events in n trials (Clopper and Pearson 1934).

    Without a trial nothing is known: (0, 1).
    """
    _check_counts(k, n)
    _check_confidence(confidence)
    tail = (1 - confidence) / 2
    return _lower(k, n, tail), _upper(k, n, tail)


def lower_limit(k: int, n: int, delta: float = 0.05) -> float:
    """Return the exact one-sided lower limit, which holds with probability 1 - delta."""
    _check_counts(k, n)
    _check_confidence(1 - delta)
    return _lower(k, n, delta)


def upper_limit(k: int, n: int, delta: float = 0.05) -> float:
    """Return the exact one-sided upper limit, which holds with probability 1 - delta."""
    _check_counts(k, n)
    _check_confidence(1 - delta)
    return _upper(k, n, delta)


def wilson(k: int, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """Return the two-sided score interval (Wilson 1927): shorter than the exact one, for error bars."""
    _check_counts(k, n)
    _check_confidence(confidence)
    if n == 0:
        return 0.0, 1.0
    z = _normal_quantile(1 - (1 - confidence) / 2)
    rate = k / n
    scale = 1 + z * z / n
    centre = (rate + z * z / (2 * n)) / scale
    half = z / scale * math.sqrt(rate * (1 - rate) / n + z * z / (4 * n * n))
    # At the ends the exact answer is 0 or 1, and rounding must not move it.
    low = 0.0 if k == 0 else max(0.0, centre - half)
    high = 1.0 if k == n else min(1.0, centre + half)
    return low, high


def jeffreys(k: int, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """Return the two-sided interval of the Beta(1/2, 1/2) prior, closed at the ends (Brown et al. 2001)."""
    _check_counts(k, n)
    _check_confidence(confidence)
    tail = (1 - confidence) / 2
    low = 0.0 if k == 0 else _beta_quantile(k + 0.5, n - k + 0.5, tail)
    high = 1.0 if k == n else _beta_quantile(k + 0.5, n - k + 0.5, 1 - tail)
    return low, high


def hajek_rate(weights: Sequence[float], errors: Sequence[float], *, delta: float = 0.05) -> WeightedRate:
    """Return the rate of errors, each weighted by 1 / the probability with which it was looked at.

    The estimate is Hájek's sum(w y) / sum(w); the limits are Clopper-Pearson's at Kish's effective number
    sum(w)^2 / sum(w^2), each holding with about 1 - delta (statistics.md 1.1). An error is 0, 1 or a
    graded loss between them.
    """
    _check_confidence(1 - delta)
    if len(weights) != len(errors):
        raise ValueError("There is one weight for each label.")
    if not all(math.isfinite(weight) and weight > 0 for weight in weights):
        raise ValueError("A weight is a finite number above 0: 1 divided by the propensity.")
    if not all(0 <= error <= 1 for error in errors):
        raise ValueError("An error is a number from 0 to 1.")
    if not weights:
        return WeightedRate(n=0, n_eff=0.0, rate=None, low=0.0, high=1.0)
    # Only the ratios of the weights matter; by the largest they neither overflow nor vanish when squared.
    largest = max(weights)
    shares = [weight / largest for weight in weights]
    total = math.fsum(shares)
    rate = min(1.0, math.fsum(share * error for share, error in zip(shares, errors, strict=True)) / total)
    n_eff = total * total / math.fsum(share * share for share in shares)
    k = min(rate * n_eff, n_eff)
    return WeightedRate(
        n=len(weights), n_eff=n_eff, rate=rate, low=_lower(k, n_eff, delta), high=_upper(k, n_eff, delta)
    )


def _lower(k: float, n: float, tail: float) -> float:
    if n <= 0 or k <= 0:
        return 0.0
    return _beta_quantile(k, n - k + 1, tail)


def _upper(k: float, n: float, tail: float) -> float:
    if n <= 0 or k >= n:
        return 1.0
    return _beta_quantile(k + 1, n - k, 1 - tail)


def _check_counts(k: int, n: int) -> None:
    if not 0 <= k <= n:
        raise ValueError(f"{k} events in {n} trials cannot be.")


def _check_confidence(confidence: float) -> None:
    if not 0 < confidence < 1:
        raise ValueError("A confidence lies between 0 and 1.")


# scipy costs a third of a second and 25 MB in every process that imports it, and only the trust page
# computes: it is loaded with the first limit that somebody asks for.


def _normal_quantile(share: float) -> float:
    from scipy import special

    return float(special.ndtri(share))


def _beta_quantile(a: float, b: float, share: float) -> float:
    from scipy import special

    return float(special.betaincinv(a, b, share))
