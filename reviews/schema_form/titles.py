"""Sentence titles of actions: `Refund {amount|money:currency} to {customer.name}`.

A place is a dotted path into the arguments, then filters: `money` (with a currency, by path or by code),
`cents` (the same from minor units), `upper`, `count`, `truncate` (with a length). `{{` and `}}` are braces.
Arguments are hostile text: characters that cannot be seen, or that turn the line around, become U+FFFD.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation
from functools import lru_cache

from .document import MISSING, JsonValue, Maybe, Missing, find

LONGEST_TITLE = 160
LONGEST_VALUE = 80
ABSENT = "…"

_FILTERS = {
    "money": True,
    "cents": True,
    "upper": False,
    "count": False,
    "truncate": True,
}  # takes an argument?
_SYMBOLS = {"EUR": "€", "USD": "$", "GBP": "£", "JPY": "¥"}
_NO_MINOR_UNIT = {"JPY", "KRW", "CLP", "ISK", "VND"}
_PIECE = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]|[^{}]+")
_PATH = re.compile(r"[^\s.|:{}]+(\.[^\s.|:{}]+)*")
# Letters by category that show nothing: fillers and the braille blank.
_BLANKS = frozenset("\u115f\u1160\u3164\uffa0\u2800\u034f\u17b4\u17b5")


@dataclass(frozen=True)
class _Place:
    path: tuple[str, ...]
    filters: tuple[tuple[str, str], ...]


class _Broken(ValueError):
    """The template says something that titles cannot do."""


def check_title_template(template: str) -> list[str]:
    """Return what is wrong with a template, for the person who wrote it; an empty list where nothing is."""
    problems: list[str] = []
    if not template.strip():
        return ["The title is empty."]
    if len(template) > LONGEST_TITLE * 2:
        problems.append(f"The title is longer than {LONGEST_TITLE * 2} characters.")
    for match in _PIECE.finditer(template):
        try:
            _piece(match)
        except _Broken as problem:
            problems.append(str(problem))
    return problems


def render_title(template: str, arguments: JsonValue, *, fallback: str) -> str:
    """Return a one-line title of at most 160 characters. Never raises: a broken template is the fallback."""
    try:
        pieces = _pieces(template)
    except _Broken:
        return visible_line(fallback, LONGEST_TITLE)
    parts = [part if isinstance(part, str) else _filled(part, arguments) for part in pieces]
    return visible_line("".join(parts), LONGEST_TITLE) or visible_line(fallback, LONGEST_TITLE)


def visible_line(text: str, longest: int) -> str:
    """Return a text as one line in which nothing is hidden, cut with an ellipsis."""
    spaced = " ".join(text[: longest * 8].split())
    return _cut(spaced if spaced.isascii() and spaced.isprintable() else _made_visible(spaced), longest)


def _made_visible(spaced: str) -> str:
    shown: list[str] = []
    marks = 0
    for character in spaced:
        category = unicodedata.category(character)
        marks = marks + 1 if category in {"Mn", "Me"} else 0
        if marks > 2:
            continue  # stacked accents cover the lines around them
        hidden = character in _BLANKS or category in {"Cc", "Cf", "Cs", "Co", "Cn"}
        if hidden and shown and shown[-1] == "\ufffd":
            continue
        shown.append("\ufffd" if hidden else character)
    return "".join(shown)


def _cut(line: str, longest: int) -> str:
    return line if len(line) <= longest else line[: longest - 1].rstrip() + "…"


@lru_cache(maxsize=512)
def _pieces(template: str) -> tuple[str | _Place, ...]:
    """Return a template's texts and places in their order. Raises ``_Broken``."""
    return tuple(_piece(match) for match in _PIECE.finditer(template))


def _piece(match: re.Match[str]) -> str | _Place:
    text = match.group()
    if text in {"{{", "}}"}:
        return text[0]
    if text in {"{", "}"}:
        raise _Broken(f"A “{text}” without its partner; write “{text * 2}” for the character itself.")
    inside = match.group(1)
    return text if inside is None else _place(inside)


def _place(inside: str) -> _Place:
    path, *filters = (part.strip() for part in inside.split("|"))
    if not _PATH.fullmatch(path):
        raise _Broken(f"“{{{inside[:40]}}}” names no field.")
    found: list[tuple[str, str]] = []
    for text in filters:
        name, colon, argument = (part.strip() for part in text.partition(":"))
        if name not in _FILTERS:
            raise _Broken(f"There is no filter “{name[:40]}”; there are {', '.join(_FILTERS)}.")
        if colon and (not _FILTERS[name] or not _PATH.fullmatch(argument)):
            raise _Broken(f"The filter “{name}” does not take “{argument[:40]}”.")
        if name == "truncate" and colon and not re.fullmatch("[1-9][0-9]{0,2}", argument):
            raise _Broken("The filter “truncate” takes a number from 1 to 999.")
        found.append((name, argument))
    return _Place(tuple(path.split(".")), tuple(found))


def _filled(place: _Place, arguments: JsonValue) -> str:
    value = find(arguments, place.path)
    longest = LONGEST_VALUE
    for name, argument in place.filters:
        if name in {"money", "cents"}:
            value = _money(value, _currency(argument, arguments), minor=name == "cents")
        elif name == "count":
            value = len(value) if isinstance(value, list | dict) else MISSING
        elif name == "upper":
            value = _text(value).upper()
        else:
            longest = int(argument or 40)
    return visible_line(_text(value), longest)


def _text(value: Maybe) -> str:
    if isinstance(value, Missing) or value is None or isinstance(value, Mapping):
        return ABSENT
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str):
        return value if value.strip() else ABSENT
    if isinstance(value, int | float):
        return _number(value)
    return ", ".join(_text(item) for item in value[:10]) + (", …" if len(value) > 10 else "") or ABSENT


def _number(value: int | float) -> str:
    if isinstance(value, int):
        return f"{value:d}" if abs(value) < 10**60 else ABSENT
    return f"{value:.0f}" if value.is_integer() and abs(value) < 10**15 else repr(value)


def _currency(argument: str, arguments: JsonValue) -> str:
    named = find(arguments, tuple(argument.split("."))) if argument else MISSING
    code = named if isinstance(named, str) else argument
    return code.upper() if re.fullmatch("[A-Za-z]{3}", code) else ""


def _money(value: Maybe, currency: str, *, minor: bool) -> Maybe:
    """Return an amount with its currency; what is no finite number stays as it was."""
    places = 0 if currency in _NO_MINOR_UNIT else 2
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return value
    try:
        amount = Decimal(str(value).strip())
        if not amount.is_finite() or abs(amount) >= 10**15:
            return value
        amount = amount.scaleb(-places) if minor else amount
        exact = amount.quantize(Decimal(1).scaleb(-places), rounding=ROUND_HALF_EVEN)
    except (InvalidOperation, ValueError):
        return value
    # More digits than the currency has would be rounded away: show what the agent wrote.
    figure = f"{exact:,f}" if exact == amount else f"{amount:f}"[:LONGEST_VALUE]
    if currency in _SYMBOLS:
        sign, digits = ("-", figure[1:]) if figure.startswith("-") else ("", figure)
        return f"{sign}{_SYMBOLS[currency]}{digits}"
    return f"{figure} {currency}".strip()


def fields_of(template: str) -> Sequence[str]:
    """Return the dotted paths a template uses, for a check against the declared schema."""
    places = (match.group(1) for match in _PIECE.finditer(template) if match.group(1) is not None)
    return [text.split("|")[0].strip() for text in places]
