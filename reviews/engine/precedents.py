"""How alike two proposals of one kind of act are, and by what a decided one is found. Pure.

Two proposals are compared place by place. A number is as alike as the smaller is to the larger; a short text
is the same or not; prose is as alike as the trigrams that both have (Dice's coefficient, as pg_trgm counts
them). The mean over all places counts; a name that differs (another order, another customer) weighs little,
since nearly every two actions differ there, while the very same name weighs in full.

Tokens stand for what a proposal says, 64 bits each, most telling first: they are what the database's index
knows. They are digests without a key, so what they were made of is not to be read from them, but a guess can
be checked: erasing an action empties them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from hashlib import blake2b
from typing import Final

from policies.engine.folding import number_text, plain
from reviews.engine.value_kinds import Leaf, is_prose, leaves, names_something

TWIN: Final = 0.85
MOST_TOKENS: Final = 120
_COMPARED: Final = 400  # characters of a prose: enough to know it again
_NAME_WEIGHT: Final = 0.15
_WORD: Final = re.compile(r"\w{3,}")
_MOST_WORDS: Final = 60


def tokens(action_type: str, arguments: object, subject: str | None) -> list[int]:
    """Return what a proposal says as numbers: names first, then other values, then words of prose."""
    found: dict[str, None] = {}
    values = list(leaves(arguments))
    if subject:
        found[f"subject={plain(subject)}"] = None
    named = [(place, value) for place, value in values if names_something(place, value)]
    for place, value in [*named, *values]:
        if value is None or isinstance(value, bool):
            continue
        if isinstance(value, str) and is_prose(value):
            continue
        found[f"{_shape(place)}={_said(value)}"] = None
    for _, value in values:
        if isinstance(value, str) and is_prose(value):
            found |= {f"word={word}": None for word in _words(value)}
    return [_digest(f"{action_type}\0{each}") for each in list(found)[:MOST_TOKENS]]


def alike(one: object, other: object) -> float:
    """Return how alike two argument documents are, 0 to 1."""
    first, second = dict(leaves(one)), dict(leaves(other))
    total = reached = 0.0
    for place in first.keys() | second.keys():
        here, there = first.get(place), second.get(place)
        likeness = _alike(here, there) if place in first and place in second else 0.0
        is_name = any(isinstance(each, str) and names_something(place, each) for each in (here, there))
        weight = _NAME_WEIGHT if is_name and likeness < 1 else 1.0
        total += weight
        reached += weight * likeness
    return reached / total if total else 1.0


def _alike(one: Leaf, other: Leaf) -> float:
    if isinstance(one, bool) or isinstance(other, bool) or one is None or other is None:
        return float(one is other)
    if isinstance(one, str) and isinstance(other, str):
        if is_prose(one) or is_prose(other):
            return _shared(_trigrams(one), _trigrams(other))
        return float(plain(one) == plain(other))
    if isinstance(one, str) or isinstance(other, str):
        return 0.0
    if one == other:
        return 1.0
    low, high = sorted((abs(one), abs(other)))
    return low / high if one * other > 0 else 0.0


def _trigrams(text: str) -> frozenset[str]:
    padded = [f"  {word} " for word in plain(text[:_COMPARED]).split()]
    return frozenset(word[at : at + 3] for word in padded for at in range(len(word) - 2))


def _shared(one: frozenset[str], other: frozenset[str]) -> float:
    return 2 * len(one & other) / (len(one) + len(other)) if one or other else 1.0


def _words(text: str) -> Iterator[str]:
    """Yield the words of a prose, long ones first: they are rarer."""
    words = dict.fromkeys(_WORD.findall(plain(text)))
    yield from sorted(words, key=len, reverse=True)[:_MOST_WORDS]


def _said(value: str | int | float) -> str:
    return plain(value) if isinstance(value, str) else number_text(value)


def _shape(place: str) -> str:
    """Return a place without the numbers of entries: the same thing may stand second in another list."""
    return "/".join("*" if part.isdecimal() else part for part in place.split("/"))


def _digest(text: str) -> int:
    return int.from_bytes(blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest(), signed=True)


def most_alike(wanted: Mapping[int, frozenset[int]], own: frozenset[int], limit: int) -> list[int]:
    """Return the keys of those that share most with ``own``, the newest first among equals."""

    def share(key: int) -> tuple[float, int]:
        both = len(wanted[key] & own)
        return both / (len(wanted[key] | own) or 1), key

    return sorted(wanted, key=share, reverse=True)[:limit]
