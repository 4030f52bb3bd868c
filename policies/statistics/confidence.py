"""How good a confidence is: as a number (Brier, calibration error) and as an order (AUROC, risk by coverage).

Every measure takes weights, 1 / the probability with which a person looked: unweighted, held items would
speak for all (statistics.md 1.6).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class ReliabilityBin:
    """One bar of the reliability diagram: labels in it, their mean confidence, the share that was right."""

    low: float
    high: float
    n: int
    weight: float
    confidence: float
    accuracy: float


@dataclass(frozen=True, kw_only=True)
class RiskCoverage:
    """The error rate among the most confident share of actions, for every share; and the area under it.

    ``excess`` is what the area has above that of a perfect order of the same errors (E-AURC).
    """

    coverage: tuple[float, ...]
    risk: tuple[float, ...]
    area: float
    excess: float


def brier(
    confidence: Sequence[float], correct: Sequence[float], weights: Sequence[float] | None = None
) -> float:
    """Return the mean squared distance of confidence and outcome (Brier 1950)."""
    given, right, w = _arrays(confidence, correct, weights)
    return float(np.sum(w * (given - right) ** 2) / np.sum(w))


def reliability(
    confidence: Sequence[float],
    correct: Sequence[float],
    *,
    bins: int = 10,
    mode: Literal["width", "mass"] = "width",
    weights: Sequence[float] | None = None,
) -> list[ReliabilityBin]:
    """Return the bars of the reliability diagram, empty ones left out.

    ``width``: bins of equal width, closed on the right. ``mass``: bins of equal count.
    """
    given, right, w = _arrays(confidence, correct, weights)
    if mode == "width":
        places = np.clip(np.ceil(given * bins - 1e-12).astype(int) - 1, 0, bins - 1)
    else:
        order = np.argsort(given, kind="stable")
        places = np.empty(len(given), dtype=int)
        places[order] = (np.arange(len(given)) * bins) // len(given)
    bars = []
    for place in range(bins):
        inside = places == place
        if not inside.any():
            continue
        weight = float(w[inside].sum())
        low, high = (
            (place / bins, (place + 1) / bins)
            if mode == "width"
            else (float(given[inside].min()), float(given[inside].max()))
        )
        bars.append(
            ReliabilityBin(
                low=low,
                high=high,
                n=int(inside.sum()),
                weight=weight,
                confidence=float(np.sum(w[inside] * given[inside]) / weight),
                accuracy=float(np.sum(w[inside] * right[inside]) / weight),
            )
        )
    return bars


def calibration_error(
    confidence: Sequence[float],
    correct: Sequence[float],
    *,
    bins: int = 10,
    mode: Literal["width", "mass"] = "width",
    weights: Sequence[float] | None = None,
) -> float:
    """Return the expected calibration error. It is biased upwards where labels are few."""
    bars = reliability(confidence, correct, bins=bins, mode=mode, weights=weights)
    total = sum(bar.weight for bar in bars)
    return sum(bar.weight * abs(bar.accuracy - bar.confidence) for bar in bars) / total


def auroc(
    score: Sequence[float], positive: Sequence[float], weights: Sequence[float] | None = None
) -> float | None:
    """Return the chance that a positive scores above a negative, ties counting half; None without both."""
    given, label, w = _arrays(score, positive, weights)
    values, places = np.unique(given, return_inverse=True)
    positives = np.bincount(places, w * label, len(values))
    negatives = np.bincount(places, w * (1 - label), len(values))
    pairs = positives.sum() * negatives.sum()
    if pairs <= 0:
        return None
    below = np.cumsum(negatives) - negatives
    return float(np.sum(positives * (below + 0.5 * negatives)) / pairs)


def weighted_risk_coverage(
    confidence: Sequence[float], errors: Sequence[float], weights: Sequence[float]
) -> tuple[tuple[float, float], ...]:
    """Return (coverage, error rate) among the most confident, each label standing for its weight.

    Labels of held actions and of drawn ones are no sample of all together: unweighted, the curve would be of
    what people looked at. Equal scores come together, for no threshold tells them apart.
    """
    given, wrong, weight = _arrays(confidence, errors, weights)
    values, places = np.unique(-given, return_inverse=True)
    mass = np.cumsum(np.bincount(places, weight, len(values)))
    bad = np.cumsum(np.bincount(places, weight * wrong, len(values)))
    return tuple(zip((mass / mass[-1]).tolist(), (bad / mass).tolist(), strict=True))


def risk_coverage(confidence: Sequence[float], errors: Sequence[float]) -> RiskCoverage:
    """Return the error rate among the k most confident, for every k (Geifman and El-Yaniv 2017)."""
    given, wrong, _ = _arrays(confidence, errors, None)
    ordered = wrong[np.argsort(-given, kind="stable")]
    n = len(ordered)
    risk = np.cumsum(ordered) / np.arange(1, n + 1)
    mistakes = round(float(ordered.sum()))
    ranks = np.arange(1, mistakes + 1)
    perfect = float(np.sum(ranks / (n - mistakes + ranks)) / n) if mistakes else 0.0
    area = float(risk.mean())
    return RiskCoverage(
        coverage=tuple((np.arange(1, n + 1) / n).tolist()),
        risk=tuple(risk.tolist()),
        area=area,
        excess=area - perfect,
    )


def isotonic(
    score: Sequence[float], correct: Sequence[float], weights: Sequence[float] | None = None
) -> list[tuple[float, float]]:
    """Return the steps of the monotone fit of outcome on score: (score, share right), ascending.

    Pool adjacent violators (Ayer et al. 1955), each pool at its mean score. Fit it on an earlier window than
    the one it is used on.
    """
    given, right, w = _arrays(score, correct, weights)
    values, places = np.unique(given, return_inverse=True)
    weight = np.bincount(places, w, len(values))
    mean = np.bincount(places, w * right, len(values)) / weight
    # Each pool: its mean outcome, its weight, its weighted sum of scores.
    pools: list[tuple[float, float, float]] = []
    for value, outcome, mass in zip(values.tolist(), mean.tolist(), weight.tolist(), strict=True):
        pool = (outcome, mass, value * mass)
        while pools and pools[-1][0] >= pool[0]:
            earlier = pools.pop()
            together = earlier[1] + pool[1]
            pool = (
                (earlier[0] * earlier[1] + pool[0] * pool[1]) / together,
                together,
                earlier[2] + pool[2],
            )
        pools.append(pool)
    return [(total / mass, outcome) for outcome, mass, total in pools]


def _arrays(
    first: Sequence[float], second: Sequence[float], weights: Sequence[float] | None
) -> tuple[Floats, Floats, Floats]:
    one, two = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    w = np.ones(len(one)) if weights is None else np.asarray(weights, dtype=np.float64)
    if not len(one) == len(two) == len(w) or not len(one):
        raise ValueError("There is at least one label, and one value of each kind for it.")
    if not (np.all(np.isfinite(one)) and np.all(np.isfinite(two)) and np.all(w > 0)):
        raise ValueError("Values are finite and weights above 0.")
    return one, two, w
