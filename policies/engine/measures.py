"""Measures of the past: how often, or how much in sum, over a window of time.

A measure makes a hundred small refunds visible as one large one. Here stands what a policy can declare
and what the action being judged adds; the past itself is asked by whoever calls the engine.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from decimal import Decimal
from enum import StrEnum

from policies.engine.documents import value_at
from policies.engine.faults import (
    PolicyError,
    code_faults,
    member,
    pointer_faults,
    repeated,
    unknown_keys,
    whole_number_faults,
)

MAX_MEASURES = 10
MAX_ACTION_TYPES = 20
LONGEST_WINDOW = 90 * 86_400
WHOSE = ("agent", "subject", "conversation")
_LONGEST_NAME = 120
# What counts as an amount where it is written as a text.
AMOUNT_TEXT = r"-?[0-9]{1,30}(\.[0-9]{1,30})?"
_AMOUNT = re.compile(AMOUNT_TEXT, re.ASCII)
# Words that CEL keeps for itself: `history.in` could never be written.
_RESERVED = frozenset(
    {"as", "break", "const", "continue", "else", "false", "for", "function", "if", "import", "in", "let"}
    | {"loop", "namespace", "null", "package", "return", "true", "var", "void", "while"}
)


class MeasureFunction(StrEnum):
    """What a measure makes of the actions in its window."""

    COUNT = "count"
    SUM = "sum"


@dataclass(frozen=True, kw_only=True)
class Measure:
    """One measure. Rules read it as ``history.<name>``; the action being judged is part of it.

    `of` says whose past is meant: that of the ``agent``, the ``subject``, the ``conversation``, or of every
    action that has the same value at a JSON pointer into the arguments. `pointer` names the number that a sum
    adds up. Without `action_types` the measure sees this action type alone.
    """

    name: str
    of: str
    function: MeasureFunction
    window_seconds: int
    pointer: str = ""
    action_types: tuple[str, ...] = ()

    def to_document(self) -> dict[str, object]:
        """Return the measure as JSON values."""
        return {
            "name": self.name,
            "of": self.of,
            "function": self.function.value,
            "pointer": self.pointer,
            "window_seconds": self.window_seconds,
            "action_types": list(self.action_types),
        }


@dataclass(frozen=True)
class Unmeasured:
    """Why a measure has no value. A rule that reads it gives no answer, and that holds the action."""

    why: str


def own_share(measure: Measure, *, action_type: str, arguments: object) -> Decimal | Unmeasured:
    """Return what the action being judged adds to a measure: nothing where the measure sees other types."""
    if measure.action_types and action_type not in measure.action_types:
        return Decimal(0)
    if measure.function is MeasureFunction.COUNT:
        return Decimal(1)
    try:
        amount = amount_of(value_at(arguments, measure.pointer))
    except LookupError:
        return Unmeasured(f"the arguments have nothing at {measure.pointer}")
    return Unmeasured(f"at {measure.pointer} is no amount") if amount is None else amount


def amount_of(value: object) -> Decimal | None:
    """Return how much a value is, without its sign; None when it is neither a number nor written as one.

    The sign is left out so that an amount under nothing cannot hide others in a sum.
    """
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return abs(Decimal(repr(value))) if math.isfinite(value) else None
    if isinstance(value, str) and _AMOUNT.fullmatch(value):
        return abs(Decimal(value))
    return None


def measured(earlier: Decimal | Unmeasured, own: Decimal | Unmeasured) -> float | Unmeasured:
    """Return the value that rules read: what was before, and what this action adds."""
    if isinstance(own, Unmeasured):
        return own
    if isinstance(earlier, Unmeasured):
        return earlier
    total = float(earlier + own)
    return total if math.isfinite(total) else Unmeasured("the sum is beyond all numbers")


def read_measures(value: object) -> tuple[object, list[PolicyError]]:
    """Return measures as objects where they can be read, with the faults that `measure_faults` cannot see."""
    if not isinstance(value, list | tuple):
        return value, []
    names = [each.name for each in fields(Measure)]
    measures: list[object] = []
    errors: list[PolicyError] = []
    for index, entry in enumerate(value):
        if not isinstance(entry, Mapping):
            measures.append(entry)
            continue
        errors += unknown_keys(entry, names, ("measures", index))
        listed = entry.get("action_types", ())
        measures.append(
            Measure(
                name=entry.get("name", ""),
                of=entry.get("of", ""),
                function=member(MeasureFunction, entry.get("function")),  # type: ignore[arg-type]  # checked by measure_faults
                window_seconds=entry.get("window_seconds", 0),
                pointer=entry.get("pointer", ""),
                action_types=tuple(listed) if isinstance(listed, list | tuple) else listed,
            )
        )
    return tuple(measures), errors


def measure_faults(measures: object) -> Iterator[PolicyError]:
    """Yield what is wrong with the measures, each with its place."""
    if not isinstance(measures, tuple):
        yield PolicyError("/measures", "a list of measures")
        return
    if len(measures) > MAX_MEASURES:
        yield PolicyError("/measures", f"at most {MAX_MEASURES} measures")
        return
    for index, measure in enumerate(measures):
        if not isinstance(measure, Measure):
            yield PolicyError(f"/measures/{index}", "a measure is an object")
            continue
        yield from _faults_of_measure(measure, f"/measures/{index}")
    names = [getattr(measure, "name", None) for measure in measures]
    for index, name in repeated(names):
        yield PolicyError(f"/measures/{index}/name", f"the name {name} is used twice")


def _faults_of_measure(measure: Measure, at: str) -> Iterator[PolicyError]:
    yield from code_faults(f"{at}/name", measure.name)
    if isinstance(measure.name, str) and measure.name in _RESERVED:
        yield PolicyError(f"{at}/name", f"{measure.name} is a word of CEL; take another name")
    if not isinstance(measure.of, str) or measure.of not in WHOSE:
        for fault in pointer_faults(f"{at}/of", measure.of):
            yield PolicyError(fault.pointer, f"{', '.join(WHOSE)}, or {fault.message}")
    if not isinstance(measure.function, MeasureFunction):
        yield PolicyError(f"{at}/function", f"one of {', '.join(MeasureFunction)}")
    elif measure.function is MeasureFunction.SUM:
        yield from pointer_faults(f"{at}/pointer", measure.pointer)
    elif measure.pointer != "":
        yield PolicyError(f"{at}/pointer", "a count adds up nothing: leave the pointer out")
    yield from whole_number_faults(f"{at}/window_seconds", measure.window_seconds, low=1, high=LONGEST_WINDOW)
    yield from _action_type_faults(measure.action_types, f"{at}/action_types")


def _action_type_faults(names: object, at: str) -> Iterator[PolicyError]:
    if not isinstance(names, tuple) or len(names) > MAX_ACTION_TYPES:
        yield PolicyError(at, f"a list of up to {MAX_ACTION_TYPES} names of action types")
        return
    for index, name in enumerate(names):
        if not isinstance(name, str) or not name.strip() or len(name) > _LONGEST_NAME:
            yield PolicyError(f"{at}/{index}", "the name of an action type")
    for index, name in repeated(names):
        yield PolicyError(f"{at}/{index}", f"{name} is listed twice")
