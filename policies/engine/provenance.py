"""Where a value comes from: who named it in the action's own context.

An injected order has a shape: a recipient that only a tool result named, and the user never did. Three
questions tell it. They are made for rules, and a rule can only hold or refuse; so each answers towards that:

- `said`: the user wrote the value. Of several values every one; exactly, since what only looks the same is
  not what the user wrote.
- `seen`: a tool's result holds it. Of several values any one; also as something that looks the same.
- `unseen`: neither the user nor a tool. Of several values any one; exactly.

What counts as the user's: messages of the roles user, human and customer, and `input`. As a tool's: messages
of the roles tool, function, environment and observation, tool results inside any message, and the results of
`steps`. Nothing that the agent itself wrote counts for anything, nor do instructions to it.

The context is sent by the platform that runs the agent, and is as true as that platform makes it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from functools import cached_property

from policies.engine.folding import lookalike, plain
from policies.engine.mentions import Mentions

MAX_TEXT = 1_000_000
MAX_VALUES = 500
# Characters looked through by all questions about one action: about a tenth of a second.
BUDGET = 200_000_000

_USERS = frozenset({"user", "human", "customer"})
_TOOLS = frozenset({"tool", "function", "environment", "observation"})
_RESULTS = ("output", "result", "observation", "response")
_TEXT_PARTS = frozenset({"", "text", "input_text"})
_RESULT_PARTS = ("tool_result", "tool-result", "function_call_output", "function_response")


class Question(StrEnum):
    """The functions, as rules write them."""

    SAID = "said_by_user"
    SEEN = "seen_in_tools"
    UNSEEN = "unseen"


class UnknownProvenance(Exception):
    """It cannot be told where the value comes from; the message says why in plain words."""


class Voice(StrEnum):
    """Who wrote a text of the context. What the agent wrote itself has no voice here."""

    USER = "user"
    TOOL = "tool"


@dataclass(frozen=True)
class Spoken:
    """A text of the context: who wrote it, and in which part (``messages/3``, ``steps/0``, ``input``)."""

    place: str
    voice: Voice
    text: str


@dataclass(frozen=True)
class _Voices:
    """The texts of one context by who wrote them."""

    user: tuple[str, ...]
    tools: tuple[str, ...]


class Provenance:
    """The questions about one action. Its texts are read and folded once, when the first question comes."""

    def __init__(self, context: object) -> None:
        self._context = context
        self._left = BUDGET
        self._answers: dict[tuple[Question, str], bool] = {}

    def said_by_user(self, value: object) -> bool:
        """Return whether the user wrote every single value in this one; False where there is none."""
        leaves = _leaves(value)
        return bool(leaves) and all(self._ask(Question.SAID, leaf) for leaf in leaves)

    def seen_in_tools(self, value: object) -> bool:
        """Return whether a tool's result holds any single value in this one, or what looks like it."""
        return any(self._ask(Question.SEEN, leaf) for leaf in _leaves(value))

    def unseen(self, value: object) -> bool:
        """Return whether some value in this one comes from neither; what holds no value comes from nobody."""
        leaves = _leaves(value)
        return not leaves or any(self._ask(Question.UNSEEN, leaf) for leaf in leaves)

    def _ask(self, question: Question, leaf: str | bool | Decimal) -> bool:
        if isinstance(leaf, bool):
            # Yes and no are in every text, and prove nothing.
            return question is Question.UNSEEN
        key = (question, f"{type(leaf).__name__}:{leaf}")
        if key not in self._answers:
            self._answers[key] = self._answer(question, leaf)
        return self._answers[key]

    def _answer(self, question: Question, leaf: str | Decimal) -> bool:
        if question is Question.SAID:
            return self._names(self._user, leaf, exact=True)
        if question is Question.SEEN:
            looked_for = lookalike(leaf) if isinstance(leaf, str) else leaf
            return self._names(self._tools_as_seen, looked_for, exact=False)
        return not (self._names(self._user, leaf, exact=True) or self._names(self._tools, leaf, exact=True))

    def _names(self, mentions: Mentions, leaf: str | Decimal, *, exact: bool) -> bool:
        self._left -= mentions.size + 1_000
        if self._left < 0:
            raise UnknownProvenance("there is too much to look through for where its values come from")
        if isinstance(leaf, Decimal):
            return mentions.has_number(leaf)
        text = plain(leaf)
        # Where it would take too long to tell a whole word from a part of one, the doubt is answered
        # towards the hold: not said, but seen.
        return mentions.has_text(text, in_doubt=not exact)

    @cached_property
    def _voices(self) -> _Voices:
        return _read(self._context)

    @cached_property
    def _user(self) -> Mentions:
        return Mentions([plain(text) for text in self._voices.user])

    @cached_property
    def _tools(self) -> Mentions:
        return Mentions([plain(text) for text in self._voices.tools])

    @cached_property
    def _tools_as_seen(self) -> Mentions:
        return Mentions([lookalike(text) for text in self._voices.tools])


def _leaves(value: object) -> list[str | bool | Decimal]:
    """Return the single values in a value; what is empty holds none."""
    leaves: list[str | bool | Decimal] = []
    waiting = [value]
    while waiting:
        each = waiting.pop()
        if isinstance(each, Mapping):
            waiting += each.values()
        elif isinstance(each, list | tuple):
            waiting += each
        elif isinstance(each, bool):
            leaves.append(each)
        elif isinstance(each, int | float):
            if not math.isfinite(each):
                raise UnknownProvenance("a number in it is none")
            leaves.append(Decimal(repr(each)))
        elif isinstance(each, str):
            if plain(each):
                leaves.append(each)
        elif each is not None:
            raise UnknownProvenance(f"where a {type(each).__name__} comes from cannot be told")
        if len(leaves) > MAX_VALUES or len(waiting) > 50 * MAX_VALUES:
            raise UnknownProvenance(f"it holds more than {MAX_VALUES} values")
    return leaves


def spoken(context: object) -> Iterator[Spoken]:
    """Yield every text that the user or a tool wrote, with its place in the context."""
    if not isinstance(context, Mapping):
        return
    for text in _said(context.get("input")):
        yield Spoken("input", Voice.USER, text)
    for number, message in enumerate(_items(context.get("messages"))):
        yield from _of_message(f"messages/{number}", message)
    for number, step in enumerate(_items(context.get("steps"))):
        if isinstance(step, Mapping):
            for name in _RESULTS:
                yield from (Spoken(f"steps/{number}", Voice.TOOL, text) for text in _texts(step.get(name)))


def _read(context: object) -> _Voices:
    texts = list(spoken(context))
    if sum(len(each.text) for each in texts) > MAX_TEXT:
        raise UnknownProvenance("the context is too long to tell where its values come from")
    return _Voices(
        user=tuple(each.text for each in texts if each.voice is Voice.USER),
        tools=tuple(each.text for each in texts if each.voice is Voice.TOOL),
    )


def _of_message(place: str, message: object) -> Iterator[Spoken]:
    if not isinstance(message, Mapping):
        return
    role = str(message.get("role", "")).strip().lower()
    content = message.get("content", message.get("parts"))
    if role in _TOOLS or message.get("tool_call_id"):
        yield from (Spoken(place, Voice.TOOL, text) for text in _texts(content))
        return
    yield from (Spoken(place, Voice.TOOL, text) for text in _results_within(content))
    if role in _USERS:
        yield from (Spoken(place, Voice.USER, text) for text in _said(content))


def _said(content: object) -> Iterator[str]:
    """Yield what a person wrote: prose, or the text parts of a message."""
    if isinstance(content, str):
        yield content
        return
    for part in _items(content):
        if isinstance(part, str):
            yield part
        elif isinstance(part, Mapping) and str(part.get("type", "")) in _TEXT_PARTS:
            text = part.get("text")
            # A part that carries a result is none of the user's, whatever else it says.
            if isinstance(text, str) and not any(name in part for name in _RESULT_PARTS):
                yield text


def _results_within(content: object) -> Iterator[str]:
    """Yield what tools gave back inside a message of somebody else."""
    for part in _items(content):
        if not isinstance(part, Mapping):
            continue
        if str(part.get("type", "")) in _RESULT_PARTS:
            yield from _texts({name: value for name, value in part.items() if name != "type"})
        for name in _RESULT_PARTS:
            yield from _texts(part.get(name))


def _items(value: object) -> list[object]:
    if isinstance(value, list | tuple):
        return list(value)
    return [value] if isinstance(value, Mapping) else []


def _texts(value: object) -> Iterator[str]:
    """Yield every text in a value, numbers as they are written, names of members too.

    A text that is JSON itself is read once more, so that an escaped letter is found as that letter, and a
    number of a list as that number.
    """
    waiting = [value]
    while waiting:
        each = waiting.pop()
        if isinstance(each, Mapping):
            waiting += [*each.keys(), *each.values()]
        elif isinstance(each, list | tuple):
            waiting += each
        elif isinstance(each, str):
            yield each
            if each.lstrip()[:1] in {"{", "["}:
                inner = _parsed(each)
                if inner != each:
                    waiting.append(inner)
        elif isinstance(each, int | float) and not isinstance(each, bool):
            yield json.dumps(each)


def _parsed(text: str) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
