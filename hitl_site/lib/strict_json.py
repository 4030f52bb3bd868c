"""The door: every JSON body passes here first, or is refused with a ``DoorError`` that says why.

What comes out is I-JSON (RFC 7493): one meaning for every reader. Refused are bodies over the size limit
(413); what is not a single JSON text of RFC 8259 in UTF-8 without a byte order mark (400
``malformed-json``); duplicate keys, NaN and Infinity, lone surrogates, U+0000, numbers that readers would
hold differently (422 ``non-ijson``); and deep nesting (422 ``too-deep``).

Numbers. RFC 8785 writes a double as ECMAScript does: up to 21 digits as an integer, beyond that with an
exponent. A number is accepted when its canonical form means the same to a reader with big integers as to
one with doubles:

- integers from -(2^53-1) to 2^53-1, however they are written: ``1``, ``1.0`` and ``1e0`` all come out as
  the int ``1`` and ``-0.0`` as ``0``, so that equal digests always mean equal values and equal types;
- other doubles of magnitude below 2^53, rounded to the nearest double as every reader does;
- doubles from 1e21 up, ``1e300`` for one: their canonical form has an exponent, so it is a double to
  everybody.

Refused are integers beyond 2^53-1, doubles from 2^53 to 1e21 (``1e20`` would be written as a 21-digit
integer), what overflows (``1e999``), and what is not zero but rounds to zero (``1e-999``). Numbers inside
strings are text. Noncharacters such as U+FFFF pass: databases and readers agree on them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Final, TypeAlias, TypeVar

T = TypeVar("T")
JsonValue: TypeAlias = "bool | int | float | str | list[JsonValue] | dict[str, JsonValue] | None"

MAX_BYTES: Final = 262_144
MAX_DEPTH: Final = 32
MAX_SAFE_INTEGER: Final = 2**53 - 1
_FIRST_WITH_EXPONENT: Final = 1e21

# A string (closed or not) or a bracket. Possessive, and with the closing quote optional: each byte is
# looked at once, whatever the body is.
_STRING_OR_BRACKET = re.compile(rb'"(?:[^"\\]++|\\.)*+"?|[\[{]|[\]}]', re.DOTALL)
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_NONZERO_DIGIT = re.compile(r"[1-9]")


class DoorError(ValueError):
    """A refused body: status and slug of the problem, where (RFC 6901, None if unknown), and why."""

    def __init__(self, status: int, slug: str, pointer: str | None, detail: str) -> None:
        super().__init__(f"{slug}: {detail}")
        self.status = status
        self.slug = slug
        self.pointer = pointer
        self.detail = detail


class BodyTooLarge(DoorError):
    """The body has more bytes than allowed."""

    def __init__(self, max_bytes: int) -> None:
        super().__init__(413, "body-too-large", None, f"The body may have at most {max_bytes} bytes.")


class MalformedJson(DoorError):
    """The body is not one JSON text."""

    def __init__(self, detail: str) -> None:
        super().__init__(400, "malformed-json", None, detail)


class NotInteroperable(DoorError):
    """The body is JSON, but not I-JSON."""

    def __init__(self, pointer: str | None, detail: str) -> None:
        super().__init__(422, "non-ijson", pointer, detail)


class TooDeep(DoorError):
    """Arrays and objects are nested too deep."""

    def __init__(self, max_depth: int) -> None:
        detail = f"Arrays and objects may be nested at most {max_depth} deep."
        super().__init__(422, "too-deep", None, detail)


class _Refused(Exception):
    """A value that is no I-JSON; the hook that meets it does not know where it stands."""

    def __init__(self, detail: str, key: str | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.key = key


class _Fault:
    """Stands in the tree for a value that is refused, until the walk finds where it stands.

    The decoder works from the inside out, so its hooks do not know the path; raising there would lose the
    pointer.
    """

    __slots__ = ("detail", "key")

    def __init__(self, detail: str, key: str | None = None) -> None:
        self.detail = detail
        self.key = key


_Node: TypeAlias = "bool | int | float | str | _Fault | list[_Node] | dict[str, _Node] | None"


def parse(body: bytes, *, max_bytes: int = MAX_BYTES, max_depth: int = MAX_DEPTH) -> JsonValue:
    """Return the value of an I-JSON body, or raise a ``DoorError`` that says what is wrong and where."""
    if len(body) > max_bytes:
        raise BodyTooLarge(max_bytes)
    if body.startswith(b"\xef\xbb\xbf"):
        raise MalformedJson("The body starts with a byte order mark.")
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as exc:
        raise MalformedJson(f"The body is not UTF-8: byte {exc.start} is not valid there.") from None
    if not text.strip(" \t\r\n"):
        raise MalformedJson("The body is empty.")
    if _nested_deeper_than(max_depth, body):
        raise TooDeep(max_depth)
    return _decode(text)


def pointer_token(name: str | int) -> str:
    """Return one step of an RFC 6901 pointer, with its leading slash."""
    return "/" + str(name).replace("~", "~0").replace("/", "~1")


def _nested_deeper_than(limit: int, body: bytes) -> bool:
    if body.count(b"[") + body.count(b"{") <= limit:
        return False
    depth = 0
    for match in _STRING_OR_BRACKET.finditer(body):
        first = body[match.start()]
        if first in b"[{":
            depth += 1
            if depth > limit:
                return True
        elif first in b"]}":
            depth -= 1
    return False


def _decode(text: str) -> JsonValue:
    try:
        tree: _Node = _DECODER.decode(text)
    except _Refused:
        # Decoded again, with each fault in the tree, to tell where the first one stands; or it is no JSON.
        tree = _decode_with_faults(text)
    except json.JSONDecodeError as exc:
        raise _malformed(exc) from None
    else:
        # U+0000 and lone surrogates cannot stand in valid UTF-8 JSON by themselves, only as \u escapes. One
        # character is found ten times sooner than two.
        if "\\" not in text or "\\u" not in text:
            return tree  # type: ignore[return-value]  # a _Fault comes of the other decoder alone
    _refuse_faults(tree, "")
    return tree  # type: ignore[return-value]  # the walk has refused every tree that holds a _Fault


def _decode_with_faults(text: str) -> _Node:
    decoder = json.JSONDecoder(
        object_pairs_hook=_or_fault(_read_object),
        parse_int=_or_fault(_read_integer),
        parse_float=_or_fault(_read_float),
        parse_constant=_or_fault(_read_constant),
    )
    try:
        tree: _Node = decoder.decode(text)
    except json.JSONDecodeError as exc:
        raise _malformed(exc) from None
    return tree


def _or_fault(read: Callable[[T], _Node]) -> Callable[[T], _Node]:
    def read_or_fault(raw: T) -> _Node:
        try:
            return read(raw)
        except _Refused as refusal:
            return _Fault(refusal.detail, refusal.key)

    return read_or_fault


def _malformed(exc: json.JSONDecodeError) -> MalformedJson:
    return MalformedJson(f"{exc.msg} at line {exc.lineno}, column {exc.colno}.")


def _read_object(pairs: list[tuple[str, _Node]]) -> dict[str, _Node]:
    members = dict(pairs)
    if len(members) == len(pairs):
        return members
    seen: set[str] = set()
    for name, _ in pairs:
        if name in seen:
            raise _Refused("The key occurs twice in one object.", name)
        seen.add(name)
    raise AssertionError("fewer members than pairs means that one key came twice")


def _read_integer(literal: str) -> int:
    # Longer than any accepted integer: int() would be slow, and refuses above some thousand digits.
    value = int(literal) if len(literal) <= 17 else None
    if value is None or abs(value) > MAX_SAFE_INTEGER:
        raise _Refused("Integers beyond 2^53-1 are not exact for every reader: send a string.")
    return value


def _read_float(literal: str) -> int | float:
    value = float(literal)
    size = abs(value)
    if size == 0 and _NONZERO_DIGIT.search(re.split("[eE]", literal)[0]):
        raise _Refused("The number is too close to zero for a double.")
    if size <= MAX_SAFE_INTEGER:
        return int(value) if value.is_integer() else value
    if size == float("inf"):
        raise _Refused("The number is too large for a double.")
    if size < _FIRST_WITH_EXPONENT:
        raise _Refused("Whole numbers beyond 2^53-1 are not exact for every reader: send a string.")
    return value


def _read_constant(literal: str) -> _Node:
    raise _Refused(f"{literal} is not a JSON number.")


# Made once. It ends at the first thing that is refused.
_DECODER: Final = json.JSONDecoder(
    object_pairs_hook=_read_object,
    parse_int=_read_integer,
    parse_float=_read_float,
    parse_constant=_read_constant,
)


def _refuse_faults(node: _Node, pointer: str) -> None:
    """Raise for the first fault in document order. Recursion is bounded by the depth scan."""
    if isinstance(node, _Fault):
        raise NotInteroperable(pointer + ("" if node.key is None else _shown(node.key)), node.detail)
    if isinstance(node, str):
        _refuse_text(node, pointer, "The text")
    elif isinstance(node, list):
        for index, member in enumerate(node):
            _refuse_faults(member, pointer + pointer_token(index))
    elif isinstance(node, dict):
        for name, member in node.items():
            _refuse_text(name, pointer, "A key")
            _refuse_faults(member, pointer + pointer_token(name))


def _refuse_text(text: str, pointer: str, what: str) -> None:
    match = _UNSTORABLE.search(text)
    if match is None:
        return
    if match[0] == "\x00":
        raise NotInteroperable(pointer, f"{what} holds U+0000.")
    raise NotInteroperable(pointer, f"{what} holds a lone surrogate, U+{ord(match[0]):04X}.")


def _shown(key: str) -> str:
    # A duplicate key may itself hold what cannot be written: then the pointer stops at its object.
    return "" if _UNSTORABLE.search(key) else pointer_token(key)
