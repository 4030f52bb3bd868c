"""Scales of charts: from values to places on the paper, and round numbers for the marks of an axis. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Scale:
    """A straight line from values to places. A range without width has all its values in the middle."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        """Return the place of a value; what lies beyond the range is drawn at its edge."""
        if self.high <= self.low:
            return (self.start + self.end) / 2
        share = (min(max(value, self.low), self.high) - self.low) / (self.high - self.low)
        return self.start + share * (self.end - self.start)


def is_number(value: float | None) -> bool:
    """Say whether a value can be drawn at all."""
    return value is not None and math.isfinite(value)


def extent(values: Iterable[float | None]) -> tuple[float, float]:
    """Return the least and the largest of the numbers; (0, 1) where there is none."""
    numbers = [value for value in values if value is not None and math.isfinite(value)]
    return (min(numbers), max(numbers)) if numbers else (0.0, 1.0)


def round_ticks(low: float, high: float, count: int = 4) -> list[float]:
    """Return about ``count`` steps of 1, 2 or 5 times a power of ten that lie within the range."""
    if high <= low or count < 1:
        return [low]
    rough = (high - low) / count
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(each * power for each in (1, 2, 5, 10) if each * power >= rough * (1 - 1e-9))
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    # Counted in steps and not added up, so that the last one is not missed by a rounding error.
    return [round(number * step, 12) for number in range(first, last + 1)]


def rounded_up(high: float, count: int = 4) -> float:
    """Return the next round number at or above ``high``, for the top of an axis."""
    if high <= 0:
        return 1.0
    step = round_ticks(0, high, count)
    width = step[1] - step[0] if len(step) > 1 else high
    return round(math.ceil(high / width - 1e-9) * width, 12)
