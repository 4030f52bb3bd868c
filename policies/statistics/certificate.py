"""The certified threshold: Learn-then-Test with the fallback rule on e-values (statistics.md 1.1).

The grid is fixed by the first scores before their labels are looked at. Labels come in the order of sampling,
up to the first that is still awaited. Each p-value is 1 / the highest betting e-value so far, so the answer
may be looked at after every label.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from policies.statistics.evidence import FRACTIONS
from policies.statistics.thresholds import GRID_SHARES, fallback, fixed_n_plan, starts_of

Array = NDArray[Any]
SCORES_FOR_A_GRID: Final = 50
# Labels whose bets are worked out at once: memory stays bounded however long the history is.
_STEP: Final = 16_384
_POWER: Final = 0.9


@dataclass(frozen=True, slots=True, kw_only=True)
class GridPoint:
    """One threshold of the grid: labels above it, mistakes among them, and what they certify."""

    threshold: float
    share: float
    labels: int
    errors: int
    e_value: float
    certified: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """What the labels certify. ``threshold`` is the most permissive certified one, None where there is none.

    ``labels_missing`` says about how many more labels an agent as good as this one seems would need.
    """

    limit: float
    delta: float
    labels: int
    points: tuple[GridPoint, ...]
    threshold: float | None
    labels_missing: int | None

    @property
    def certified(self) -> tuple[GridPoint, ...]:
        """Return the thresholds that are certified, strictest first."""
        return tuple(point for point in self.points if point.certified)


def grid_of(scores: Sequence[float] | Array) -> list[tuple[float, float]]:
    """Return (threshold, share) pairs that let 10, 15, … 100 % of these scores through, strictest first."""
    ordered = np.sort(np.asarray(scores, dtype=np.float64))[::-1]
    return [(float(ordered[max(0, math.ceil(share * len(ordered)) - 1)]), share) for share in GRID_SHARES]


def certify(
    *,
    grid: Sequence[tuple[float, float]],
    score: Array,
    loss: Array,
    weight: Array,
    limit: float,
    delta: float,
) -> Certificate:
    """Return the certificate of labels in the order of sampling; one of equal clusters is the caller's duty.

    ``weight`` is the lowest propensity that the policy could have used, divided by the one it used.
    """
    tested = [_tested(threshold, share, score, loss, weight, limit) for threshold, share in grid]
    sure = [False] * len(tested)
    if tested:
        p_values = [min(1.0, math.exp(-max(0.0, high))) for _, _, _, high, _ in tested]
        starts = starts_of([share for _, share in grid])
        # What speaks against itself now certifies nothing, however well it once stood.
        sure = [
            found and last >= 0
            for found, (_, _, _, _, last) in zip(fallback(p_values, delta, starts), tested, strict=True)
        ]
    points = tuple(
        GridPoint(
            threshold=grid[number][0],
            share=grid[number][1],
            labels=labels,
            errors=errors,
            e_value=math.exp(min(high, 700.0)),
            certified=sure[number],
        )
        for number, (labels, errors, _, high, _) in enumerate(tested)
    )
    certified = [point.threshold for point in points if point.certified]
    return Certificate(
        limit=limit,
        delta=delta,
        labels=len(score),
        points=points,
        threshold=min(certified) if certified else None,
        labels_missing=None if certified else _missing(points, tested, limit, delta),
    )


def _tested(
    threshold: float, share: float, score: Array, loss: Array, weight: Array, limit: float
) -> tuple[int, int, float, float, float]:
    """Return labels, errors, the weighted rate, the highest and the last log e of one threshold."""
    # Rounded as the scores are.
    inside = score >= np.float32(threshold)
    losses, weights = loss[inside].astype(np.float64), weight[inside].astype(np.float64)
    errors = int(np.count_nonzero(losses))
    rate = float((losses / weights).sum() / (1 / weights).sum()) if len(losses) else math.nan
    stakes = (1 - np.asarray(FRACTIONS)) / (1 - limit)
    wealth = np.zeros(len(FRACTIONS))
    highest, last = 0.0, 0.0
    for start in range(0, len(losses), _STEP):
        part = slice(start, start + _STEP)
        gains = weights[part] * (limit - losses[part])
        # A bet of everything is lost for good at the first mistake: its logarithm is minus infinity.
        with np.errstate(divide="ignore"):
            path = wealth + np.cumsum(np.log1p(np.outer(gains, stakes)), axis=0)
        top = path.max(axis=1)
        log_e = top + np.log(np.exp(path - top[:, None]).mean(axis=1))
        highest, last = max(highest, float(log_e.max())), float(log_e[-1])
        wealth = path[-1]
    return len(losses), errors, rate, highest, last


def _missing(
    points: Sequence[GridPoint],
    tested: Sequence[tuple[int, int, float, float, float]],
    limit: float,
    delta: float,
) -> int | None:
    """Return about how many labels are missing at the first start; None where no number would do."""
    if not points:
        return None
    first = starts_of([point.share for point in points])[0]
    labels, _, rate, _, _ = tested[first]
    hoped = 0.0 if math.isnan(rate) else rate
    try:
        wanted, _ = fixed_n_plan(hoped, limit, delta, _POWER)
    except ValueError:
        return None
    # At least one: with none missing it would be certified.
    return max(1, wanted - labels)
