"""Which tool result stands beside which argument: what an operator declares, and finding it. Pure.

A source says: beside the argument at ``pointer`` (RFC 6901) show what ``path`` (JSONPath, RFC 9535) finds in
the result of ``tool``, under the name ``label``. A path is the operator's, the document is the agent's: so
functions, whose patterns could be made to run for ever, are no part of a path here, and ``..`` stands in it
at most once.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from typing import Final

from jsonpath import JSONPathEnvironment, JSONPathError
from jsonpath.path import JSONPath

MOST_SOURCES: Final = 40
MOST_FOUND: Final = 5
_LONGEST_PATH: Final = 300
_LONGEST_WORD: Final = 120
_KEYS: Final = frozenset({"pointer", "tool", "path", "label"})
_POINTER: Final = re.compile(r"(/([^~/]|~[01])*)+")


@dataclass(frozen=True, slots=True)
class EvidenceSource:
    """One declared source of evidence."""

    pointer: str
    tool: str
    path: str
    label: str


def faults(declared: object) -> Iterator[str]:
    """Yield what is wrong with a declaration, each fault with the number of its entry."""
    if not isinstance(declared, list | tuple) or len(declared) > MOST_SOURCES:
        yield f"A list of at most {MOST_SOURCES} sources."
        return
    for number, entry in enumerate(declared, start=1):
        if not isinstance(entry, Mapping) or set(entry) != _KEYS:
            yield f"Number {number} has a pointer, a tool, a path and a label, and nothing else."
            continue
        yield from (f"Number {number}: {fault}" for fault in _entry_faults(entry))


def read(declared: Sequence[Mapping[str, str]]) -> tuple[EvidenceSource, ...]:
    """Return the sources of a declaration that has no fault."""
    return tuple(
        EvidenceSource(each["pointer"], each["tool"], each["path"], each["label"]) for each in declared
    )


def find(path: str, document: object) -> tuple[object, ...]:
    """Return the first values that the path finds in a tool's result; none where it finds nothing."""
    try:
        return tuple(match.obj for match in islice(_compiled(path).finditer(document), MOST_FOUND))  # type: ignore[arg-type]  # any JSON value is looked through
    except (JSONPathError, RecursionError):
        return ()


def _entry_faults(entry: Mapping[str, object]) -> Iterator[str]:
    pointer, path = entry["pointer"], entry["path"]
    if not isinstance(pointer, str) or not _POINTER.fullmatch(pointer) or len(pointer) > _LONGEST_PATH:
        yield "the argument is a JSON pointer, as in /amount."
    for key, what in (("tool", "the tool"), ("label", "the label")):
        word = entry[key]
        if not isinstance(word, str) or not word.strip() or len(word) > _LONGEST_WORD:
            yield f"{what} has 1 to {_LONGEST_WORD} characters."
    if not isinstance(path, str) or not path or len(path) > _LONGEST_PATH:
        yield f"the path has 1 to {_LONGEST_PATH} characters."
        return
    try:
        _compiled(path)
    except JSONPathError as error:
        yield f"the path {path} {_said(error)}"
        return
    if path.count("..") > 1:
        yield f"the path {path} has .. more than once."


def _said(error: JSONPathError) -> str:
    """Return the complaint of the reader of paths, and at which character."""
    token = getattr(error, "token", None)
    message = str(error.args[0] if error.args else error).partition("\n")[0]
    index = getattr(token, "index", None)
    place = f" at character {index + 1}" if isinstance(index, int) and index >= 0 else ""
    return f"cannot be read{place}: {message}."


@lru_cache(maxsize=512)
def _compiled(path: str) -> JSONPath:
    compiled = _PATHS.compile(path)
    if not isinstance(compiled, JSONPath):
        raise JSONPathError("a path is one query")
    return compiled


def _environment() -> JSONPathEnvironment:
    environment = JSONPathEnvironment(strict=True)
    environment.function_extensions.clear()
    return environment


_PATHS: Final = _environment()
