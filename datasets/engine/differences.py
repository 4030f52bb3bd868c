"""The difference between what was proposed and what was right, field by field, with what kind of error it is.

The places are those of ``json_changes``: objects are compared by name, lists by position. What kind:

- ``missing``: the truth has it and the proposal does not; ``extra``: the other way round. A null is a value.
- ``wrong_wording``: both are texts, and they say the same but for case, spaces, dashes and the like; or the
  field is for words (``fields``); or nothing is known of the field and both are texts of four words and more.
- ``wrong_target``: the field says whom or what the act is aimed at.
- ``wrong_value``: everything else.

Applying the differences to the proposal gives the truth, always (``applied``).
"""

from __future__ import annotations

import copy
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from datasets.engine.fields import Declaration, Role, use_of
from hitl_site.lib.strict_json import JsonValue
from hitl_site.lib.textdiff import Change, json_changes
from policies.engine.folding import plain

Document = dict[str, JsonValue]
WORDS_OF_A_SENTENCE: Final = 4


class DifferenceKind(StrEnum):
    """What was wrong at one place."""

    WRONG_VALUE = "wrong_value"
    MISSING = "missing"
    EXTRA = "extra"
    WRONG_TARGET = "wrong_target"
    WRONG_WORDING = "wrong_wording"


@dataclass(frozen=True, slots=True)
class Difference:
    """One place that was wrong. ``before`` is None where it is missing, ``after`` None where it is extra."""

    pointer: str
    kind: DifferenceKind
    before: JsonValue
    after: JsonValue

    def document(self) -> Document:
        """Return the difference as cases write it."""
        return {
            "pointer": self.pointer,
            "kind": self.kind.value,
            "before": self.before,
            "after": self.after,
        }

    @classmethod
    def from_document(cls, document: Document) -> Difference:
        """Return the difference that a case has written down."""
        return cls(
            pointer=str(document["pointer"]),
            kind=DifferenceKind(str(document["kind"])),
            before=document["before"],
            after=document["after"],
        )


def differences(proposed: JsonValue, truth: JsonValue, declaration: Declaration) -> tuple[Difference, ...]:
    """Return what is wrong with the proposal, in the order of the document."""
    return tuple(
        Difference(change.pointer, _kind(change, declaration), change.before, change.after)
        for change in json_changes(proposed, truth)
    )


def applied(proposed: JsonValue, found: Iterable[Difference]) -> JsonValue:
    """Return what the proposal becomes when every difference is made good: the truth."""
    root: Document = {"": copy.deepcopy(proposed)}
    every = tuple(found)
    for difference in every:
        if difference.kind is not DifferenceKind.EXTRA:
            _put(root, difference)
    # Members leave a list from its end: the places of those before them stay what they are.
    for difference in reversed(every):
        if difference.kind is DifferenceKind.EXTRA:
            _remove(root, difference)
    return root[""]


def _kind(change: Change, declaration: Declaration) -> DifferenceKind:
    if change.kind == "added":
        return DifferenceKind.MISSING
    if change.kind == "removed":
        return DifferenceKind.EXTRA
    before, after = change.before, change.after
    use = use_of(change.pointer, declaration)
    if isinstance(before, str) and isinstance(after, str):
        if plain(before) == plain(after):
            return DifferenceKind.WRONG_WORDING
        if use.role is Role.WORDING or (
            use.role is Role.VALUE and not use.listed and _sentences(before, after)
        ):
            return DifferenceKind.WRONG_WORDING
    return DifferenceKind.WRONG_TARGET if use.role is Role.TARGET else DifferenceKind.WRONG_VALUE


def _sentences(*texts: str) -> bool:
    return all(len(text.split()) >= WORDS_OF_A_SENTENCE for text in texts)


def _place(root: Document, pointer: str) -> tuple[JsonValue, str]:
    """Return what holds the place, and the place's name or index in it."""
    node: JsonValue = root
    tokens = [token.replace("~1", "/").replace("~0", "~") for token in pointer.split("/")]
    for token in tokens[:-1]:
        node = node[int(token)] if isinstance(node, list) else node[token] if isinstance(node, dict) else None
    return node, tokens[-1]


def _put(root: Document, difference: Difference) -> None:
    holder, name = _place(root, difference.pointer)
    value = copy.deepcopy(difference.after)
    if isinstance(holder, dict):
        holder[name] = value
    elif isinstance(holder, list):
        index = int(name)
        holder[index : index + 1] = [value]


def _remove(root: Document, difference: Difference) -> None:
    holder, name = _place(root, difference.pointer)
    if isinstance(holder, dict):
        del holder[name]
    elif isinstance(holder, list):
        del holder[int(name)]
