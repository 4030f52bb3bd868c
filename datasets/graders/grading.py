"""A whole answer against what was right: passed, failed, or why it cannot be graded."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from datasets.graders.comparing import Comparison, compare
from datasets.graders.document import Exact, GraderDocument, Ignored, Rule
from hitl_site.lib.strict_json import JsonValue, pointer_token
from hitl_site.lib.textdiff import json_changes
from reviews.schema_form.document import MISSING, Maybe, index_of, tokens_of
from reviews.schema_form.validation import validate

MOST_PLACES_TOLD: Final = 200


@dataclass(frozen=True, slots=True)
class Expected:
    """What was right: to act like this, or (``arguments`` None) not to act at all."""

    action_type: str
    arguments: JsonValue

    @property
    def should_act(self) -> bool:
        """Say whether anything was to be done."""
        return self.arguments is not None


@dataclass(frozen=True, slots=True)
class Answer:
    """What the agent did with the case. ``error``: it broke down, so that there is no answer."""

    acted: bool
    action_type: str = ""
    arguments: JsonValue = None
    error: str = ""


@dataclass(frozen=True, slots=True)
class Place:
    """One place that was judged; ``changed`` are the differing places below it where it was exact."""

    pointer: str
    compare: str
    passed: bool
    score: float
    why: str = ""
    changed: tuple[str, ...] = ()

    def document(self) -> dict[str, JsonValue]:
        """Return the place as results keep it."""
        return {
            "pointer": self.pointer,
            "compare": self.compare,
            "passed": self.passed,
            "score": self.score,
            "why": self.why,
            "changed": [*self.changed],
        }


@dataclass(frozen=True, slots=True)
class Grade:
    """The judgement. ``passed`` None: it could not be made, and ``why`` says so."""

    passed: bool | None
    score: float | None
    why: str = ""
    places: tuple[Place, ...] = ()

    def document(self) -> dict[str, JsonValue]:
        """Return the detail as results keep it."""
        return {"why": self.why, "places": [place.document() for place in self.places]}


def grade(grader: GraderDocument, expected: Expected, answer: Answer) -> Grade:
    """Judge an answer. It passes where every place does; the score is the mean over the places.

    Where nothing should have been done, doing nothing passes and every act fails. A breakdown fails. Where
    the right answer itself would not pass (it does not fit the grader's schema), nothing can be graded.
    """
    try:
        return _grade(grader, expected, answer)
    except (ValueError, TypeError, ArithmeticError, RecursionError):
        return Grade(passed=None, score=None, why="The answer is not JSON that can be compared.")


def _grade(grader: GraderDocument, expected: Expected, answer: Answer) -> Grade:
    if answer.error:
        return _failed("The agent broke down.")
    if not expected.should_act:
        return _failed("It acted; nothing should have been done.") if answer.acted else _PASSED
    if not answer.acted:
        return _failed("It did nothing.")
    if answer.action_type != expected.action_type:
        return _failed("It chose another action type.")
    if not all(place.passed for place in _places(grader, expected.arguments, expected.arguments)):
        why = "The right answer itself does not pass this grader."
        return Grade(passed=None, score=None, why=why)
    places = tuple(_places(grader, expected.arguments, answer.arguments))
    wrong = sum(not place.passed for place in places)
    score = sum(place.score for place in places) / len(places) if places else 1.0
    why = "" if not wrong else "1 place is wrong." if wrong == 1 else f"{wrong} places are wrong."
    # Failures first: what is told of a huge answer must have them.
    told = sorted(places, key=lambda place: place.passed)[:MOST_PLACES_TOLD]
    return Grade(passed=not wrong, score=score, why=why, places=tuple(told))


_PASSED: Final = Grade(passed=True, score=1.0)


def _failed(why: str) -> Grade:
    return Grade(passed=False, score=0.0, why=why)


def _places(grader: GraderDocument, expected: JsonValue, got: JsonValue) -> Iterator[Place]:
    """Yield what is judged: what each rule names where either side has it, then the rest."""
    right, given = _Holder(expected), _Holder(got)
    # The most specific first: what it took does not count again for the place around it.
    for rule in sorted(grader.fields, key=lambda rule: -rule.pointer.count("/")):
        place = _ruled(rule, right.take(rule.pointer), given.take(rule.pointer))
        if place is not None:
            yield place
    if grader.json_schema is not None:
        faults = validate(grader.json_schema, got)
        why = f"It does not fit the schema: {faults[0].message}" if faults else ""
        passed = not faults
        yield Place("", "schema", passed, float(passed), why, tuple(fault.pointer for fault in faults[:20]))
    if grader.others == "exact":
        yield from _rest(right.left, given.left)


def _ruled(rule: Rule, expected: Maybe, got: Maybe) -> Place | None:
    if isinstance(rule, Ignored) or (expected is MISSING and got is MISSING):
        return None
    found: Comparison = compare(rule, expected, got)
    return Place(rule.pointer, rule.compare, found.passed, found.score, found.why)


def _rest(expected: Maybe, got: Maybe) -> Iterator[Place]:
    """Compare exactly what no rule took: member by member where both are objects."""
    if isinstance(expected, dict) and isinstance(got, dict):
        for name in dict.fromkeys((*expected, *got)):
            yield _exact(pointer_token(name), expected.get(name, MISSING), got.get(name, MISSING))
    elif expected is not MISSING or got is not MISSING:
        yield _exact("", expected, got)


def _exact(pointer: str, expected: Maybe, got: Maybe) -> Place:
    found = compare(Exact(pointer="", compare="exact"), expected, got)
    changed: tuple[str, ...] = ()
    if not found.passed and expected is not MISSING and got is not MISSING:
        changes = json_changes(expected, got)[:20]
        changed = tuple(pointer + change.pointer for change in changes)
    return Place(pointer, "exact", found.passed, found.score, found.why, changed)


class _Holder:
    """A document from which values are taken; what is left keeps its shape.

    A member taken from a list leaves a null: the places behind it must not move.
    """

    def __init__(self, document: JsonValue) -> None:
        self.left: Maybe = copy.deepcopy(document)

    def take(self, pointer: str) -> Maybe:
        """Return the value at a place and take it out; MISSING where there is none."""
        tokens = tokens_of(pointer)
        if not tokens:
            taken, self.left = self.left, MISSING
            return taken
        node: Maybe = self.left
        for token in tokens[:-1]:
            node = _member(node, token)
        last = tokens[-1]
        if isinstance(node, dict):
            return node.pop(last, MISSING)
        if isinstance(node, list):
            found, index = _member(node, last), index_of(last)
            if found is not MISSING and index is not None:
                node[index] = None
            return found
        return MISSING


def _member(node: Maybe, token: str) -> Maybe:
    if isinstance(node, dict):
        return node.get(token, MISSING)
    if isinstance(node, list):
        index = index_of(token)
        return node[index] if index is not None and index < len(node) else MISSING
    return MISSING
