"""Hints to the workers: "look at these rows now". A lost one costs seconds: sweepers find the rows anyway."""

from __future__ import annotations

import logging
import threading
import time
from typing import Final

from celery import current_app
from django.db import transaction

logger = logging.getLogger(__name__)

# Whoever hints has an answer to give: a broker that says nothing costs them this long, and once.
_PATIENCE_SECONDS: Final = 0.25
_LEFT_ALONE_SECONDS: Final = 10.0

_lock = threading.Lock()
_asked_again_at = 0.0


def hint(task: str, **arguments: str | int) -> None:
    """Send a task by its pinned name once the transaction around us (if any) is committed.

    A broker that does not answer never fails the caller: the rows are the work.
    """
    transaction.on_commit(lambda: _send(task, arguments), robust=True)


def _send(task: str, arguments: dict[str, str | int]) -> None:
    global _asked_again_at  # one memory a process: which broker is away does not depend on who asks
    with _lock:
        if time.monotonic() < _asked_again_at:
            return
    options = {
        **current_app.conf.broker_transport_options,
        "socket_timeout": _PATIENCE_SECONDS,
        "socket_connect_timeout": _PATIENCE_SECONDS,
    }
    try:
        with current_app.connection_for_write(
            connect_timeout=_PATIENCE_SECONDS, transport_options=options
        ) as connection:
            current_app.send_task(task, kwargs=arguments, retry=False, connection=connection)
    except Exception as error:
        with _lock:
            _asked_again_at = time.monotonic() + _LEFT_ALONE_SECONDS
        logger.warning("no broker for %s (%s); the sweeper will find its rows", task, error)
