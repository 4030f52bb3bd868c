"""Celery's part of reviewing. A task is a hint; the rows are the work, and each act claims its own row."""

from __future__ import annotations

from celery import shared_task

from hitl_site.lib.clock import database_now
from reviews.services import observed
from reviews.services import sweep as due


@shared_task(name="reviews.sweep", ignore_result=True)
def sweep(**_future: object) -> None:
    """Do all that is due."""
    due.run(now=database_now())


@shared_task(name="reviews.ingest_batch", ignore_result=True)
def ingest_batch(batch_id: str, **_future: object) -> None:
    """Work off the accepted lines of one batch."""
    for row_id in observed.rows_to_do(batch_id=batch_id):
        observed.work_off(row_id=row_id, now=database_now())


@shared_task(name="reviews.sweep_ingest", ignore_result=True)
def sweep_ingest(**_future: object) -> None:
    """Work off the accepted lines that no hint led to."""
    for row_id in observed.rows_to_do():
        observed.work_off(row_id=row_id, now=database_now())
