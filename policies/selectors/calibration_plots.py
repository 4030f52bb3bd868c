"""The pictures of the calibration page."""

from __future__ import annotations

from datetime import date, timedelta

from django.utils import dateformat
from django.utils.translation import gettext, pgettext

from hitl_site.lib import wording
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
    label = gettext("Right, 95% range") if before is None else gettext("With the map, 95% range")
    series.append(Dots(label=label, points=points, sized=True))
    return Plot(
        name=name,
        title=gettext("Share that was right, by what the score said"),
        description=gettext(
            "On the dotted line a score says what comes true. Grey dots rest on under 30 labels."
        ),
        series=tuple(series),
        x=Axis(label=gettext("What the score said"), low=0.0, high=1.0, words=whole_percent),
        left=Axis(low=0.0, high=1.0, words=whole_percent, ticks=(0.0, 0.25, 0.5, 0.75, 1.0)),
        diagonal=True,
        caption=gettext("The larger a dot, the more labels. Grey: under 30."),
    )


def drift(weeks: tuple[Week, ...]) -> Plot:
    """Return the calibration error week by week, beside what chance alone would show."""
    return Plot(
        name="drift",
        title=gettext("How far the score was off, by week"),
        description=gettext(
            "The second line is what a perfectly calibrated score of as many labels shows by chance."
        ),
        series=(
            Line(
                label=gettext("Off by"),
                points=tuple(Point(x=_number(week.begins), y=week.error, n=week.labels) for week in weeks),
                marked=True,
            ),
            Line(
                label=gettext("By chance alone"),
                points=tuple(Point(x=_number(week.begins), y=week.expected) for week in weeks),
                tone=4,
            ),
        ),
        x=Axis(
            label=gettext("Week of"),
            words=_day,
            ticks=tuple(_number(week.begins) for week in weeks),
        ),
        left=Axis(low=0.0, words=whole_percent),
    )


def risk_coverage(found: Quality) -> Plot:
    """Return how many go wrong among the most confident share, for every share."""
    return Plot(
        name="coverage",
        title=gettext("Share that goes wrong among the most confident"),
        description=gettext("Left: only the surest actions run alone. Right: all do."),
        series=(
            Line(
                label=gettext("Wrong"), points=tuple(Point(x=x, y=y) for x, y in found.risk_coverage), tone=2
            ),
        ),
        x=Axis(label=gettext("Share of actions, surest first"), low=0.0, high=1.0, words=whole_percent),
        left=Axis(low=0.0, words=lambda value: wording.share_of(value, 1)),
    )


def _day(value: float) -> str:
    return dateformat.format(_FIRST + timedelta(days=round(value)), pgettext("date", "j M"))


def _number(day: date) -> float:
    return float((day - _FIRST).days)
