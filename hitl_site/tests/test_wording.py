"""Numbers and times in words."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest
from django.template import Context, Template
from django.utils import translation

from hitl_site.lib import wording
from hitl_site.lib.wording import DueState
from hitl_site.templatetags import handrail

NOW = dt.datetime(2026, 7, 1, 12, 0, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 s"),
        (38.9, "38 s"),
        (60, "1 min"),
        (70, "1 min 10 s"),
        (125.5, "2 min 05 s"),
        (599, "9 min 59 s"),
        (601, "10 min"),
        (3599, "59 min"),
        (3600, "1 h"),
        (4200, "1 h 10 min"),
        (7500, "2 h 05 min"),
        (86_400, "1 day"),
        (100_800, "1 day 4 h"),
        (8 * 86_400 + 3600, "8 days"),
        (-720, "12 min"),
    ],
)
def test_a_duration_is_said_in_two_units_at_most(seconds: float, words: str) -> None:
    assert wording.duration(seconds) == words


def test_what_is_not_there_is_a_dash_and_no_error() -> None:
    assert wording.number(None) == wording.number("") == "—"
    assert Template("{% load handrail %}{{ nowhere.to_be|number }}").render(Context()) == "—"


@pytest.mark.parametrize(
    ("minutes_left", "state", "text"),
    [
        (26, DueState.OK, "26 min"),
        (25, DueState.SOON, "25 min"),
        (11, DueState.SOON, "11 min"),
        (10, DueState.URGENT, "10 min"),
        (3.5, DueState.URGENT, "3 min"),
        (0.5, DueState.URGENT, "30 s"),
        (0, DueState.LATE, "0 s late"),
        (-1.5, DueState.LATE, "1 min late"),
        (-12, DueState.LATE, "12 min late"),
    ],
)
def test_a_deadline_has_four_states_by_the_share_of_its_time(
    minutes_left: float, state: DueState, text: str
) -> None:
    due_at = NOW + dt.timedelta(minutes=minutes_left)
    shown = wording.due_time(due_at=due_at, opened_at=due_at - dt.timedelta(minutes=100), now=NOW)
    assert (shown.state, shown.text) == (state, text)


def test_a_deadline_before_its_own_beginning_is_not_a_division_by_zero() -> None:
    due_at = NOW + dt.timedelta(minutes=1)
    assert wording.due_time(due_at=due_at, opened_at=due_at, now=NOW).state == DueState.URGENT


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [
        (0.71, 0, "71%"),
        (1, 0, "100%"),
        (0, 0, "0%"),
        (0.999, 0, "over 99%"),
        (0.994, 0, "99%"),
        (0.001, 0, "under 1%"),
        (0.0012, 1, "0.1%"),
        (0.9996, 1, "over 99.9%"),
        (Decimal("0.125"), 1, "12.5%"),
        (None, 0, "—"),
    ],
)
def test_only_a_whole_is_a_hundred_percent(value: float | Decimal | None, digits: int, text: str) -> None:
    assert wording.percent(value, digits) == text


@pytest.mark.parametrize(
    ("value", "currency", "text"),
    [
        (184, "EUR", "€184.00"),
        ("12.5", "EUR", "€12.50"),
        (Decimal("-1840"), "USD", "−$1,840.00"),
        (1200, "JPY", "¥1,200"),
        (9, "CHF", "9.00 CHF"),
        ("about ten", "EUR", "about ten"),
        (None, "EUR", "—"),
    ],
)
def test_money_carries_its_currency_and_text_is_left_alone(
    value: float | Decimal | str | None, currency: str, text: str
) -> None:
    assert wording.money(value, currency) == text


def test_infinity_and_not_a_number_do_not_break_a_page() -> None:
    assert wording.money("Infinity") == "Infinity"
    assert wording.money("NaN") == "NaN"
    assert wording.percent(float("nan")) == "—"


@pytest.mark.parametrize(
    ("name", "letters"),
    [("Jonas Trautner", "JT"), ("ana.ruiz", "AR"), ("mira", "MI"), ("", "?"), ("  ", "?"), ("a b c", "AC")],
)
def test_initials_are_one_or_two_letters(name: str, letters: str) -> None:
    assert wording.initials(name) == letters


def test_german_figures_have_their_own_marks() -> None:
    with translation.override("de"):
        assert wording.number(1840) == "1.840"
        assert wording.number(1840.5, 2) == "1.840,50"
        assert wording.percent(0.71) == "71\N{NO-BREAK SPACE}%"
        assert wording.percent(0.125, 1) == "12,5\N{NO-BREAK SPACE}%"
        assert wording.percent(0.999) == "über 99\N{NO-BREAK SPACE}%"
        assert wording.money(Decimal("-1840")) == "−1.840,00\N{NO-BREAK SPACE}€"
        assert wording.money(9, "CHF") == "9,00\N{NO-BREAK SPACE}CHF"


def test_german_times_have_their_own_words() -> None:
    moment = dt.datetime(2026, 11, 23, 14, 10, tzinfo=dt.UTC)
    with translation.override("de"):
        assert wording.duration(70) == "1 Min. 10 Sek."
        assert wording.duration(187_200) == "2 Tage 4 Std."
        assert wording.due_time(due_at=NOW - dt.timedelta(hours=1), opened_at=None, now=NOW).text == (
            "1 Std. zu spät"
        )
        assert ">23. Nov. 2026, 14:10<" in handrail.local_time(moment)
        assert handrail.day(moment) == "23. Nov."
    assert ">23 Nov 2026, 14:10<" in handrail.local_time(moment)
    assert handrail.day(moment) == "23 Nov"


def test_what_is_kept_is_written_alike_in_every_language() -> None:
    with translation.override("de"):
        assert wording.plain_number(1840) == "1,840"
