"""What an approval binds: everything in the digest, except what an action type declares to be of no matter.

A declaration has two parts, both by JSON pointer (RFC 6901) into the arguments, where the token ``*`` stands
for every member of a list or an object:

- ``cosmetic``: places whose value may be any other, or be missing (a tracking tag, a greeting);
- ``normalised``: texts that are compared in a form (an account number without spaces, in capitals).

Only texts are normalised, and a text never becomes equal to a number: types are always bound. A list binds
how many members it has, unless the list itself is cosmetic. What is declared nowhere is bound to the byte.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum
from typing import Final, Self

from policies.engine.documents import pointer_to

MOST_POINTERS: Final = 50
LONGEST_POINTER: Final = 200
ANY: Final = "*"
_POINTER: Final = re.compile(r"(?:/(?:[^~/]|~[01])*)+")
_PLAIN_NUMBER: Final = re.compile(r"[+-]?[0-9]{1,60}(?:\.[0-9]{1,60})?", re.ASCII)
_MISSING: Final = object()

Path = tuple[str | int, ...]
_Pattern = tuple[str, ...]


class Form(StrEnum):
    """A form in which a text is compared."""

    NFC = "nfc"
    CASEFOLD = "casefold"
    TRIM = "trim"
    COLLAPSE_SPACES = "collapse_spaces"
    REMOVE_SPACES = "remove_spaces"
    UPPER = "upper"
    LOWER = "lower"
    NUMBER = "number"


FORM_WORDS: Final[Mapping[Form, str]] = {
    Form.NFC: "in composed letters (NFC)",
    Form.CASEFOLD: "whatever the case",
    Form.TRIM: "without spaces at its ends",
    Form.COLLAPSE_SPACES: "with single spaces",
    Form.REMOVE_SPACES: "without spaces",
    Form.UPPER: "in capitals",
    Form.LOWER: "in small letters",
    Form.NUMBER: "as a number",
}


class Bearing(StrEnum):
    """What a difference at one place means for an approval."""

    VOIDS = "voids"
    COSMETIC = "cosmetic"
    NORMALISED = "normalised"


@dataclass(frozen=True)
class Change:
    """One place at which two documents differ. ``forms`` say how it was compared where that made it equal."""

    pointer: str
    before: object
    after: object
    before_missing: bool
    after_missing: bool
    bearing: Bearing
    forms: tuple[Form, ...] = ()


@dataclass(frozen=True)
class Binding:
    """A declaration, read. The empty one binds everything."""

    cosmetic: tuple[str, ...] = ()
    normalised: tuple[tuple[str, tuple[Form, ...]], ...] = ()

    @classmethod
    def read(cls, cosmetic: Iterable[str], normalised: Mapping[str, Iterable[str]]) -> Self:
        """Return the declaration of fields in which ``faults`` found none. Its order says nothing."""
        return cls(
            cosmetic=tuple(sorted(set(cosmetic))),
            normalised=tuple(
                (pointer, tuple(Form(form) for form in normalised[pointer])) for pointer in sorted(normalised)
            ),
        )

    @property
    def is_exact(self) -> bool:
        """Whether it declares nothing, so that every byte is bound."""
        return not self.cosmetic and not self.normalised

    def document(self) -> dict[str, object]:
        """Return the declaration as JSON."""
        return {
            "cosmetic": list(self.cosmetic),
            "normalised": {pointer: [form.value for form in forms] for pointer, forms in self.normalised},
        }


def faults(cosmetic: object, normalised: object) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return what is wrong with each of the two parts of a declaration, in sentences."""
    return tuple(_cosmetic_faults(cosmetic)), tuple(_normalised_faults(normalised))


def binding_document(arguments: object, binding: Binding) -> object:
    """Return a copy of the arguments in which only what is bound is left, in the form in which it is bound.

    Two documents are the same to an approval exactly when their binding documents are equal JSON.
    """
    document = _copied(arguments)
    for pointer in binding.cosmetic:
        _edit(document, _tokens(pointer), _blank)
    for pointer, forms in binding.normalised:
        _edit(document, _tokens(pointer), _formed(forms))
    return document


def changes(decided: object, edited: object, binding: Binding) -> tuple[Change, ...]:
    """Return every place at which two documents differ, and what it means for an approval of the first.

    No change that voids is left exactly when their binding documents are equal.
    """
    cosmetic = [_tokens(pointer) for pointer in binding.cosmetic]
    normalised = [(_tokens(pointer), forms) for pointer, forms in binding.normalised]
    return tuple(
        _judged(path, before, after, cosmetic, normalised)
        for path, before, after in _differences((), decided, edited)
    )


def normalise(text: str, forms: Iterable[Form]) -> str:
    """Return the text in these forms, one after the other."""
    for form in forms:
        text = _FORMS[form](text)
    return text


def _as_number(text: str) -> str:
    """Return a plain decimal number without what does not change its value; other texts as they are."""
    if not _PLAIN_NUMBER.fullmatch(text):
        return text
    number = Decimal(text)
    written = format(number, "f")
    if "." in written:
        written = written.rstrip("0").rstrip(".")
    sign = "-" if written.startswith("-") else ""
    written = written.removeprefix("-").lstrip("0") or "0"
    if written.startswith("."):
        written = "0" + written
    return written if written == "0" else sign + written


_FORMS: Final[Mapping[Form, Callable[[str], str]]] = {
    Form.NFC: lambda text: unicodedata.normalize("NFC", text),
    Form.CASEFOLD: str.casefold,
    Form.TRIM: str.strip,
    Form.COLLAPSE_SPACES: lambda text: re.sub(r"\s+", " ", text),
    Form.REMOVE_SPACES: lambda text: re.sub(r"\s+", "", text),
    Form.UPPER: str.upper,
    Form.LOWER: str.lower,
    Form.NUMBER: _as_number,
}


def _tokens(pointer: str) -> _Pattern:
    return tuple(token.replace("~1", "/").replace("~0", "~") for token in pointer.split("/")[1:])


def _copied(value: object) -> object:
    if isinstance(value, Mapping):
        return {key: _copied(member) for key, member in value.items()}
    if isinstance(value, list | tuple):
        return [_copied(member) for member in value]
    return value


def _members(node: object, token: str) -> list[str | int]:
    """Return the keys or indexes of ``node`` that a token names."""
    if isinstance(node, dict):
        return list(node) if token == ANY else [token] if token in node else []
    if isinstance(node, list):
        return [index for index in range(len(node)) if token in {ANY, str(index)}]
    return []


def _edit(node: object, pattern: _Pattern, act: Callable[[dict[object, object], str | int], None]) -> None:
    """Call ``act`` with the container and the key of every place that the pattern names."""
    token, rest = pattern[0], pattern[1:]
    for key in _members(node, token):
        if rest:
            _edit(node[key], rest, act)  # type: ignore[index]  # a dict with its key or a list with its index
        else:
            act(node, key)  # type: ignore[arg-type]  # both take an item by this key


def _blank(container: dict[object, object], key: str | int) -> None:
    # A member of a list keeps its place: its neighbours must not move into it.
    if isinstance(container, list):
        container[key] = None
    else:
        del container[key]


def _formed(forms: tuple[Form, ...]) -> Callable[[dict[object, object], str | int], None]:
    def form(container: dict[object, object], key: str | int) -> None:
        value = container[key]
        if isinstance(value, str):
            container[key] = normalise(value, forms)

    return form


def _differences(path: Path, before: object, after: object) -> Iterator[tuple[Path, object, object]]:
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for key in dict.fromkeys([*before, *after]):
            yield from _differences((*path, str(key)), before.get(key, _MISSING), after.get(key, _MISSING))
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for index, (old, new) in enumerate(zip(before, after, strict=True)):
            yield from _differences((*path, index), old, new)
    elif not _same(before, after):
        yield path, before, after


def _same(before: object, after: object) -> bool:
    """Say whether two values that are not both objects or both lists of one length are the same JSON."""
    if isinstance(before, bool) or isinstance(after, bool):
        return before is after
    if isinstance(before, int | float) and isinstance(after, int | float):
        return before == after
    return type(before) is type(after) and before == after


def _judged(
    path: Path,
    before: object,
    after: object,
    cosmetic: Iterable[_Pattern],
    normalised: Iterable[tuple[_Pattern, tuple[Form, ...]]],
) -> Change:
    change = Change(
        pointer=pointer_to(path),
        before=None if before is _MISSING else before,
        after=None if after is _MISSING else after,
        before_missing=before is _MISSING,
        after_missing=after is _MISSING,
        bearing=Bearing.VOIDS,
    )
    if any(_covers(pattern, path[: len(pattern)]) for pattern in cosmetic if len(pattern) <= len(path)):
        return replace(change, bearing=Bearing.COSMETIC)
    if isinstance(before, str) and isinstance(after, str):
        applied = tuple(form for pattern, forms in normalised if _covers(pattern, path) for form in forms)
        if applied and normalise(before, applied) == normalise(after, applied):
            return replace(change, bearing=Bearing.NORMALISED, forms=applied)
    return change


def _covers(pattern: _Pattern, path: Path) -> bool:
    return len(pattern) == len(path) and all(
        token in {ANY, str(part)} for token, part in zip(pattern, path, strict=True)
    )


def _cosmetic_faults(cosmetic: object) -> Iterator[str]:
    if not isinstance(cosmetic, list | tuple) or len(cosmetic) > MOST_POINTERS:
        yield f"A list of at most {MOST_POINTERS} pointers."
        return
    for number, pointer in enumerate(cosmetic, start=1):
        yield from (f"Number {number}: {fault}" for fault in _pointer_faults(pointer))
        if isinstance(pointer, str) and pointer and set(pointer.split("/")[1:]) == {ANY}:
            yield f"Number {number}: this would leave nothing that an approval binds."


def _normalised_faults(normalised: object) -> Iterator[str]:
    if not isinstance(normalised, Mapping) or len(normalised) > MOST_POINTERS:
        yield f"At most {MOST_POINTERS} pointers, each with its forms."
        return
    for number, (pointer, forms) in enumerate(normalised.items(), start=1):
        yield from (f"Number {number}: {fault}" for fault in _pointer_faults(pointer))
        if not isinstance(forms, list | tuple) or not 1 <= len(forms) <= len(Form):
            yield f"Number {number}: it names at least one form."
            continue
        unknown = [str(form) for form in forms if form not in list(Form)]
        if unknown:
            yield f"Number {number}: no such form: {', '.join(unknown)}. There are {', '.join(Form)}."


def _pointer_faults(pointer: object) -> Iterator[str]:
    if not isinstance(pointer, str) or len(pointer) > LONGEST_POINTER or not _POINTER.fullmatch(pointer):
        yield f"A JSON pointer such as /note or /items/*/label, of at most {LONGEST_POINTER} characters."
