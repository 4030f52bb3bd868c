"""The pictures of the calibration page."""

from __future__ import annotations

from datetime import date, timedelta

from hitl_site.lib.charts import Axis, Dots, Line, Plot, Point, Series, whole_percent
from policies.selectors.calibration import Quality, Week

_FIRST = date(2020, 1, 1)


def reliability(name: str, *, now: Quality, before: Quality | None = None, before_label: str = "") -> Plot:
    """Return what was said against what came true, with the range and size of each bar."""
    series: list[Series] = []
    if before is not None:
        hollow = tuple(Point(x=bar.score, y=bar.right, n=bar.n) for bar in before.bars)
        series.append(Dots(label=before_label, points=hollow, tone=2, hollow=True))
    points = tuple(
        Point(x=bar.score, y=bar.right, low=bar.low, high=bar.high, n=bar.n, doubtful=bar.is_doubtful)
        for bar in now.bars
    )
    label = "Right, 95% range" if before is None else "With the map, 95% range"
    series.append(Dots(label=label, points=points, sized=True))
    return Plot(
        name=name,
        title="Share that was right, by what the score said",
        description="On the dotted line a score says what comes true. Grey dots rest on under 30 labels.",
        series=tuple(series),
        x=Axis(label="What the score said", low=0.0, high=1.0, words=whole_percent),
        left=Axis(low=0.0, high=1.0, words=whole_percent, ticks=(0.0, 0.25, 0.5, 0.75, 1.0)),
        diagonal=True,
        caption="The larger a dot, the more labels. Grey: under 30.",
    )


def drift(weeks: tuple[Week, ...]) -> Plot:
    """Return the calibration error week by week, beside what chance alone would show."""
    return Plot(
        name="drift",
        title="How far the score was off, by week",
        description="The second line is what a perfectly calibrated score of as many labels shows by chance.",
        series=(
            Line(
                label="Off by",
                points=tuple(Point(x=_number(week.begins), y=week.error, n=week.labels) for week in weeks),
                marked=True,
            ),
            Line(
                label="By chance alone",
                points=tuple(Point(x=_number(week.begins), y=week.expected) for week in weeks),
                tone=4,
            ),
        ),
        x=Axis(
            label="Week of",
            words=lambda value: f"{_FIRST + timedelta(days=round(value)):%-d %b}",
            ticks=tuple(_number(week.begins) for week in weeks),
        ),
        left=Axis(low=0.0, words=whole_percent),
    )


def risk_coverage(found: Quality) -> Plot:
    """Return how many go wrong among the most confident share, for every share."""
    return Plot(
        name="coverage",
        title="Share that goes wrong among the most confident",
        description="Left: only the surest actions run alone. Right: all do.",
        series=(Line(label="Wrong", points=tuple(Point(x=x, y=y) for x, y in found.risk_coverage), tone=2),),
        x=Axis(label="Share of actions, surest first", low=0.0, high=1.0, words=whole_percent),
        left=Axis(low=0.0, words=lambda value: f"{value:.1%}"),
    )


def _number(day: date) -> float:
    return float((day - _FIRST).days)
