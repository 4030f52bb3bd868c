"""One value against the right one: a score from 0 to 1, and whether it passes."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from decimal import Context, Decimal
from typing import Final

from datasets.graders.document import Exact, Fits, Ignored, Members, Number, Rule, Similar
from hitl_site.lib.strict_json import JsonValue
from reviews.schema_form.document import MISSING, Maybe
from reviews.schema_form.validation import validate

# Digits enough that neither a double nor its tolerance is rounded where it would decide.
_ARITHMETIC: Final = Context(prec=60, Emin=-5000, Emax=5000, traps=[])
_NUMBER: Final = re.compile(r"[+-]?\d{1,40}(\.\d{1,40})?", re.ASCII)
_GRAM: Final = 3


@dataclass(frozen=True, slots=True)
class Comparison:
    """What came of comparing one value. ``why`` is a plain sentence where it did not pass."""

    passed: bool
    score: float
    why: str = ""


_SAME: Final = Comparison(passed=True, score=1.0)


def compare(rule: Rule, expected: Maybe, got: Maybe) -> Comparison:
    """Judge the value at one place. What is not there equals only what is not there."""
    if isinstance(rule, Ignored):
        return _SAME
    if isinstance(rule, Fits):
        return _fits(rule, got)
    if expected is MISSING or got is MISSING:
        if expected is got:
            return _SAME
        return _differs("It is missing." if got is MISSING else "It should not be there.")
    if isinstance(rule, Number):
        return _numbers(rule, expected, got)
    if isinstance(rule, Similar):
        return _texts(rule, expected, got)
    if isinstance(rule, Members):
        return _members(rule, expected, got)
    return exactly(rule, expected, got)


def exactly(rule: Exact | Number | Similar | Members, expected: JsonValue, got: JsonValue) -> Comparison:
    """Judge by sameness: as canonical JSON has it, 1 and 1.0 are one number and true is none."""
    same = identity(expected, rule.normalise) == identity(got, rule.normalise)
    return _SAME if same else _differs("It differs.")


def identity(value: JsonValue, steps: Sequence[str] = ()) -> Hashable:
    """Return what is equal exactly for values that are the same after normalising their texts."""
    if isinstance(value, dict):
        return ("object", frozenset((name, identity(member, steps)) for name, member in value.items()))
    if isinstance(value, list):
        return ("list", tuple(identity(member, steps) for member in value))
    if isinstance(value, str):
        text = normalised(value, steps)
        number = _number_in(text) if "number" in steps else None
        return ("text", text) if number is None else ("number", number)
    if isinstance(value, bool) or value is None:
        return ("constant", value)
    return ("number", Decimal(repr(value)))


def normalised(text: str, steps: Sequence[str]) -> str:
    """Return the text without the differences that do not matter. The order of the steps does not either."""
    if "casefold" in steps:
        text = text.casefold()
    # Casefolding may take composed letters apart.
    if "nfc" in steps:
        text = unicodedata.normalize("NFC", text)
    return text.strip() if "trim" in steps else text


def similarity(one: str, other: str) -> float:
    """Return Dice's coefficient (Dice 1945) of the texts' trigrams: 1 for the same, 0 for nothing in common.

    It takes time in proportion to the texts, whatever they are, which an edit distance does not.
    """
    if one == other:
        return 1.0
    first, second = _grams(one), _grams(other)
    shared = (first & second).total()
    # Texts that differ are never wholly alike, even where their trigrams happen to be.
    return min(2 * shared / (first.total() + second.total()), 1 - 1e-9)


def _grams(text: str) -> Counter[str]:
    padded = f"\x02{text}\x03"
    return Counter(padded[at : at + _GRAM] for at in range(max(1, len(padded) - _GRAM + 1)))


def _fits(rule: Fits, got: Maybe) -> Comparison:
    if got is MISSING:
        return _differs("It is missing.")
    faults = validate(rule.json_schema, got)
    return _differs(f"It does not fit the schema: {faults[0].message}") if faults else _SAME


def _numbers(rule: Number, expected: JsonValue, got: JsonValue) -> Comparison:
    right, given = _number(expected, rule.normalise), _number(got, rule.normalise)
    if right is None or given is None:
        return exactly(rule, expected, got)
    distance = _ARITHMETIC.abs(_ARITHMETIC.subtract(right, given))
    share = _ARITHMETIC.multiply(Decimal(repr(rule.relative)), _ARITHMETIC.abs(right))
    allowed = max(Decimal(repr(rule.absolute)), share)
    if distance <= allowed:
        return _SAME
    return _differs(f"It is off by {distance:.6g}; {allowed:.6g} is allowed.")


def _texts(rule: Similar, expected: JsonValue, got: JsonValue) -> Comparison:
    if not isinstance(expected, str) or not isinstance(got, str):
        return exactly(rule, expected, got)
    alike = similarity(normalised(expected, rule.normalise), normalised(got, rule.normalise))
    if alike >= rule.threshold:
        return Comparison(passed=True, score=alike)
    return Comparison(passed=False, score=alike, why=f"Alike by {alike:.2f}; {rule.threshold:g} is needed.")


def _members(rule: Members, expected: JsonValue, got: JsonValue) -> Comparison:
    if not isinstance(expected, list) or not isinstance(got, list):
        return exactly(rule, expected, got)
    right = Counter(identity(member, rule.normalise) for member in expected)
    given = Counter(identity(member, rule.normalise) for member in got)
    if right == given:
        return _SAME
    missing, extra = (right - given).total(), (given - right).total()
    score = 2 * (right & given).total() / (right.total() + given.total())
    return Comparison(passed=False, score=score, why=f"{missing} missing, {extra} too many.")


def _number(value: JsonValue, steps: Sequence[str]) -> Decimal | None:
    if isinstance(value, str):
        return _number_in(normalised(value, steps)) if "number" in steps else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    number = Decimal(repr(value))
    return number if number.is_finite() else None


def _number_in(text: str) -> Decimal | None:
    """Return the number that a text writes plainly: "40.00", never "1e9" or "forty"."""
    return Decimal(text) if _NUMBER.fullmatch(text) else None


def _differs(why: str) -> Comparison:
    return Comparison(passed=False, score=0.0, why=why)
