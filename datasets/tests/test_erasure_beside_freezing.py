"""An erasure and a freezing at once: whichever is first, the version has nothing of what was erased."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import TypeVar

import pytest
from django.db import OperationalError, connection

from datasets.choices import ExportState
from datasets.models import Dataset, DatasetVersion, Export, LabelledCase
from datasets.selectors.reach import Whose
from datasets.selectors.traces import traces
from datasets.services import erasure, export_files, exporting, freezing, taking_away
from datasets.services.freezing import Frozen
from datasets.tests.base import Learners, decide, label, make_dataset, make_learners
from hitl_site.lib.clock import database_now
from policies.choices import Criterion, RemovalState
from policies.models import Removal
from policies.services import ledger
from reviews.choices import DecisionKind
from reviews.services import deadlines

CANARY = "kanarienvogel"
SUBJECT = f"{CANARY}-subject"
PATIENCE = 60.0

T = TypeVar("T")

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def people() -> Learners:
    """Three closed cases, two of the one who will be erased."""
    people = make_learners()
    for number in range(2):
        proposed = {"order": f"{CANARY}-{number}", "amount": 184}
        right = {"order": f"{CANARY}-right-{number}", "amount": 1}
        decide(
            people.cast,
            DecisionKind.CORRECT,
            proposed=proposed,
            arguments=right,
            note=f"{CANARY} called",
            subject=SUBJECT,
            context={"input": f"I am {CANARY}"},
        )
    decide(people.cast, proposed={"order": "SO-1", "amount": 3})
    label()
    deadlines.expire_permits(now=database_now() + timedelta(days=400))
    return people


class Gate:
    """A place where a thread waits until the test lets it through."""

    def __init__(self) -> None:
        self._reached, self._open = threading.Event(), threading.Event()

    def wait(self) -> None:
        self._reached.set()
        assert self._open.wait(PATIENCE)

    def is_reached(self) -> None:
        assert self._reached.wait(PATIENCE)

    def open(self) -> None:
        self._open.set()


def in_thread(pool: ThreadPoolExecutor, act: Callable[[], T]) -> Future[T]:
    def run() -> T:
        try:
            return act()
        finally:
            connection.close()

    return pool.submit(run)


def somebody_waits_for_the_lock() -> None:
    """Return once another connection waits for the lock between erasures and freezings."""
    end = time.monotonic() + PATIENCE
    with connection.cursor() as cursor:
        while True:
            cursor.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
            if cursor.fetchone()[0]:
                return
            assert time.monotonic() < end, "nobody waits"
            time.sleep(0.005)


def ask(people: Learners) -> Removal:
    return erasure.request(
        whose=Whose(Criterion.SUBJECT, SUBJECT),
        reason="They asked for it by letter",
        legal_basis="GDPR Art. 17(1)(b)",
        by=people.cast.olga,
        now=database_now(),
    )


def erase(removal: Removal) -> None:
    """Run the erasure to its end, as the sweep does: a lock that did not come in time is asked for again."""
    while Removal.objects.get(pk=removal.pk).state != RemovalState.DONE:
        try:
            erasure.run(removal_id=removal.public_id, clock=lambda: database_now() + timedelta(days=400))
        except OperationalError:
            continue


def freeze(dataset: Dataset, told: Callable[[int], None] | None = None) -> Frozen:
    """Freeze, as often as the answer is to try again in a moment."""
    while True:
        try:
            return freezing.freeze(
                dataset_id=dataset.public_id, frozen_by=None, now=database_now(), told=told
            )
        except freezing.BeingFrozen:
            continue


def exported(version: DatasetVersion) -> bytes:
    export = exporting.request(version_id=version.public_id, requested_by=None, now=database_now())
    assert exporting.run(export_id=export.public_id, clock=database_now) == exporting.Ran.FINISHED
    export.refresh_from_db()
    with export_files.open_finished(export.file_name) as file:
        return file.read()


def test_an_erasure_waits_for_the_version_being_frozen_and_empties_what_it_took(people: Learners) -> None:
    dataset, removal, under_way = make_dataset(), ask(people), Gate()
    with ThreadPoolExecutor(2) as pool:
        freezing_it = in_thread(pool, lambda: freeze(dataset, told=lambda _: under_way.wait()))
        under_way.is_reached()
        erasing = in_thread(pool, lambda: erase(removal))
        somebody_waits_for_the_lock()
        # Nothing of it is taken away before it is known which versions have it.
        assert not LabelledCase.objects.exclude(erased_at=None).exists()
        under_way.open()
        version = freezing_it.result(PATIENCE).version
        erasing.result(PATIENCE)

    assert traces(CANARY) == []
    mark = version.marks.get()
    assert (mark.erasure_id, mark.cases) == (removal.public_id, 2)
    assert version.members.count() == version.case_count == 3
    content = exported(version)
    assert CANARY.encode() not in content
    assert content.count(b"SO-1") > 0
    assert ledger.verify().is_intact


def test_a_freezing_waits_for_the_erasure_and_leaves_what_it_took_out(
    people: Learners, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset, removal, taken = make_dataset(), ask(people), Gate()
    take = taking_away.actions

    def slow(removal: Removal, keys: Sequence[int], *, now: datetime) -> Counter[str]:
        counts = take(removal, keys, now=now)
        taken.wait()
        return counts

    monkeypatch.setattr(taking_away, "actions", slow)
    with ThreadPoolExecutor(2) as pool:
        erasing = in_thread(pool, lambda: erase(removal))
        # Everything is taken away, and nobody else can see that yet.
        taken.is_reached()
        freezing_it = in_thread(pool, lambda: freeze(dataset))
        somebody_waits_for_the_lock()
        assert not DatasetVersion.objects.exists()
        taken.open()
        erasing.result(PATIENCE)
        version = freezing_it.result(PATIENCE).version

    assert traces(CANARY) == []
    assert (version.case_count, version.left_out) == (1, {"erased": 2})
    assert not version.marks.exists()
    assert CANARY.encode() not in exported(version)
    assert ledger.verify().is_intact


def test_a_file_being_written_of_a_version_that_is_reached_has_nothing_of_it_in_the_end(
    people: Learners, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = freeze(make_dataset()).version
    export = exporting.request(version_id=version.public_id, requested_by=None, now=database_now())
    removal, read = ask(people), Gate()
    publish = export_files.PartFile.publish

    def late(part: export_files.PartFile) -> list[export_files.DataFile]:
        read.wait()
        return publish(part)

    monkeypatch.setattr(export_files.PartFile, "publish", late)
    with ThreadPoolExecutor(1) as pool:
        writing = in_thread(pool, lambda: exporting.run(export_id=export.public_id, clock=database_now))
        # All cases are read and written, and the file is not yet one that anybody can have.
        read.is_reached()
        erase(removal)
        read.open()
        assert writing.result(PATIENCE) != exporting.Ran.FINISHED

    export.refresh_from_db()
    assert export.state == ExportState.REQUESTED
    assert list(export_files.folder().glob(f"{export.public_id}*")) == []
    assert exporting.run(export_id=export.public_id, clock=database_now) == exporting.Ran.FINISHED
    assert CANARY.encode() not in exported(version)
    assert Export.objects.filter(state=ExportState.DONE).count() == 2
    assert [mark.erasure_id for mark in version.marks.all()] == [removal.public_id]
