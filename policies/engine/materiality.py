"""Whether an edit matters: a correction counts as an error only where it touched what is material."""

from __future__ import annotations

from collections.abc import Sequence

from policies.engine.documents import value_at


def is_material(pointers: Sequence[str], *, before: object, after: object) -> bool:
    """Say whether an edit changed anything that stands under one of the JSON pointers (RFC 6901).

    None named: every change is material. What appears or goes away has changed too.
    """
    if not pointers:
        return True
    return any(not _is_same(_found(before, pointer), _found(after, pointer)) for pointer in pointers)


_NOTHING = object()


def _found(document: object, pointer: str) -> object:
    try:
        return value_at(document, pointer)
    except LookupError:
        return _NOTHING


def _is_same(one: object, other: object) -> bool:
    # In Python 1 == True, which are two things in JSON.
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_is_same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_is_same, one, other))
    return one == other
