"""Exports: files of dataset versions, made by workers that may die at any moment.

``export_claims`` says who writes, ``export_members`` reads the cases, ``export_writing`` turns them into
bytes, ``export_files`` keeps the files absent or complete, ``export_manifest`` and ``export_card`` say what
they are, ``destinations`` takes them elsewhere, ``export_turns`` does it all in order. docs/cases.md
describes the files.
"""

from __future__ import annotations

import importlib.util
import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from django.db import transaction
from django.utils.translation import gettext

from datasets.choices import ExportFormat, ExportState, Split
from datasets.exporters import registry
from datasets.exporters.base import Exporter, RowExporter
from datasets.exporters.composition import UnknownFormat
from datasets.exporters.options import InvalidOptions
from datasets.models import Dataset, DatasetVersion, Export, ExportSchedule
from datasets.selectors import exports
from datasets.selectors.exports import ClockTimestamp
from datasets.services import compression, destinations, export_claims, export_files, export_members
from datasets.services.datasets import actor_of
from datasets.services.destinations import UnusableDestination
from datasets.services.export_claims import MAX_ATTEMPTS, Claim, Clock, ErasedMeanwhile, LostLease
from datasets.services.export_members import CaseChanged
from datasets.services.export_redaction import CannotRedact, redactor_of
from datasets.services.export_turns import destination_of, write
from datasets.services.export_writing import WrongFiles
from hitl_site.lib import ids
from hitl_site.lib.strict_json import JsonValue
from policies.services.ledger import Actor

if TYPE_CHECKING:
    from django.contrib.auth.models import User

# A task ends well before Celery's time limit; the next one goes on where it stopped.
SLICE_SECONDS: Final = 120.0
# A place that cannot be reached is asked again then.
CLEAR_AGAIN_AFTER: Final = timedelta(minutes=10)
# Packages that not every installation has.
_NEEDS: Final = {ExportFormat.PARQUET: "pyarrow", ExportFormat.HUGGING_FACE: "pyarrow"}

logger = logging.getLogger(__name__)


class UnableToExport(Exception):
    """The export cannot be made, or not be changed any more. ``field`` is the part of the order at fault."""

    def __init__(self, problem: str, field: str = "") -> None:
        super().__init__(problem)
        self.field = field


class NothingNew(UnableToExport):
    """Every case of the version was in the earlier one, as it is now."""


class AlreadyOver(UnableToExport):
    """The export is done, failed or cancelled: that is final."""


class Ran(StrEnum):
    """How one turn of a worker at an export ended."""

    FINISHED = "finished"
    TO_BE_CONTINUED = "to_be_continued"
    NOT_OURS = "not_ours"
    INTERRUPTED = "interrupted"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Order:
    """What is asked for of a version. ``since`` is an earlier version, whose cases are left out."""

    format: ExportFormat = ExportFormat.JSONL
    options: Mapping[str, JsonValue] = field(default_factory=dict)
    split: str = ""
    compression: str = ""
    destination: str = ""
    since: DatasetVersion | None = None


JSON_LINES: Final = Order()


@transaction.atomic
def request(
    *,
    version_id: str,
    order: Order = JSON_LINES,
    requested_by: User | None,
    now: datetime,
    schedule: ExportSchedule | None = None,
) -> Export:
    """Ask for a file of a version. While the same is under way, asking again answers that one."""
    # Two requests at once (a double click) must see each other.
    Dataset.objects.select_for_update(of=("self",)).get(versions__public_id=version_id)
    version = DatasetVersion.objects.select_related("dataset", "redaction").get(public_id=version_id)
    exporter = check_order(order)
    _check_version(version, order)
    codec = compression.CODECS.get(order.compression)
    actor = actor_of(requested_by) if schedule is None else Actor.system("export schedule")
    export_id = ids.new("exp")
    export = Export(
        public_id=export_id,
        version=version,
        format=order.format,
        options=registry.complete_options(order.format, order.options),
        split=order.split,
        compression=order.compression,
        destination=order.destination,
        since_version=order.since,
        schedule=schedule,
        file_name=_file_name(export_id, exporter.extension, "" if codec is None else codec.suffix),
        requested_by=requested_by,
        requested_by_name=actor.name,
        requested_at=now,
    )
    under_way = _under_way(export)
    if under_way is not None:
        return under_way
    export.rows_total = export_members.taken(export).count()
    if order.since is not None and export.rows_total == 0:
        told = gettext("Version {number} had every case as it is now: there is nothing new.")
        raise NothingNew(told.format(number=order.since.number))
    export.save()
    payload: dict[str, JsonValue] = {
        "version_id": version.public_id,
        "format": str(export.format),
        "options": export.options,
        "split": export.split,
        "compression": export.compression,
        "destination": export.destination,
        "since_version_id": None if order.since is None else order.since.public_id,
        "schedule_id": None if schedule is None else schedule.public_id,
    }
    export_claims.record(export, verb="export.requested", actor=actor, now=now, payload=payload)
    return export


def run(*, export_id: str, clock: Clock, slice_seconds: float = SLICE_SECONDS) -> Ran:
    """Write an export, or go on with it, for at most a slice of time where its format can be gone on with.

    Any number of workers may call this at once, and any may be killed: one of them holds the lease. Takes a
    clock and not ``now``, because the end of a long run is another moment than its start.
    """
    claim = export_claims.take(export_id, clock)
    if claim is None:
        _clear_what_is_over(export_id)
        return Ran.NOT_OURS
    try:
        finished = write(claim, clock, deadline=time.monotonic() + slice_seconds)
    except LostLease:
        _clear_away(claim.export)
        return Ran.NOT_OURS
    except ErasedMeanwhile:
        export_files.remove(export_id)
        return _interrupted(claim, "Data of the version was erased meanwhile: it is written anew.", clock)
    except (CaseChanged, UnknownFormat, CannotRedact, InvalidOptions, UnusableDestination, WrongFiles) as exc:
        return _failed(claim, str(exc), clock)
    except Exception as exc:
        logger.exception("Export %s was interrupted", export_id)
        return _interrupted(claim, f"{type(exc).__name__}: {exc}", clock)
    return Ran.FINISHED if finished else Ran.TO_BE_CONTINUED


def cancel(*, export_id: str, cancelled_by: User | None, now: datetime) -> Export:
    """Stop an export for good and remove what was written. Cancelling twice is cancelling once."""
    with transaction.atomic():
        export = Export.objects.select_for_update(of=("self",)).get(public_id=export_id)
        if export.state == ExportState.CANCELLED:
            return export
        if export.state not in exports.UNDER_WAY:
            told = gettext("The export is over: {state}.")
            raise AlreadyOver(told.format(state=export.get_state_display().lower()))
        export.state = ExportState.CANCELLED
        export.epoch += 1
        # Kept until what was written is taken away, here or by a worker where it lies.
        export.lease_expires_at = export.lease_expires_at or now
        export.finished_at = now
        export.save(update_fields=["state", "epoch", "lease_expires_at", "finished_at"])
        export_claims.record(export, verb="export.cancelled", actor=actor_of(cancelled_by), now=now)
    # A worker that still writes notices at its next step and removes its own file.
    export_files.remove(export_id)
    return export


@transaction.atomic
def record_download(*, export: Export, file_name: str, by: User, now: datetime) -> None:
    """Write into the ledger who takes which file away."""
    payload: dict[str, JsonValue] = {"file": file_name}
    export_claims.record(export, verb="export.downloaded", actor=actor_of(by), now=now, payload=payload)


def check_order(order: Order) -> Exporter:
    """Return the order's exporter, or raise ``UnableToExport`` for what could never be written."""
    try:
        exporter = registry.exporter(order.format, order.options)
    except InvalidOptions as exc:
        raise UnableToExport(str(exc), f"option_{exc.name}" if exc.name else "format") from exc
    label = ExportFormat(order.format).label
    package = _NEEDS.get(order.format)
    if package is not None and importlib.util.find_spec(package) is None:
        told = gettext("{label} needs the package {package}, which is not installed here.")
        raise UnableToExport(told.format(label=label, package=package), "format")
    if order.compression and order.compression not in compression.CODECS:
        known = ", ".join(name for name, _ in compression.choices() if name)
        told = gettext("{name!r} is not available here; there is {known}.")
        raise UnableToExport(told.format(name=order.compression, known=known), "compression")
    if order.compression and not isinstance(exporter, RowExporter):
        told = gettext("{label} compresses by itself: choose “Not compressed”.")
        raise UnableToExport(told.format(label=label), "compression")
    if order.split and order.split not in Split.values:
        raise UnableToExport(gettext("There is no split {name!r}.").format(name=order.split), "split")
    if order.destination:
        try:
            destinations.check(order.destination)
        except UnusableDestination as exc:
            raise UnableToExport(str(exc), "destination") from exc
    return exporter


def _check_version(version: DatasetVersion, order: Order) -> None:
    since = order.since
    if since is not None and (since.dataset_id != version.dataset_id or since.number >= version.number):
        told = gettext("Only an earlier version of the same dataset can be the last one.")
        raise UnableToExport(told, "since")
    try:
        redactor_of(version)
    except CannotRedact as exc:
        raise UnableToExport(str(exc)) from exc


def _file_name(export_id: str, extension: str, suffix: str) -> str:
    return export_files.data_name(export_id, f"{extension}{suffix}") if extension else export_id


def _under_way(export: Export) -> Export | None:
    """Return the export under way that will write the same."""
    return (
        Export.objects.filter(
            version=export.version,
            format=export.format,
            options=export.options,
            split=export.split,
            compression=export.compression,
            destination=export.destination,
            since_version=export.since_version,
            state__in=exports.UNDER_WAY,
        )
        .order_by("id")
        .first()
    )


def _interrupted(claim: Claim, error: str, clock: Clock) -> Ran:
    """Leave the export to another attempt, or end it when there were enough."""
    if claim.export.attempts + 1 >= MAX_ATTEMPTS:
        return _failed(claim, error, clock)
    return Ran.INTERRUPTED if export_claims.give_back(claim, error, clock) else Ran.NOT_OURS


def _failed(claim: Claim, error: str, clock: Clock) -> Ran:
    if not export_claims.fail(claim, error, clock):
        return Ran.NOT_OURS
    _clear_away(claim.export)
    return Ran.FAILED


def _clear_what_is_over(export_id: str) -> None:
    """Take away what an export left whose worker is gone: it was cancelled, or given up, between attempts."""
    lease = ClockTimestamp() + export_claims.LEASE
    if exports.to_clear().filter(public_id=export_id).update(lease_expires_at=lease):
        _clear_away(Export.objects.get(public_id=export_id))


def _clear_away(export: Export) -> None:
    """Remove what an export that is over without a file left here and where it was going."""
    over = Export.objects.filter(pk=export.pk, state__in=exports.OVER_WITHOUT_A_FILE)
    if not over.exists():
        return
    export_files.remove(export.public_id)
    if export.destination:
        try:
            destinations.remove_all(destination_of(export), export.public_id)
        except Exception:
            # Every kind of place has errors of its own; what stays there has no manifest and is no export.
            logger.exception("What was uploaded of %s could not be removed yet", export.public_id)
            over.update(lease_expires_at=ClockTimestamp() + CLEAR_AGAIN_AFTER)
            return
    over.update(lease_expires_at=None)
