"""Past actions and their labels, kept as columns and as counts by score.

Whoever calls these holds the cursor of the reader that follows the ledger, so nobody else writes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Final

import numpy as np
from django.db import connection

from hitl_site.lib.clock import database_now
from policies.models import ConditionMatch, LedgerCursor, PastChunk, ScoreBin
from policies.services.ledger.writing import require_transaction
from policies.statistics import columns
from policies.statistics.columns import CHUNK, Columns, Label, PastAction

READER: Final = "what_if"
BINS: Final = 1000
# A look that took longer was no look of that length.
LONGEST_LOOK_MS: Final = 30 * 60 * 1000

_ADD: Final = """
    INSERT INTO policies_scorebin (action_type_id, agent_version_id, policy_version_id, day, bin,
        n, alone, labelled, held_labels, errors, w, w2, wy, handled, handling_ms)
    VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
    ON CONFLICT (action_type_id, agent_version_id, day, policy_version_id, bin) DO UPDATE SET
        n = policies_scorebin.n + EXCLUDED.n, alone = policies_scorebin.alone + EXCLUDED.alone,
        labelled = policies_scorebin.labelled + EXCLUDED.labelled,
        held_labels = policies_scorebin.held_labels + EXCLUDED.held_labels,
        errors = policies_scorebin.errors + EXCLUDED.errors, w = policies_scorebin.w + EXCLUDED.w,
        w2 = policies_scorebin.w2 + EXCLUDED.w2, wy = policies_scorebin.wy + EXCLUDED.wy,
        handled = policies_scorebin.handled + EXCLUDED.handled,
        handling_ms = policies_scorebin.handling_ms + EXCLUDED.handling_ms
"""


@dataclass(frozen=True, slots=True)
class Place:
    """Whose actions these are."""

    action_type: int
    agent_version: int


@dataclass(frozen=True, slots=True)
class Cell:
    """One bin of one day."""

    action_type: int
    agent_version: int
    policy_version: int | None
    day: date
    bin: int


@dataclass(slots=True)
class Counts:
    """What is added to a bin."""

    n: int = 0
    alone: int = 0
    labelled: int = 0
    held_labels: int = 0
    errors: int = 0
    w: float = 0.0
    w2: float = 0.0
    wy: float = 0.0
    handled: int = 0
    handling_ms: int = 0


def bin_of(score: float | None) -> int:
    """Return the bin of a score, -1 where there is none. A float a hair under an edge lies above it."""
    return -1 if score is None else min(int(score * BINS + 1e-9), BINS - 1)


def add_counts(counts: Mapping[Cell, Counts]) -> None:
    """Add to the bins, each of which comes into being with its first count."""
    require_transaction()
    rows = [
        (
            cell.action_type, cell.agent_version, cell.policy_version, cell.day, cell.bin,
            each.n, each.alone, each.labelled, each.held_labels, each.errors, each.w, each.w2, each.wy,
            each.handled, each.handling_ms,
        )
        for cell, each in counts.items()
    ]  # fmt: skip
    with connection.cursor() as cursor:
        cursor.executemany(_ADD, rows)


def append(actions: Mapping[Place, Sequence[PastAction]]) -> None:
    """Put actions behind those that are kept, each in the newest chunk of its place that has room."""
    require_transaction()
    for place, fresh in actions.items():
        last = _chunks(place).order_by("-number").first()
        known = _known_checks(place, [action.check for action in fresh])
        left = columns.of_actions([action for action in fresh if action.check not in known])
        number = last.number if last is not None else 0
        if last is not None and last.size < CHUNK:
            room = CHUNK - last.size
            _save(last, columns.joined(read(last), _part(left, 0, room)))
            left = _part(left, room, len(left))
        while len(left):
            number += 1
            _save(_new(place, number), _part(left, 0, CHUNK))
            left = _part(left, CHUNK, len(left))


def label(labels: Mapping[Place, Mapping[int, Label]]) -> None:
    """Set the labels of actions that are kept, by their check; those of others are not ours to know."""
    require_transaction()
    for place, known in labels.items():
        wanted = np.fromiter(known, dtype=np.int64)
        chunks = _chunks(place).filter(last_check__gte=int(wanted.min()), first_check__lte=int(wanted.max()))
        for chunk in chunks:
            held = read(chunk)
            inside = np.flatnonzero(np.isin(held.check, wanted))
            if not len(inside):
                continue
            said = held.label.copy()
            said[inside] = [int(known[int(check)]) for check in held.check[inside]]
            _save(chunk, replace(held, label=said))


def forget_numbers(*, checks: Iterable[int]) -> int:
    """Take the arguments of these actions out of the columns; return of how many.

    For whoever erases what an action said: what is left is how it was judged.
    """
    require_transaction()
    wanted = np.fromiter(checks, dtype=np.int64)
    if not len(wanted):
        return 0
    LedgerCursor.objects.select_for_update().filter(reader=READER).first()
    found = 0
    chunks = PastChunk.objects.filter(last_check__gte=int(wanted.min()), first_check__lte=int(wanted.max()))
    for chunk in chunks.select_for_update().iterator(chunk_size=8):
        held = read(chunk)
        inside = np.isin(held.check, wanted)
        if not inside.any():
            continue
        kept = {name: np.where(inside, np.nan, each) for name, each in held.numbers.items()}
        _save(chunk, replace(held, numbers=kept))
        found += int(inside.sum())
    return found


def clear() -> None:
    """Throw everything away and set the reader back to the start of the ledger, where it begins again."""
    require_transaction()
    LedgerCursor.objects.select_for_update().filter(reader=READER).first()
    ConditionMatch.objects.all().delete()
    PastChunk.objects.all().delete()
    ScoreBin.objects.all().delete()
    LedgerCursor.objects.filter(reader=READER).update(seq=0, updated_at=database_now())


def read(chunk: PastChunk) -> Columns:
    """Return what a chunk holds."""
    return columns.unpack(
        bytes(chunk.columns), bytes(chunk.numbers), size=chunk.size, fields=list(chunk.fields)
    )


def _known_checks(place: Place, wanted: Sequence[int]) -> set[int]:
    """Return which of these are kept already: the cursor may have been set back by hand."""
    found: set[int] = set()
    chunks = _chunks(place).filter(last_check__gte=min(wanted), first_check__lte=max(wanted))
    for chunk in chunks.iterator(chunk_size=8):
        checks = read(chunk).check
        found.update(int(check) for check in checks[np.isin(checks, wanted)])
    return found


def _chunks(place: Place):  # type: ignore[no-untyped-def]  # a QuerySet, which Django types only by plug-in
    return PastChunk.objects.filter(
        action_type_id=place.action_type, agent_version_id=place.agent_version
    ).order_by("number")


def _new(place: Place, number: int) -> PastChunk:
    return PastChunk(
        action_type_id=place.action_type, agent_version_id=place.agent_version, number=number, revision=0
    )


def _part(whole: Columns, start: int, end: int) -> Columns:
    cut = {name: getattr(whole, name)[start:end] for name in columns.COLUMNS}
    return Columns(**cut, numbers={name: each[start:end] for name, each in whole.numbers.items()})


def _save(chunk: PastChunk, held: Columns) -> None:
    if not len(held):
        return
    chunk.size = len(held)
    chunk.revision += 1
    chunk.first_day, chunk.last_day = columns.day_of(held.day.min()), columns.day_of(held.day.max())
    chunk.first_check, chunk.last_check = int(held.check.min()), int(held.check.max())
    chunk.fields = held.fields
    chunk.columns, chunk.numbers = held.pack(), held.pack_numbers()
    chunk.save()
