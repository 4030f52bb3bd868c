"""Charts: valid XML whatever the values, words for everything that is drawn, nothing by colour alone."""

from __future__ import annotations

import math
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest
from django.conf import settings as django_settings
from django.template import Context, Template
from hypothesis import given, settings
from hypothesis import strategies as st

from hitl_site.lib.chart_drawing import NARROW, WIDE, draw, sparkline
from hitl_site.lib.chart_scales import Scale, round_ticks, rounded_up
from hitl_site.lib.charts import (
    Axis,
    Bars,
    Dots,
    Line,
    Plot,
    Point,
    Region,
    Rule,
    Series,
    on_one_scale,
    range_of,
    whole_percent,
)

CURVE = tuple(Point(x=at / 10, y=at * 2.0, low=at * 1.5, high=at * 3.0, n=at) for at in range(11))


def plot(*series: Series, **fields: object) -> Plot:
    return Plot(
        name="held",
        title="Held <by> threshold",
        description='Falls & "rises".',
        series=series or (Line(label="Held", points=CURVE),),
        **fields,  # type: ignore[arg-type]  # a test's own fields of a Plot
    )


def drawn(chart: Plot, *, width: int = WIDE) -> ElementTree.Element:
    svg = draw(chart, width=width)
    assert not re.search(r"\b(?:nan|inf)\b|style=|\son[a-z]+=", svg, re.IGNORECASE)
    return ElementTree.fromstring(svg)


def by_class(svg: ElementTree.Element, name: str) -> list[ElementTree.Element]:
    return [each for each in svg.iter() if name in each.get("class", "").split()]


EVERY_KIND: tuple[Series, ...] = (
    Line(label="Line", points=CURVE),
    Line(label="Steps", points=CURVE, tone=2, stepped=True, marked=True, right=True),
    Bars(label="Bars", points=CURVE, tone=3),
    Dots(label="Dots", points=CURVE, tone=4, hollow=True, sized=True),
)


def test_a_chart_says_what_it_shows_in_a_title_and_a_description() -> None:
    svg = drawn(plot())
    assert svg.get("role") == "img"
    named = {each.get("id"): each.text for each in svg if each.get("id")}
    assert named == {f"held-{WIDE}-t": "Held <by> threshold", f"held-{WIDE}-d": 'Falls & "rises".'}
    assert svg.get("aria-labelledby", "").split() == list(named)


@pytest.mark.parametrize("points", [(), CURVE[:1], CURVE, tuple(Point(x=at, y=3.0) for at in range(4))])
@pytest.mark.parametrize("kind", EVERY_KIND, ids=lambda kind: kind.label)
def test_none_one_many_and_equal_points_are_drawn(kind: Series, points: tuple[Point, ...]) -> None:
    series = type(kind)(label="A", points=points, tone=kind.tone)
    for width in (WIDE, NARROW):
        drawn(plot(series, right=Axis()), width=width)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.floats(0, 1), st.floats() | st.none(), st.floats() | st.none()), max_size=8),
    st.text(max_size=20),
)
def test_any_values_and_words_make_valid_xml(
    values: list[tuple[float, float | None, float | None]], words: str
) -> None:
    points = tuple(Point(x=x, y=y, low=low, high=y, text=words) for x, y, low in values)
    finite = Axis(low=0, high=1)
    drawn(
        plot(
            Line(label=words, points=points),
            Dots(label=words, points=points),
            Bars(label=words, points=points),
            left=finite,
            rules=(Rule(at=0.5, label=words, kind="new"),),
        )
    )


def test_what_is_no_number_is_a_gap_and_never_a_zero() -> None:
    points = (Point(x=0, y=1), Point(x=1, y=2), Point(x=2, y=math.nan), Point(x=3, y=1), Point(x=4, y=1))
    svg = drawn(plot(Line(label="Held", points=points)))
    assert [path.get("d", "").count("L") for path in by_class(svg, "l1")] == [1, 1]
    assert plot(Line(label="Held", points=points)).table.rows[2] == ("2", "—")


def test_each_tone_has_a_marker_of_its_own_beside_its_colour() -> None:
    shapes = []
    for tone in (1, 2, 3, 4):
        (marker,) = by_class(drawn(plot(Dots(label="A", points=CURVE[5:6], tone=tone))), f"m{tone}")
        shapes.append((marker.tag, marker.get("points", "").count(" ")))
    assert len(set(shapes)) >= 3
    style = (Path(django_settings.BASE_DIR) / "static/css/charts.css").read_text(encoding="utf-8")
    css = re.findall(r"\.plot \.l(\d)[^}]*stroke-dasharray: ([\d ]+)", style)
    assert len({dash for _, dash in css}) == 3


def test_the_table_says_every_value_with_its_range_and_its_number_of_cases() -> None:
    chart = plot(
        Line(label="Held", points=CURVE),
        x=Axis(label="Threshold", words=whole_percent),
        left=Axis(words=lambda value: f"{value:.0f} h"),
    )
    assert chart.table.columns == ("Threshold", "Held", "Held, cases")
    assert chart.table.rows[5] == ("50%", "10 h (8 h to 15 h)", "5")
    assert len(chart.table.rows) == 11


def test_a_long_curve_is_thinned_in_the_table_and_keeps_the_places_of_the_rules() -> None:
    points = tuple(Point(x=at / 1000, y=at) for at in range(1000))
    chart = plot(Line(label="Held", points=points), rules=(Rule(at=0.8611, label="Draft"),))
    rows = chart.table.rows
    assert len(rows) <= 62
    assert "861" in {held for _, held in rows}
    assert rows[-1][1] == "999"


def test_hovering_reads_out_every_series_at_a_place() -> None:
    svg = drawn(plot(*EVERY_KIND[:2], x=Axis(label="Threshold", words=whole_percent), right=Axis()))
    strips = [each[0].text for each in by_class(svg, "hit")]
    assert len(strips) == 11
    assert strips[5] == "Threshold 50%: Line 10 (7.50 to 15), 5 cases; Steps 10 (7.50 to 15), 5 cases"


def test_a_place_without_a_value_says_that_nothing_is_known_there() -> None:
    svg = drawn(plot(Line(label="Wrong", points=(Point(x=0, y=None), Point(x=1, y=2)))))
    assert [each[0].text for each in by_class(svg, "hit")] == ["0: no evidence", "1: Wrong 2"]


def test_a_rule_marks_where_it_crosses_the_curves() -> None:
    svg = drawn(plot(rules=(Rule(at=0.55, label="Draft 55%", kind="new"), Rule(at=0.5, label="Now 50%"))))
    (new,) = by_class(svg, "rule-new")
    assert [each.tag for each in new] == ["line", "circle", "text"]
    assert new[-1].text == "Draft 55%"


def test_labels_of_rules_that_stand_close_do_not_lie_on_each_other() -> None:
    rules = tuple(Rule(at=0.50 + number / 1000, label=f"Label number {number}") for number in range(4))
    svg = drawn(plot(rules=rules), width=NARROW)
    places = [(each[-1].get("y"), each[-1].get("text-anchor")) for each in by_class(svg, "rule-now")]
    assert len(set(places)) == 4


def test_a_region_is_named_in_the_picture_and_in_the_legend() -> None:
    chart = plot(regions=(Region(start=0.8, end=1.0, label="No evidence"),))
    (region,) = by_class(drawn(chart), "r-unknown")
    assert region[0].text == "No evidence"
    assert [entry.label for entry in chart.legend] == ["Held", "No evidence"]


def test_small_multiples_share_one_scale() -> None:
    small = Plot(name="a", title="A", description="", series=(Line(label="x", points=CURVE[:3]),))
    shared = on_one_scale([small, plot()])
    assert {range_of(each, each.left, right=False) for each in shared} == {(0.0, 30.0)}
    assert {(each.x.low, each.x.high) for each in shared} == {(0.0, 1.0)}


@pytest.mark.parametrize("values", [[], [1.0], [2.0, 2.0], [1.0, None, math.nan, 3.0]])
def test_a_sparkline_is_valid_with_any_number_of_values(values: list[float | None]) -> None:
    svg = ElementTree.fromstring(sparkline(values, title="Rising & falling"))
    assert svg.get("aria-label") == "Rising & falling"
    assert len(by_class(svg, "l1")) == (1 if values else 0)


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        (0, 1, [0, 0.5, 1]),
        (0, 209, [0, 100, 200]),
        (0.5, 0.99, [0.6, 0.8]),
        (3, 3, [3]),
        (0, 0.03, [0, 0.01, 0.02, 0.03]),
    ],
)
def test_ticks_are_round_and_within_the_range(low: float, high: float, ticks: list[float]) -> None:
    assert round_ticks(low, high, 3) == ticks


def test_the_top_of_an_axis_is_a_round_number_at_or_above_its_values() -> None:
    assert [rounded_up(value) for value in (0, 0.07, 1.0, 209.0, 1001.0)] == [1.0, 0.08, 1.0, 300.0, 1500.0]


def test_a_scale_keeps_what_lies_beyond_it_at_its_edge() -> None:
    scale = Scale(0, 10, 100, 200)
    assert [scale(value) for value in (-5, 0, 5, 50)] == [100, 100, 150, 200]
    assert Scale(3, 3, 100, 200)(3) == 150


def test_the_tag_draws_a_wide_and_a_narrow_picture_and_the_table() -> None:
    html = Template("{% load handrail %}{% plot chart %}").render(Context({"chart": plot()}))
    assert html.count("<svg ") == 2
    assert "&lt;by&gt;" in html
    assert "Show as a table" in html
    assert len(set(re.findall(r'id="([^"]+)"', html))) == html.count(' id="')
