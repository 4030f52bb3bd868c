"""Celery's part of reviewing. A task is a hint; the rows are the work, and each act claims its own row."""

from __future__ import annotations

from celery import shared_task
from celery.exceptions import SoftTimeLimitExceeded

from hitl_site.lib.clock import database_now
from hitl_site.lib.jobs import hint
from reviews.services import deliveries, past_actions, precedents, replays, working_off
from reviews.services import sweep as due

_OUT_OF_TIME = (SoftTimeLimitExceeded,)
# Entries of the ledger for one transaction, and steps of one task.
_ENTRIES = 2000
_STEPS = 20


@shared_task(name="reviews.sweep", ignore_result=True)
def sweep(**_future: object) -> None:
    """Do all that is due."""
    due.run(now=database_now())


@shared_task(name="reviews.ingest_batch", ignore_result=True)
def ingest_batch(batch_id: str, **_future: object) -> None:
    """Work off the accepted lines of one batch."""
    working_off.work_off_waiting(batch_id=batch_id, clock=database_now, interruptions=_OUT_OF_TIME)


@shared_task(name="reviews.sweep_ingest", ignore_result=True)
def sweep_ingest(**_future: object) -> None:
    """Work off the accepted lines that no hint led to."""
    working_off.work_off_waiting(clock=database_now, interruptions=_OUT_OF_TIME)


@shared_task(name="reviews.send_notices", ignore_result=True)
def send_notices(**_future: object) -> None:
    """Write the digests of the hour, and send what waits for mailboxes and channels."""
    now = database_now()
    deliveries.write_digests(now=now)
    deliveries.send_due(now=now)


@shared_task(name="reviews.keep_past_actions", ignore_result=True)
def keep_past_actions(**_future: object) -> None:
    """Take in what the ledger has of judged actions and their labels, for what-if and calibration."""
    for _ in range(_STEPS):
        if past_actions.keep(limit=_ENTRIES).entries < _ENTRIES:
            return


@shared_task(name="reviews.remember_precedents", ignore_result=True)
def remember_precedents(**_future: object) -> None:
    """Follow the ledger until nothing is new, or long enough for one turn."""
    for _ in range(20):
        if precedents.remember(now=database_now(), limit=500) < 500:
            return


@shared_task(name=replays.TASK, ignore_result=True)
def run_what_if(*, run_id: str, **_future: object) -> None:
    """Ask the conditions of a draft of the past, for one slice of time."""
    if replays.run(run_id=run_id, clock=database_now):
        hint(replays.TASK, run_id=run_id)


@shared_task(name="reviews.sweep_what_if", ignore_result=True)
def sweep_what_if(**_future: object) -> None:
    """Go on with the run whose hint was lost, or whose worker died."""
    for run_id in replays.to_do(now=database_now()):
        run_what_if(run_id=run_id)
