"""Freezing as a job: a large version is made by a worker, and whoever asked for it sees how far it is.

The row is the work; a message to a worker is only a hint to look at it. The transaction that makes the
version is the lease: it holds the dataset, so a second worker finds nothing to do, and when the first one
dies its transaction is gone as a whole and the row is free again. Progress is told beside it, through a
connection of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Final

from django.db import DatabaseError, IntegrityError, OperationalError, connection, transaction

from datasets.choices import FreezingState
from datasets.models import Dataset, Freezing
from datasets.selectors import taking
from datasets.selectors.selection import Selection
from datasets.services import freezing
from datasets.services.datasets import actor_of
from datasets.services.freezing import Frozen
from hitl_site.lib import ids
from hitl_site.lib.jobs import hint
from hitl_site.lib.strict_json import JsonValue
from policies.services import ledger

if TYPE_CHECKING:
    from django.contrib.auth.models import User

# What a person waits for at the page; more is a worker's.
AT_ONCE: Final = 2_000
MAX_ATTEMPTS: Final = 5
TASK: Final = "datasets.run_freezing"

Clock = Callable[[], datetime]


def ask(
    *, dataset_id: str, asked_by: User | None, now: datetime, at_once: int | None = None
) -> Frozen | Freezing:
    """Freeze a dataset, at once where it takes few cases, else by a worker: then the row that asks for it.

    While a worker is at the dataset, asking again answers that row.
    """
    dataset = Dataset.objects.get(public_id=dataset_id)
    under_way = dataset.freezings.filter(state=FreezingState.REQUESTED).first()
    if under_way is not None:
        return under_way
    cases = taking.taken(Selection.from_document(dataset.selection), up_to_seq=taking.labelled_up_to())
    few = AT_ONCE if at_once is None else at_once
    if cases.order_by()[: few + 1].count() <= few:
        return freezing.freeze(dataset_id=dataset_id, frozen_by=asked_by, now=now)
    try:
        with transaction.atomic():
            return _request(dataset, cases.count(), asked_by, now)
    except IntegrityError:
        under_way = dataset.freezings.filter(state=FreezingState.REQUESTED).first()
        if under_way is None:
            raise
        return under_way


def to_do() -> list[str]:
    """Return the large versions that are asked for, the oldest first."""
    rows = Freezing.objects.filter(state=FreezingState.REQUESTED)
    return list(rows.order_by("pk").values_list("public_id", flat=True))


def run(*, freezing_id: str, clock: Clock) -> bool:
    """Make a version that was asked for; False where there is nothing to do or somebody is at it.

    Any number of workers may call this. Takes a clock, because the end of a long run is another moment than
    its start.
    """
    try:
        with _Progress(freezing_id) as progress, transaction.atomic():
            job = _hold(freezing_id)
            if job is None:
                return False
            if progress.begin() > MAX_ATTEMPTS:
                raise freezing.UnableToFreeze(f"The worker died {MAX_ATTEMPTS} times while freezing.")
            frozen = freezing.freeze(
                dataset_id=job.dataset.public_id, frozen_by=job.requested_by, now=clock(), told=progress.tell
            )
            progress.end()
            _finish(job, FreezingState.DONE, frozen=frozen, error="", now=clock())
    except OperationalError:
        # The database went away, or something waited too long: the sweep finds the row again.
        raise
    except Exception as exc:
        _fail(freezing_id, exc, clock())
        if not isinstance(exc, freezing.UnableToFreeze):
            raise
    return True


def _request(dataset: Dataset, cases: int, asked_by: User | None, now: datetime) -> Freezing:
    actor = actor_of(asked_by)
    job = Freezing.objects.create(
        public_id=ids.new("frz"),
        dataset=dataset,
        cases_total=cases,
        requested_by=asked_by,
        requested_by_name=actor.name,
        requested_at=now,
    )
    _record(job, verb="dataset.freezing_requested", payload={"cases": cases}, now=now)
    hint(TASK, freezing_id=job.public_id)
    return job


def _hold(freezing_id: str) -> Freezing | None:
    """Lock the dataset until the transaction ends; None where it is locked or the row is over."""
    rows = Freezing.objects.filter(public_id=freezing_id, state=FreezingState.REQUESTED)
    job = rows.first()
    if job is None:
        return None
    free = Dataset.objects.select_for_update(skip_locked=True, of=("self",)).filter(pk=job.dataset_id)
    if not free.exists():
        return None
    # Read again: the worker that held the dataset may have finished the row since.
    return rows.select_related("dataset", "requested_by").first()


def _finish(job: Freezing, state: FreezingState, *, frozen: Frozen | None, error: str, now: datetime) -> None:
    job.state = state
    job.version = None if frozen is None else frozen.version
    job.error = error
    job.finished_at = now
    job.save(update_fields=["state", "version", "error", "finished_at"])
    payload: dict[str, JsonValue] = (
        {"error": error}
        if frozen is None
        else {"version": frozen.version.public_id, "created": frozen.created}
    )
    _record(job, verb=f"dataset.freezing_{state.value}", payload=payload, now=now)


@transaction.atomic
def _fail(freezing_id: str, exc: Exception, now: datetime) -> None:
    rows = Freezing.objects.select_for_update(of=("self",)).select_related("dataset", "requested_by")
    job = rows.filter(public_id=freezing_id, state=FreezingState.REQUESTED).first()
    if job is not None:
        told = str(exc) if isinstance(exc, freezing.UnableToFreeze) else f"{type(exc).__name__}: {exc}"
        _finish(job, FreezingState.FAILED, frozen=None, error=told[:2000], now=now)


def _record(job: Freezing, *, verb: str, payload: dict[str, JsonValue], now: datetime) -> None:
    ledger.record(
        actor=actor_of(job.requested_by),
        verb=verb,
        object_kind="dataset",
        object_id=job.dataset.public_id,
        now=now,
        payload={"freezing_id": job.public_id, **payload},
    )


class _Progress:
    """Tells how far a job is while its transaction is open, through a connection beside it."""

    def __init__(self, freezing_id: str) -> None:
        self._freezing_id = freezing_id
        self._beside = connection.copy()

    def __enter__(self) -> _Progress:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def begin(self) -> int:
        """Count the attempt; return which it is."""
        rows = self._write("attempts = attempts + 1, cases_done = 0", [])
        return rows[0][0] if rows else 1

    def tell(self, cases: int) -> None:
        """Say how many cases were looked at. That nobody can be told is no reason to stop."""
        try:
            self._write("cases_done = %s", [cases])
        except DatabaseError:
            self._beside.close()

    def end(self) -> None:
        """Close the connection: whoever finishes the row does not wait for it."""
        self._beside.close()

    def _write(self, assignments: str, values: list[int]) -> list[tuple[int]]:
        with self._beside.cursor() as cursor:
            cursor.execute(
                f"UPDATE datasets_freezing SET {assignments} WHERE public_id = %s RETURNING attempts",  # noqa: S608 - assignments are literals of this class
                [*values, self._freezing_id],
            )
            return list(cursor.fetchall())
