"""Drift: has the error rate risen above what is tolerated? One detector that acts, and charts for eyes.

The Shiryaev-Roberts e-detector (Shin, Ramdas and Rinaldo) bounds false alarms: while the rate stays at or
under ``tolerated``, the mean run to an alarm is at least the threshold, whatever else the labels do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

MULTIPLES: Final = (1.5, 2.0, 3.0, 5.0, 10.0)
_HIGHEST: Final = 0.95


@dataclass
class DriftDetector:
    """The e-detector's state; ``value`` at or above the wished average run length is an alarm."""

    tolerated: float
    multiples: tuple[float, ...] = MULTIPLES
    statistics: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    n: int = 0

    def __post_init__(self) -> None:
        if not 0 < self.tolerated < 1:
            raise ValueError("A tolerated rate lies between 0 and 1.")
        raised = np.minimum(np.asarray(self.multiples) * self.tolerated, _HIGHEST)
        self._stakes = (raised - self.tolerated) / (self.tolerated * (1 - self.tolerated))
        if not len(self.statistics):
            self.statistics = np.zeros(len(self.multiples))

    def observe(self, loss: float, weight: float = 1.0) -> float:
        """Take one label in; return the detector's value."""
        if not 0 <= loss <= 1 or not 0 < weight <= 1:
            raise ValueError("A loss lies in [0, 1], a weight in (0, 1].")
        self.statistics = (self.statistics + 1.0) * (1.0 + self._stakes * weight * (loss - self.tolerated))
        self.n += 1
        return self.value

    @property
    def value(self) -> float:
        return float(self.statistics.mean())


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
