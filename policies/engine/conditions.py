"""Conditions in CEL, the Common Expression Language: compiled when saved, bounded when run.

Compilation raises `InvalidCondition` with line and column. A run answers True or False, or raises
`ConditionFailed`: a missing field, a wrong type, a result that is no bool, too much work. The caller turns
that into a review. There is no clock and no randomness among the functions.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType

import cel

from policies.engine.condition_source import (
    PROVENANCE,
    InvalidCondition,
    Profile,
    fail_at,
    offset_of_name,
    profile,
)
from policies.engine.provenance import Provenance

__all__ = [
    "VARIABLES",
    "Condition",
    "ConditionFailed",
    "InvalidCondition",
    "Values",
    "compile_condition",
    "prepare",
]

# Each variable and its fields; None where the fields are those of the operator, the agent or its platform.
VARIABLES: Mapping[str, frozenset[str] | None] = MappingProxyType(
    {
        "args": None,
        "agent": frozenset({"name", "version", "known_version"}),
        "action": frozenset({"type", "title", "risk", "irreversible", "widens_rights"}),
        "subject": frozenset(),
        "conversation": frozenset({"id", "messages"}),
        "environment": frozenset(),
        "mode": frozenset(),
        "confidence": frozenset(),
        "judge": frozenset(),
        # The share of the agent's own samples that propose the same; null where it sent none.
        "samples": frozenset(),
        "context": None,
        # The measures that the policy declares; see Condition.check_measures.
        "history": None,
    }
)

# About 0.4 microseconds a step were measured: the bound keeps an ordinary condition well under a tenth of a
# second.
MAX_STEPS = 100_000

_METHODS = frozenset({"contains", "startsWith", "endsWith", "matches"})
_FUNCTIONS = (
    frozenset({"size", "string", "int", "uint", "double", "bytes", "duration", "timestamp", "type", "dyn"})
    | _METHODS
    | PROVENANCE
    | frozenset(
        {
            "getFullYear",
            "getMonth",
            "getDate",
            "getDayOfMonth",
            "getDayOfWeek",
            "getDayOfYear",
            "getHours",
            "getMinutes",
            "getSeconds",
            "getMilliseconds",
        }
    )
)
_TYPES = frozenset({"int", "uint", "double", "string", "bytes", "bool", "list", "map", "null_type", "type"})
_PARSE_ERROR = re.compile(r"ERROR: <input>:(\d+):(\d+): (?:Syntax error: )?([^\n]*)")
_UNKNOWN_PROVENANCE = re.compile(r"UnknownProvenance: ([^.]*)")
_CALL = re.compile(r"\A[A-Za-z]")


class ConditionFailed(Exception):
    """The condition gave no answer for these values; the message says why in plain words."""


@dataclass(frozen=True)
class Values:
    """Values made ready once for any number of conditions; `longest` is their longest list or object."""

    context: cel.Context
    longest: int


def prepare(variables: Mapping[str, object], *, longest: int, provenance: Provenance | None = None) -> Values:
    """Return the values ready for conditions, or raise `ConditionFailed`. This is the dear part of a run.

    `provenance` answers where values come from; without it a condition that asks gives no answer.
    """
    try:
        context = cel.Context(dict(variables))
        if provenance is not None:
            for name in PROVENANCE:
                context.add_function(name, getattr(provenance, name))
        return Values(context=context, longest=longest)
    except (KeyboardInterrupt, SystemExit, GeneratorExit):
        raise
    except BaseException as error:
        raise ConditionFailed(_plain(error)) from error


@dataclass(frozen=True)
class Condition:
    """A compiled condition. It keeps no state: one object may serve any number of threads."""

    source: str
    program: cel.Program
    profile: Profile
    uses: frozenset[str]
    measures: frozenset[str] = frozenset()
    asks_provenance: bool = False

    def check_measures(self, declared: frozenset[str]) -> None:
        """Raise `InvalidCondition` at the first measure that is not among those declared."""
        for name, offset in _measures_read(self.source, self.profile).items():
            if name not in declared:
                known = ", ".join(sorted(declared)) or "none"
                raise fail_at(self.source, offset, f"there is no measure {name}; declared: {known}")

    def holds(self, values: Values) -> bool:
        """Return whether the condition is true of these values, or raise `ConditionFailed`."""
        if self.profile.loop_nesting and self.profile.steps(values.longest) > MAX_STEPS:
            raise ConditionFailed("the lists in the arguments are too long for its loops")
        try:
            result = self.program.execute(values.context)
        except (KeyboardInterrupt, SystemExit, GeneratorExit):
            raise
        except BaseException as error:
            # A panic inside the extension arrives as a BaseException, and must not pass either.
            raise ConditionFailed(_plain(error)) from error
        if not isinstance(result, bool):
            raise ConditionFailed(f"its result is not true or false but {type(result).__name__}")
        return result


@lru_cache(maxsize=2_048)
def compile_condition(source: str) -> Condition:
    """Return the compiled condition, cached by its text, or raise `InvalidCondition` with the place."""
    known = profile(source, variables=VARIABLES)
    try:
        program = cel.compile(source)
    except (KeyboardInterrupt, SystemExit, GeneratorExit):
        raise
    except BaseException as error:
        raise _parse_failure(error) from error
    _check_names(source, program, known)
    names = frozenset(program.variables())
    condition = Condition(
        source=source,
        program=program,
        profile=known,
        uses=names & VARIABLES.keys(),
        measures=frozenset(_measures_read(source, known)),
        asks_provenance=not PROVENANCE.isdisjoint(program.functions()),
    )
    if not names and not condition.asks_provenance:
        _check_constant(condition)
    _check_patterns(source, known)
    return condition


def _check_names(source: str, program: cel.Program, known: Profile) -> None:
    unknown = set(program.variables()) - VARIABLES.keys() - known.bound - _TYPES
    if unknown:
        first = min(unknown, key=lambda name: offset_of_name(known.tokens, name))
        names = ", ".join(VARIABLES)
        offset = offset_of_name(known.tokens, first)
        raise fail_at(source, offset, f"there is no variable {first}; there are {names}")
    for name in program.functions():
        if _CALL.match(name) and name not in _FUNCTIONS:
            raise fail_at(source, offset_of_name(known.tokens, name), f"there is no function {name}")


def _measures_read(source: str, known: Profile) -> dict[str, int]:
    """Return the measures that the text reads with where they first stand; no other use of them is taken."""
    tokens = known.tokens
    found: dict[str, int] = {}
    for at, token in enumerate(tokens):
        if token.text != "history" or token.kind != "name" or (at and tokens[at - 1].text == "."):
            continue
        if len(tokens) <= at + 2 or tokens[at + 1].text != "." or tokens[at + 2].kind != "name":
            raise fail_at(source, token.offset, "history is read by name: history.<measure>")
        found.setdefault(tokens[at + 2].text, tokens[at + 2].offset)
    return found


def _check_constant(condition: Condition) -> None:
    try:
        condition.holds(prepare({}, longest=0))
    except ConditionFailed as failure:
        raise InvalidCondition(f"it can never be checked: {failure}") from failure


def _check_patterns(source: str, known: Profile) -> None:
    for at, token in enumerate(known.tokens[:-2]):
        if token.text != "matches" or known.tokens[at + 1].text != "(":
            continue
        literal = known.tokens[at + 2]
        try:
            cel.evaluate(f"''.matches({literal.text})")
        except RuntimeError as error:
            raise fail_at(source, literal.offset, f"{literal.text} is no usable pattern") from error


def _parse_failure(error: BaseException) -> InvalidCondition:
    found = _PARSE_ERROR.search(str(error))
    if found is None:
        return InvalidCondition("it cannot be read as CEL")
    line, column, text = int(found[1]), int(found[2]), found[3]
    text = text.split(" expecting ")[0]
    text = re.sub(r"(?:mismatched|extraneous) input '<EOF>'", "the text ends too early", text)
    text = re.sub(r"(?:mismatched|extraneous) input", "did not expect", text)
    text = re.sub(r"token recognition error at:", "cannot read", text)
    return InvalidCondition(text.strip(), line=line, column=column)


def _plain(error: BaseException) -> str:
    """Return what went wrong without the library's advice; argument text in it is cut short."""
    if isinstance(error, KeyError):
        return f"there is no field {str(error)[:80]}"
    if isinstance(error, ZeroDivisionError):
        return "it divides by zero"
    if isinstance(error, OverflowError):
        return "a number became too large"
    if isinstance(error, TypeError):
        return "two values of different kinds cannot be compared or combined"
    unknown = _UNKNOWN_PROVENANCE.search(str(error))
    if unknown is not None:
        return unknown[1]
    return "it could not be worked out (" + str(error).split("\n")[0].split(". ")[0][:120] + ")"
