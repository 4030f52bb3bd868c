"""Hints to the workers: "look at these rows now". A lost one costs seconds: sweepers find the rows anyway."""

from __future__ import annotations

import logging
import os
import threading
import time
from typing import Final

from celery import current_app
from django.db import transaction
from kombu.connection import Connection

logger = logging.getLogger(__name__)

# Whoever hints has an answer to give: a broker that says nothing costs them this long, and once.
_PATIENCE_SECONDS: Final = 0.25
_LEFT_ALONE_SECONDS: Final = 10.0

_lock = threading.Lock()
_asked_again_at = 0.0


class _Line(threading.local):
    """The broker's connection of a thread. A forked child has none: its parent goes on using the socket."""

    connection: Connection | None = None
    owner = 0

    def open(self) -> Connection:
        if self.connection is None or self.owner != os.getpid():
            options = {
                **current_app.conf.broker_transport_options,
                "socket_timeout": _PATIENCE_SECONDS,
                "socket_connect_timeout": _PATIENCE_SECONDS,
            }
            self.owner = os.getpid()
            self.connection = current_app.connection_for_write(
                connect_timeout=_PATIENCE_SECONDS, transport_options=options
            )
        return self.connection

    def close(self) -> None:
        if self.connection is not None and self.owner == os.getpid():
            self.connection.release()  # type: ignore[no-untyped-call]  # kombu has no types
        self.connection = None


_line = _Line()


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
    began, kept = time.monotonic(), _line.connection is not None
    try:
        try:
            _put(task, arguments)
        except Exception:
            # A connection that was kept may be to a broker that has started anew since. One that says nothing
            # is not asked twice.
            if not kept or time.monotonic() - began >= _PATIENCE_SECONDS:
                raise
            _put(task, arguments)
    except Exception as error:
        with _lock:
            _asked_again_at = time.monotonic() + _LEFT_ALONE_SECONDS
        logger.warning("no broker for %s (%s); the sweeper will find its rows", task, error)


def _put(task: str, arguments: dict[str, str | int]) -> None:
    try:
        current_app.send_task(task, kwargs=arguments, retry=False, connection=_line.open())
    except Exception:
        _line.close()
        raise
