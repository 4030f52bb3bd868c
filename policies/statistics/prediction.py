"""A mean from few labels and a judge's score of everything: PPI++ (Angelopoulos, Duchi and Zrnic 2023).

For a dashboard, where labelled errors are 20 or more: its interval is a large-sample one, and too short with
rare errors (statistics.md 1.3). Never for granting trust.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special


@dataclass(frozen=True, kw_only=True)
class PoweredMean:
    """The estimate, its two-sided interval, and how far the judge was relied on (0 not, 1 wholly)."""

    mean: float
    low: float
    high: float
    reliance: float


def powered_mean(
    labels: Sequence[float],
    judged_labelled: Sequence[float],
    judged_others: Sequence[float],
    *,
    delta: float = 0.05,
) -> PoweredMean:
    """Return the mean of the labels, sharpened by the judge's scores of labelled and unlabelled actions."""
    y, f = np.asarray(labels, dtype=np.float64), np.asarray(judged_labelled, dtype=np.float64)
    others = np.asarray(judged_others, dtype=np.float64)
    if len(y) != len(f) or len(y) < 2 or not len(others):
        raise ValueError("There are at least two labels with their scores, and one score without a label.")
    n, total = len(y), len(others)
    spread = float(np.var(np.concatenate([f, others]), ddof=1))
    together = float(np.mean((y - y.mean()) * (f - f.mean())))
    reliance = 0.0 if spread == 0 else float(np.clip(together / ((1 + n / total) * spread), 0, 1))
    mean = float(reliance * others.mean() + np.mean(y - reliance * f))
    error = math.sqrt(float(np.var(reliance * others)) / total + float(np.var(y - reliance * f)) / n)
    z = float(special.ndtri(1 - delta / 2))
    return PoweredMean(mean=mean, low=mean - z * error, high=mean + z * error, reliance=reliance)
