"""The lock between removals and whoever writes what people said: one of them is always first, and whole.

A removal takes it alone, batch by batch. Who answers a case, reports a result of an eval, finds something
missing or places a hold takes it shared, before anything else is looked at: what a removal has committed by
then is seen, and what is written before it is found by it.
"""

from __future__ import annotations

from typing import Final

from django.db import connection

_LOCK: Final = 0x68725F7772697465  # "hr_write"


def write_beside() -> None:
    """Let no removal take a batch away until this transaction ends; wait for one that is at it."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock_shared(%s)", [_LOCK])


def wait_for_writers() -> None:
    """Let nobody write such things until this transaction ends, and wait for those who do."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
