"""How long it takes, at the very least, to have read what somebody approves.

An approval faster than this was not read, whatever it says: it is no evidence. The floor of the action type
is the least for any of its actions; longer arguments need longer. Nobody scans a text for a word at more than
about 600 words a minute (Carver, "Reading rate: theory, research, and practical implications", Journal of
Reading 36(2), 1992), and to judge it takes more: the limit finds the click without a look, not the fast
reader. Prose is read at 238 words a minute (Brysbaert, Journal of Memory and Language 109, 2019).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

MS_PER_WORD: Final = 100  # 600 words a minute
LONGEST_MS: Final = 600_000


def reading_floor_ms(*, declared_ms: int, arguments: object) -> int:
    """Return the time below which an approval of these arguments does not count; 0 declared, none does.

    The words are those of the values: a number or a name is one.
    """
    if declared_ms <= 0:
        return 0
    return min(max(declared_ms, MS_PER_WORD * words_in(arguments)), LONGEST_MS)


def words_in(value: object) -> int:
    """Return how many words a JSON value has to be read for."""
    if isinstance(value, Mapping):
        return sum(words_in(each) for each in value.values())
    if isinstance(value, list | tuple):
        return sum(words_in(each) for each in value)
    return len(value.split()) if isinstance(value, str) else 1
