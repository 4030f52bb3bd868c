"""Faults of a policy document: each with the JSON pointer to its place, and the checks that find them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from policies.engine.documents import pointer_to

MAX_TITLE = 200
_CODE = re.compile(r"[a-z][a-z0-9_]{0,63}")
_SLUG = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
# RFC 6901 with at least one token: the whole document is no single value.
_POINTER = re.compile(r"(?:/(?:[^~/]|~[01])*)+")
_LONGEST_POINTER = 200


@dataclass(frozen=True)
class PolicyError:
    """One fault of a policy document and its place."""

    pointer: str
    message: str


class InvalidPolicy(ValueError):
    """The document is no policy; `errors` holds every fault with its place."""

    def __init__(self, errors: tuple[PolicyError, ...]) -> None:
        super().__init__("; ".join(f"{error.pointer or '/'}: {error.message}" for error in errors))
        self.errors = errors


def member(kind: type[StrEnum], value: object) -> object:
    """Return the member of that value, or the value itself for the check that follows to refuse."""
    return kind(value) if isinstance(value, str) and value in list(kind) else value


def unknown_keys(
    document: Mapping[str, object], known: Sequence[str], path: tuple[str | int, ...]
) -> Iterator[PolicyError]:
    """Yield a fault for each field that is none of those known."""
    for key in document:
        if key not in known:
            yield PolicyError(pointer_to((*path, key)), f"unknown field; known are {', '.join(known)}")


def code_faults(pointer: str, value: object) -> Iterator[PolicyError]:
    """Yield a fault unless the value can name a rule or a measure."""
    if not isinstance(value, str) or not _CODE.fullmatch(value):
        yield PolicyError(pointer, "up to 64 of a-z, 0-9 and underscore, starting with a letter")


def slug_faults(pointer: str, value: object) -> Iterator[PolicyError]:
    """Yield a fault unless the value can name a queue."""
    if not isinstance(value, str) or not _SLUG.fullmatch(value):
        yield PolicyError(pointer, "up to 64 of a-z, 0-9, dot, dash and underscore, not starting with a mark")


def text_faults(pointer: str, value: object, *, longest: int = MAX_TITLE) -> Iterator[PolicyError]:
    """Yield a fault unless the value is a text that says something and is no longer than that."""
    if not isinstance(value, str) or not value.strip() or len(value) > longest:
        yield PolicyError(pointer, f"a text of 1 to {longest} characters")


def pointer_faults(pointer: str, value: object) -> Iterator[PolicyError]:
    """Yield a fault unless the value is a JSON pointer to a place in a document."""
    if not isinstance(value, str) or len(value) > _LONGEST_POINTER or not _POINTER.fullmatch(value):
        yield PolicyError(pointer, "a JSON pointer into the arguments, such as /amount")


def share_faults(pointer: str, value: object, *, low: float = 0.0) -> Iterator[PolicyError]:
    """Yield a fault unless the value is a number from `low` to 1."""
    # NaN fails the comparison, and True is an int that no share may be.
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= 1:
        yield PolicyError(pointer, f"a number from {low:g} to 1")


def whole_number_faults(pointer: str, value: object, *, low: int, high: int) -> Iterator[PolicyError]:
    """Yield a fault unless the value is a whole number in the range, both ends included."""
    if type(value) is not int or not low <= value <= high:
        yield PolicyError(pointer, f"a whole number from {low} to {high}")


def repeated(values: Sequence[object]) -> Iterator[tuple[int, str]]:
    """Yield the index of each text that an earlier entry has already, with the text."""
    seen: set[str] = set()
    for index, value in enumerate(values):
        if isinstance(value, str):
            if value in seen:
                yield index, value
            seen.add(value)
