"""Threads that start at the same moment, each on a database connection of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Generic, TypeVar

from django.db import OperationalError, connection

T = TypeVar("T")


@dataclass(frozen=True)
class Ended(Generic[T]):
    """How one thread ended: with a value, or with an exception."""

    value: T | None
    error: Exception | None


def at_once(*acts: Callable[[], T]) -> list[Ended[T]]:
    """Run all acts at the same moment and return how each ended, in their order.

    Trouble of the database itself (a deadlock, a lock that never came) is no way to end: it is raised.
    """
    start = threading.Barrier(len(acts))

    def run(act: Callable[[], T]) -> Ended[T]:
        try:
            connection.ensure_connection()  # else connecting would spread the starts
            start.wait()
            return Ended(value=act(), error=None)
        except OperationalError:
            raise
        except Exception as error:
            return Ended(value=None, error=error)
        finally:
            connection.close()

    with ThreadPoolExecutor(len(acts)) as pool:
        return list(pool.map(run, acts))


def values(ended: Sequence[Ended[T]]) -> list[T]:
    return [each.value for each in ended if each.value is not None]


def errors(ended: Sequence[Ended[T]]) -> list[Exception]:
    return [each.error for each in ended if each.error is not None]
