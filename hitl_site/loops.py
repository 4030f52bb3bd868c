"""The worker's own loops: what must not wait for the next tick of beat.

Three threads beside the task pool. The *sweeper* wakes when an undo window ends or when somebody decides; the
*sequencer* numbers the ledger and lets the labelling follow it; the *ladder* takes what is numbered into the
evidence, and autonomy away where the evidence says so. Each only calls acts that are safe to run anywhere, at
once and twice: any number of workers may run these loops, and beat runs the same tasks as a net.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Any

import psycopg
from celery.signals import worker_ready, worker_shutting_down
from django.db import close_old_connections, connection

from datasets.tasks import label_cases
from hitl_site.lib.clock import database_now
from policies.services import loops
from policies.tasks import keep_evidence, link_ledger
from reviews.services import sweep
from reviews.services.wakeups import INBOX_CHANGED
from reviews.tasks import remember_precedents

logger = logging.getLogger(__name__)

_stop = threading.Event()
# At the latest after this many seconds a loop looks again, whatever it heard.
_LONGEST_SLEEP = 1.0
# So long after a look comes the next one at the soonest, unless something falls due: a burst of items is one.
_SHORTEST_SLEEP = 0.075
_AFTER_A_FAILURE = 2.0
_SECONDS_BETWEEN_TICKS = 5.0


@worker_ready.connect  # type: ignore[untyped-decorator]  # Celery has no types
def start(**_: Any) -> None:
    """Start the loops once the worker takes tasks."""
    _stop.clear()
    for name, loop in (("sweeper", _sweep), ("sequencer", _sequence), ("ladder", _climb)):
        threading.Thread(target=_keep_going, args=(name, loop), name=name, daemon=True).start()


@worker_shutting_down.connect  # type: ignore[untyped-decorator]  # Celery has no types
def stop(**_: Any) -> None:
    """Let the loops end after the act they are in."""
    _stop.set()


def _keep_going(name: str, loop: Callable[[], None]) -> None:
    """Run a loop until the worker stops; a database that went away is waited for."""
    while not _stop.is_set():
        try:
            close_old_connections()
            loop()
        except Exception:
            logger.exception("the %s stumbled and starts again", name)
            connection.close()
            _stop.wait(_AFTER_A_FAILURE)
    connection.close()


class _Tick:
    """Says that a loop came round, every few rounds: /readyz asks after half a minute."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._due = 0.0

    def __call__(self) -> None:
        if time.monotonic() >= self._due:
            loops.tick(self._name, database_now())
            self._due = time.monotonic() + _SECONDS_BETWEEN_TICKS


def _sweep() -> None:
    """Do what falls due when its time comes, and at the latest at the next look."""
    with connection.cursor() as cursor:
        cursor.execute(f"LISTEN {INBOX_CHANGED}")
    raw: psycopg.Connection[Any] = connection.connection
    tick = _Tick("sweeper")
    while not _stop.is_set():
        tick()
        looked = time.monotonic()
        # What falls due while the sweep runs is due after its moment, so it is not slept over.
        now = database_now()
        sweep.run(now=now)
        due = sweep.next_due(now=now)
        patience = _LONGEST_SLEEP
        if due is not None:
            patience = min(patience, max(0.005, (due - database_now()).total_seconds()))
        _listen(raw, patience=patience, soonest=looked + _SHORTEST_SLEEP)


def _listen(line: psycopg.Connection[Any], *, patience: float, soonest: float) -> None:
    """Return once something is heard and it is ``soonest`` (monotonic); after ``patience`` in any case.

    What else is heard meanwhile is answered by the same look.
    """
    ends = time.monotonic() + patience
    heard = list(line.notifies(timeout=patience, stop_after=1))
    left = min(soonest, ends) - time.monotonic()
    if heard and left > 0:
        for _ in line.notifies(timeout=left):
            pass


def _sequence() -> None:
    """Number the ledger, then let the labelling and the precedents follow it."""
    tick = _Tick("sequencer")
    while not _stop.is_set():
        tick()
        link_ledger()
        label_cases()
        remember_precedents()
        _stop.wait(0.5)


def _climb() -> None:
    """Let the evidence follow the ledger: what takes autonomy away must not wait for a tick of beat."""
    while not _stop.is_set():
        keep_evidence()
        _stop.wait(0.5)
