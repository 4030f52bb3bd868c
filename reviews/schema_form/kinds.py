"""The kinds of controls, and what each of them can show and give back."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable
from enum import StrEnum

from .document import Maybe, storable

LONG_TEXT = 120  # characters; longer texts get a text area


class Kind(StrEnum):
    TEXT = "text"
    TEXTAREA = "textarea"
    NUMBER = "number"
    INTEGER = "integer"
    BOOLEAN = "boolean"
    SELECT = "select"
    RADIO = "radio"
    CHECKBOXES = "checkboxes"
    DATE = "date"
    DATETIME = "datetime"
    TIME = "time"
    EMAIL = "email"
    URL = "url"
    LINES = "lines"
    JSON = "json"
    STATIC = "static"
    GROUP = "group"


TEXTS = frozenset({Kind.TEXT, Kind.TEXTAREA, Kind.DATE, Kind.DATETIME, Kind.TIME, Kind.EMAIL, Kind.URL})
FORMATTED = TEXTS - {Kind.TEXT, Kind.TEXTAREA}  # an empty one is never meant as an empty text
CHOOSING = frozenset({Kind.BOOLEAN, Kind.SELECT, Kind.RADIO})
FORMAT_KINDS = {
    "date": Kind.DATE,
    "date-time": Kind.DATETIME,
    "time": Kind.TIME,
    "email": Kind.EMAIL,
    "uri": Kind.URL,
}


def needs_area(text: str) -> bool:
    return len(text) > LONG_TEXT or "\n" in text or "\r" in text


def is_number(value: Maybe) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_line(value: Maybe) -> bool:
    return (
        isinstance(value, str) and storable(value) and bool(value.strip()) and not re.search("[\r\n]", value)
    )


LINE_ITEMS: dict[str, Callable[[Maybe], bool]] = {
    "string": _is_line,
    "integer": is_number,
    "number": is_number,
}


def _is_date(text: str) -> bool:
    try:
        return dt.date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def fits(kind: Kind, value: Maybe) -> bool:
    """Tell whether a control of this kind can show the value and give it back.

    Browsers clean what they put into some controls: native ones drop what they cannot read, `email` rewrites
    international names, both `email` and `url` trim, and a one-line field drops line ends.
    """
    if kind is Kind.BOOLEAN:
        return isinstance(value, bool)
    if kind in {Kind.NUMBER, Kind.INTEGER}:
        return is_number(value)
    if kind not in TEXTS:
        return True
    if not isinstance(value, str) or not storable(value):
        return False
    if kind is Kind.TEXTAREA:
        return True
    if kind is Kind.DATE:
        return _is_date(value)
    if kind in {Kind.EMAIL, Kind.URL}:
        return value.isascii() and value.isprintable() and value == value.strip() and not needs_area(value)
    return not needs_area(value)
