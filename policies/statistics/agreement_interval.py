"""How sure one is of the agreement between two people: the bootstrap over items (Efron 1979).

Two raters and few categories make a small table, so a resample of the items is one draw from a multinomial
distribution over its cells, and a thousand of them are computed at once.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

RESAMPLES = 1000
SEED = 20_260_101


def alpha_interval(
    pairs: Sequence[tuple[int, int]], *, categories: int, delta: float = 0.05
) -> tuple[float, float]:
    """Return the percentile interval of Krippendorff's alpha (ordinal) at 1 - ``delta``; the seed is fixed.

    Each pair is what the first and the second person said of one item, as codes from 0 in their order.
    """
    if not pairs:
        raise ValueError("At least one item has two ratings.")
    table = np.zeros((categories, categories))
    for first, second in pairs:
        table[first, second] += 1
    random = np.random.default_rng(SEED)
    n = len(pairs)
    drawn = random.multinomial(n, (table / n).ravel(), size=RESAMPLES)
    alphas = alphas_of(drawn.reshape(RESAMPLES, categories, categories).astype(np.float64))
    low, high = np.quantile(alphas, [delta / 2, 1 - delta / 2])
    return float(low), float(high)


def alphas_of(tables: Floats) -> Floats:
    """Return Krippendorff's alpha (ordinal) of each table of two raters: counts by first and second answer.

    1 where all ratings are the same, as for ``agreement.krippendorff_alpha``.
    """
    together = tables + np.swapaxes(tables, 1, 2)
    totals = together.sum(axis=2)
    # The ratings from one category to the other, each end counted half.
    middle = np.cumsum(totals, axis=1) - totals / 2
    distance = (middle[:, :, None] - middle[:, None, :]) ** 2
    expected = (totals[:, :, None] * totals[:, None, :] * distance).sum(axis=(1, 2))
    expected /= totals.sum(axis=1) - 1
    seen = (together * distance).sum(axis=(1, 2))
    alike = expected == 0
    return np.where(alike, 1.0, 1 - seen / np.where(alike, 1.0, expected))
