"""Charts as SVG: classes and coordinates alone, no style and no script, so the strict policy lets it pass.

Every text is escaped here; the answer is whole, valid XML whatever the values were.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final
from xml.sax.saxutils import quoteattr

from hitl_site.lib import chart_marks
from hitl_site.lib.chart_marks import place as _n
from hitl_site.lib.chart_marks import text as _text
from hitl_site.lib.chart_scales import Scale, extent, is_number, round_ticks
from hitl_site.lib.charts import Axis, Bars, Dots, Line, Plot, Point, Rule, Series, places_of, range_of

WIDE: Final = 760
NARROW: Final = 360
# About the width of one character of a label, in units of the paper.
_CHARACTER: Final = 6.6
_ROW: Final = 15
_BOTTOM: Final = 36
# Places that are read out on hovering; of more, every n-th.
_MOST_READ: Final = 120


@dataclass(frozen=True, slots=True)
class _Paper:
    plot: Plot
    width: int
    x: Scale
    left: Scale
    right: Scale
    top: float
    bottom: float

    def y(self, series: Series) -> Scale:
        return self.right if series.right else self.left


def draw(plot: Plot, *, width: int = WIDE) -> str:
    """Return the chart as one ``<svg>`` element."""
    paper, labels = _laid_out(plot, width)
    ids = f"{plot.name}-{width}"
    parts = [
        f'<svg class="plot" viewBox="0 0 {width} {plot.height}" role="img"'
        f" aria-labelledby={quoteattr(f'{ids}-t {ids}-d')}>",
        f"<title id={quoteattr(f'{ids}-t')}>{_text(plot.title)}</title>",
        f"<desc id={quoteattr(f'{ids}-d')}>{_text(plot.description)}</desc>",
        *_regions(paper),
        *_axes(paper),
    ]
    if plot.diagonal:
        (x1, y1), (x2, y2) = ((paper.x(at), paper.left(at)) for at in (0.0, 1.0))
        parts.append(f'<line class="diag" x1="{_n(x1)}" y1="{_n(y1)}" x2="{_n(x2)}" y2="{_n(y2)}"/>')
    for series in plot.series:
        parts += _series(paper, series)
    parts += _rules(paper, labels)
    parts += _read_outs(paper)
    return "".join([*parts, "</svg>"])


def sparkline(values: Sequence[float | None], *, title: str, width: int = 120, height: int = 28) -> str:
    """Return a small curve without axes, its last value marked; gaps stay gaps."""
    low, high = extent(values)
    x = Scale(0, max(len(values) - 1, 1), 3, width - 3)
    y = Scale(low, high, height - 4, 4)
    points = tuple(Point(x=number, y=value) for number, value in enumerate(values))
    runs = [[(x(at.x), y(at.y or 0.0)) for at in run] for run in chart_marks.runs(points)]
    curve = "".join(chart_marks.path(run) for run in runs)
    drawn = f'<path class="l1" d="{curve}"/>' if curve else ""
    last = f'<circle cx="{_n(runs[-1][-1][0])}" cy="{_n(runs[-1][-1][1])}" r="2.5"/>' if runs else ""
    name = quoteattr(chart_marks.sound(title))
    return (
        f'<svg class="spark" viewBox="0 0 {width} {height}" role="img" aria-label={name}>{drawn}{last}</svg>'
    )


# --- where things lie -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Label:
    x: float
    row: int
    anchor: str


def _laid_out(plot: Plot, width: int) -> tuple[_Paper, list[_Label]]:
    places = places_of(plot)
    low, high = extent(places)
    low = low if plot.x.low is None else plot.x.low
    high = high if plot.x.high is None else plot.x.high
    if any(isinstance(each, Bars) for each in plot.series) and plot.x.low is None:
        # Half a bar of room at both ends.
        gap = _gap(places)
        low, high = low - gap / 2, high + gap / 2
    range_left = range_of(plot, plot.left, right=False)
    range_right = range_of(plot, plot.right, right=True) if plot.right else (0.0, 1.0)
    margin_left = _room(plot.left, range_left)
    margin_right = _room(plot.right, range_right) if plot.right else 18
    x = Scale(low, high, margin_left, width - margin_right)
    labels = _labels(plot, x, width)
    rows = max((label.row for label in labels), default=-1) + 1
    top, bottom = 14.0 + rows * _ROW, float(plot.height - _BOTTOM)
    left = Scale(*range_left, bottom, top)
    return _Paper(plot, width, x, left, Scale(*range_right, bottom, top), top, bottom), labels


def _room(axis: Axis | None, values: tuple[float, float]) -> float:
    if axis is None:
        return 18
    longest = max(len(axis.words(at)) for at in _ticks(axis, *values))
    return max(30, 16 + longest * _CHARACTER)


def _ticks(axis: Axis, low: float, high: float, count: int = 4) -> list[float]:
    if axis.ticks is not None:
        return [at for at in axis.ticks if low - 1e-9 <= at <= high + 1e-9] or [low]
    return round_ticks(low, high, count) or [low]


def _gap(places: Sequence[float]) -> float:
    gaps = [after - before for before, after in itertools.pairwise(places)]
    return min(gaps, default=1.0)


def _labels(plot: Plot, x: Scale, width: int) -> list[_Label]:
    """Return where the label of each upright rule goes: beside its line, in the first row with room."""
    taken: list[tuple[int, float, float]] = []
    found = []
    for rule in (each for each in plot.rules if not each.across):
        long = len(rule.label) * _CHARACTER
        at = x(rule.at)
        choices = [
            (row, anchor, *((at + 5, at + 5 + long) if anchor == "start" else (at - 5 - long, at - 5)))
            for row in range(len(plot.rules) + 1)
            for anchor in ("start", "end")
        ]
        free = [
            choice
            for choice in choices
            if choice[2] >= 0
            and choice[3] <= width
            and all(choice[0] != row or choice[3] < a or choice[2] > b for row, a, b in taken)
        ]
        row, anchor, start, end = (free or choices)[0]
        taken.append((row, start - 6, end + 6))
        found.append(_Label(at + (5 if anchor == "start" else -5), row, anchor))
    return found


# --- what is drawn ----------------------------------------------------------------------------------


def _axes(paper: _Paper) -> Iterator[str]:
    plot, start, end = paper.plot, paper.x.start, paper.x.end
    for at in _ticks(plot.left, paper.left.low, paper.left.high):
        y = paper.left(at)
        yield f'<line class="g" x1="{_n(start)}" x2="{_n(end)}" y1="{_n(y)}" y2="{_n(y)}"/>'
        yield chart_marks.label(start - 8, y + 4, plot.left.words(at), "end")
    if plot.right:
        for at in _ticks(plot.right, paper.right.low, paper.right.high):
            yield chart_marks.label(end + 8, paper.right(at) + 4, plot.right.words(at), "start")
    ticks = _ticks(plot.x, paper.x.low, paper.x.high, max(2, paper.width // 110))
    longest = max(len(plot.x.words(at)) for at in ticks) * _CHARACTER + 10
    # As many of the marks as have room beside each other.
    every = max(1, math.ceil(len(ticks) * longest / max(end - start, 1)))
    for at in ticks[::every]:
        words = plot.x.words(at)
        half = len(words) * _CHARACTER / 2
        place = min(max(paper.x(at), half), paper.width - half)
        yield chart_marks.label(place, paper.bottom + 17, words, "middle")
    if plot.x.label:
        yield chart_marks.label((start + end) / 2, plot.height - 3, plot.x.label, "middle")


def _regions(paper: _Paper) -> Iterator[str]:
    for region in paper.plot.regions:
        start, end = sorted((paper.x(region.start), paper.x(region.end)))
        if end > start:
            yield (
                f'<rect class="r-{region.kind}" x="{_n(start)}" y="{_n(paper.top)}" width="{_n(end - start)}"'
                f' height="{_n(paper.bottom - paper.top)}"><title>{_text(region.label)}</title></rect>'
            )


def _series(paper: _Paper, series: Series) -> Iterator[str]:
    match series:
        case Line():
            yield from _line(paper, series)
        case Bars():
            yield from _bars(paper, series)
        case Dots():
            yield from _dots(paper, series)


def _line(paper: _Paper, series: Line) -> Iterator[str]:
    y = paper.y(series)
    for run in chart_marks.runs(series.points):
        ranged = [point for point in run if is_number(point.low) and is_number(point.high)]
        if len(ranged) > 1:
            upper = [(paper.x(point.x), y(point.high or 0.0)) for point in ranged]
            lower = [(paper.x(point.x), y(point.low or 0.0)) for point in ranged]
            edge = chart_marks.corners(upper, stepped=series.stepped)
            back = chart_marks.corners(lower, stepped=series.stepped)[::-1]
            yield f'<path class="band t{series.tone}" d="{chart_marks.path([*edge, *back])}Z"/>'
        places = [(paper.x(point.x), y(point.y or 0.0)) for point in run]
        if len(places) > 1:
            through = chart_marks.path(chart_marks.corners(places, stepped=series.stepped))
            yield f'<path class="l{series.tone}" d="{through}"/>'
        if series.marked or len(places) == 1:
            yield from (chart_marks.marker(series.tone, px, py, 4) for px, py in places)


def _bars(paper: _Paper, series: Bars) -> Iterator[str]:
    y = paper.y(series)
    beside = [each for each in paper.plot.series if isinstance(each, Bars)]
    gap = _gap(places_of(paper.plot))
    whole = abs(paper.x(paper.x.low + gap) - paper.x(paper.x.low)) * 0.72
    wide = min(max(whole / len(beside), 1.0), 60.0)
    shift = (beside.index(series) - (len(beside) - 1) / 2) * wide
    for point in series.points:
        if not is_number(point.y):
            continue
        x, top, zero = paper.x(point.x) + shift, y(point.y or 0.0), y(0.0)
        doubtful = " doubtful" if point.doubtful else ""
        yield (
            f'<rect class="b{series.tone}{doubtful}" x="{_n(x - wide / 2)}" y="{_n(min(top, zero))}"'
            f' width="{_n(wide)}" height="{_n(abs(zero - top))}"/>'
        )
        yield chart_marks.error_bar(point, x, y)


def _dots(paper: _Paper, series: Dots) -> Iterator[str]:
    y = paper.y(series)
    most = max((point.n or 0 for point in series.points), default=0)
    for point in series.points:
        if not is_number(point.y):
            continue
        x = paper.x(point.x)
        size = 3.5 + 5.5 * math.sqrt((point.n or 0) / most) if series.sized and most else 4.5
        state = (" hollow" if series.hollow else "") + (" doubtful" if point.doubtful else "")
        yield chart_marks.error_bar(point, x, y)
        yield chart_marks.marker(series.tone, x, y(point.y or 0.0), size, state)


def _rules(paper: _Paper, labels: Sequence[_Label]) -> Iterator[str]:
    upright = iter(labels)
    for rule in paper.plot.rules:
        if rule.across:
            y = paper.left(rule.at)
            yield (
                f'<g class="rule-{rule.kind}"><line x1="{_n(paper.x.start)}" x2="{_n(paper.x.end)}"'
                f' y1="{_n(y)}" y2="{_n(y)}"/><text x="{_n(paper.x.start + 6)}" y="{_n(y - 5)}">'
                f"{_text(rule.label)}</text></g>"
            )
            continue
        label = next(upright)
        x = paper.x(rule.at)
        yield (
            f'<g class="rule-{rule.kind}"><line x1="{_n(x)}" x2="{_n(x)}"'
            f' y1="{_n(8 + label.row * _ROW)}" y2="{_n(paper.bottom)}"/>{_crossings(paper, rule, x)}'
            f'<text x="{_n(label.x)}" y="{_n(14 + label.row * _ROW)}" text-anchor="{label.anchor}">'
            f"{_text(rule.label)}</text></g>"
        )


def _crossings(paper: _Paper, rule: Rule, x: float) -> str:
    """Return a marker on each curve where the rule crosses it."""
    if rule.kind not in {"now", "new"}:
        return ""
    return "".join(
        chart_marks.marker(series.tone, x, paper.y(series)(value), 5)
        for series in paper.plot.series
        if isinstance(series, Line) and (value := chart_marks.value_at(series, rule.at)) is not None
    )


def _read_outs(paper: _Paper) -> Iterator[str]:
    """Return a strip for each place: hovering it shows a line there and its values, without any script."""
    places = places_of(paper.plot)
    places = places[:: -(-len(places) // _MOST_READ) or 1]
    at = [paper.x(place) for place in places]
    for number, place in enumerate(places):
        start = paper.x.start if number == 0 else (at[number - 1] + at[number]) / 2
        end = paper.x.end if number == len(at) - 1 else (at[number] + at[number + 1]) / 2
        x = at[number]
        yield (
            f'<g class="hit"><title>{_text(paper.plot.read_out(place))}</title>'
            f'<rect x="{_n(start)}" y="{_n(paper.top)}" width="{_n(max(end - start, 0))}"'
            f' height="{_n(paper.bottom - paper.top)}"/>'
            f'<line x1="{_n(x)}" x2="{_n(x)}" y1="{_n(paper.top)}" y2="{_n(paper.bottom)}"/></g>'
        )
