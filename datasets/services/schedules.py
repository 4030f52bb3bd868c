"""Schedules: freeze a dataset and export it every day or week, when there is something new.

The row is the work: it says when it is due, by the database's clock. Working it off moves that time on in the
same transaction, so two beats at once make one export. A run that was missed is made up for once.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from django.db import transaction
from django.db.models import Exists, OuterRef, Q
from django.utils import translation
from django.utils.translation import gettext, gettext_noop

from datasets.choices import Cadence, ExportFormat, ExportState
from datasets.exporters import registry
from datasets.models import Dataset, Export, ExportSchedule
from datasets.selectors import exports
from datasets.selectors.exports import ClockTimestamp
from datasets.selectors.selection import InvalidSelection
from datasets.services import exporting, freezing
from datasets.services.datasets import actor_of
from datasets.services.exporting import NothingNew, Order, UnableToExport
from datasets.services.taking_away import EXPORT
from hitl_site.lib import ids
from hitl_site.lib.strict_json import JsonValue
from policies.choices import RemovalKind
from policies.models import RemovalTarget
from policies.services import ledger
from policies.services.ledger import Actor

if TYPE_CHECKING:
    from django.contrib.auth.models import User

ACTOR: Final = "export schedule"
NOTHING_NEW: Final = gettext_noop("nothing new")
STILL_WRITING: Final = gettext_noop("the export before is still being written")

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Plan:
    """What to export and when. With ``only_new``, what the last finished export did not have."""

    order: Order
    cadence: Cadence
    weekday: int = 0
    hour: int = 3
    only_new: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run came to: an export, or why there is none. ``error`` where something is wrong."""

    export: Export | None = None
    note: str = ""
    error: str = ""


def next_slot(*, cadence: Cadence, weekday: int, hour: int, after: datetime) -> datetime:
    """Return the first time after ``after`` at this hour (UTC); weekly on this weekday (0: Monday)."""
    slot = after.astimezone(UTC).replace(hour=hour, minute=0, second=0, microsecond=0)
    while slot <= after or (cadence == Cadence.WEEKLY and slot.weekday() != weekday):
        slot += timedelta(days=1)
    return slot


@transaction.atomic
def create(*, dataset_id: str, plan: Plan, created_by: User | None, now: datetime) -> ExportSchedule:
    """Make a schedule, or raise ``UnableToExport`` for an order that could never be written."""
    dataset = Dataset.objects.get(public_id=dataset_id)
    if plan.order.since is not None:
        raise UnableToExport(gettext("A schedule finds its own last version."), "since")
    if not 0 <= plan.weekday <= 6 or not 0 <= plan.hour <= 23:
        raise UnableToExport(gettext("A weekday is 0 (Monday) to 6, an hour 0 to 23."), "hour")
    exporting.check_order(plan.order)
    actor = actor_of(created_by)
    schedule = ExportSchedule.objects.create(
        public_id=ids.new("sch"),
        dataset=dataset,
        format=plan.order.format,
        options=registry.complete_options(plan.order.format, plan.order.options),
        split=plan.order.split,
        compression=plan.order.compression,
        destination=plan.order.destination,
        cadence=plan.cadence,
        weekday=plan.weekday,
        hour=plan.hour,
        only_new=plan.only_new,
        next_at=next_slot(cadence=plan.cadence, weekday=plan.weekday, hour=plan.hour, after=now),
        created_by_name=actor.name,
        created_at=now,
    )
    _record(schedule, "created", actor, now, {"dataset_id": dataset_id, **_settings(schedule)})
    return schedule


@transaction.atomic
def set_active(*, schedule_id: str, active: bool, by: User | None, now: datetime) -> ExportSchedule:
    """Pause a schedule or let it go on. What it already is, it stays; missed runs are not made up for."""
    schedule = ExportSchedule.objects.select_for_update(of=("self",)).get(public_id=schedule_id)
    if schedule.active == active:
        return schedule
    schedule.active = active
    schedule.next_at = _next(schedule, now)
    schedule.save(update_fields=["active", "next_at"])
    payload: dict[str, JsonValue] = {"before": {"active": not active}, "after": {"active": active}}
    _record(schedule, "resumed" if active else "paused", actor_of(by), now, payload)
    return schedule


@transaction.atomic
def run_now(*, schedule_id: str, by: User | None, now: datetime) -> Outcome:
    """Run a schedule outside its time, also a paused one; when it is due stays as it is."""
    schedule = ExportSchedule.objects.select_for_update(of=("self",)).get(public_id=schedule_id)
    return _run(schedule, actor=actor_of(by), now=now, next_at=schedule.next_at)


def run_due(*, schedule_id: str, now: datetime) -> Outcome | None:
    """Run a schedule that is due; None when it is not, or when somebody else is at it."""
    actor = Actor.system(ACTOR)
    try:
        with transaction.atomic():
            schedule = _take_due(schedule_id)
            if schedule is None:
                return None
            return _run(schedule, actor=actor, now=now, next_at=_next(schedule, now))
    except Exception as exc:
        # One broken schedule must not keep the others waiting, nor itself come back every few seconds.
        logger.exception("Schedule %s could not be run", schedule_id)
        with transaction.atomic():
            schedule = _take_due(schedule_id)
            if schedule is None:
                return None
            outcome = Outcome(error=f"{type(exc).__name__}: {exc}")
            _settle(schedule, outcome, actor=actor, now=now, next_at=_next(schedule, now))
            return outcome


def _take_due(schedule_id: str) -> ExportSchedule | None:
    due = ExportSchedule.objects.filter(public_id=schedule_id, active=True, next_at__lte=ClockTimestamp())
    return due.select_for_update(skip_locked=True, of=("self",)).first()


def _run(schedule: ExportSchedule, *, actor: Actor, now: datetime, next_at: datetime) -> Outcome:
    try:
        # What goes wrong is kept with the schedule and in the ledger: in English, whoever asked.
        with translation.override("en"), transaction.atomic():
            outcome = _export(schedule, now=now)
    except (freezing.UnableToFreeze, UnableToExport, InvalidSelection) as exc:
        outcome = Outcome(error=str(exc))
    _settle(schedule, outcome, actor=actor, now=now, next_at=next_at)
    return outcome


def _export(schedule: ExportSchedule, *, now: datetime) -> Outcome:
    if schedule.exports.filter(state__in=exports.UNDER_WAY).exists():
        return Outcome(note=STILL_WRITING)
    frozen = freezing.freeze(
        dataset_id=schedule.dataset.public_id, frozen_by=None, now=now, actor=Actor.system(ACTOR)
    )
    last = _last(schedule)
    if last is not None and last.version_id == frozen.version.pk:
        return Outcome(note=NOTHING_NEW)
    order = order_of(schedule)
    if schedule.only_new and last is not None:
        order = replace(order, since=last.version)
    try:
        export = exporting.request(
            version_id=frozen.version.public_id, order=order, requested_by=None, now=now, schedule=schedule
        )
    except NothingNew:
        return Outcome(note=NOTHING_NEW)
    return Outcome(export=export)


def _last(schedule: ExportSchedule) -> Export | None:
    """Return the last export whose cases were delivered and still count.

    Where the time to keep its files is over they were taken long ago, and those cases do not come again.
    Where an erasure removed them, the file has to be deleted everywhere: the cases beside the erased ones do.
    """
    over = RemovalTarget.objects.filter(
        kind=EXPORT, object_id=OuterRef("public_id"), removal__kind=RemovalKind.RETENTION
    )
    finished = schedule.exports.filter(Q(state=ExportState.DONE) | Q(Exists(over)))
    return finished.select_related("version").order_by("-id").first()


def order_of(schedule: ExportSchedule) -> Order:
    """Return what the schedule asks for of each version."""
    return Order(
        format=ExportFormat(schedule.format),
        options=schedule.options,
        split=schedule.split,
        compression=schedule.compression,
        destination=schedule.destination,
    )


def _settle(
    schedule: ExportSchedule, outcome: Outcome, *, actor: Actor, now: datetime, next_at: datetime
) -> None:
    schedule.next_at = next_at
    schedule.last_error = outcome.error
    schedule.save(update_fields=["next_at", "last_error"])
    payload: dict[str, JsonValue] = {
        "export_id": None if outcome.export is None else outcome.export.public_id,
        "note": outcome.note,
        "error": outcome.error,
    }
    _record(schedule, "failed" if outcome.error else "ran", actor, now, payload)


def _next(schedule: ExportSchedule, after: datetime) -> datetime:
    cadence = Cadence(schedule.cadence)
    return next_slot(cadence=cadence, weekday=schedule.weekday, hour=schedule.hour, after=after)


def _settings(schedule: ExportSchedule) -> dict[str, JsonValue]:
    return {
        "format": str(schedule.format),
        "options": schedule.options,
        "split": schedule.split,
        "compression": schedule.compression,
        "destination": schedule.destination,
        "cadence": str(schedule.cadence),
        "weekday": schedule.weekday,
        "hour": schedule.hour,
        "only_new": schedule.only_new,
    }


def _record(
    schedule: ExportSchedule, verb: str, actor: Actor, now: datetime, payload: dict[str, JsonValue]
) -> None:
    ledger.record(
        actor=actor,
        verb=f"export_schedule.{verb}",
        object_kind="export_schedule",
        object_id=schedule.public_id,
        now=now,
        payload=payload,
    )
