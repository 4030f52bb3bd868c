"""The template tags: what they draw, and that text of others stays text."""

from __future__ import annotations

import datetime as dt
import re

import pytest
from django.template import Context, Template
from django.template.loader import render_to_string
from django.test import RequestFactory
from django.utils import timezone
from django.utils.safestring import mark_safe
from hypothesis import given
from hypothesis import strategies as st

MOMENT = dt.datetime(2026, 7, 1, 10, 2, 11, tzinfo=dt.UTC)


def draw(source: str, **context: object) -> str:
    return Template("{% load handrail %}" + source).render(Context(context))


def test_an_icon_is_inline_and_hidden_from_screen_readers() -> None:
    svg = draw('{% icon "inbox" "i-lg" %}')
    assert svg.startswith("<svg")
    assert 'class="i i-lg"' in svg
    assert 'aria-hidden="true"' in svg
    assert "style=" not in svg


def test_an_unknown_icon_is_a_dot_and_never_markup() -> None:
    svg = draw("{% icon name %}", name='"><script>alert(1)</script>')
    assert svg == draw('{% icon "circle-dot" %}')


@given(st.text(max_size=60))
def test_visible_text_never_makes_markup_of_its_own(text: str) -> None:
    html = draw("{{ text|visible }}", text=text)
    assert re.findall(r"<(?!/?span\b)", html) == []
    assert html.count("<span") == html.count("</span>") == html.count('<span class="hid" title="U+')


def test_visible_text_names_what_cannot_be_seen() -> None:
    html = draw("{{ text|visible }}", text="a\u202eb\u200b\u200b<img onerror=x>")
    assert html == (
        'a<span class="hid" title="U+202E RIGHT-TO-LEFT OVERRIDE">U+202E</span>b'
        '<span class="hid" title="U+200B ZERO WIDTH SPACE ×2">U+200B ×2</span>&lt;img onerror=x&gt;'
    )


def test_text_that_was_marked_safe_elsewhere_is_escaped_all_the_same() -> None:
    assert draw("{{ text|visible }}", text=mark_safe("<b>x</b>")) == "&lt;b&gt;x&lt;/b&gt;"


def test_json_is_text() -> None:
    assert (
        draw("{{ value|pretty_json }}", value={"a": "<b>"}) == "{\n  &quot;a&quot;: &quot;&lt;b&gt;&quot;\n}"
    )


def test_a_meter_draws_value_and_threshold_by_attributes() -> None:
    html = draw("{% meter 0.71 0.9 %}")
    assert 'aria-label="71%, needs 90%"' in html
    assert 'x2="69.3"' in html
    assert 'x1="86.8"' in html
    assert "fill-warn" in html


def test_a_meter_on_its_threshold_is_not_below_it() -> None:
    assert "fill-warn" not in draw("{% meter 0.9 0.9 %}")


def test_a_blind_item_shows_no_chance() -> None:
    html = draw("{% meter 0.71 0.9 True %}")
    assert "Shown afterwards" in html
    assert "71" not in html


def test_a_chance_without_history_is_no_number() -> None:
    assert "Not enough history" in draw("{% meter None 0.9 %}")
    assert "Not enough history" in draw("{% big_meter None 0.9 %}")


def test_a_time_is_in_the_viewers_zone_with_utc_on_hover() -> None:
    with timezone.override("Europe/Berlin"):
        html = draw('{% local_time at "time" %}', at=MOMENT)
    assert html == (
        '<time datetime="2026-07-01T10:02:11.000Z" title="2026-07-01 10:02:11 UTC" class="num">'
        "12:02:11</time>"
    )


def test_a_deadline_that_is_over_says_so() -> None:
    html = draw("{% due_in at %}", at=timezone.now() - dt.timedelta(minutes=12, seconds=5))
    assert "due-late" in html
    assert ">12 min late</time>" in html


@pytest.mark.parametrize(
    ("tag", "query"),
    [
        ("{% filter_url why='risk' %}", "?q=a+b&amp;why=risk"),
        ("{% filter_url q=None %}", "?"),
        ("{% page_url 'after' 'n2' %}", "?q=a+b&amp;after=n2"),
    ],
)
def test_a_filter_keeps_the_others_and_goes_back_to_the_first_page(tag: str, query: str) -> None:
    assert draw(tag, request=RequestFactory().get("/inbox/?q=a+b&after=n1")) == query


@pytest.mark.parametrize("status", [400, 403, 404, 413, 500, 503])
def test_an_error_page_needs_neither_request_nor_database(status: int) -> None:
    html = render_to_string(f"errors/{status}.html")
    assert f">{status}</p>" in html
    assert 'href="/"' in html
