"""Drift: has the error rate risen above what is tolerated? One detector that acts, and charts for eyes.

The Shiryaev-Roberts e-detector (Shin, Ramdas and Rinaldo) bounds false alarms: while the rate stays at or
under ``tolerated``, the mean run to an alarm is at least the threshold, whatever else the labels do.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import special

MULTIPLES: Final = (1.5, 2.0, 3.0, 5.0, 10.0)
_HIGHEST: Final = 0.95


@dataclass
class DriftDetector:
    """The e-detector's state; ``highest`` at or above the wished average run length is an alarm.

    An alarm is a moment: what came right after it, looked at together with it, does not unsay it.
    """

    tolerated: float
    multiples: tuple[float, ...] = MULTIPLES
    statistics: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    n: int = 0
    highest: float = 0.0

    def __post_init__(self) -> None:
        if not 0 < self.tolerated < 1:
            raise ValueError("A tolerated rate lies between 0 and 1.")
        raised = np.minimum(np.asarray(self.multiples) * self.tolerated, _HIGHEST)
        self._stakes = (raised - self.tolerated) / (self.tolerated * (1 - self.tolerated))
        if not len(self.statistics):
            self.statistics = np.zeros(len(self.multiples))
        self.highest = max(self.highest, self.value)

    def observe(self, loss: float, weight: float = 1.0) -> float:
        """Take one label in; return the detector's value."""
        if not 0 <= loss <= 1 or not 0 < weight <= 1:
            raise ValueError("A loss lies in [0, 1], a weight in (0, 1].")
        self.statistics = (self.statistics + 1.0) * (1.0 + self._stakes * weight * (loss - self.tolerated))
        self.n += 1
        self.highest = max(self.highest, self.value)
        return self.value

    @property
    def value(self) -> float:
        return float(self.statistics.mean())


def detector_sequence(
    labels: Iterable[float], tolerated: float, *, multiples: Sequence[float] = MULTIPLES
) -> list[float]:
    """Return the detector's value after each label."""
    detector = DriftDetector(tolerated=tolerated, multiples=tuple(multiples))
    return [detector.observe(label) for label in labels]


def p_chart_limits(rate: float, n: int, false_alarm: float = 0.0027) -> tuple[int, int]:
    """Return the exact binomial limits of a count among n: under the first or over the second signals."""
    return _binomial_quantile(false_alarm / 2, n, rate), _binomial_quantile(1 - false_alarm / 2, n, rate)


def _binomial_quantile(share: float, n: int, rate: float) -> int:
    """Return the smallest count that a binomial does not exceed with at least this probability."""
    if rate in (0, 1):
        return n if rate else 0
    # The inverse of the continuous extension is off by one at most: the distribution itself decides.
    count = max(math.ceil(special.bdtrik(share, n, rate)) - 1, 0)
    while count < n and special.bdtr(count, n, rate) < share:
        count += 1
    return count


def g_chart_limits(rate: float, false_alarm: float = 0.0027) -> tuple[float, float]:
    """Return the exact limits for the number of checks from one error to the next, for rare errors."""
    if not 0 < rate < 1:
        raise ValueError("A rate lies between 0 and 1.")
    log_right = math.log1p(-rate)
    return math.log(1 - false_alarm / 2) / log_right, math.log(false_alarm / 2) / log_right


def population_stability(before: Sequence[float], now: Sequence[float]) -> float:
    """Return the population stability index of two histograms over the same bins; above 0.2 is a warning.

    It needs no labels, so it warns first. An empty bin counts as half an observation.
    """
    if len(before) != len(now) or not before:
        raise ValueError("Both histograms have the same bins.")
    old = np.maximum(np.asarray(before, dtype=np.float64), 0.5)
    new = np.maximum(np.asarray(now, dtype=np.float64), 0.5)
    old, new = old / old.sum(), new / new.sum()
    return float(np.sum((new - old) * np.log(new / old)))
