"""Many writers, two sequencers: the chain is gapless, whole, and in an order that never changes."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
from django.db import connection, transaction

from policies.models import LedgerEntry, LedgerLink
from policies.services import ledger
from policies.services.ledger import Actor

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
WRITERS, TRANSACTIONS, SEQUENCERS = 6, 30, 2

pytestmark = pytest.mark.django_db(transaction=True)


class _RollBack(Exception):
    pass


def note(writer: int, number: int, step: int) -> None:
    ledger.record(
        actor=Actor.system(),
        verb="test.noted",
        object_kind="thing",
        object_id=f"{writer}/{number}/{step}",
        payload={"step": step},
        now=NOON,
    )


def write(writer: int, ready: threading.Barrier) -> set[str]:
    """Write transactions of several entries, some long, some in savepoints, some rolled back."""
    chance = random.Random(writer)
    kept: set[str] = set()
    ready.wait()
    for number in range(TRANSACTIONS):
        steps = chance.randint(1, 4)
        try:
            with transaction.atomic():
                for step in range(steps):
                    with transaction.atomic():
                        note(writer, number, step)
                    time.sleep(chance.choice((0, 0, 0, 0.002, 0.02)))
                if chance.random() < 0.25:
                    raise _RollBack
        except _RollBack:
            continue
        kept |= {f"{writer}/{number}/{step}" for step in range(steps)}
    return kept


def in_thread(act: Callable[[], set[str]]) -> set[str]:
    try:
        return act()
    finally:
        connection.close()


def test_every_committed_entry_is_linked_once_and_in_order_under_load() -> None:
    ready = threading.Barrier(WRITERS + SEQUENCERS)
    done = threading.Event()
    prefixes: list[list[int]] = []

    def sequence() -> set[str]:
        ready.wait()
        while not done.is_set():
            ledger.link_entries(now=NOON, limit=7)
            prefixes.append(list(LedgerLink.objects.order_by("seq").values_list("entry_id", flat=True)))
        return set()

    with ThreadPoolExecutor(WRITERS + SEQUENCERS) as pool:
        sequencers = [pool.submit(in_thread, sequence) for _ in range(SEQUENCERS)]
        writers = [
            pool.submit(in_thread, lambda writer=each: write(writer, ready))  # type: ignore[misc]  # bound now
            for each in range(WRITERS)
        ]
        kept = set().union(*(writer.result() for writer in writers))
        done.set()
        for sequencer in sequencers:
            sequencer.result()
    while ledger.link_entries(now=NOON):
        pass

    links = list(LedgerLink.objects.select_related("entry").order_by("seq"))
    assert [link.seq for link in links] == list(range(1, len(kept) + 1))
    assert {link.entry.object_id for link in links} == kept
    assert LedgerEntry.objects.count() == len(kept)
    # What was once linked kept its place: each look at the chain was a prefix of the whole.
    chain = [link.entry_id for link in links]
    assert all(chain[: len(prefix)] == prefix for prefix in prefixes)
    places = [(int(str(link.entry.transaction_id)), link.entry_id) for link in links]
    assert places == sorted(places)
    assert ledger.verify().verified == len(kept)


def test_a_second_sequencer_finds_the_first_at_work_and_leaves_it_alone() -> None:
    with transaction.atomic():
        note(0, 0, 0)
    holding, finished = threading.Event(), threading.Event()

    def hold() -> set[str]:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [ledger.SEQUENCER_LOCK])
            holding.set()
            finished.wait()
        return set()

    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(in_thread, hold)
        holding.wait()
        assert ledger.link_entries(now=NOON) == 0
        finished.set()
        first.result()
    assert ledger.link_entries(now=NOON) == 1


def test_a_transaction_that_began_early_and_commits_late_keeps_the_order() -> None:
    wrote, go = threading.Event(), threading.Event()

    def write_slowly() -> set[str]:
        with transaction.atomic():
            note(0, 0, 0)
            wrote.set()
            go.wait()
        return set()

    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(in_thread, write_slowly)
        wrote.wait()
        with transaction.atomic():
            note(1, 0, 0)
        # Linking the quick one now would put the slow one behind it, or out of the chain for ever.
        assert ledger.link_entries(now=NOON) == 0
        go.set()
        slow.result()
    assert ledger.link_entries(now=NOON) == 2
    order = [link.entry.object_id for link in LedgerLink.objects.select_related("entry").order_by("seq")]
    assert order == ["0/0/0", "1/0/0"]
