"""Calibration: what a score is worth, by the policy's own map (statistics.md, calibration).

The map is monotone and piecewise linear. It promises nothing it was not told: below its first point it
falls in a straight line to nothing at 0, above its last it stays as it is.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from itertools import pairwise

from policies.engine.facts import ScoreSource
from policies.engine.faults import PolicyError, member, share_faults, unknown_keys

MAX_POINTS = 50
_SOURCES = tuple(source for source in ScoreSource if source is not ScoreSource.CALIBRATED)


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """Pairs of a raw score and the share of such actions that were right, by growing raw score."""

    of: ScoreSource
    points: tuple[tuple[float, float], ...]

    def apply(self, raw: float) -> float:
        """Return the calibrated score: never below that of a lower raw score, and always in [0, 1]."""
        place = bisect_right(self.points, raw, key=lambda point: point[0])
        if place == len(self.points):
            return float(self.points[-1][1])
        low, at_low = self.points[place - 1] if place else (0.0, 0.0)
        high, at_high = self.points[place]
        share = (raw - low) / (high - low) if high > low else 1.0
        # Rounding must not lift a value over the end of its piece.
        return float(min(max(at_low + (at_high - at_low) * share, at_low), at_high))

    def to_document(self) -> dict[str, object]:
        """Return the map as JSON values."""
        return {"of": self.of.value, "points": [list(point) for point in self.points]}


def read_calibration(value: object) -> tuple[object, list[PolicyError]]:
    """Return the map as an object where it can be read, with the faults `calibration_faults` cannot see."""
    if not isinstance(value, Mapping):
        return value, []
    names = [each.name for each in fields(Calibration)]
    errors = list(unknown_keys(value, names, ("calibration",)))
    points = value.get("points", ())
    if isinstance(points, list | tuple):
        points = tuple(tuple(point) if isinstance(point, list | tuple) else point for point in points)
    return Calibration(of=member(ScoreSource, value.get("of")), points=points), errors  # type: ignore[arg-type]  # checked by calibration_faults


def calibration_faults(calibration: object, score: object) -> Iterator[PolicyError]:
    """Yield what is wrong with the map, which there is exactly where the score is calibrated."""
    if calibration is None:
        if score is ScoreSource.CALIBRATED:
            yield PolicyError("/calibration", "the score calibrated needs a map")
        return
    if not isinstance(calibration, Calibration):
        yield PolicyError("/calibration", "an object with of and points, or nothing")
        return
    if score is not ScoreSource.CALIBRATED:
        yield PolicyError("/calibration", "a map belongs to the score calibrated alone")
    if calibration.of not in _SOURCES:
        yield PolicyError("/calibration/of", f"one of {', '.join(_SOURCES)}")
    points: object = calibration.points
    if not isinstance(points, tuple) or not 2 <= len(points) <= MAX_POINTS:
        yield PolicyError("/calibration/points", f"a list of 2 to {MAX_POINTS} pairs of raw and calibrated")
        return
    found = [fault for index, point in enumerate(points) for fault in _point_faults(index, point)]
    yield from found
    if not found:
        yield from _order_faults(calibration.points)


def _point_faults(index: int, point: object) -> Iterator[PolicyError]:
    at = f"/calibration/points/{index}"
    if not isinstance(point, tuple) or len(point) != 2:
        yield PolicyError(at, "a pair of raw and calibrated")
        return
    yield from share_faults(f"{at}/0", point[0])
    yield from share_faults(f"{at}/1", point[1])


def _order_faults(points: tuple[tuple[float, float], ...]) -> Iterator[PolicyError]:
    for index, (before, after) in enumerate(pairwise(points), start=1):
        if not before[0] < after[0]:
            yield PolicyError(f"/calibration/points/{index}/0", "above the raw score of the point before")
        if not before[1] <= after[1]:
            yield PolicyError(f"/calibration/points/{index}/1", "not below that of the point before")
