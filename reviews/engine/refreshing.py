"""Refreshing: the same case with other values, so that nobody recognises it and its error is still there.

Numbers of things, names, amounts and dates are replaced, each by the same new value wherever it stands, in
the arguments as in the context. Two values that were equal stay equal and two that differed still differ, so
that what was wrong with the arguments stays wrong at the very same places. Words that say nothing of a person
and the course of the case stay as they were.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Final

from hitl_site.lib.canonical import canonicalize
from hitl_site.lib.strict_json import JsonValue
from hitl_site.lib.textdiff import json_changes
from reviews.engine.fresh_amounts import NoFreshAmounts, Written, fresh_amounts
from reviews.engine.fresh_dates import DAY_IN_WORDS, MOMENT, Shift
from reviews.engine.fresh_draws import Draws
from reviews.engine.fresh_words import Numbers, Words, is_number_of_a_thing

Arguments = dict[str, JsonValue]
_ATTEMPTS: Final = 12
_DIGITS: Final = re.compile(r"[0-9]+")
# A number as people write amounts: with thousands apart, or with decimals, or beside a currency.
_AMOUNT: Final = re.compile(
    r"(?<![\w.,])(?P<before>[€$£] ?)?(?P<number>(?:[0-9]{1,3}(?:,[0-9]{3})+|[0-9]{1,12})(?:\.[0-9]{1,4})?)"
    r"(?P<after> ?(?:[€$£]|(?:EUR|USD|GBP|CHF)\b))?(?!\w|[.,][0-9])"
)


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


_NUMBERS_OF_THINGS: Final = _set("id no nr number code zip postal phone ref reference account")
_COUNTS: Final = _set(
    "quantity qty count age rating percent percentage days nights hours minutes index step page year version "
    "position size rank score probability confidence port"
)
_TIMES: Final = _set("timestamp ts epoch at time created updated")
_SMALL: Final = 10
_LARGE: Final = 10**12


class CannotRefresh(ValueError):
    """This case cannot be given other values that leave it what it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A proposal with all that was said around it. ``expected`` is what was right, None for not to act.

    ``others`` is what else speaks of the same things: the judge's words, the samples.
    """

    arguments: Arguments
    expected: Arguments | None
    context: JsonValue
    reason: str
    subject: str | None
    conversation_id: str
    others: JsonValue
    at: datetime


def refreshed(
    case: Case,
    *,
    key: bytes,
    now: datetime,
    fits: Callable[[Arguments], bool] = lambda _: True,
    kept: frozenset[str] = frozenset(),
) -> Case:
    """Return the case with fresh values as they follow from ``key``, as if it were proposed ``now``.

    ``fits`` says whether arguments may be proposed at all (their schema); ``kept`` are whole texts that are
    never touched, such as the values that a schema lists. Raises ``CannotRefresh``.
    """
    problem = "It holds nothing that could be given another value."
    for attempt in range(_ATTEMPTS):
        try:
            fresh = _Refresher(case, Draws(key + attempt.to_bytes(1, "big")), now, kept).case()
        except NoFreshAmounts as none:
            raise CannotRefresh(str(none)) from None
        if _is_the_same(case, fresh):
            continue
        if not _keeps_its_error(case, fresh):
            problem = "Its error does not survive other values."
        elif fits(fresh.arguments) and (fresh.expected is None or fits(fresh.expected)):
            return fresh
        else:
            problem = "No other values are within the limits of the action type."
    raise CannotRefresh(problem)


def _is_the_same(case: Case, fresh: Case) -> bool:
    return canonicalize(fresh.arguments) == canonicalize(case.arguments)


def _keeps_its_error(case: Case, fresh: Case) -> bool:
    """Say whether what is right and what is proposed differ where they did before, and nowhere else."""
    if case.expected is None or fresh.expected is None:
        return case.expected is fresh.expected is None
    before = [(change.pointer, change.kind) for change in json_changes(case.arguments, case.expected)]
    return before == [
        (change.pointer, change.kind) for change in json_changes(fresh.arguments, fresh.expected)
    ]


class _Refresher:
    """One case with one key. What becomes of each value is decided before anything is replaced."""

    def __init__(self, case: Case, draws: Draws, now: datetime, kept: frozenset[str]) -> None:
        self._case, self._kept = case, kept
        self._shift = Shift(case.at, now)
        self._words, self._numbers = Words(draws), Numbers(draws)
        parts: tuple[JsonValue, ...] = (
            *(case.arguments, case.expected, case.context, case.reason, case.subject, case.others),
        )
        written: list[Written] = []
        for part in parts:
            for member, holder, beside, value in _leaves(part):
                if isinstance(value, str):
                    self._words.note(member, value, beside=beside, holder=holder)
                    written += _amounts_in(value)
                elif _is_amount(member, value):
                    written.append(_written(value))
        self._amounts = fresh_amounts(written, draws)

    def case(self) -> Case:
        case = self._case
        return replace(
            case,
            arguments=self._document(case.arguments),
            expected=self._document(case.expected) if case.expected is not None else None,
            context=self._value(case.context, ""),
            reason=self._text(case.reason),
            subject=self._text(case.subject) if case.subject is not None else None,
            conversation_id=self._text(case.conversation_id),
            others=self._value(case.others, ""),
            at=self._shift.after,
        )

    def _document(self, document: Mapping[str, JsonValue]) -> Arguments:
        return {self._name(name): self._value(value, name) for name, value in document.items()}

    def _name(self, name: str) -> str:
        # A member may be named after a thing: "credit_card_4421486".
        return self._numbered(name) if _DIGITS.search(name) else name

    def _value(self, value: JsonValue, member: str) -> JsonValue:
        if isinstance(value, dict):
            return self._document(value)
        if isinstance(value, list):
            return [self._value(each, member) for each in value]
        if isinstance(value, str):
            return self._text(value)
        if isinstance(value, bool) or value is None:
            return value
        return self._number(value, member)

    def _number(self, value: int | float, member: str) -> int | float:
        last = _last_word(member)
        if isinstance(value, int) and last in _TIMES:
            moved = self._shift.epoch(value)
            if moved is not None:
                return moved
        if isinstance(value, int) and last in _NUMBERS_OF_THINGS:
            run = str(abs(value))
            if len(run) < 3:
                return value
            return int(self._numbers.other(run)) * (-1 if value < 0 else 1)
        if not _is_amount(member, value):
            return value
        new = self._amounts[_written(value).value]
        signed = -new if value < 0 else new
        return int(signed) if isinstance(value, int) else float(signed)

    def _text(self, text: str) -> str:
        if text in self._kept:
            return text
        pieces: list[str] = []
        rest = 0
        for start, end, new in self._dated(text):
            pieces += (self._plain(text[rest:start]), new)
            rest = end
        return "".join((*pieces, self._plain(text[rest:])))

    def _dated(self, text: str) -> Iterator[tuple[int, int, str]]:
        found = [(m.start(), m.end(), self._shift.moment(m)) for m in MOMENT.finditer(text)]
        found += [(m.start(), m.end(), self._shift.day_in_words(m)) for m in DAY_IN_WORDS.finditer(text)]
        at = 0
        for start, end, new in sorted(found):
            if start >= at:
                yield start, end, new
                at = end

    def _plain(self, text: str) -> str:
        pieces: list[str] = []
        rest = 0
        for found in _AMOUNT.finditer(text):
            new = self._amounts.get(_decimal(found["number"]))
            if new is not None:
                pieces += (
                    self._numbered(text[rest : found.start("number")]),
                    _as_written(found["number"], new),
                )
                rest = found.end("number")
        return self._words.replaced("".join((*pieces, self._numbered(text[rest:]))))

    def _numbered(self, text: str) -> str:
        def other(found: re.Match[str]) -> str:
            known = is_number_of_a_thing(text, *found.span())
            return self._numbers.other(found[0]) if known else found[0]

        return _DIGITS.sub(other, text)


def _leaves(
    value: JsonValue, member: str = "", holder: str = "", beside: Mapping[str, JsonValue] | None = None
) -> Iterator[tuple[str, str, Mapping[str, JsonValue], JsonValue]]:
    """Yield every value with the member it stands in, the member that holds that, and what is beside it."""
    if isinstance(value, dict):
        for name, each in value.items():
            yield from _leaves(each, name, member, value)
    elif isinstance(value, list):
        for each in value:
            yield from _leaves(each, member, holder, beside)
    else:
        yield member, holder, beside or {}, value


def _last_word(member: str) -> str:
    words = re.findall(r"[A-Z]?[a-z]+|[A-Z]+", member)
    return words[-1].lower() if words else ""


def _is_amount(member: str, value: JsonValue) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return False
    if _last_word(member) in _NUMBERS_OF_THINGS | _COUNTS | _TIMES:
        return False
    # Small whole numbers are counts, and shares are shares.
    if isinstance(value, int):
        return _SMALL <= abs(value) < _LARGE
    return 1 < abs(value) < _LARGE and -_written(value).value.as_tuple().exponent <= 4  # type: ignore[operator]  # a finite number


def _written(value: JsonValue) -> Written:
    amount = abs(Decimal(repr(value)))
    exponent = amount.normalize().as_tuple().exponent
    assert isinstance(exponent, int)
    decimals = max(0, -exponent)
    return Written(amount, 0 if isinstance(value, int) else decimals)


def _amounts_in(text: str) -> Iterator[Written]:
    """Yield what a text has as an amount: beside a currency, or with two decimals."""
    for found in _AMOUNT.finditer(MOMENT.sub(" ", text)):
        number = found["number"]
        decimals = len(number.partition(".")[2])
        if found["before"] or found["after"] or decimals == 2:
            value = _decimal(number)
            if value >= 1:
                yield Written(value, decimals)


def _decimal(number: str) -> Decimal:
    return Decimal(number.replace(",", ""))


def _as_written(number: str, new: Decimal) -> str:
    decimals = len(number.partition(".")[2])
    return f"{new:,.{decimals}f}" if "," in number else f"{new:.{decimals}f}"
