"""Background work of the learning app: each task looks at rows, and may run twice at once."""

from __future__ import annotations

import logging

from celery import shared_task

from datasets.selectors import exports
from datasets.services import exporting, labelling
from datasets.services.exporting import Ran
from hitl_site.lib.clock import database_now

BATCH = 500
MAX_BATCHES = 20
# The next sweep comes after this time and hints again: older hints would only pile up.
HINT_EXPIRES_SECONDS = 5

logger = logging.getLogger(__name__)


@shared_task(name="datasets.label_cases", ignore_result=True)
def label_cases(**_future: object) -> None:
    """Follow the ledger until there is nothing new, or long enough for one turn."""
    for _ in range(MAX_BATCHES):
        if labelling.label_cases(now=database_now(), limit=BATCH).entries < BATCH:
            return


@shared_task(name="datasets.run_export", ignore_result=True)
def run_export(*, export_id: str, **_future: object) -> None:
    """Write an export for one slice of time."""
    if exporting.run(export_id=export_id, clock=database_now) == Ran.TO_BE_CONTINUED:
        wake(export_id)


@shared_task(name="datasets.sweep_exports", ignore_result=True)
def sweep_exports(**_future: object) -> None:
    """Find the exports whose hint was lost, or whose worker died."""
    for export_id in exports.to_do_ids(limit=20):
        run_export.apply_async(kwargs={"export_id": export_id}, expires=HINT_EXPIRES_SECONDS)


def wake(export_id: str) -> None:
    """Hint that an export waits. A hint that cannot be sent costs seconds: the sweep finds the row."""
    try:
        run_export.delay(export_id=export_id)
    except Exception as exc:
        # Each transport has errors of its own for "nobody there", and none of them is the caller's.
        logger.warning("The broker is away (%s); export %s waits for the sweep", exc, export_id)
