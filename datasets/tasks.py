"""Background work of the learning app: each task looks at rows, and may run twice at once."""

from __future__ import annotations

import logging

from celery import shared_task

from datasets.selectors import exports
from datasets.services import case_index, erasure, exporting, freezings, labelling, retention, schedules
from datasets.services.exporting import Ran
from hitl_site.lib.clock import database_now

BATCH = 500
MAX_BATCHES = 20
# The next sweep comes after this time and hints again: older hints would only pile up.
HINT_EXPIRES_SECONDS = 5
EXPORT_SECONDS = 6 * 3600

logger = logging.getLogger(__name__)


@shared_task(name="datasets.label_cases", ignore_result=True)
def label_cases(**_future: object) -> None:
    """Follow the ledger until there is nothing new, or long enough for one turn."""
    for _ in range(MAX_BATCHES):
        if labelling.label_cases(now=database_now(), limit=BATCH).entries < BATCH:
            return


@shared_task(name="datasets.index_cases", ignore_result=True)
def index_cases(**_future: object) -> None:
    """Index the cases that are new, until there is none, or long enough for one turn."""
    for _ in range(MAX_BATCHES):
        if case_index.index_cases(now=database_now()) == 0:
            return


# A format of whole files is written in one turn, however long that takes. Delivered again meanwhile, the task
# finds the lease held and ends.
@shared_task(
    name="datasets.run_export",
    ignore_result=True,
    time_limit=EXPORT_SECONDS + 60,
    soft_time_limit=EXPORT_SECONDS,
)
def run_export(*, export_id: str, **_future: object) -> None:
    """Write an export for one slice of time."""
    if exporting.run(export_id=export_id, clock=database_now) == Ran.TO_BE_CONTINUED:
        wake(export_id)


@shared_task(name="datasets.sweep_exports", ignore_result=True)
def sweep_exports(**_future: object) -> None:
    """Find the exports whose hint was lost, or whose worker died."""
    for export_id in exports.to_do_ids(limit=20):
        run_export.apply_async(kwargs={"export_id": export_id}, expires=HINT_EXPIRES_SECONDS)


@shared_task(name="datasets.sweep_schedules", ignore_result=True)
def sweep_schedules(**_future: object) -> None:
    """Run the schedules of exports that are due."""
    for schedule_id in exports.due_schedule_ids(limit=20):
        outcome = schedules.run_due(schedule_id=schedule_id, now=database_now())
        if outcome is not None and outcome.export is not None:
            wake(outcome.export.public_id)


# A version of a million cases takes minutes; it comes whole or not at all.
@shared_task(name=freezings.TASK, ignore_result=True, soft_time_limit=3500, time_limit=3600)
def run_freezing(*, freezing_id: str, **_future: object) -> None:
    """Make a large version."""
    freezings.run(freezing_id=freezing_id, clock=database_now)


@shared_task(name="datasets.sweep_freezings", ignore_result=True)
def sweep_freezings(**_future: object) -> None:
    """Find the large versions whose hint was lost, or whose worker died."""
    for freezing_id in freezings.to_do():
        run_freezing.apply_async(kwargs={"freezing_id": freezing_id}, expires=HINT_EXPIRES_SECONDS)


# An erasure verifies the whole ledger at its end, and a sweep may find much after a rule became stricter.
@shared_task(name=erasure.TASK, ignore_result=True, soft_time_limit=3500, time_limit=3600)
def run_removal(*, removal_id: str, **_future: object) -> None:
    """Take away what an erasure or the day's sweep has to."""
    if removal_id.startswith("ers_"):
        erasure.run(removal_id=removal_id, clock=database_now)
    else:
        retention.run(removal_id=removal_id, clock=database_now)


@shared_task(name="datasets.sweep_removals", ignore_result=True)
def sweep_removals(**_future: object) -> None:
    """Find the removals whose hint was lost, whose worker died, or that waited for something to close."""
    for removal_id in erasure.to_do():
        run_removal.apply_async(kwargs={"removal_id": removal_id}, expires=HINT_EXPIRES_SECONDS)


@shared_task(name="datasets.sweep_retention", ignore_result=True)
def sweep_retention(**_future: object) -> None:
    """Begin the day's sweep, once a day."""
    retention.begin_if_due(now=database_now())


def wake(export_id: str) -> None:
    """Hint that an export waits. A hint that cannot be sent costs seconds: the sweep finds the row."""
    try:
        run_export.delay(export_id=export_id)
    except Exception as exc:
        # Each transport has errors of its own for "nobody there", and none of them is the caller's.
        logger.warning("The broker is away (%s); export %s waits for the sweep", exc, export_id)
