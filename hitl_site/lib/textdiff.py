"""What changed: between two texts (word by word), and between two JSON documents (path by path).

Pure functions over values. Everything in a result is untrusted text and is escaped where it is shown.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import jsonpatch
from diff_match_patch import diff_match_patch

from hitl_site.lib.strict_json import JsonValue, pointer_token

TIMEOUT_SECONDS = 0.3
WORD_LIMIT = 200_000

Kind = Literal["equal", "insert", "delete"]
ChangeKind = Literal["added", "removed", "changed"]

_WORDS = re.compile(r"\w+|\s|[^\w\s]")
_LINES = re.compile(r"[^\n]*\n|[^\n]+")
# One private-use character stands for one token (planes 15 and 16): none of them is a letter, a digit or
# white space, so that the clean-up does not take a token for what its stand-in happens to be.
_FIRST_STAND_IN = 0xF0000
_MAX_TOKENS = 0x110000 - _FIRST_STAND_IN
_KINDS: dict[int, Kind] = {
    diff_match_patch.DIFF_EQUAL: "equal",
    diff_match_patch.DIFF_INSERT: "insert",
    diff_match_patch.DIFF_DELETE: "delete",
}


@dataclass(frozen=True, slots=True)
class Segment:
    """A piece of text that both sides have, or only the later one, or only the earlier one."""

    kind: Kind
    text: str


@dataclass(frozen=True, slots=True)
class Change:
    """One path whose value differs. ``before`` is None when added, ``after`` is None when removed."""

    pointer: str
    before: JsonValue
    after: JsonValue
    kind: ChangeKind


def diff_text(before: str, after: str) -> tuple[Segment, ...]:
    """Return the difference in whole words; in whole lines beyond ``WORD_LIMIT`` characters on both sides.

    The equal and deleted segments joined are ``before``, the equal and inserted ones ``after``, always. Under
    a time limit the difference found may be larger than the smallest one.
    """
    if before == after:
        return (Segment("equal", before),) if before else ()
    if len(before) + len(after) <= WORD_LIMIT:
        found = _diff_tokens(_WORDS.findall(before), _WORDS.findall(after))
        if found is not None:
            return found
    found = _diff_tokens(_LINES.findall(before), _LINES.findall(after))
    return found if found is not None else _replaced(before, after)


def json_changes(before: JsonValue, after: JsonValue) -> tuple[Change, ...]:
    """Return every path whose value differs, in the order of the document. Lists are compared by position."""
    return tuple(_changes(before, after, ""))


def json_patch(before: JsonValue, after: JsonValue) -> list[dict[str, JsonValue]]:
    """Return an RFC 6902 patch that turns ``before`` into exactly ``after``.

    jsonpatch compares with ``==``, for which 1, 1.0 and True are the same: where its patch misses such a
    change, the answer is to replace the whole document.
    """
    if _identical(before, after):
        return []
    try:
        operations: list[dict[str, JsonValue]] = jsonpatch.make_patch(before, after).patch
        reached = jsonpatch.apply_patch(copy.deepcopy(before), operations)
    except (jsonpatch.JsonPatchException, jsonpatch.JsonPointerException, TypeError, KeyError, IndexError):
        return _replace_all(after)
    return operations if _identical(reached, after) else _replace_all(after)


def _diff_tokens(before: list[str], after: list[str]) -> tuple[Segment, ...] | None:
    stand_ins: dict[str, str] = {}
    for token in (*before, *after):
        stand_ins.setdefault(token, chr(_FIRST_STAND_IN + min(len(stand_ins), _MAX_TOKENS - 1)))
    if len(stand_ins) >= _MAX_TOKENS:
        return None
    tokens = {stand_in: token for token, stand_in in stand_ins.items()}
    engine = diff_match_patch()
    engine.Diff_Timeout = TIMEOUT_SECONDS
    differences = engine.diff_main(
        "".join(stand_ins[token] for token in before), "".join(stand_ins[token] for token in after), False
    )
    engine.diff_cleanupSemantic(differences)
    return tuple(
        Segment(_KINDS[operation], "".join(tokens[stand_in] for stand_in in run))
        for operation, run in differences
        if run
    )


def _replaced(before: str, after: str) -> tuple[Segment, ...]:
    both = (Segment("delete", before), Segment("insert", after))
    return tuple(segment for segment in both if segment.text)


def _changes(before: JsonValue, after: JsonValue, pointer: str) -> Iterator[Change]:
    if isinstance(before, dict) and isinstance(after, dict):
        for name, value in before.items():
            step = pointer + pointer_token(name)
            if name in after:
                yield from _changes(value, after[name], step)
            else:
                yield Change(step, value, None, "removed")
        for name, value in after.items():
            if name not in before:
                yield Change(pointer + pointer_token(name), None, value, "added")
    elif isinstance(before, list) and isinstance(after, list):
        shared = min(len(before), len(after))
        for index in range(shared):
            yield from _changes(before[index], after[index], pointer + pointer_token(index))
        for index in range(shared, len(before)):
            yield Change(pointer + pointer_token(index), before[index], None, "removed")
        for index in range(shared, len(after)):
            yield Change(pointer + pointer_token(index), None, after[index], "added")
    elif not _same_scalar(before, after):
        yield Change(pointer, before, after, "changed")


def _same_scalar(before: JsonValue, after: JsonValue) -> bool:
    """Compare as JSON does: true is not 1, but 1 and 1.0 are one number."""
    if isinstance(before, bool) or isinstance(after, bool):
        return before is after
    return before == after


def _identical(one: JsonValue, other: JsonValue) -> bool:
    """Compare with types: here even 1 and 1.0 differ. Recursion is as deep as the door lets values be."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_identical(one[name], other[name]) for name in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_identical, one, other))
    return one == other


def _replace_all(after: JsonValue) -> list[dict[str, JsonValue]]:
    return [{"op": "replace", "path": "", "value": after}]
