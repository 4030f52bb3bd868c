"""What will run, as a difference from the proposal: lines for values, words for prose. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from hitl_site.lib.canonical import canonicalize
from hitl_site.lib.strict_json import JsonValue
from hitl_site.lib.textdiff import Change, Segment, diff_text, json_changes

PROSE = 40  # characters from which a text is compared word by word
CONTEXT = 28  # characters of what stayed, on each side of a change
_MOST_LINES = 200


@dataclass(frozen=True)
class Line:
    """One line: ``del``, ``ins`` (with ``text``) or ``prose`` (with ``segments``)."""

    kind: str
    label: str
    text: str = ""
    segments: tuple[Segment, ...] = ()


@dataclass(frozen=True)
class Difference:
    """The lines to show; ``left_out`` counts changes beyond what one reads."""

    lines: tuple[Line, ...]
    left_out: int = 0


def difference(before: JsonValue, after: JsonValue) -> Difference:
    """Return what is different, in the order of the document."""
    changes = json_changes(before, after)
    lines = tuple(line for change in changes[:_MOST_LINES] for line in _lines(change))
    return Difference(lines=lines, left_out=max(0, len(changes) - _MOST_LINES))


def is_same(before: JsonValue, after: JsonValue) -> bool:
    """Say whether two documents are the same to whoever runs them: 148 and 148.0 are."""
    return not json_changes(before, after)


def _lines(change: Change) -> Iterator[Line]:
    label = " › ".join(_part(token) for token in change.pointer.split("/")[1:]) or "everything"
    before, after = change.before, change.after
    if isinstance(before, str) and isinstance(after, str) and (_is_prose(before) or _is_prose(after)):
        yield Line("prose", label, segments=tuple(_shortened(diff_text(before, after))))
        return
    if change.kind != "added":
        yield Line("del", label, text=_shown(change.before))
    if change.kind != "removed":
        yield Line("ins", label, text=_shown(change.after))


def _is_prose(text: str) -> bool:
    return len(text) >= PROSE or "\n" in text


def _part(token: str) -> str:
    name = token.replace("~1", "/").replace("~0", "~")
    return str(int(name) + 1) if name.isdecimal() and len(name) < 10 else name


def _shown(value: JsonValue) -> str:
    # As canonical JSON: 148.0 runs as 148.
    return value if isinstance(value, str) and value else canonicalize(value).decode()


def _shortened(segments: tuple[Segment, ...]) -> Iterator[Segment]:
    """Keep every change whole, and of what stayed only the words around it."""
    last = len(segments) - 1
    for number, segment in enumerate(segments):
        if segment.kind != "equal" or len(segment.text) <= 2 * CONTEXT + 8:
            yield segment
            continue
        head = "" if number == 0 else segment.text[:CONTEXT]
        tail = "" if number == last else segment.text[-CONTEXT:]
        yield Segment("equal", f"{head} … {tail}")
