"""Past actions as columns: of each only what a policy's answer depends on, some forty bytes.

Numbers are kept exactly as they are compared: scores as 32-bit floats, against which a threshold is rounded
the same way; arguments as 64-bit floats. What an action does not have is not a number.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from enum import IntEnum, IntFlag
from functools import cached_property
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

# Actions of one chunk: few enough to be written anew with every label, enough to be summed fast.
CHUNK: Final = 8192
# Into how many bins scores are counted.
BINS: Final = 1000
# Arguments of one chunk that are kept as numbers.
MOST_FIELDS: Final = 8
_FIRST_DAY: Final = date(2020, 1, 1)

Numbers = NDArray[np.float64]


class Flag(IntFlag):
    """What is true of an action whatever the policy says."""

    ALONE = 1
    # Held or denied by what no text of a policy changes: the declared scope, a stop, a freeze of that moment.
    FIXED_HOLD = 2
    FIXED_DENY = 4
    # The agent version was not trusted to run anything alone.
    LOW_LEVEL = 8
    # A person was to look at it.
    SAMPLED = 16


class Label(IntEnum):
    """What a person said. Weak ones (nobody considered it) and missing ones count neither way."""

    NONE = 0
    RIGHT = 1
    WRONG = 2
    MISSING = 3
    WEAK = 4


COLUMNS: Final[Mapping[str, str]] = {
    "check": "<i8",
    "matched": "<u8",
    "policy": "<i4",
    "confidence": "<f4",
    "judge": "<f4",
    "samples": "<f4",
    "propensity": "<f4",
    "min_propensity": "<f4",
    "day": "<u2",
    "flags": "u1",
    "label": "u1",
}
# With what is worked out of them once: places and weights of the labels, bins of the agent's own score.
_WORKED_OUT: Final = 8
BYTES_PER_ACTION: Final = _WORKED_OUT + sum(np.dtype(kind).itemsize for kind in COLUMNS.values())

Array = NDArray[Any]


@dataclass(frozen=True, kw_only=True)
class Columns:
    """A chunk of actions. ``matched`` has a bit for each rule, by its place in ``policy``, that was true."""

    check: Array
    matched: Array
    policy: Array
    confidence: Array
    judge: Array
    samples: Array
    propensity: Array
    min_propensity: Array
    day: Array
    flags: Array
    label: Array
    numbers: Mapping[str, Numbers] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.check)

    @cached_property
    def judged(self) -> Array:
        """Return the places of the labels that count: right or wrong, of what had a chance of being seen."""
        told = (self.label == Label.RIGHT) | (self.label == Label.WRONG)
        return np.flatnonzero(told & (self.propensity > 0)).astype(np.int32)

    @cached_property
    def weights(self) -> Numbers:
        """Return the weight of each label that counts: one over its propensity."""
        found: Numbers = 1.0 / self.propensity[self.judged].astype(np.float64)
        return found

    @cached_property
    def wrong(self) -> Array:
        """Return which of the labels that count say wrong."""
        found: Array = self.label[self.judged] == Label.WRONG
        return found

    @cached_property
    def shares(self) -> Array:
        """Return of each label that counts the lowest propensity that there could have been, over its own."""
        lowest = self.min_propensity[self.judged].astype(np.float64)
        return np.minimum(lowest / self.propensity[self.judged], 1.0).astype(np.float32)

    @cached_property
    def awaited(self) -> int | None:
        """Return the first check of which a person is still to speak, None where all have spoken."""
        open_ones = self.check[((self.flags & Flag.SAMPLED) > 0) & (self.label == Label.NONE)]
        return int(open_ones.min()) if len(open_ones) else None

    @cached_property
    def bins(self) -> Array:
        """Return the bin of the agent's own score."""
        return bins_of(self.confidence)

    def pack(self) -> bytes:
        """Return the columns, one behind the other."""
        return b"".join(
            np.ascontiguousarray(getattr(self, name), dtype=kind).tobytes() for name, kind in COLUMNS.items()
        )

    def pack_numbers(self) -> bytes:
        """Return the arguments' columns in the order of their names in ``numbers``."""
        return b"".join(np.ascontiguousarray(each, dtype="<f8").tobytes() for each in self.numbers.values())

    @property
    def fields(self) -> list[str]:
        """Return the names of the arguments that are kept."""
        return list(self.numbers)


def bins_of(score: Array) -> Array:
    """Return the bin of each score, -1 where there is none."""
    with np.errstate(invalid="ignore"):
        # A 32-bit 0.86 may lie a little under it: the margin is that of its rounding.
        places = np.floor(score.astype(np.float64) * BINS + 1e-4)
        places = np.minimum(places, BINS - 1)
        places[np.isnan(score)] = -1
    return places.astype(np.int16)


def unpack(columns: bytes, numbers: bytes, *, size: int, fields: Sequence[str]) -> Columns:
    """Return the columns that ``pack`` made; they share its memory and cannot be written to."""
    found: dict[str, Array] = {}
    place = 0
    for name, kind in COLUMNS.items():
        found[name] = np.frombuffer(columns, dtype=kind, count=size, offset=place)
        place += size * np.dtype(kind).itemsize
    kept = {
        name: np.frombuffer(numbers, dtype="<f8", count=size, offset=number * size * 8)
        for number, name in enumerate(fields)
    }
    return Columns(**found, numbers=kept)


@dataclass(kw_only=True)
class PastAction:
    """One action on its way into the columns."""

    check: int
    policy: int
    day: date
    flags: Flag
    matched: int = 0
    confidence: float | None = None
    judge: float | None = None
    samples: float | None = None
    propensity: float = 1.0
    min_propensity: float = 1.0
    label: Label = Label.NONE
    numbers: Mapping[str, float] = field(default_factory=dict)


def of_actions(actions: Sequence[PastAction]) -> Columns:
    """Return actions as columns."""
    rows: dict[str, list[object]] = {name: [] for name in COLUMNS}
    for action in actions:
        for name in COLUMNS:
            value = day_number(action.day) if name == "day" else getattr(action, name)
            rows[name].append(
                np.nan if value is None else int(value) if isinstance(value, IntEnum) else value
            )
    names = list(dict.fromkeys(name for action in actions for name in action.numbers))[:MOST_FIELDS]
    numbers = {
        name: np.array([action.numbers.get(name, np.nan) for action in actions], dtype="<f8")
        for name in names
    }
    made: dict[str, Array] = {name: np.array(rows[name], dtype=kind) for name, kind in COLUMNS.items()}
    return Columns(**made, numbers=numbers)


def joined(first: Columns, second: Columns) -> Columns:
    """Return both, one behind the other; an argument that one has not is not a number there."""
    names = list(dict.fromkeys([*first.numbers, *second.numbers]))[:MOST_FIELDS]

    def numbers(name: str) -> Numbers:
        parts = [each.numbers.get(name, np.full(len(each), np.nan)) for each in (first, second)]
        return np.concatenate(parts)

    made = {name: np.concatenate([getattr(first, name), getattr(second, name)]) for name in COLUMNS}
    return Columns(**made, numbers={name: numbers(name) for name in names})


def day_number(day: date) -> int:
    """Return a day as it is kept."""
    return max(0, min((day - _FIRST_DAY).days, 65_535))


def day_of(number: int) -> date:
    """Return the day of a number."""
    return _FIRST_DAY + timedelta(days=int(number))
