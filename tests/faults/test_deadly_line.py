"""A line of a batch that kills every process that works on it (F12): there is no error to be counted."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit, urlunsplit

import pytest
from django.conf import settings
from django.db import connection
from django.db.backends.base.base import BaseDatabaseWrapper

from hitl_site.lib.clock import database_now
from hitl_site.lib.supervision import wait_until
from policies.models import LedgerEntry
from reviews.adapters import submission as wire
from reviews.models import ActionRequest, IngestRow
from reviews.services import observed, working_off
from reviews.tests.cast import Cast, make_cast
from tests.faults.dying_worker import DEADLY, STATUS


@pytest.mark.django_db(transaction=True)
def test_f12_a_line_that_kills_its_process_is_parked_and_the_others_are_done() -> None:
    """F12: os._exit on one line. What comes before it, behind it and in other batches is worked off."""
    cast = make_cast()
    _report(cast, "before-1", "before-2", DEADLY, "behind-1", "behind-2")
    with _worker() as sweep:
        assert sweep() == STATUS
        # What came before stands. The rest was begun with the deadly one, and nobody is at it any more.
        assert _attempts() == {DEADLY: 1, "behind-1": 1, "behind-2": 1}
        _report(cast, "later-1")
        # Fresh lines first; then one at a time.
        assert sweep() == STATUS
        assert _attempts() == {DEADLY: 2, "behind-1": 1, "behind-2": 1}
        assert sweep() == STATUS
        assert _attempts() == {DEADLY: 3}
        assert [sweep(), sweep()] == [STATUS, STATUS]
        assert _attempts() == {DEADLY: working_off.MAX_ATTEMPTS}
        assert sweep() == 0
        assert _attempts() == {}

    parked = IngestRow.objects.get(idempotency_key=DEADLY)
    assert (parked.state, parked.attempts) == ("parked", working_off.MAX_ATTEMPTS)
    assert "died while it worked on this line" in parked.last_error
    entry = LedgerEntry.objects.get(verb="batch.line_parked")
    assert entry.object_id == parked.public_id
    # Nothing of it ran through the gate, whatever was written before the end of its process.
    done = ["before-1", "before-2", "behind-1", "behind-2", "later-1"]
    assert sorted(ActionRequest.objects.values_list("idempotency_key", flat=True)) == done
    assert IngestRow.objects.filter(state="done").count() == len(done)


@pytest.mark.django_db(transaction=True)
def test_f12_a_line_that_a_living_process_is_at_is_nobody_elses_and_costs_it_no_attempt() -> None:
    cast = make_cast()
    _report(cast, "one", "two")
    rows = working_off.rows_to_do()
    with _elsewhere() as beside, beside.cursor() as cursor:
        # What another worker holds from before its count to after its commit.
        cursor.execute("SELECT pg_advisory_lock(hashtextextended('ingest_row:' || %s, 0))", [rows[0]])
        assert working_off.work_off_waiting(clock=database_now) == 1
        assert working_off.work_off(row_id=rows[0], now=database_now()) is False
        assert _attempts() == {"one": 0}
    assert working_off.work_off_waiting(clock=database_now) == 1
    assert IngestRow.objects.filter(state="done", attempts=1).count() == 2


def _report(cast: Cast, *keys: str) -> None:
    lines = [
        wire.read_line(
            {
                "action_type": "note.add",
                "arguments": {"key": key},
                "mode": "observed",
                "agent_version": "1",
                "idempotency_key": key,
            }
        )
        for key in keys
    ]
    observed.accept(key=cast.key, lines=lines, request_id="", now=database_now())


def _attempts() -> dict[str, int]:
    waiting = IngestRow.objects.filter(state="accepted")
    return dict(waiting.values_list("idempotency_key", "attempts"))


def _locks() -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"
            " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
        )
        (count,) = cursor.fetchone()
    return int(count)


@contextmanager
def _elsewhere() -> Iterator[BaseDatabaseWrapper]:
    beside = connection.copy()
    try:
        yield beside
    finally:
        beside.close()


class _Worker:
    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def __call__(self) -> int:
        """Let a process of its own work off what waits; return its exit code."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        status = int(self._process.stdout.readline())
        # The dead one's session ends a moment after it, and with it its locks.
        assert wait_until(lambda: not _locks(), seconds=30, every=0.01)
        return status


@contextmanager
def _worker() -> Iterator[_Worker]:
    parts = urlsplit(settings.DATABASE_URL)
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "hitl_site.settings",
        "DATABASE_URL": urlunsplit(parts._replace(path=f"/{connection.settings_dict['NAME']}")),
        "PYTHONPATH": str(settings.BASE_DIR),
    }
    command = [sys.executable, "-m", "tests.faults.dying_worker"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        try:
            yield _Worker(process)
        finally:
            process.kill()
