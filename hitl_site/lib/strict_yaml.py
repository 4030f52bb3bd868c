"""YAML with one meaning for every reader: the door for files that people write and review.

What comes out is JSON, with the line of every value. Refused, each with its line: what YAML 1.1 and 1.2 read
differently (``no``, ``1e3``, ``017``, ``12:30``, dates), what hides or repeats content (anchors, aliases,
merge keys, tags, several documents), duplicate keys, keys that are no text, values left empty, and integers
beyond 2^53-1. Comments are free.

``write`` is the other direction: a fixed layout, so that the same value always gives the same bytes, and
``parse`` gives the same value back.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import yaml

from hitl_site.lib.strict_json import MAX_DEPTH, MAX_SAFE_INTEGER, JsonValue, pointer_token

MAX_CHARACTERS: Final = 512 * 1024

_CONSTANTS: Final[Mapping[str, JsonValue]] = {"true": True, "false": False, "null": None}
_INTEGER: Final = re.compile(r"-?(0|[1-9][0-9]*)")
# With a point, and a sign in the exponent: so YAML 1.1, YAML 1.2 and JSON all take it for the same number.
_DECIMAL: Final = re.compile(r"-?(0|[1-9][0-9]*)\.[0-9]+([eE][-+][0-9]+)?")
_UNSTORABLE: Final = re.compile("[\x00\ud800-\udfff]")
_WORDS: Final = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null", "~", "=", "<<"})
_NUMBER_LIKE: Final = re.compile(
    r"""[-+]?\.?[0-9][0-9_.,]*([eE][-+]?[0-9_]+)?   # 1e3, 1_000, 017, +1, .5, 5.
      | [-+]?0[xXoObB][0-9a-fA-F_]+
      | [-+]?[0-9]+(:[0-9]{1,2})+(\.[0-9]*)?         # 12:30 is 750 in YAML 1.1
      | [-+]?\.(inf|nan)
      | [0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([Tt\s].*)?
    """,
    re.VERBOSE | re.IGNORECASE,
)
_PLAIN: Final = re.compile(r"[A-Za-z](?:[A-Za-z0-9_./()<>=+*%&|'\"!?@$;,-]|\ (?=[^ #]))*")
_SIMPLE_LINE: Final = re.compile(r"[!-~](?:[ -~]*[!-~])?")


class YamlError(ValueError):
    """A refused file: its name, the line, and why."""

    def __init__(self, name: str, line: int, message: str) -> None:
        super().__init__(f"{name}, line {line}: {message}")
        self.name = name
        self.line = line
        self.message = message


@dataclass(frozen=True)
class Document:
    """What a file says. ``lines`` has the line of every value by its JSON pointer (RFC 6901)."""

    name: str
    value: JsonValue
    lines: Mapping[str, int]

    def line_of(self, pointer: str) -> int:
        """Return the line of a place, or of the nearest one around it that the file has."""
        while pointer and pointer not in self.lines:
            pointer = pointer.rpartition("/")[0]
        return self.lines.get(pointer, 1)

    def error(self, pointer: str, message: str) -> YamlError:
        """Return the error for a place in this file."""
        return YamlError(self.name, self.line_of(pointer), f"{pointer or 'the file'}: {message}")


@dataclass
class _Open:
    """A list or an object that is being read. ``key`` is the one whose value comes next."""

    value: list[JsonValue] | dict[str, JsonValue]
    pointer: str
    key: str | None = field(default=None)


def parse(text: str, *, name: str) -> Document:
    """Return what a file says, or raise ``YamlError``. ``name`` is the file's, for the message."""
    if len(text) > MAX_CHARACTERS:
        raise YamlError(name, 1, f"a file has at most {MAX_CHARACTERS} characters")
    reader = _Reader(name)
    try:
        for event in yaml.parse(text, Loader=yaml.SafeLoader):
            reader.take(event)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise YamlError(name, mark.line + 1 if mark else 1, str(error.problem or error.context)) from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise YamlError(name, line, f"the character U+{error.character:04X} has no place here") from None
    if not reader.done:
        raise YamlError(name, 1, "the file is empty")
    return Document(name=name, value=reader.root, lines=reader.lines)


class _Reader:
    """Builds the value event by event, so that nesting costs no stack."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.root: JsonValue = None
        self.done = False
        self.lines: dict[str, int] = {}
        self._open: list[_Open] = []
        self._documents = 0

    def take(self, event: yaml.Event) -> None:
        if isinstance(event, yaml.DocumentStartEvent):
            self._documents += 1
            if self._documents > 1:
                raise self._fault(event, "a file holds one document")
            if event.version or event.tags:
                raise self._fault(event, "directives have no place here")
        elif isinstance(event, yaml.AliasEvent):
            raise self._fault(event, "aliases (*) are not read: write the value out")
        elif isinstance(event, yaml.NodeEvent):
            self._node(event)
        elif isinstance(event, yaml.SequenceEndEvent | yaml.MappingEndEvent):
            self._open.pop()

    def _node(self, event: yaml.NodeEvent) -> None:
        if event.anchor is not None:
            raise self._fault(event, "anchors (&) are not read: write the value out")
        tag = getattr(event, "tag", None)
        if tag is not None:
            raise self._fault(event, f"tags are not read: {tag}")
        if isinstance(event, yaml.ScalarEvent):
            self._scalar(event)
            return
        if len(self._open) >= MAX_DEPTH:
            raise self._fault(event, f"lists and objects are nested at most {MAX_DEPTH} deep")
        begun: list[JsonValue] | dict[str, JsonValue] = (
            [] if isinstance(event, yaml.SequenceStartEvent) else {}
        )
        self._open.append(_Open(begun, self._put(begun, event)))

    def _scalar(self, event: yaml.ScalarEvent) -> None:
        around = self._open[-1] if self._open else None
        if around is not None and isinstance(around.value, dict) and around.key is None:
            around.key = self._key(event, around.value)
            return
        self._put(self._resolved(event), event)

    def _key(self, event: yaml.ScalarEvent, known: Mapping[str, JsonValue]) -> str:
        key = self._resolved(event)
        if not isinstance(key, str):
            raise self._fault(event, f"a key is a text: put quotes around {event.value}")
        if key in known:
            raise self._fault(event, f"the key {key} stands here twice")
        return key

    def _resolved(self, event: yaml.ScalarEvent) -> JsonValue:
        text = str(event.value)
        if unstorable := _UNSTORABLE.search(text):
            raise self._fault(event, f"U+{ord(unstorable[0]):04X} has no place in a text")
        if event.style is not None:
            return text
        if text in _CONSTANTS:
            return _CONSTANTS[text]
        if _INTEGER.fullmatch(text) and text != "-0":
            if len(text) > 20 or abs(int(text)) > MAX_SAFE_INTEGER:
                raise self._fault(event, f"{text[:30]} is beyond 2^53-1, which not every reader can hold")
            return int(text)
        if _DECIMAL.fullmatch(text):
            number = float(text)
            if not math.isfinite(number):
                raise self._fault(event, f"{text[:30]} is too large for a number")
            return number
        if not text:
            raise self._fault(event, "there is no value: write null, or quotes for an empty text")
        if is_ambiguous(text):
            raise self._fault(
                event,
                f"readers of YAML do not agree on what {text[:60]} is: put quotes around a text, write true"
                " or false for yes or no, and a number with plain digits",
            )
        return text

    def _put(self, value: JsonValue, event: yaml.Event) -> str:
        """Put a value where it belongs and return its pointer."""
        if not self._open:
            self.root, self.done = value, True
            pointer = ""
        else:
            around = self._open[-1]
            if isinstance(around.value, list):
                pointer = around.pointer + pointer_token(len(around.value))
                around.value.append(value)
            elif around.key is None:
                raise self._fault(event, "a key is a text, not a list or an object")
            else:
                pointer = around.pointer + pointer_token(around.key)
                around.value[around.key] = value
                around.key = None
        self.lines[pointer] = _line(event)
        return pointer

    def _fault(self, event: yaml.Event, message: str) -> YamlError:
        return YamlError(self.name, _line(event), message)


def _line(event: yaml.Event) -> int:
    mark = event.start_mark
    return mark.line + 1 if mark is not None else 1


def is_ambiguous(text: str) -> bool:
    """Say whether a bare text is a text to one reader of YAML and something else to another."""
    return text.lower() in _WORDS or _NUMBER_LIKE.fullmatch(text) is not None


def write(value: Mapping[str, JsonValue], *, heading: Sequence[str] = ()) -> str:
    """Return a value as YAML: keys in the order given, one layout. ``heading`` stands above as comments."""
    comments = "".join(f"# {_one_line(line)}\n" for line in heading)
    return comments + "".join(f"{line}\n" for line in _mapping(value, ""))


def _mapping(value: Mapping[str, JsonValue], indent: str) -> Iterator[str]:
    for key, member in value.items():
        yield from _member(f"{indent}{_scalar(key)}:", member, indent)


def _sequence(value: Sequence[JsonValue], indent: str) -> Iterator[str]:
    for member in value:
        if isinstance(member, dict) and member:
            first, *rest = _mapping(member, indent + "  ")
            yield f"{indent}- {first.removeprefix(indent + '  ')}"
            yield from rest
        elif isinstance(member, list) and member:
            yield f"{indent}- {_flow(member)}"
        else:
            yield from _member(f"{indent}-", member, indent)


def _member(start: str, member: JsonValue, indent: str) -> Iterator[str]:
    if isinstance(member, dict) and member:
        yield start
        yield from _mapping(member, indent + "  ")
    elif isinstance(member, list) and member:
        yield start
        yield from _sequence(member, indent + "  ")
    elif isinstance(member, str) and _reads_better_as_block(member):
        yield f"{start} |-"
        yield from (f"{indent}  {line}" for line in member.split("\n"))
    else:
        yield f"{start} {_scalar(member)}"


def _flow(value: JsonValue) -> str:
    """Return a value on one line: for lists in lists."""
    if isinstance(value, list):
        return "[" + ", ".join(_flow(member) for member in value) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_quoted(key)}: {_flow(member)}" for key, member in value.items()) + "}"
    return _quoted(value) if isinstance(value, str) else _scalar(value)


def _scalar(value: JsonValue) -> str:
    if isinstance(value, str):
        return value if _PLAIN.fullmatch(value) and not is_ambiguous(value) else _quoted(value)
    if isinstance(value, float):
        return _decimal(value)
    if value == []:
        return "[]"
    return "{}" if value == {} else json.dumps(value)


def _decimal(value: float) -> str:
    digits = repr(value)
    if not math.isfinite(value):
        raise ValueError(f"{digits} is no number of JSON")
    mantissa, e, exponent = digits.partition("e")
    if e:
        return f"{mantissa if '.' in mantissa else mantissa + '.0'}e{exponent}"
    return digits


def _reads_better_as_block(text: str) -> bool:
    """Say whether a text stands in lines of its own: conditions with quotes in them, and several lines."""
    lines = text.split("\n")
    return ('"' in text or len(lines) > 1) and all(_SIMPLE_LINE.fullmatch(line) for line in lines)


def _quoted(text: str) -> str:
    return '"' + "".join(_escaped(char) for char in text) + '"'


def _escaped(char: str) -> str:
    if char in {'"', "\\"}:
        return "\\" + char
    if char == "\n":
        return "\\n"
    if char.isprintable() and char != "\ufeff":
        return char
    number = ord(char)
    return f"\\u{number:04x}" if number <= 0xFFFF else f"\\U{number:08x}"


def _one_line(text: str) -> str:
    return "".join(char if char.isprintable() else " " for char in text)
