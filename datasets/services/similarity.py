"""How near two cases are in what they say: SimHash (Charikar 2002) over their folded texts.

Pure. Each text is folded as for the gate's mentions (case, spaces, dashes, forms of Unicode are of no
matter); its words and pairs of neighbouring words each vote on 64 bits. Texts that share most of them differ
in few bits, texts that share none in about 32.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from hashlib import blake2b
from itertools import islice, pairwise
from typing import Final

from hitl_site.lib.strict_json import JsonValue
from policies.engine.folding import number_text, plain

BITS: Final = 64
# What a case says first weighs most, and a context of a megabyte takes no longer than one of some pages.
MOST_FEATURES: Final = 2_048
_WORD: Final = re.compile(r"\w+")
_MASK: Final = 2**BITS - 1


def similarity(*values: JsonValue) -> int | None:
    """Return the 64 bits of these documents as a signed number, None where they say nothing.

    Names of members are left out: two refunds would otherwise be alike in being refunds.
    """
    features = islice(dict.fromkeys(_features(values)), MOST_FEATURES)
    votes = [0] * BITS
    seen = False
    for feature in features:
        seen = True
        digest = int.from_bytes(blake2b(feature.encode(), digest_size=BITS // 8).digest(), "big")
        for bit in range(BITS):
            votes[bit] += 1 if digest >> bit & 1 else -1
    if not seen:
        return None
    unsigned = sum(1 << bit for bit, vote in enumerate(votes) if vote > 0)
    return unsigned - 2**BITS if unsigned >> (BITS - 1) else unsigned


def distance(one: int, other: int) -> int:
    """Return in how many of the 64 bits two similarities differ."""
    return ((one ^ other) & _MASK).bit_count()


def _features(values: Iterable[JsonValue]) -> Iterator[str]:
    for text in _texts(values):
        words = _WORD.findall(plain(text))
        yield from words
        yield from (f"{first} {second}" for first, second in pairwise(words))


def _texts(values: Iterable[JsonValue]) -> Iterator[str]:
    """Yield every text and number in the order of the documents; objects by name: jsonb keeps no order."""
    for value in values:
        if isinstance(value, str):
            yield value
        elif isinstance(value, dict):
            yield from _texts(value[name] for name in sorted(value))
        elif isinstance(value, list):
            yield from _texts(value)
        elif isinstance(value, int | float) and not isinstance(value, bool):
            yield number_text(value)
