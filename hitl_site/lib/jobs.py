"""Hints to the workers: "look at these rows now". A lost one costs seconds: sweepers find the rows anyway."""

from __future__ import annotations

import logging

from celery import current_app
from django.db import transaction

logger = logging.getLogger(__name__)


def hint(task: str, **arguments: str | int) -> None:
    """Send a task by its pinned name once the transaction around us (if any) is committed.

    A broker that does not answer never fails the caller: the rows are the work.
    """
    transaction.on_commit(lambda: _send(task, arguments), robust=True)


def _send(task: str, arguments: dict[str, str | int]) -> None:
    try:
        current_app.send_task(task, kwargs=arguments, retry=False)
    except Exception as error:
        logger.warning("no broker for %s (%s); the sweeper will find its rows", task, error)
