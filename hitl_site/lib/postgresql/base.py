"""The database backend: Django's own, whose statements end even when the server falls silent.

PostgreSQL ends a statement by itself (``statement_timeout``), the kernel notices a host that is gone. Neither
helps when the server, or a pooler before it, hangs with its connections open. ``PATIENCE`` in the database's
settings is how many seconds one statement may take as seen from here; None waits for ever.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from typing import Any

import psycopg
from django.db.backends.postgresql import base


class SilentServer(psycopg.OperationalError):
    """The server took a statement and did not answer in time; the connection is of no use any more."""


class DatabaseWrapper(base.DatabaseWrapper):
    """Django's wrapper around connections that have a patience."""

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        """Open a connection as Django does, and give it its patience."""
        connection = super().get_new_connection(conn_params)
        patience = self.settings_dict.get("PATIENCE")
        if patience is not None:
            connection.wait = _bounded(connection, float(patience))
        return connection


def _bounded(connection: psycopg.Connection[Any], seconds: float) -> Callable[..., Any]:
    wait = connection.wait

    def bounded(steps: Generator[Any, Any, Any], *args: Any, **kwargs: Any) -> Any:
        return wait(_until(steps, connection, time.monotonic() + seconds), *args, **kwargs)

    return bounded


def _until(
    steps: Generator[Any, Any, Any], connection: psycopg.Connection[Any], ends: float
) -> Generator[Any, Any, Any]:
    """Pass the steps of libpq's work on; whoever waits for the socket looks up now and then, and we at the
    clock."""
    try:
        wanted = next(steps)
        while True:
            ready = yield wanted
            if not ready and time.monotonic() > ends:
                connection.pgconn.finish()
                raise SilentServer("the database took too long to say anything")
            wanted = steps.send(ready)
    except StopIteration as done:
        return done.value
