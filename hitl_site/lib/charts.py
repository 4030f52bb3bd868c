"""Charts as values: what is drawn, with the words that say the same in the language in force. `chart_drawing`
makes the SVG.

A chart never speaks by colour alone: each of the four tones has its own dash, its own marker, and a name in
the legend. Every chart has a title, a description and a table of its numbers; hovering a place reads them
out. What is not a finite number is a gap, never a zero.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from django.utils.translation import gettext, ngettext

from hitl_site.lib import wording
from hitl_site.lib.chart_scales import extent, is_number, rounded_up

Tone: TypeAlias = Literal[1, 2, 3, 4]
Words: TypeAlias = Callable[[float], str]

# Rows of the table twin; of a longer curve every n-th is shown, and where a rule stands.
MOST_ROWS: Final = 60


def plain(value: float) -> str:
    """Return a number with as many digits as it needs: 1,840 and 0.25."""
    if value == int(value):
        return wording.number(int(value))
    return wording.number(value, 2 if abs(value) < 10 else 0)


def whole_percent(value: float) -> str:
    """Return a share as "86%", an axis' way: never "over 99%"."""
    return wording.share_of(value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One value at one place, with the range it may lie in and the number of cases behind it."""

    x: float
    y: float | None
    low: float | None = None
    high: float | None = None
    n: int | None = None
    # Words of the read-out instead of the value's own.
    text: str = ""
    # Too little behind it: drawn grey and said so.
    doubtful: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A curve through points, with its band where they have a range. ``stepped`` holds until the next."""

    label: str
    points: tuple[Point, ...]
    tone: Tone = 1
    stepped: bool = False
    marked: bool = False
    right: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Bars:
    """Upright bars from zero, with error bars where the points have a range."""

    label: str
    points: tuple[Point, ...]
    tone: Tone = 1
    right: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Dots:
    """Single points, with error bars; ``sized`` by the number of cases, ``hollow`` for what was before."""

    label: str
    points: tuple[Point, ...]
    tone: Tone = 1
    hollow: bool = False
    sized: bool = False
    right: bool = False


Series: TypeAlias = Line | Bars | Dots


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A straight line at a value: upright with a label on top, or ``across`` at a height of the left axis.

    ``kind`` says how it looks: "now" thin and dashed, "new" black, "mark" double dashed, "limit" dashed.
    """

    at: float
    label: str
    kind: Literal["now", "new", "mark", "limit"] = "now"
    across: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Region:
    """A stretch of the lower axis: grey where nothing is known, tinted where something is shown."""

    start: float
    end: float
    label: str
    kind: Literal["unknown", "shown"] = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """An axis: its range (taken from the values where not given), its marks and how a value is said."""

    label: str = ""
    low: float | None = None
    high: float | None = None
    words: Words = plain
    ticks: tuple[float, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """The numbers of a chart; ``asks`` are the queries that mean what is behind each row, if any."""

    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    asks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class LegendEntry:
    """One line of a legend: the sample that stands before the words, by its class."""

    label: str
    sample: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Plot:
    """A chart. ``name`` makes its ids, so it is one word and the only one of its page."""

    name: str
    title: str
    description: str
    series: tuple[Series, ...]
    x: Axis = Axis()
    left: Axis = Axis()
    right: Axis | None = None
    rules: tuple[Rule, ...] = ()
    regions: tuple[Region, ...] = ()
    caption: str = ""
    height: int = 286
    # The thin line from (0, 0) to (1, 1) on which said and seen are equal.
    diagonal: bool = False
    # The query that means what is behind each place, for a page that lists it.
    asks: tuple[tuple[float, str], ...] = ()

    @property
    def table(self) -> Table:
        """Return the numbers as a table: a row for each place, a column for each series."""
        places = _thinned(self)
        found = [{point.x: point for point in each.points} for each in self.series]
        counts = [any(point.n is not None for point in each.points) for each in self.series]
        columns = [self.x.label or gettext("Place")]
        for each, counted in zip(self.series, counts, strict=True):
            columns.append(each.label)
            if counted:
                columns.append(gettext("{series}, cases").format(series=each.label))
        rows = []
        for place in places:
            row = [self.x.words(place)]
            for each, points, counted in zip(self.series, found, counts, strict=True):
                point = points.get(place)
                row.append("" if point is None else self.said(each, point))
                if counted:
                    row.append("" if point is None or point.n is None else wording.number(point.n))
            rows.append(tuple(row))
        behind = dict(self.asks)
        asks = tuple(behind.get(place, "") for place in places) if behind else ()
        return Table(caption=self.title, columns=tuple(columns), rows=tuple(rows), asks=asks)

    @property
    def legend(self) -> tuple[LegendEntry, ...]:
        """Return the names of the series and regions with their samples; a lone series needs none."""
        entries = [LegendEntry(label=each.label, sample=_sample(each)) for each in self.series if each.label]
        entries += [LegendEntry(label=each.label, sample=f"s-{each.kind}") for each in self._regions_once()]
        return tuple(entries) if len(entries) > 1 else ()

    def said(self, series: Series, point: Point) -> str:
        """Return a point's value in words, with its range."""
        if point.text:
            return point.text
        if not is_number(point.y):
            return wording.MISSING
        axis = self.right if series.right and self.right else self.left
        words = axis.words(point.y or 0.0)
        if is_number(point.low) and is_number(point.high):
            low, high = axis.words(point.low or 0.0), axis.words(point.high or 0.0)
            words = gettext("{value} ({low} to {high})").format(value=words, low=low, high=high)
        return words

    def read_out(self, place: float) -> str:
        """Return all values at one place as a sentence."""
        told = []
        for each in self.series:
            for point in each.points:
                if point.x == place and (point.text or is_number(point.y)):
                    said = f"{each.label} {self.said(each, point)}".strip()
                    told.append(said if point.n is None else _counted(said, point.n))
        head = f"{self.x.label} {self.x.words(place)}".strip()
        return f"{head}: {'; '.join(told)}" if told else gettext("{place}: no evidence").format(place=head)

    def _regions_once(self) -> list[Region]:
        return list({each.label: each for each in self.regions if each.label}.values())


def places_of(plot: Plot) -> list[float]:
    """Return each place of the lower axis at which the chart has a value, ascending."""
    return sorted({point.x for each in plot.series for point in each.points if is_number(point.x)})


def range_of(plot: Plot, axis: Axis, *, right: bool) -> tuple[float, float]:
    """Return the range of an upright axis: as given, else from zero to a round number over all values."""
    values: list[float | None] = []
    for each in plot.series:
        if each.right == right:
            for point in each.points:
                values += [point.y, point.low, point.high]
    if not right:
        values += [rule.at for rule in plot.rules if rule.across]
    low, high = extent(values)
    low = min(low, 0.0) if axis.low is None else axis.low
    return low, rounded_up(high) if axis.high is None else axis.high


def on_one_scale(plots: Sequence[Plot]) -> list[Plot]:
    """Return small multiples: the same plots, all with the axes that fit the whole of them."""
    if not plots:
        return []
    lows, highs = zip(*(range_of(plot, plot.left, right=False) for plot in plots), strict=True)
    first, last = extent(place for plot in plots for place in places_of(plot))
    return [
        dataclasses.replace(
            plot,
            left=dataclasses.replace(plot.left, low=min(lows), high=max(highs)),
            x=dataclasses.replace(plot.x, low=first, high=last),
        )
        for plot in plots
    ]


def _counted(said: str, n: int) -> str:
    return ngettext("{said}, {n} case", "{said}, {n} cases", n).format(said=said, n=wording.number(n))


def _thinned(plot: Plot) -> list[float]:
    places = places_of(plot)
    step = -(-len(places) // MOST_ROWS) or 1
    kept = set(places[::step]) | set(places[-1:])
    for rule in plot.rules:
        if not rule.across and places:
            kept.add(min(places, key=lambda place: abs(place - rule.at)))
    return sorted(kept)


def _sample(series: Series) -> str:
    kind = {Line: "line", Bars: "bar", Dots: "dot"}[type(series)]
    hollow = " hollow" if isinstance(series, Dots) and series.hollow else ""
    return f"s-{kind} t{series.tone}{hollow}"
