"""Celery's part of reviewing. A task is a hint; the rows are the work, and each act claims its own row."""

from __future__ import annotations

from celery import shared_task

from hitl_site.lib.clock import database_now
from reviews.services import deadlines, ingest


@shared_task(name="reviews.sweep", ignore_result=True)
def sweep(**_future: object) -> None:
    """Release what left its undo window, expire what ran out of time, end the leases of lost runs."""
    now = database_now()
    while deadlines.release_due(now=now):
        pass
    while deadlines.expire_due(now=now):
        pass
    while deadlines.end_leases(now=now):
        pass


@shared_task(name="reviews.sweep_ingest", ignore_result=True)
def sweep_ingest(**_future: object) -> None:
    """Work off the accepted lines of batches."""
    for row_id in ingest.rows_to_do():
        ingest.work_off(row_id=row_id, now=database_now())
