"""Working off the lines of batches: each stored line goes through the gate once, whatever its neighbours do.

An attempt is counted, and committed, before the work begins: a line that kills its process (a crash in C, no
memory) is known by it afterwards as one that raises an error is. Fresh lines are begun some at a time; what
was begun before and is still there goes alone, the least tried first. After ``MAX_ATTEMPTS`` it is set aside
with its last error.

Who is at a line holds an advisory lock of its session: it ends with the process, so that nobody has to guess
from the time whether that one lives.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Final

from django.db import DatabaseError, InterfaceError, OperationalError, connection, transaction
from django.db.models import F

from policies.models import AgentKey
from policies.services import ledger
from reviews.adapters import submission as wire
from reviews.choices import IngestState
from reviews.models import IngestRow
from reviews.services import ingest

logger = logging.getLogger(__name__)

MAX_ATTEMPTS: Final = 5
CHUNK: Final = 50
_DIED: Final = f"The process died while it worked on this line, {MAX_ATTEMPTS} times or more."
# What PostgreSQL says of a statement that was too much for it. The rest of its own trouble says nothing of
# the line: https://www.postgresql.org/docs/current/errcodes-appendix.html
_TOO_MUCH: Final = ("54", "57014")

# Skipped where the same action comes by itself at this moment, and takes the line with it. Said in SQL: of a
# line's time in Python, half went into the making of these two.
_TO_DO: Final = """SELECT public_id, agent_key_id, idempotency_key, request_id, body FROM reviews_ingestrow
    WHERE id = %s AND state = %s AND agent_key_id IS NOT NULL FOR UPDATE SKIP LOCKED
"""
# What it said is the action's from now on.
_DONE: Final = (
    "UPDATE reviews_ingestrow SET action_id = %s, state = %s, done_at = %s, body = '' WHERE id = %s"
)

Clock = Callable[[], datetime]
Interruptions = tuple[type[Exception], ...]


def rows_to_do(*, batch_id: str = "", limit: int = 1000) -> list[int]:
    """Return the lines that wait to be worked off, oldest first; those of one batch when it is named."""
    return list(_waiting(batch_id).order_by("batch_id", "id").values_list("pk", flat=True)[:limit])


def work_off_waiting(
    *, clock: Clock, batch_id: str = "", limit: int = 1000, interruptions: Interruptions = ()
) -> int:
    """Work off the lines that wait, fresh ones first; return how many. Any number may call it at once.

    ``interruptions`` are raised by who runs this, to end it; they say nothing of the line they come at.
    """
    waiting = _waiting(batch_id)
    fresh = list(waiting.filter(attempts=0).order_by("batch_id", "id").values_list("pk", flat=True)[:limit])
    taken = 0
    for start in range(0, len(fresh), CHUNK):
        taken += _work_off(fresh[start : start + CHUNK], clock=clock, fresh=True, interruptions=interruptions)
    tried = waiting.filter(attempts__gt=0).order_by("attempts", "batch_id", "id").values_list("pk", flat=True)
    for row_id in list(tried[:limit]):
        taken += _work_off([row_id], clock=clock, fresh=False, interruptions=interruptions)
    return taken


def work_off(*, row_id: int, now: datetime) -> bool:
    """Take one accepted line through the gate. Return False when somebody else is at it or was.

    A line that fails ``MAX_ATTEMPTS`` times is parked with its error, so that the others keep moving.
    """
    return bool(_work_off([row_id], clock=lambda: now, fresh=None))


def _waiting(batch_id: str) -> Any:
    waiting = IngestRow.objects.filter(state=IngestState.ACCEPTED)
    return waiting.filter(batch_id=batch_id) if batch_id else waiting


def _work_off(
    row_ids: Sequence[int], *, clock: Clock, fresh: bool | None, interruptions: Interruptions = ()
) -> int:
    """Work off the lines that nobody is at. ``fresh``: only those never begun, or only the others."""
    trouble: Interruptions = (OperationalError, InterfaceError, *interruptions)
    keys: dict[int, AgentKey] = {}
    with _held(row_ids) as free:
        begun = _begin(free, fresh=fresh)
        for place, row_id in enumerate(begun):
            try:
                _through_the_gate(row_id, keys=keys, now=clock())
            except trouble as error:
                if _was_too_much(error):
                    _fail(row_id, error, clock())
                    continue
                # Neither this line nor those after it had a fair try.
                _give_back(begun[place:])
                raise
            except Exception as error:
                logger.exception("line %s of a batch failed", row_id)
                _fail(row_id, error, clock())
        if not begun and free and fresh is not True:
            return sum(_park_exhausted(row_id, now=clock()) for row_id in free)
    return len(begun)


@contextmanager
def _held(row_ids: Sequence[int]) -> Iterator[list[int]]:
    """Hold those of the lines that no living process is at, each by a lock that its process's end lets go."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id FROM unnest(%s::bigint[]) AS id"
            " WHERE pg_try_advisory_lock(hashtextextended('ingest_row:' || id, 0))",
            [list(row_ids)],
        )
        free = [row_id for (row_id,) in cursor.fetchall()]
    try:
        yield free
    finally:
        try:
            with connection.cursor() as cursor:
                cursor.execute(
                    "SELECT pg_advisory_unlock(hashtextextended('ingest_row:' || id, 0))"
                    " FROM unnest(%s::bigint[]) AS id",
                    [free],
                )
        except DatabaseError:
            connection.close()


def _begin(row_ids: Sequence[int], *, fresh: bool | None) -> list[int]:
    """Count an attempt for each line that still waits and may be tried, in one committed statement."""
    if not row_ids:
        return []
    tried = {True: (0, 0), False: (1, MAX_ATTEMPTS - 1), None: (0, MAX_ATTEMPTS - 1)}[fresh]
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE reviews_ingestrow SET attempts = attempts + 1"
            " WHERE id = ANY(%s) AND state = %s AND attempts BETWEEN %s AND %s RETURNING id",
            [list(row_ids), IngestState.ACCEPTED.value, *tried],
        )
        return sorted(row_id for (row_id,) in cursor.fetchall())


@transaction.atomic
def _through_the_gate(row_id: int, *, keys: dict[int, AgentKey], now: datetime) -> None:
    with connection.cursor() as cursor:
        cursor.execute(_TO_DO, [row_id, IngestState.ACCEPTED.value])
        found = cursor.fetchone()
    if found is None:
        return
    action_id, key_id, idempotency_key, request_id, body = found
    if key_id not in keys:
        # What counts of the agent is read by the gate with each line; who it is does not change.
        keys[key_id] = AgentKey.objects.select_related("agent").get(pk=key_id)
    submitted = ingest.submit(
        key=keys[key_id],
        body=wire.read(json.loads(body)),
        idempotency_key=idempotency_key,
        request_id=request_id,
        now=now,
        action_id=action_id,
    )
    with connection.cursor() as cursor:
        cursor.execute(_DONE, [submitted.action.pk, IngestState.DONE.value, now, row_id])


def _was_too_much(error: BaseException) -> bool:
    state = getattr(error.__cause__, "sqlstate", None) or ""
    return state.startswith(_TOO_MUCH)


def _give_back(row_ids: Sequence[int]) -> None:
    """Take back the attempts of lines that had none. Where the database is away they stay counted."""
    try:
        rows = IngestRow.objects.filter(pk__in=row_ids, state=IngestState.ACCEPTED, attempts__gt=0)
        rows.update(attempts=F("attempts") - 1)
    except DatabaseError:
        logger.warning("attempts at %s lines of a batch could not be taken back", len(row_ids))


@transaction.atomic
def _fail(row_id: int, error: Exception, now: datetime) -> None:
    """Keep the error, and set the line aside where it was the last attempt."""
    row = IngestRow.objects.select_for_update(of=("self",)).get(pk=row_id)
    if row.state != IngestState.ACCEPTED:
        return
    row.last_error = (str(error) or type(error).__name__).replace("\0", "\N{SYMBOL FOR NULL}")[:2000]
    row.save(update_fields=["last_error"])
    if row.attempts >= MAX_ATTEMPTS:
        _park(row, now)


@transaction.atomic
def _park_exhausted(row_id: int, *, now: datetime) -> bool:
    """Set a line aside whose last attempt never came back; False where it does not wait (any more)."""
    row = IngestRow.objects.select_for_update(of=("self",)).get(pk=row_id)
    if row.state != IngestState.ACCEPTED or row.attempts < MAX_ATTEMPTS:
        return False
    row.last_error = f"{_DIED} {row.last_error}".strip()[:2000]
    _park(row, now)
    return True


def _park(row: IngestRow, now: datetime) -> None:
    row.state = IngestState.PARKED
    row.save(update_fields=["state", "last_error"])
    logger.error("line %s of batch %s is parked after %s attempts", row.public_id, row.batch_id, row.attempts)
    ledger.record(
        actor=ledger.Actor.system(),
        verb="batch.line_parked",
        object_kind="batch_line",
        object_id=row.public_id,
        now=now,
        payload={"batch": row.batch_id, "attempts": row.attempts, "error": row.last_error},
    )
