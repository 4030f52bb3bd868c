"""What a control shows for a value, and what a posted text means: the two directions of one control."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Sequence

from .document import (
    LARGEST_INTEGER,
    MISSING,
    JsonValue,
    Maybe,
    Missing,
    compact,
    pretty,
    read_json,
    same,
    storable,
)
from .kinds import CHOOSING, FORMATTED, LINE_ITEMS, Kind, fits
from .plan import Leaf, Presence, presence_of, presences_of

ABSENT_KEY = "~absent"
NULL_KEY = "~null"

_INTEGER = re.compile(r"[+-]?[0-9]{1,17}")
_DECIMAL = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,4})?")


class Unreadable(ValueError):
    """What was typed means nothing here; the message says why to the person who typed it."""


def unbroken(text: str) -> str:
    """Return a text with the line ends of a control's own value (HTML: LF alone)."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


def shown(leaf: Leaf, value: Maybe) -> str:
    """Return the text (or the key of the choice) that the control holds for a value."""
    if leaf.kind in CHOOSING:
        return _key(leaf, value)
    if isinstance(value, Missing):
        return ""
    if leaf.kind is Kind.CHECKBOXES and isinstance(value, list):
        return "\n".join(checked(leaf, value))
    if leaf.kind is Kind.JSON or leaf.kind is Kind.STATIC:
        return pretty(value)
    if value is None:
        return ""
    if leaf.kind is Kind.LINES and isinstance(value, list):
        return "\n".join(item if isinstance(item, str) else compact(item) for item in value)
    if isinstance(value, str) and fits(Kind.TEXTAREA if leaf.kind is Kind.TEXT else leaf.kind, value):
        return unbroken(value)
    if leaf.kind in {Kind.NUMBER, Kind.INTEGER} and fits(leaf.kind, value):
        return compact(value)
    return pretty(value)


def _key(leaf: Leaf, value: Maybe) -> str:
    for option in leaf.options:
        if same(option, value):
            return compact(option)
    return {Presence.ABSENT: ABSENT_KEY, Presence.NULL: NULL_KEY}.get(presence_of(value), "")


def checked(leaf: Leaf, value: Maybe) -> list[str]:
    """Return the keys of the boxes that are ticked for a value, in the order of the boxes."""
    present = value if isinstance(value, list) else []
    return [compact(option) for option in leaf.options if any(same(option, item) for item in present)]


def read(leaf: Leaf, posted: Sequence[str] | None, stance: str | None) -> Maybe:
    """Return the value that a control's posted texts stand for, or raise Unreadable.

    What was not touched is what it was before, exactly; nothing posted at all touches nothing.
    """
    if leaf.kind is Kind.STATIC or (posted is None and stance is None):
        return leaf.base
    if leaf.kind in CHOOSING:
        return _read_choice(leaf, posted or ())
    before = presence_of(leaf.base)
    offered = {presence.value: presence for presence in presences_of(leaf)}
    after = offered.get(stance or "", before)
    if after is not before and after is not Presence.VALUE:
        return MISSING if after is Presence.ABSENT else None
    if leaf.kind is Kind.CHECKBOXES:
        return _read_boxes(leaf, posted, made=after is not before)
    text = unbroken(posted[-1]) if posted else shown(leaf, leaf.base)
    if text == shown(leaf, leaf.base) and after is before:
        return leaf.base
    return _read_text(leaf, text)


def _read_choice(leaf: Leaf, posted: Sequence[str]) -> Maybe:
    key = posted[-1] if posted else ""
    if not posted or key == _key(leaf, leaf.base):
        return leaf.base
    if key and key == _key(leaf, leaf.proposed) and presence_of(leaf.proposed) is Presence.VALUE:
        return leaf.proposed
    for option in leaf.options:
        if compact(option) == key:
            return option
    presences = presences_of(leaf)
    if key == ABSENT_KEY and Presence.ABSENT in presences:
        return MISSING
    if key == NULL_KEY and Presence.NULL in presences:
        return None
    raise Unreadable("Choose one of the listed values.")


def _read_boxes(leaf: Leaf, posted: Sequence[str] | None, *, made: bool) -> Maybe:
    """Keep the order of what was ticked before; new ones follow in the order of the boxes."""
    if posted is None:
        return leaf.base
    ticked = {key for key in posted if key}
    if ticked == set(checked(leaf, leaf.base)) and not made:
        return leaf.base
    if not ticked <= {compact(option) for option in leaf.options}:
        raise Unreadable("Choose from the listed values.")
    before = leaf.base if isinstance(leaf.base, list) else []
    if isinstance(leaf.proposed, list) and gives_back(leaf) and ticked == set(checked(leaf, leaf.proposed)):
        return leaf.proposed
    chosen = [option for option in leaf.options if compact(option) in ticked]
    kept = [item for item in before if any(same(item, option) for option in chosen)]
    return kept + [option for option in chosen if not any(same(option, item) for item in kept)]


def gives_back(leaf: Leaf) -> bool:
    """Tell whether the control can be put to the agent's value, or to its absence, exactly."""
    proposed, kind, presence = leaf.proposed, leaf.kind, presence_of(leaf.proposed)
    if kind is Kind.STATIC:
        return False
    if kind in CHOOSING:
        return _key(leaf, proposed) != "" and (presence is Presence.VALUE or presence in presences_of(leaf))
    if presence is not Presence.VALUE and kind is not Kind.JSON:
        return presence in presences_of(leaf)
    if kind is Kind.LINES:
        return isinstance(proposed, list) and all(map(LINE_ITEMS[leaf.item_type], proposed))
    if kind is Kind.CHECKBOXES:
        return isinstance(proposed, list) and len(checked(leaf, proposed)) == len(proposed)
    return isinstance(proposed, Missing) or fits(Kind.TEXTAREA if kind is Kind.TEXT else kind, proposed)


def _read_text(leaf: Leaf, text: str) -> Maybe:
    agreed = presence_of(leaf.proposed) is Presence.VALUE and gives_back(leaf)
    if agreed and text == shown(leaf, leaf.proposed):
        return leaf.proposed  # the agent's own value, in its own type and with its own line ends
    if leaf.kind is Kind.LINES:
        return _read_lines(leaf, text)
    empty = not text.strip()
    if leaf.kind is Kind.JSON:
        return _read_block(leaf, text)
    numeric = leaf.kind in {Kind.NUMBER, Kind.INTEGER}
    if empty and (numeric or leaf.kind in FORMATTED):
        if not leaf.required:
            return MISSING
        if leaf.shape.nullable:
            return None
        if numeric:
            raise Unreadable("Needs a number.")
    if numeric:
        return _read_number(text.strip(), whole=leaf.kind is Kind.INTEGER)
    if not storable(text):
        raise Unreadable("Holds a character that cannot be stored (U+0000).")
    return _with_line_ends_of(leaf.base, text)


def _read_block(leaf: Leaf, text: str) -> Maybe:
    if not text.strip():
        if not leaf.required or isinstance(leaf.base, Missing):
            return MISSING
        raise Unreadable("Needs a value; write null for none.")
    try:
        return read_json(text)
    except ValueError as problem:
        raise Unreadable(str(problem)) from None


def _with_line_ends_of(before: Maybe, text: str) -> str:
    """Give a changed text the line ends of the text it replaces: a form cannot tell them apart."""
    ends = set(re.findall("\r\n|\r|\n", before)) if isinstance(before, str) else set()
    return text.replace("\n", ends.pop()) if len(ends) == 1 else text


def _read_number(text: str, *, whole: bool) -> JsonValue:
    if "," in text:
        raise Unreadable("Write the number with a point and without separators, for example 1234.50.")
    if _INTEGER.fullmatch(text):
        number = int(text)
        if abs(number) > LARGEST_INTEGER:
            raise Unreadable("This number is too large to be exact.")
        return number
    if not _DECIMAL.fullmatch(text):
        raise Unreadable("Write a whole number." if whole else "Write a number, for example 12 or 12.50.")
    fraction = float(text)
    if abs(fraction) > LARGEST_INTEGER and (whole or fraction in {float("inf"), float("-inf")}):
        raise Unreadable("This number is too large to be exact.")
    if not whole:
        return fraction
    if fraction != int(fraction):
        raise Unreadable("Write a whole number.")
    return int(fraction)


def _read_lines(leaf: Leaf, text: str) -> JsonValue:
    """Read one item a line; blank lines are nothing. An item that was there stays as it was."""
    known = {compact(item): item for item in leaf.base} if isinstance(leaf.base, list) else {}
    whole = leaf.item_type == "integer"
    items: list[JsonValue] = []
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        if not storable(line):
            raise Unreadable(f"Line {number} holds a character that cannot be stored (U+0000).")
        if leaf.item_type == "string":
            items.append(line)
            continue
        try:
            stripped = line.strip()
            items.append(known[stripped] if stripped in known else _read_number(stripped, whole=whole))
        except Unreadable as problem:
            raise Unreadable(f"Line {number}: {problem}") from None
    return items


def read_moment(value: Maybe) -> dt.datetime | None:
    """Return the instant of an RFC 3339 text, to be shown in the reader's zone, or None."""
    if not isinstance(value, str) or len(value) > 40:
        return None
    try:
        moment = dt.datetime.fromisoformat(value)
    except ValueError:
        return None
    # Near the ends of the calendar a change of zone overflows.
    return moment if moment.tzinfo is not None and 1 < moment.year < 9999 else None
