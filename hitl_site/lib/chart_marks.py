"""The parts that charts are drawn of: markers, error bars, paths, labels. Each is whole, valid XML."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from typing import Final
from xml.sax.saxutils import escape

from hitl_site.lib.chart_scales import Scale, is_number
from hitl_site.lib.charts import Line, Point

# Everything outside of XML's production Char (XML 1.0, 2.2).
_FORBIDDEN: Final = re.compile("[^\\t\\n\\r\\x20-\\ud7ff\\ue000-\\ufffd\\U00010000-\\U0010ffff]")


def marker(tone: int, x: float, y: float, size: float, state: str = "") -> str:
    """Return the sign of a tone: circle, diamond, square, triangle."""
    kind = f'class="m{tone}{state}"'
    if tone == 1:
        return f'<circle {kind} cx="{place(x)}" cy="{place(y)}" r="{place(size)}"/>'
    turns = {
        2: [(0.0, -1.25), (1.25, 0.0), (0.0, 1.25), (-1.25, 0.0)],
        3: [(-0.95, -0.95), (0.95, -0.95), (0.95, 0.95), (-0.95, 0.95)],
        4: [(0.0, -1.2), (1.1, 0.85), (-1.1, 0.85)],
    }[tone]
    points = " ".join(f"{place(x + dx * size)},{place(y + dy * size)}" for dx, dy in turns)
    return f'<polygon {kind} points="{points}"/>'


def error_bar(point: Point, x: float, y: Scale) -> str:
    """Return the range of a point as an upright stroke."""
    if not (is_number(point.low) and is_number(point.high)):
        return ""
    return (
        f'<line class="err-bar" x1="{place(x)}" x2="{place(x)}"'
        f' y1="{place(y(point.low or 0.0))}" y2="{place(y(point.high or 0.0))}"/>'
    )


def label(x: float, y: float, words: str, anchor: str) -> str:
    """Return the words at a mark of an axis."""
    return f'<text class="ax" x="{place(x)}" y="{place(y)}" text-anchor="{anchor}">{text(words)}</text>'


def value_at(series: Line, at: float) -> float | None:
    """Return a curve's height at a place between its points."""
    before, after = None, None
    for point in series.points:
        if point.x <= at:
            before = point
        if point.x >= at and after is None:
            after = point
    if before is None or after is None or not (is_number(before.y) and is_number(after.y)):
        return None
    if after.x == before.x or series.stepped:
        return before.y
    share = (at - before.x) / (after.x - before.x)
    return (before.y or 0.0) + share * ((after.y or 0.0) - (before.y or 0.0))


def runs(points: Sequence[Point]) -> list[list[Point]]:
    """Return the stretches between gaps."""
    found: list[list[Point]] = [[]]
    for point in points:
        if is_number(point.y):
            found[-1].append(point)
        elif found[-1]:
            found.append([])
    return [run for run in found if run]


def path(places: Sequence[tuple[float, float]]) -> str:
    """Return straight lines through places."""
    return "".join(f"{'L' if number else 'M'}{place(x)},{place(y)}" for number, (x, y) in enumerate(places))


def corners(places: Sequence[tuple[float, float]], *, stepped: bool) -> list[tuple[float, float]]:
    """Return the places that a curve goes through; a stepped one keeps its height until the next place."""
    if not stepped:
        return list(places)
    found = list(places[:1])
    for (_, before), (x, y) in itertools.pairwise(places):
        found += [(x, before), (x, y)]
    return found


def place(value: float) -> str:
    """Return a coordinate. Never through localization: SVG knows no decimal comma."""
    return f"{value:.1f}"


def text(words: str) -> str:
    """Return a text for XML."""
    return escape(sound(words))


def sound(words: str) -> str:
    """Return a text without the characters that XML forbids, however they are written."""
    return _FORBIDDEN.sub("", words)
