from __future__ import annotations

from datetime import UTC, datetime, timedelta
from threading import Barrier, Thread

import pytest
from django.db import connection

from datasets import tasks
from datasets.choices import Cadence, DataKind, ExportFormat
from datasets.models import Export, ExportSchedule
from datasets.selectors import exports
from datasets.services import exporting, freezing, retention, schedules
from datasets.services.exporting import Order, UnableToExport
from datasets.services.schedules import Outcome, Plan
from datasets.tests.base import Learners, decide, label, make_dataset, many_cases
from hitl_site.lib.clock import database_now
from policies.models import LedgerEntry
from reviews.choices import DecisionKind

DAILY = Plan(order=Order(), cadence=Cadence.DAILY, only_new=True)


def make(plan: Plan = DAILY) -> ExportSchedule:
    dataset = make_dataset()
    return schedules.create(dataset_id=dataset.public_id, plan=plan, created_by=None, now=database_now())


def fall_due(schedule: ExportSchedule) -> None:
    ExportSchedule.objects.filter(pk=schedule.pk).update(next_at="2020-01-01T00:00:00Z")


def run_due(schedule: ExportSchedule) -> Outcome | None:
    return schedules.run_due(schedule_id=schedule.public_id, now=database_now())


def finish(outcome: Outcome | None) -> Export:
    assert outcome is not None
    assert outcome.export is not None
    exporting.run(export_id=outcome.export.public_id, clock=database_now)
    outcome.export.refresh_from_db()
    assert outcome.export.state == "done"
    return outcome.export


@pytest.mark.parametrize(
    ("cadence", "after", "expected"),
    [
        (Cadence.DAILY, "2026-03-01T02:59:59", "2026-03-01T03:00:00"),
        (Cadence.DAILY, "2026-03-01T03:00:00", "2026-03-02T03:00:00"),
        (Cadence.DAILY, "2026-12-31T23:00:00", "2027-01-01T03:00:00"),
        # 1 March 2026 is a Sunday; 2 is Wednesday.
        (Cadence.WEEKLY, "2026-03-01T12:00:00", "2026-03-04T03:00:00"),
        (Cadence.WEEKLY, "2026-03-04T02:00:00", "2026-03-04T03:00:00"),
        (Cadence.WEEKLY, "2026-03-04T03:00:00", "2026-03-11T03:00:00"),
    ],
)
def test_the_next_time_is_later_and_at_its_hour(cadence: Cadence, after: str, expected: str) -> None:
    moment = datetime.fromisoformat(after).replace(tzinfo=UTC)

    slot = schedules.next_slot(cadence=cadence, weekday=2, hour=3, after=moment)

    assert slot == datetime.fromisoformat(expected).replace(tzinfo=UTC)


@pytest.mark.django_db
def test_a_schedule_exports_only_what_its_last_finished_export_did_not_have(learners: Learners) -> None:
    decide(learners.cast)
    decide(learners.cast, DecisionKind.REJECT)
    label()
    schedule = make()
    assert run_due(schedule) is None
    fall_due(schedule)
    first = finish(run_due(schedule))
    assert (first.rows_total, first.since_version) == (2, None)

    # Nothing new: nothing is made, and that is no error.
    fall_due(schedule)
    assert run_due(schedule) == Outcome(note=schedules.NOTHING_NEW)
    decide(learners.cast)
    label()
    fall_due(schedule)
    second = finish(run_due(schedule))

    assert second.version.number == 2
    assert second.version.case_count == 3
    assert second.since_version == first.version
    assert second.manifest is not None
    assert (second.manifest["rows"], second.manifest["since_version"]["number"]) == (1, 1)
    schedule.refresh_from_db()
    assert schedule.next_at > database_now()
    assert schedule.last_error == ""
    verbs = (
        LedgerEntry.objects.filter(object_id=schedule.public_id)
        .order_by("id")
        .values_list("verb", "actor_name")
    )
    assert list(verbs) == [
        ("export_schedule.created", "command line"),
        ("export_schedule.ran", "export schedule"),
        ("export_schedule.ran", "export schedule"),
        ("export_schedule.ran", "export schedule"),
    ]


@pytest.mark.django_db
def test_what_was_exported_does_not_come_again_because_the_time_to_keep_its_files_is_over(
    learners: Learners,
) -> None:
    decide(learners.cast)
    label()
    schedule = make()
    fall_due(schedule)
    first = finish(run_due(schedule))
    retention.set_rule(
        kind=DataKind.EXPORTS, action_type="", keep_days=1, by=learners.cast.olga, now=database_now()
    )
    later = database_now() + timedelta(days=2)
    removal = retention.begin_if_due(now=later)
    assert removal is not None
    retention.run(removal_id=removal.public_id, clock=lambda: later)
    first.refresh_from_db()
    assert first.state == "cancelled"

    fall_due(schedule)
    assert run_due(schedule) == Outcome(note=schedules.NOTHING_NEW)
    decide(learners.cast)
    label()
    fall_due(schedule)
    second = finish(run_due(schedule))

    assert (second.rows_total, second.since_version) == (1, first.version)


@pytest.mark.django_db
def test_an_export_that_did_not_finish_is_made_up_for_by_the_next_one() -> None:
    many_cases(3)
    schedule = make()
    fall_due(schedule)
    outcome = run_due(schedule)
    assert outcome is not None
    assert outcome.export is not None
    fall_due(schedule)
    # While one is being written there is no second one of the same cases.
    assert run_due(schedule) == Outcome(note=schedules.STILL_WRITING)
    exporting.cancel(export_id=outcome.export.public_id, cancelled_by=None, now=database_now())

    fall_due(schedule)
    again = finish(run_due(schedule))

    assert (again.rows_total, again.since_version) == (3, None)


@pytest.mark.django_db
def test_what_is_wrong_with_a_schedule_is_said_on_it_and_it_waits_for_its_next_time() -> None:
    schedule = make()
    fall_due(schedule)

    outcome = run_due(schedule)

    schedule.refresh_from_db()
    assert outcome is not None
    assert outcome.error == schedule.last_error
    assert "No labelled case fits" in schedule.last_error
    assert exports.due_schedule_ids(limit=9) == []
    assert LedgerEntry.objects.filter(verb="export_schedule.failed").count() == 1
    assert not Export.objects.exists()


@pytest.mark.django_db
def test_an_error_nobody_thought_of_does_not_come_back_every_few_seconds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    schedule = make()
    fall_due(schedule)

    def broken(**_: object) -> None:
        raise RuntimeError("out of order")

    monkeypatch.setattr(exporting, "request", broken)
    monkeypatch.setattr(freezing, "freeze", broken)

    assert run_due(schedule) == Outcome(error="RuntimeError: out of order")

    assert exports.due_schedule_ids(limit=9) == []


@pytest.mark.django_db
def test_a_paused_schedule_is_not_due_but_can_be_run_by_hand() -> None:
    many_cases(2)
    schedule = make()
    schedules.set_active(schedule_id=schedule.public_id, active=False, by=None, now=database_now())
    schedules.set_active(schedule_id=schedule.public_id, active=False, by=None, now=database_now())
    fall_due(schedule)

    assert run_due(schedule) is None
    outcome = schedules.run_now(schedule_id=schedule.public_id, by=None, now=database_now())

    assert outcome.export is not None
    schedule.refresh_from_db()
    assert schedule.active is False
    assert schedule.next_at == datetime(2020, 1, 1, tzinfo=UTC)
    resumed = schedules.set_active(schedule_id=schedule.public_id, active=True, by=None, now=database_now())
    # What was missed is not made up for.
    assert resumed.next_at > database_now()
    assert LedgerEntry.objects.filter(verb="export_schedule.paused").count() == 1


@pytest.mark.django_db
@pytest.mark.parametrize(
    "order",
    [
        Order(compression="gzip", format=ExportFormat.HUGGING_FACE),
        Order(options={"no_such": True}),
        Order(split="nonsense"),
        Order(destination="s3://elsewhere/"),
        Order(compression="lzma"),
    ],
)
def test_an_order_that_could_never_be_written_makes_no_schedule(order: Order) -> None:
    with pytest.raises(UnableToExport):
        make(Plan(order=order, cadence=Cadence.DAILY))

    assert not ExportSchedule.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_two_beats_at_once_make_one_export() -> None:
    many_cases(3)
    schedule = make()
    fall_due(schedule)
    barrier, errors = Barrier(4), list[BaseException]()

    def beat() -> None:
        try:
            barrier.wait()
            tasks.sweep_schedules.run()
        except BaseException as exc:
            errors.append(exc)
        finally:
            connection.close()

    threads = [Thread(target=beat) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert errors == []
    assert Export.objects.count() == 1
    assert LedgerEntry.objects.filter(verb="export_schedule.ran").count() == 1
