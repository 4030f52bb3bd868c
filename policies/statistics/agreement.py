"""Agreement between people, beyond what chance gives (statistics.md 1.5).

Ratings are codes; a table has one row an item and one column a category, holding how many chose it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Level = Literal["nominal", "ordinal", "interval"]


def cohen_kappa(
    first: Sequence[int], second: Sequence[int], *, weights: Literal["linear", "quadratic"] | None = None
) -> float:
    """Return Cohen's kappa of two raters over the same items (Cohen 1960; weighted 1968).

    1 where both always chose the same one category: there was nothing to disagree about.
    """
    if len(first) != len(second) or not first:
        raise ValueError("Both raters judged the same items, at least one.")
    categories = sorted(set(first) | set(second))
    place = {category: index for index, category in enumerate(categories)}
    seen = np.zeros((len(categories), len(categories)))
    for one, two in zip(first, second, strict=True):
        seen[place[one], place[two]] += 1
    seen /= seen.sum()
    rows, columns = np.indices(seen.shape)
    distance: Floats = (rows != columns).astype(np.float64)
    if weights is not None:
        distance = np.abs(rows - columns).astype(np.float64) ** (1 if weights == "linear" else 2)
    expected = float((distance * np.outer(seen.sum(axis=1), seen.sum(axis=0))).sum())
    return 1.0 if expected == 0 else 1 - float((distance * seen).sum()) / expected


def fleiss_kappa(table: Sequence[Sequence[int]]) -> float:
    """Return Fleiss' kappa: the same number of ratings for each item, by anybody (Fleiss 1971)."""
    counts = _table(table)
    ratings = counts.sum(axis=1)
    if not np.all(ratings == ratings[0]):
        raise ValueError("Each item has the same number of ratings.")
    n = ratings[0]
    shares = counts.sum(axis=0) / counts.sum()
    observed = float((((counts**2).sum(axis=1) - n) / (n * (n - 1))).mean())
    expected = float((shares**2).sum())
    return 1.0 if expected == 1 else (observed - expected) / (1 - expected)


def gwet_ac1(table: Sequence[Sequence[int]]) -> float:
    """Return Gwet's AC1, which does not collapse where nearly all ratings are the same (Gwet 2008)."""
    counts = _table(table)
    ratings = counts.sum(axis=1)
    observed = float(((counts * (counts - 1)).sum(axis=1) / (ratings * (ratings - 1))).mean())
    shares = (counts / ratings[:, None]).mean(axis=0)
    expected = float((shares * (1 - shares)).sum()) / (counts.shape[1] - 1)
    return 1.0 if expected == 1 else (observed - expected) / (1 - expected)


def krippendorff_alpha(ratings: Sequence[Sequence[float | None]], *, level: Level = "nominal") -> float:
    """Return Krippendorff's alpha; one row a rater, one column an item, None where somebody did not rate.

    Computed from the coincidence matrix (Krippendorff 2011). 1 where all ratings are the same.
    """
    given = np.array(
        [[np.nan if code is None else code for code in row] for row in ratings], dtype=np.float64
    )
    values = np.unique(given[~np.isnan(given)])
    together = np.zeros((len(values), len(values)))
    for item in given.T:
        rated = item[~np.isnan(item)]
        if len(rated) >= 2:
            count = np.array([(rated == value).sum() for value in values], dtype=np.float64)
            together += (np.outer(count, count) - np.diag(count)) / (len(rated) - 1)
    totals = together.sum(axis=1)
    n = float(totals.sum())
    if n <= 1:
        raise ValueError("At least one item has two ratings.")
    distance = _distance(values, totals, level)
    expected = float((np.outer(totals, totals) * distance).sum()) / (n - 1)
    return 1.0 if expected == 0 else 1 - float((together * distance).sum()) / expected


def _distance(values: Floats, totals: Floats, level: Level) -> Floats:
    if level == "nominal":
        return np.asarray(1.0 - np.eye(len(values)))
    if level == "interval":
        return np.asarray((values[:, None] - values[None, :]) ** 2)
    if level != "ordinal":
        raise ValueError(f"There is no level {level}.")
    # The ratings from one category to the other, each end counted half.
    upto = np.cumsum(totals)
    middle = upto - totals / 2
    return np.asarray((middle[:, None] - middle[None, :]) ** 2)


def _table(table: Sequence[Sequence[int]]) -> Floats:
    counts = np.asarray(table, dtype=np.float64)
    if counts.ndim != 2 or counts.shape[1] < 2 or not len(counts):
        raise ValueError("A table has one row an item and at least two categories.")
    if np.any(counts.sum(axis=1) < 2):
        raise ValueError("Each item has at least two ratings.")
    return counts
