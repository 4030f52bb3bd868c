"""Where a value stands in a JSON text: line and column of a JSON pointer (RFC 6901)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from hitl_site.lib.strict_json import pointer_token

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*+"|[\[\]{}:,]|[^\s\[\]{}:,"]++')


def place_of(text: str, pointer: str) -> tuple[int, int] | None:
    """Return line and column, from 1, of the value at ``pointer``, or of the nearest value around it.

    ``text`` is valid JSON; None where it is not even that.
    """
    found: dict[str, int] = {}
    for place, offset in _values(text):
        found.setdefault(place, offset)
    while pointer not in found and pointer:
        pointer = pointer.rpartition("/")[0]
    if pointer not in found:
        return None
    before = text[: found[pointer]]
    return before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1


def _values(text: str) -> Iterator[tuple[str, int]]:
    """Yield pointer and offset of every value, in the order of the text."""
    # Of each open bracket: its own pointer, and the name or number of the member that comes next.
    open_ones: list[tuple[str, str | int | None]] = []
    for token in _TOKEN.finditer(text):
        mark = token[0]
        if mark in "]}":
            if open_ones:
                open_ones.pop()
            continue
        if mark == ":":
            continue
        if mark == ",":
            if open_ones:
                place, member = open_ones.pop()
                open_ones.append((place, member + 1 if isinstance(member, int) else None))
            continue
        pointer = ""
        if open_ones:
            place, member = open_ones[-1]
            if member is None:
                open_ones[-1] = (place, str(json.loads(mark)) if mark.startswith('"') else mark)
                continue
            pointer = place + pointer_token(member)
        yield pointer, token.start()
        if mark in "[{":
            open_ones.append((pointer, 0 if mark == "[" else None))
