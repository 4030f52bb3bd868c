"""Measuring a JSON document before anything else touches it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

MAX_DEPTH = 32
MAX_NODES = 20_000
MAX_TEXT = 512 * 1024
_MAX_INTEGER = 2**53 - 1


class UnusableDocument(ValueError):
    """The document is no JSON that the engine can judge, or larger than it will judge."""

    def __init__(self, pointer: str, message: str) -> None:
        super().__init__(f"{pointer or 'the whole document'}: {message}")
        self.pointer = pointer
        self.message = message


@dataclass(frozen=True)
class Measured:
    """A plain copy of a document (dicts, lists, scalars) and how large it is."""

    value: object
    nodes: int
    longest: int


def pointer_to(parts: tuple[str | int, ...] | list[str | int]) -> str:
    """Return the JSON pointer (RFC 6901) to a place in a document."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in parts)


def value_at(document: object, pointer: str) -> object:
    """Return what stands at a JSON pointer (RFC 6901); raises `LookupError` where nothing does."""
    node = document
    for token in pointer.split("/")[1:]:
        name = token.replace("~1", "/").replace("~0", "~")
        if isinstance(node, Mapping):
            node = node[name]
        elif isinstance(node, list | tuple) and name.isascii() and name.isdecimal():
            node = node[int(name)]
        else:
            raise LookupError(pointer)
    return node


def measure(document: object) -> Measured:
    """Return a plain copy of the document with its size, or raise `UnusableDocument`.

    Refused are values that are not JSON, NaN and infinities, integers beyond 2^53-1 (RFC 7493), lone
    surrogates, and documents past `MAX_DEPTH`, `MAX_NODES` or `MAX_TEXT`.
    """
    counter = _Counter()
    value = counter.copy(document, ())
    return Measured(value=value, nodes=counter.nodes, longest=counter.longest)


class _Counter:
    def __init__(self) -> None:
        self.nodes = 0
        self.text = 0
        self.longest = 0

    def copy(self, value: object, path: tuple[str | int, ...]) -> object:
        self.nodes += 1
        if self.nodes > MAX_NODES:
            raise UnusableDocument(pointer_to(path), f"it has more than {MAX_NODES} values")
        if len(path) > MAX_DEPTH:
            raise UnusableDocument(pointer_to(path), f"it is nested more than {MAX_DEPTH} levels deep")
        if isinstance(value, str):  # first, for that is what most are
            return self.text_of(value, path)
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, int):
            if abs(value) > _MAX_INTEGER:
                raise UnusableDocument(pointer_to(path), "the integer is beyond 2^53-1")
            return int(value)
        if isinstance(value, float):
            if not math.isfinite(value):
                raise UnusableDocument(pointer_to(path), "it is not a finite number")
            return value
        if isinstance(value, Mapping):
            self.longest = max(self.longest, len(value))
            return {
                self.text_of(key, path): self.copy(member, (*path, str(key))) for key, member in value.items()
            }
        if isinstance(value, list | tuple):
            self.longest = max(self.longest, len(value))
            return [self.copy(member, (*path, index)) for index, member in enumerate(value)]
        raise UnusableDocument(pointer_to(path), f"{type(value).__name__} is not a JSON value")

    def text_of(self, value: object, path: tuple[str | int, ...]) -> str:
        if not isinstance(value, str):
            raise UnusableDocument(pointer_to(path), "a member name is not a text")
        self.text += len(value)
        if self.text > MAX_TEXT:
            raise UnusableDocument(pointer_to(path), f"it has more than {MAX_TEXT} characters")
        if not value.isascii() and any(0xD800 <= ord(char) <= 0xDFFF for char in value):
            raise UnusableDocument(pointer_to(path), "it holds half of a surrogate pair")
        return str(value)
