"""Reading recordings: JSON Lines, plain or gzip, one proposed action with its ground truth a line.

A recording of whole conversations has one a line, with the calls that it should have held.
Streaming and strict: a recording may be larger than memory, and what cannot be replayed is refused with its
line before anything is sent. Fields that the replay has no use for are not looked at.
"""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import BinaryIO, Final, TypeVar, cast

from hitl_site.lib import strict_json
from hitl_site.lib.strict_json import JsonValue

Document = dict[str, JsonValue]
_Line = TypeVar("_Line")

LONGEST_LINE: Final = 4 * 1024 * 1024
_GZIP: Final = b"\x1f\x8b"
_DEEPEST: Final = strict_json.MAX_DEPTH + 8  # arguments and context lie a few levels down in a line
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:/-]*")
_KEY: Final = re.compile(r"[\x21\x23-\x7e]{1,255}")


class InvalidRecording(ValueError):
    """The file is no recording; the message names the file and the line."""


@dataclass(frozen=True, slots=True)
class Record:
    """One action that an agent proposed, and what it should have done.

    ``correct`` is None where nobody knows (hand-offs to a person). ``expected`` is None where nothing should
    have been done, or where the proposal was right and the benchmark names no arguments.
    """

    line: int
    event_id: str
    agent: str
    model: str
    action_type: str
    arguments: Document
    context: list[JsonValue]
    conversation_id: str
    customer: str | None
    judge_score: float | None
    own_score: float | None
    correct: bool | None
    expected: Document | None
    acceptable: tuple[Document, ...]
    error_class: str | None
    policy_violations: tuple[str, ...]
    amount_usd: float | None
    user_confirmed: bool | None


@dataclass(frozen=True, slots=True)
class Write:
    """A call that a conversation should have held."""

    action_type: str
    arguments: Document


@dataclass(frozen=True, slots=True)
class Ending:
    """A conversation that is over: what it was about, what it should have held, how much of that it did not.

    ``missing`` counts the calls of ``expected`` that were never proposed as they should have been.
    """

    line: int
    conversation_id: str
    agent: str
    model: str
    customer: str | None
    instruction: str
    expected: tuple[Write, ...]
    missing: int


def read_endings(path: Path) -> Iterator[Ending]:
    """Yield the conversations in the order of the file. Raises ``InvalidRecording``."""
    return _read(path, _ending, lambda ending: ending.conversation_id, "/task_id")


def read(path: Path, *, limit: int | None = None) -> Iterator[Record]:
    """Yield the records in the order of the file, at most ``limit``. Raises ``InvalidRecording``."""
    return islice(_read(path, _record, lambda record: record.event_id, "/event_id"), limit)


def _read(
    path: Path, parse: Callable[[int, bytes], _Line], name: Callable[[_Line], str], pointer: str
) -> Iterator[_Line]:
    """Yield what the lines hold, each under a name that no other line has."""
    lines: dict[str, int] = {}
    for number, text in _lines(path):
        try:
            found = parse(number, text)
            if name(found) in lines:
                raise _Fault(pointer, f"{name(found)} was on line {lines[name(found)]} already")
        except _Fault as fault:
            raise InvalidRecording(f"{path.name}, line {number}: {fault}") from None
        lines[name(found)] = number
        yield found
    if not lines:
        raise InvalidRecording(f"{path.name} holds no records.")


class _Fault(ValueError):
    """What is wrong with a line, and where in it."""

    def __init__(self, pointer: str, message: str) -> None:
        super().__init__(f"{pointer}: {message}" if pointer else message)


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    number = 0
    try:
        with path.open("rb") as file:
            packed = file.read(2) == _GZIP
            file.seek(0)
            source = cast("BinaryIO", gzip.GzipFile(fileobj=file)) if packed else file
            while text := source.readline(LONGEST_LINE + 1):
                number += 1
                if len(text) > LONGEST_LINE:
                    raise InvalidRecording(
                        f"{path.name}, line {number}: it is longer than {LONGEST_LINE >> 20} MiB."
                    )
                if text.strip():
                    yield number, text
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise InvalidRecording(f"{path.name}: the gzip data end or break after line {number}.") from error
    except OSError as error:
        raise InvalidRecording(f"{path}: {error.strerror or error}.") from error


def _record(number: int, text: bytes) -> Record:
    value = _parsed(text)
    event_id = _text(value, "event_id", longest=255)
    if not _KEY.fullmatch(event_id):
        raise _Fault(
            "/event_id", "it is visible ASCII without quotation marks, since it is the idempotency key"
        )
    action_type = _action_type(value, domain=_text(value, "domain"))
    correct = value.get("correct")
    if correct is not None and not isinstance(correct, bool):
        raise _Fault("/correct", "it is true, false or null")
    context = value.get("context")
    if not isinstance(context, list):
        raise _Fault("/context", "it is a list of messages")
    return Record(
        line=number,
        event_id=event_id,
        agent=_text(value, "agent", longest=120).strip(),
        model=_text(value, "model", longest=120).strip(),
        action_type=action_type,
        arguments=_object(value.get("arguments"), "/arguments"),
        context=context,
        conversation_id=_conversation(value),
        customer=_maybe_text(value, "customer", longest=200),
        judge_score=_share(value, "confidence"),
        own_score=_share(value, "confidence_model"),
        correct=correct,
        expected=None if value.get("expected") is None else _object(value["expected"], "/expected"),
        acceptable=_objects(value, "acceptable"),
        error_class=_maybe_text(value, "error_class", longest=60),
        policy_violations=_texts(value, "policy_violations"),
        amount_usd=_number(value, "amount_usd"),
        user_confirmed=_flag(value, "user_confirmed"),
    )


def _ending(number: int, text: bytes) -> Ending:
    value = _parsed(text)
    conversation_id = _conversation(value)
    if not conversation_id:
        raise _Fault("/task_id", "run, task_id and trial name a conversation, and one of them is missing")
    domain = _text(value, "domain")
    expected = tuple(
        Write(_action_type(each, domain=domain), _object(each.get("arguments"), "/task_expected"))
        for each in _objects(value, "task_expected")
    )
    missing = value.get("missing_writes")
    if isinstance(missing, bool) or not isinstance(missing, int) or not 0 <= missing <= len(expected):
        raise _Fault("/missing_writes", "it counts some of those in task_expected")
    instruction = value.get("instruction")
    if not isinstance(instruction, str) or not instruction.strip():
        raise _Fault("/instruction", "it is missing")
    return Ending(
        line=number,
        conversation_id=conversation_id,
        agent=_text(value, "agent", longest=120).strip(),
        model=_text(value, "model", longest=120).strip(),
        customer=_maybe_text(value, "customer", longest=200),
        instruction=instruction,
        expected=expected,
        missing=missing,
    )


def _parsed(text: bytes) -> Document:
    try:
        value = strict_json.parse(text, max_bytes=LONGEST_LINE, max_depth=_DEEPEST)
    except strict_json.DoorError as error:
        raise _Fault(error.pointer or "", error.detail) from None
    if not isinstance(value, dict):
        raise _Fault("", "a record is a JSON object")
    return value


def _action_type(value: Document, *, domain: str) -> str:
    name = f"{domain}.{_text(value, 'action_type')}"
    if len(name) > 120 or not _NAME.fullmatch(name):
        raise _Fault("/action_type", f"{name[:140]!r} cannot name an action type")
    return name


def _conversation(value: Document) -> str:
    """Return the conversation: one task in one trial of one run; "" where the recording does not say."""
    parts = [value.get(name) for name in ("run", "task_id", "trial")]
    told = [str(part) for part in parts if isinstance(part, str | int) and not isinstance(part, bool)]
    return ":".join(told)[:200] if len(told) == len(parts) else ""


def _text(value: Document, name: str, *, longest: int = 120) -> str:
    text = _maybe_text(value, name, longest=longest)
    if text is None or not text.strip():
        raise _Fault(f"/{name}", "it is missing")
    return text


def _maybe_text(value: Document, name: str, *, longest: int) -> str | None:
    text = value.get(name)
    if text is None or text == "":
        return None
    if not isinstance(text, str) or len(text) > longest or not text.isprintable():
        raise _Fault(f"/{name}", f"it is a text of at most {longest} printable characters")
    return text


def _texts(value: Document, name: str) -> tuple[str, ...]:
    given = value.get(name) or []
    if not isinstance(given, list) or not all(isinstance(text, str) for text in given):
        raise _Fault(f"/{name}", "it is a list of texts")
    return tuple(str(text) for text in given)


def _object(value: JsonValue, pointer: str) -> Document:
    if not isinstance(value, dict):
        raise _Fault(pointer, "it is an object")
    return value


def _objects(value: Document, name: str) -> tuple[Document, ...]:
    given = value.get(name) or []
    if not isinstance(given, list):
        raise _Fault(f"/{name}", "it is a list of objects")
    return tuple(_object(each, f"/{name}/{at}") for at, each in enumerate(given))


def _number(value: Document, name: str) -> float | None:
    number = value.get(name)
    if number is None:
        return None
    if isinstance(number, bool) or not isinstance(number, int | float):
        raise _Fault(f"/{name}", "it is a number or null")
    return number


def _share(value: Document, name: str) -> float | None:
    number = _number(value, name)
    if number is not None and not 0 <= number <= 1:
        raise _Fault(f"/{name}", "it is a number from 0 to 1, or null")
    return number


def _flag(value: Document, name: str) -> bool | None:
    flag = value.get(name)
    if flag is not None and not isinstance(flag, bool):
        raise _Fault(f"/{name}", "it is true, false or null")
    return flag
