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
# The evidence is looked at after each of the first labels, then after so many. Every look is one of those
# that the guarantee allows, so fewer of them certify no more; a page of a million actions stays quick.
_EACH: Final = 1024
_THEN: Final = 512
_MOST_CELLS: Final = 500_000
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

    The grid is given strictest first. ``weight`` is the lowest propensity that the policy could have used,
    divided by the one it used.
    """
    tested = _tested([threshold for threshold, _ in grid], score, loss, weight, limit)
    sure = [False] * len(tested)
    if tested:
        p_values = [min(1.0, math.exp(-max(0.0, each.highest))) for each in tested]
        starts = starts_of([share for _, share in grid])
        # What speaks against itself now certifies nothing, however well it once stood.
        sure = [
            found and each.last >= 0
            for found, each in zip(fallback(p_values, delta, starts), tested, strict=True)
        ]
    points = tuple(
        GridPoint(
            threshold=grid[number][0],
            share=grid[number][1],
            labels=each.labels,
            errors=each.errors,
            e_value=math.exp(min(each.highest, 700.0)),
            certified=sure[number],
        )
        for number, each in enumerate(tested)
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


@dataclass(frozen=True, slots=True)
class _Tested:
    """What the labels above one threshold say; ``highest`` and ``last`` are logs of e."""

    labels: int
    errors: int
    rate: float
    highest: float
    last: float


def _tested(
    thresholds: Sequence[float], score: Array, loss: Array, weight: Array, limit: float
) -> list[_Tested]:
    """Return what the labels above each threshold say, strictest threshold first."""
    if not thresholds:
        return []
    count = len(thresholds)
    # Rounded as the scores are; growing, as they are searched.
    edges = np.asarray(thresholds, dtype=np.float32)[::-1]
    # The strictest threshold that lets a label through: so do all that follow it.
    first = count - np.searchsorted(edges, score.astype(np.float32), side="right")
    inside = np.flatnonzero(first < count)
    first, losses, weights = first[inside], loss[inside].astype(np.float64), weight[inside].astype(np.float64)
    look = np.where(inside < _EACH, inside, _EACH + (inside - _EACH) // _THEN)
    looks = int(look[-1]) + 1 if len(look) else 1
    place = look * count + first
    # Few labels differ in what they are worth: those of one look that are alike are worked out together.
    gains, which = _distinct(weights * (limit - losses))
    many: Array = np.ones(len(which))
    if looks * count * len(gains) <= _MOST_CELLS:
        alike = np.bincount(place * len(gains) + which)
        cells = np.flatnonzero(alike)
        place, which, many = cells // len(gains), cells % len(gains), alike[cells]

    def summed(values: Array, places: Array, rows: int) -> Array:
        """Return sums by look and threshold, over all looks so far and all stricter thresholds."""
        table = np.bincount(places, weights=values, minlength=rows * count).reshape(rows, count)
        return np.asarray(table.cumsum(axis=1).cumsum(axis=0))

    wealth = np.empty((len(FRACTIONS), looks, count))
    # A bet of everything is lost for good at the first mistake: its logarithm is minus infinity.
    with np.errstate(divide="ignore"):
        for number, fraction in enumerate(FRACTIONS):
            worth = np.log1p(gains * ((1 - fraction) / (1 - limit)))
            wealth[number] = summed(worth[which] * many, place, looks)
    top = wealth.max(axis=0)
    log_e = top + np.log(np.exp(wealth - top).mean(axis=0))

    def at_last(values: Array) -> Array:
        return np.asarray(summed(values, first, 1)[0])

    labels, errors = at_last(np.ones(len(losses))), at_last((losses > 0).astype(np.float64))
    with np.errstate(divide="ignore", invalid="ignore"):
        rates = at_last(losses / weights) / at_last(1 / weights)
    return [
        _Tested(
            labels=round(float(labels[number])),
            errors=round(float(errors[number])),
            rate=float(rates[number]),
            highest=max(0.0, float(log_e[:, number].max())),
            last=float(log_e[-1, number]),
        )
        for number in range(count)
    ]


def _distinct(values: Array) -> tuple[Array, Array]:
    """Return the different values, growing, and which of them each is."""
    # The first ones mostly show all that there are, and to look for them is faster than to sort.
    known = np.unique(values[:_EACH])
    which = np.minimum(np.searchsorted(known, values), len(known) - 1)
    if len(values) and (known[which] == values).all():
        return known, which
    found, which = np.unique(values, return_inverse=True)
    return found, which


def _missing(
    points: Sequence[GridPoint],
    tested: Sequence[_Tested],
    limit: float,
    delta: float,
) -> int | None:
    """Return about how many labels are missing at the first start; None where no number would do."""
    if not points:
        return None
    first = starts_of([point.share for point in points])[0]
    hoped = 0.0 if math.isnan(tested[first].rate) else tested[first].rate
    try:
        wanted, _ = fixed_n_plan(hoped, limit, delta, _POWER)
    except ValueError:
        return None
    # At least one: with none missing it would be certified.
    return max(1, wanted - tested[first].labels)
