"""Draws from a key: the same key gives the same drill, another key another one."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Draws:
    """Numbers that follow from a key and a name alone (HMAC-SHA256)."""

    key: bytes

    def number(self, name: str, below: int) -> int:
        """Return a number from 0 up to ``below``, that one excluded."""
        digest = hmac.new(self.key, name.encode("utf-8", "surrogatepass"), hashlib.sha256).digest()
        return int.from_bytes(digest[:16], "big") % below

    def shuffled(self, name: str, values: Sequence[_T]) -> list[_T]:
        """Return the values in an order of this key."""
        places = range(len(values))
        return [values[at] for at in sorted(places, key=lambda at: self.number(f"{name}:{at}", 1 << 64))]
