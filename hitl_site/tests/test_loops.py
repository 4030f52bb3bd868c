"""How the worker's loops wait: a burst of news is one look, and what falls due is never slept over."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from django.db import connection

from hitl_site import loops
from reviews.services import wakeups

pytestmark = pytest.mark.django_db(transaction=True)

HOURS = 36_000.0


@pytest.fixture
def line() -> Iterator[psycopg.Connection[Any]]:
    beside = connection.copy()
    with beside.cursor() as cursor:
        cursor.execute(f"LISTEN {wakeups.INBOX_CHANGED}")
    yield beside.connection
    beside.close()


def test_news_that_come_together_are_heard_together(line: psycopg.Connection[Any]) -> None:
    for item in ("a", "b", "c"):
        wakeups.inbox_changed(item)
    loops._listen(line, patience=HOURS, soonest=time.monotonic() + 0.2)
    assert list(line.notifies(timeout=0.05)) == []


def test_what_falls_due_ends_the_rest_after_news(line: psycopg.Connection[Any]) -> None:
    # With a rest of hours, this would not come to its end.
    wakeups.inbox_changed("a")
    loops._listen(line, patience=0.1, soonest=time.monotonic() + HOURS)


def test_news_after_a_long_rest_are_answered_at_once(line: psycopg.Connection[Any]) -> None:
    wakeups.inbox_changed("a")
    loops._listen(line, patience=HOURS, soonest=time.monotonic() - 1)


def test_without_news_patience_ends(line: psycopg.Connection[Any]) -> None:
    loops._listen(line, patience=0.05, soonest=time.monotonic() + HOURS)
