"""Numbers and times in the words a person reads, in the language in force.

What is stored, exported or compared takes ``plain_number``, which every language writes alike.
static/js/time.js says the same in the browser, with the units that ``units`` gives it.
"""

from __future__ import annotations

import datetime as dt
import math
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Final, NamedTuple

from django.utils.translation import get_language, gettext, pgettext

MISSING = "—"
_SYMBOLS = {"EUR": "€", "USD": "$", "GBP": "£", "JPY": "¥"}
_NO_MINOR_UNIT = frozenset({"JPY", "KRW"})
# How a language that differs from English writes the marks of a figure: DIN 5008 for German.
_MARKS: Final = {"de": str.maketrans(",.", ".,")}
# Kept together at the end of a line: a figure and what it counts.
_NO_BREAK: Final = "\N{NO-BREAK SPACE}"


class DueState(StrEnum):
    """How near a deadline is: over 25% of the time left, over 10%, less, none."""

    OK = "ok"
    SOON = "soon"
    URGENT = "urgent"
    LATE = "late"


@dataclass(frozen=True, slots=True)
class DueTime:
    """A deadline as a reviewer sees it: the moment, the words, and the state they are in."""

    at: dt.datetime
    text: str
    state: DueState


class Units(NamedTuple):
    """What a second, a minute, an hour, one day and several are called after their number."""

    second: str
    minute: str
    hour: str
    day: str
    days: str


def duration(seconds: float) -> str:
    """Return a span of time in at most two units: "38 s", "1 min 10 s", "26 min", "1 h 10 min", "2 days 4 h".

    From ten minutes on seconds say nothing.
    """
    total, unit = int(abs(seconds)), units()
    if total < 60:
        return f"{total} {unit.second}"
    minutes, rest = divmod(total, 60)
    if minutes < 60:
        told = f"{minutes} {unit.minute}"
        return f"{told} {rest:02} {unit.second}" if rest and minutes < 10 else told
    hours, minutes = divmod(minutes, 60)
    if hours < 24:
        return f"{hours} {unit.hour} {minutes:02} {unit.minute}" if minutes else f"{hours} {unit.hour}"
    days, hours = divmod(hours, 24)
    told = f"{days} {unit.day if days == 1 else unit.days}"
    return f"{told} {hours} {unit.hour}" if hours and days < 7 else told


def units() -> Units:
    """Return the units of time in the language in force."""
    return Units(
        second=pgettext("unit of time", "s"),
        minute=pgettext("unit of time", "min"),
        hour=pgettext("unit of time", "h"),
        day=pgettext("unit of time", "day"),
        days=pgettext("unit of time", "days"),
    )


def late(span: str) -> str:
    """Return how a deadline is called that is over for so long: "12 min late"."""
    return gettext("{time} late").format(time=span)


def due_time(*, due_at: dt.datetime, opened_at: dt.datetime | None, now: dt.datetime) -> DueTime:
    """Return how long is left until ``due_at``.

    The state depends on the share of the time given, so an item of four hours turns amber after three.
    Without ``opened_at`` the time given is taken to be an hour. Whole minutes are counted down until the
    last one: a list of deadlines in which every second counts cannot be read.
    """
    left = (due_at - now).total_seconds()
    apart = abs(left)
    whole = duration(apart if apart < 60 else apart - apart % 60)
    if left <= 0:
        return DueTime(due_at, late(whole), DueState.LATE)
    given = (due_at - opened_at).total_seconds() if opened_at else 3600.0
    share = left / given if given > 0 else 0.0
    state = DueState.OK if share > 0.25 else DueState.SOON if share > 0.10 else DueState.URGENT
    return DueTime(due_at, whole, state)


def percent(value: float | Decimal | None, digits: int = 0) -> str:
    """Return a share from 0 to 1 as "71%". Only a whole says "100%", only nothing says "0%"."""
    if value is None:
        return MISSING
    share = float(value)
    if math.isnan(share):
        return MISSING
    step = 10.0 ** -(digits + 2)
    if 0 < share < step / 2:
        return gettext("under {share}").format(share=share_of(step, digits))
    if 1 - step / 2 <= share < 1:
        return gettext("over {share}").format(share=share_of(1 - step, digits))
    return share_of(share, digits)


def share_of(value: float, digits: int = 0) -> str:
    """Return a share as "86%", an axis' way: rounded, never "over 99%"."""
    figure = figures(f"{value:.{digits}%}")
    return figure if get_language() not in _MARKS else f"{figure[:-1]}{_NO_BREAK}%"


def number(value: float | Decimal | str | None, digits: int | None = None) -> str:
    """Return a number with its thousands apart: "1,840". Text, as a template gives for a name that is not
    there, is no number.
    """
    return figures(plain_number(value, digits))


def plain_number(value: float | Decimal | str | None, digits: int | None = None) -> str:
    """Return a number in the same way whatever language is in force, for what is kept or sent."""
    if value is None or isinstance(value, str):
        return MISSING
    return f"{value:,}" if digits is None else f"{value:,.{digits}f}"


def figures(written: str) -> str:
    """Return a figure that is written the English way ("1,840.50") as the language in force writes it."""
    marks = _MARKS.get(get_language() or "")
    return written if marks is None else written.translate(marks)


def money(value: float | Decimal | str | None, currency: str = "EUR", digits: int | None = None) -> str:
    """Return an amount with its currency: "€184.00", "184.00 CHF". Text that is no number is left alone.

    It has as many digits after the mark as the currency has, unless ``digits`` says how many.
    """
    if value is None:
        return MISSING
    try:
        amount = Decimal(str(value))
    except ArithmeticError:
        return str(value)
    if not amount.is_finite():
        return str(value)
    usual = 0 if currency in _NO_MINOR_UNIT else 2
    shown = figures(f"{abs(amount):,.{usual if digits is None else digits}f}")
    sign = "−" if amount < 0 else ""
    symbol = _SYMBOLS.get(currency)
    if get_language() in _MARKS:
        return f"{sign}{shown}{_NO_BREAK}{symbol or currency}"
    return f"{sign}{symbol}{shown}" if symbol else f"{sign}{shown} {currency}"


def currency_marks(currency: str) -> tuple[str, str]:
    """Return what stands before and after an amount of a currency: "€" and "", or "" and "CHF"."""
    symbol = _SYMBOLS.get(currency)
    return (symbol, "") if symbol and get_language() not in _MARKS else ("", symbol or currency)


def initials(name: str) -> str:
    """Return one or two capital letters for a picture of a person: "Jonas Trautner" is "JT"."""
    words = [word for word in name.replace(".", " ").replace("_", " ").replace("-", " ").split() if word]
    if not words:
        return "?"
    letters = words[0][0] + (words[-1][0] if len(words) > 1 else words[0][1:2])
    return letters.upper()
