"""JSON documents: values, pointers (RFC 6901), sameness, text and strict reading."""

from __future__ import annotations

import json
import math
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import partial
from typing import Literal, TypeAlias

JsonValue: TypeAlias = "bool | int | float | str | list[JsonValue] | dict[str, JsonValue] | None"
Tokens: TypeAlias = tuple[str, ...]

# I-JSON (RFC 7493): beyond this an integer is no longer exact in a double, and so not in canonical bytes.
LARGEST_INTEGER = 2**53 - 1
DEEPEST = 32


class Missing(Enum):
    """The value of what is not there: JSON's null is a value, absence is not."""

    MISSING = "missing"


MISSING: Literal[Missing.MISSING] = Missing.MISSING
Maybe: TypeAlias = "JsonValue | Missing"


@dataclass(frozen=True)
class FieldError:
    """One complaint in plain words, at the place (RFC 6901) that it is about."""

    pointer: str
    message: str


@dataclass(frozen=True)
class Parsed:
    """What was read. Where there is an error, the value keeps what the form was drawn from."""

    value: JsonValue
    errors: tuple[FieldError, ...] = ()


def pointer_of(tokens: Sequence[str]) -> str:
    return "".join("/" + token.replace("~", "~0").replace("/", "~1") for token in tokens)


def tokens_of(pointer: str) -> Tokens:
    return tuple(part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:])


def index_of(token: str) -> int | None:
    """Return the array index a pointer token names: no sign, no leading zero (RFC 6901, section 4)."""
    if re.fullmatch(r"0|[1-9][0-9]{0,8}", token):
        return int(token)
    return None


def find(document: Maybe, tokens: Sequence[str]) -> Maybe:
    """Return what stands at a place of a document, or MISSING."""
    here = document
    for token in tokens:
        if isinstance(here, dict) and token in here:
            here = here[token]
        elif isinstance(here, list) and (index := index_of(token)) is not None and index < len(here):
            here = here[index]
        else:
            return MISSING
    return here


def same(left: Maybe, right: Maybe) -> bool:
    """Tell whether two values have the same canonical bytes (RFC 8785): 1 is 1.0, true is not 1."""
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, int | float) and isinstance(right, int | float):
        return left == right or (left != left and right != right)
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(same(left[key], right[key]) for key in left)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(same, left, right))
    return type(left) is type(right) and left == right


def identical(left: Maybe, right: Maybe) -> bool:
    """Tell whether two values are the same in type too: 1 is not 1.0."""
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(identical(left[key], right[key]) for key in left)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(identical, left, right))
    return type(left) is type(right) and (left == right or left != left)


def _escape_hidden(match: re.Match[str]) -> str:
    """Write a character that the eye cannot see as JSON's own escape, so that it can be seen and edited."""
    character = match.group()
    if unicodedata.category(character) not in {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}:
        return character
    units = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at]:02x}{units[at + 1]:02x}" for at in range(0, len(units), 2))


_BEYOND_ASCII = re.compile(r"[^\x00-\x7e]")


def pretty(value: JsonValue) -> str:
    """Return JSON text to read and edit. Characters one cannot see are escapes; reading it back is exact."""
    text = json.dumps(value, indent=2, ensure_ascii=False, sort_keys=False)
    return _BEYOND_ASCII.sub(_escape_hidden, text)


def compact(value: JsonValue) -> str:
    """Return one-line JSON in ASCII: it survives any form control and any line-end rewriting."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=True)


class _Refused(ValueError):
    """The text is JSON, but not a document that has exact canonical bytes."""


def _object(pairs: list[tuple[str, JsonValue]]) -> dict[str, JsonValue]:
    result = dict(pairs)
    if len(result) != len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise _Refused(f"The field “{key[:60]}” stands twice in one object.")
            seen.add(key)
    return result


def _constant(text: str) -> JsonValue:
    raise _Refused(f"{text} is not a JSON value.")


def _integer(text: str) -> int:
    if len(text) > 17 or abs(int(text)) > LARGEST_INTEGER:
        raise _Refused(f"The number {text[:40]} is too large to be exact; write it as text.")
    return int(text)


def _fraction(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise _Refused(f"The number {text[:40]} is too large.")
    return number


def storable(text: str) -> bool:
    """Tell whether a text can be kept: no U+0000, no half of a surrogate pair."""
    return not re.search("[\x00\ud800-\udfff]", text)


def _check(value: JsonValue, depth: int = 0) -> None:
    if depth > DEEPEST:
        raise _Refused(f"The document is nested more than {DEEPEST} levels deep.")
    if isinstance(value, str) and not storable(value):
        raise _Refused("A text holds a character that cannot be stored (U+0000 or half a surrogate pair).")
    if isinstance(value, dict):
        for key, member in value.items():
            _check(key, depth + 1)
            _check(member, depth + 1)
    elif isinstance(value, list):
        for member in value:
            _check(member, depth + 1)


_load = partial(
    json.loads,
    object_pairs_hook=_object,
    parse_constant=_constant,
    parse_int=_integer,
    parse_float=_fraction,
)


def read_json(text: str) -> JsonValue:
    """Read strict I-JSON (RFC 7493), or raise ValueError with a sentence for the person who typed it."""
    try:
        value: JsonValue = _load(text)
        _check(value)
    except json.JSONDecodeError as problem:
        where = f"Line {problem.lineno}, column {problem.colno}"
        raise ValueError(f"{where}: this is not valid JSON ({problem.msg}).") from None
    except RecursionError:
        raise ValueError(f"The document is nested more than {DEEPEST} levels deep.") from None
    return value


def parse_json(text: str) -> Parsed:
    """Read the JSON tab. On an error the value is null and the error tells line and column."""
    try:
        return Parsed(read_json(text.replace("\r\n", "\n").replace("\r", "\n")))
    except ValueError as problem:
        return Parsed(None, (FieldError("", str(problem)),))


def as_mapping(value: object) -> Mapping[str, JsonValue]:
    """Return a JSON object as it is and anything else as an empty one."""
    return value if isinstance(value, Mapping) else {}
