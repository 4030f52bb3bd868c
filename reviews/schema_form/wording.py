"""How values read in the comparison: words where they say as much as JSON, JSON where types would be lost."""

from __future__ import annotations

from .document import JsonValue, Maybe, Missing, compact, pretty, storable
from .kinds import Kind
from .plan import Leaf

_LINES_AT_MOST = 24


def legible(text: str) -> str:
    """Return a text that any page can carry: what cannot be encoded becomes JSON's escapes."""
    return text if storable(text) else compact(text)


def words(value: JsonValue) -> str:
    if isinstance(value, bool):
        return "Yes" if value else "No"
    if isinstance(value, str) and value.strip() and storable(value):
        return value
    return pretty(value)


def for_reading(leaf: Leaf, value: Maybe) -> tuple[str, bool]:
    """Return the agent's value as the comparison shows it, and whether that is JSON."""
    if isinstance(value, Missing):
        return "", False
    if isinstance(value, bool):
        return words(value), False
    if isinstance(value, str) and value and storable(value) and (leaf.kind is not Kind.JSON or leaf.extra):
        return value, False
    if isinstance(value, int | float) and (leaf.kind is not Kind.JSON or leaf.extra):
        return compact(value), False
    in_lines = leaf.kind in {Kind.LINES, Kind.CHECKBOXES} and isinstance(value, list) and value != []
    if (
        in_lines
        and isinstance(value, list)
        and all(isinstance(i, str | int | float) and i != "" for i in value)
    ):
        return "\n".join(map(words, value)), False
    return pretty(value), True


def static_text(leaf: Leaf) -> str:
    return for_reading(leaf, leaf.base)[0]


def summary(value: Maybe, *, is_array: bool) -> str:
    if isinstance(value, Missing):
        return ""
    if is_array and isinstance(value, list):
        return "1 entry" if len(value) == 1 else f"{len(value)} entries"
    if isinstance(value, dict) and not is_array:
        return "" if value else "No fields"
    return pretty(value)


def height(text: str) -> int:
    """Return the lines a text takes at about 60 characters each, within reason."""
    lines = sum(1 + len(line) // 60 for line in text.split("\n"))
    return min(max(lines, 2), _LINES_AT_MOST)
