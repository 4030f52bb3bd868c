"""Exports: files of dataset versions, made by workers that may die at any moment.

The row is the work; a Celery message is only a hint to look at it. A worker holds the row by a lease, which
every saved step renews. Taking the row over raises ``epoch``, and every write names the epoch it was made
under: a worker that lost its lease changes nothing any more (fencing). docs/cases.md describes the files.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from django.db import transaction
from django.db.models import F

from datasets.choices import ExportFormat, ExportState
from datasets.exporters import jsonl
from datasets.models import Dataset, DatasetVersion, Export
from datasets.selectors import cases, exports
from datasets.selectors.exports import ClockTimestamp
from datasets.services import case_content, export_files
from datasets.services.datasets import actor_of
from datasets.services.export_files import NOTHING, PartFile, Written
from hitl_site.lib import ids
from hitl_site.lib.strict_json import JsonValue
from policies.services import ledger
from policies.services.ledger import Actor

if TYPE_CHECKING:
    from django.contrib.auth.models import User

FORMAT: Final = "handrail.export/1"
LEASE: Final = timedelta(seconds=30)
MAX_ATTEMPTS: Final = 5
PAGE_ROWS: Final = 100
STEP_SECONDS: Final = 0.5
# A task ends well before Celery's time limit; the next one goes on where it stopped.
SLICE_SECONDS: Final = 120.0

Clock = Callable[[], datetime]
logger = logging.getLogger(__name__)


class UnableToExport(Exception):
    """The export cannot be made, or not be changed any more."""


class AlreadyOver(UnableToExport):
    """The export is done, failed or cancelled: that is final."""


class Ran(StrEnum):
    """How one turn of a worker at an export ended."""

    FINISHED = "finished"
    TO_BE_CONTINUED = "to_be_continued"
    NOT_OURS = "not_ours"
    INTERRUPTED = "interrupted"
    FAILED = "failed"


class _LostLease(Exception):
    """Somebody else holds the export now, or it was cancelled."""


@dataclass(frozen=True, slots=True)
class _Claim:
    export: Export
    epoch: int
    known: Written


@transaction.atomic
def request(
    *, version_id: str, format: ExportFormat = ExportFormat.JSONL, requested_by: User | None, now: datetime
) -> Export:
    """Ask for a file of a version. While one is under way, asking again answers that one."""
    # Two requests at once (a double click) must see each other.
    Dataset.objects.select_for_update(of=("self",)).get(versions__public_id=version_id)
    version = DatasetVersion.objects.select_related("dataset").get(public_id=version_id)
    under_way = version.exports.filter(state__in=exports.UNDER_WAY, format=format).order_by("id").first()
    if under_way is not None:
        return under_way
    actor = actor_of(requested_by)
    export_id = ids.new("exp")
    export = Export.objects.create(
        public_id=export_id,
        version=version,
        format=format,
        rows_total=version.case_count,
        file_name=export_files.data_name(export_id, jsonl.EXTENSION),
        requested_by=requested_by,
        requested_by_name=actor.name,
        requested_at=now,
    )
    _record(export, verb="export.requested", actor=actor, now=now, payload={"version_id": version.public_id})
    return export


def run(*, export_id: str, clock: Clock, slice_seconds: float = SLICE_SECONDS) -> Ran:
    """Write an export, or go on with it, for at most a slice of time.

    Any number of workers may call this at once, and any may be killed: one of them holds the lease. Takes a
    clock and not ``now``, because the end of a long run is another moment than its start.
    """
    claim = _claim(export_id, clock)
    if claim is None:
        return Ran.NOT_OURS
    try:
        return _write(claim, clock, deadline=time.monotonic() + slice_seconds)
    except _LostLease:
        if Export.objects.filter(public_id=export_id, state=ExportState.CANCELLED).exists():
            export_files.remove(export_id, jsonl.EXTENSION)
        return Ran.NOT_OURS
    except jsonl.CaseChanged as exc:
        return _fail(claim, str(exc), clock)
    except Exception as exc:
        logger.exception("Export %s was interrupted", export_id)
        return _give_back(claim, f"{type(exc).__name__}: {exc}", clock)


def cancel(*, export_id: str, cancelled_by: User | None, now: datetime) -> Export:
    """Stop an export for good and remove what was written. Cancelling twice is cancelling once."""
    with transaction.atomic():
        export = Export.objects.select_for_update().get(public_id=export_id)
        if export.state == ExportState.CANCELLED:
            return export
        if export.state not in exports.UNDER_WAY:
            raise AlreadyOver(f"The export is over: {export.get_state_display().lower()}.")
        export.state = ExportState.CANCELLED
        export.epoch += 1
        export.lease_expires_at = None
        export.finished_at = now
        export.save(update_fields=["state", "epoch", "lease_expires_at", "finished_at"])
        _record(export, verb="export.cancelled", actor=actor_of(cancelled_by), now=now)
    # A worker that still writes notices at its next step and removes its own file.
    export_files.remove(export_id, jsonl.EXTENSION)
    return export


@transaction.atomic
def _claim(export_id: str, clock: Clock) -> _Claim | None:
    export = (
        exports.to_do()
        .filter(public_id=export_id)
        .select_related("version__dataset")
        .select_for_update(skip_locked=True, of=("self",))
        .first()
    )
    if export is None:
        return None
    known = Written(rows=export.rows_done, size=export.bytes_done, sha256=export.sha256 or NOTHING.sha256)
    export.epoch += 1
    claim = _Claim(export=export, epoch=export.epoch, known=known)
    if export.attempts >= MAX_ATTEMPTS:
        Export.objects.filter(pk=export.pk).update(epoch=export.epoch, state=ExportState.RUNNING)
        _fail(claim, export.error or f"The worker died {export.attempts} times while writing.", clock)
        return None
    now = clock()
    Export.objects.filter(pk=export.pk).update(
        state=ExportState.RUNNING,
        epoch=export.epoch,
        attempts=F("attempts") + 1,
        started_at=export.started_at or now,
        lease_expires_at=ClockTimestamp() + LEASE,
    )
    if export.state != ExportState.RUNNING:
        _record(export, verb="export.started", actor=Actor.system(), now=now)
    return claim


def _write(claim: _Claim, clock: Clock, *, deadline: float) -> Ran:
    export = claim.export
    with PartFile(
        export_id=export.public_id, epoch=claim.epoch, extension=jsonl.EXTENSION, known=claim.known
    ) as part:
        try:
            saved = time.monotonic()
            for page in _pages(export.version, after=part.written().rows):
                for case in page:
                    part.append(jsonl.row(case))
                if time.monotonic() >= deadline:
                    _save(claim, part.written(), lease=timedelta(0), attempts=F("attempts") - 1)
                    return Ran.TO_BE_CONTINUED
                if time.monotonic() - saved >= STEP_SECONDS:
                    _save(claim, part.written())
                    saved = time.monotonic()
            written = part.written()
            _save(claim, written)
            if written.rows != export.rows_total:
                raise jsonl.CaseChanged(f"The version has {written.rows} of its {export.rows_total} cases.")
            part.publish()
        except (_LostLease, jsonl.CaseChanged):
            part.discard()
            raise
    manifest = _manifest(export, written, finished_at=clock())
    export_files.publish_manifest(export_id=export.public_id, epoch=claim.epoch, manifest=manifest)
    _finish(claim, manifest, clock)
    return Ran.FINISHED


def _pages(version: DatasetVersion, *, after: int) -> Iterator[list[jsonl.StoredCase]]:
    position = after - 1
    while page := cases.members_after(version_id=version.pk, position=position, size=PAGE_ROWS):
        yield [
            jsonl.StoredCase(member.case.public_id, member.case.content, member.case.content_sha256)
            for member in page
        ]
        position = page[-1].position


def _save(claim: _Claim, written: Written, *, lease: timedelta = LEASE, **changes: object) -> None:
    """Save a step and renew the lease, or raise when the row is not ours any more."""
    _change(
        claim,
        rows_done=written.rows,
        bytes_done=written.size,
        sha256=written.sha256,
        lease_expires_at=ClockTimestamp() + lease,
        **changes,
    )


@transaction.atomic
def _finish(claim: _Claim, manifest: dict[str, JsonValue], clock: Clock) -> None:
    now = clock()
    _change(
        claim, state=ExportState.DONE, manifest=manifest, error="", lease_expires_at=None, finished_at=now
    )
    payload: dict[str, JsonValue] = {name: manifest[name] for name in ("rows", "bytes", "sha256")}
    _record(claim.export, verb="export.finished", actor=Actor.system(), now=now, payload=payload)


@transaction.atomic
def _fail(claim: _Claim, error: str, clock: Clock) -> Ran:
    now = clock()
    try:
        _change(claim, state=ExportState.FAILED, error=error, lease_expires_at=None, finished_at=now)
    except _LostLease:
        return Ran.NOT_OURS
    _record(claim.export, verb="export.failed", actor=Actor.system(), now=now, payload={"error": error})
    transaction.on_commit(lambda: export_files.remove(claim.export.public_id, jsonl.EXTENSION))
    return Ran.FAILED


def _give_back(claim: _Claim, error: str, clock: Clock) -> Ran:
    """Leave the export to another attempt, or end it when there were enough."""
    if claim.export.attempts + 1 >= MAX_ATTEMPTS:
        return _fail(claim, error, clock)
    try:
        with transaction.atomic():
            _change(claim, state=ExportState.REQUESTED, error=error, lease_expires_at=None)
            _record(
                claim.export,
                verb="export.interrupted",
                actor=Actor.system(),
                now=clock(),
                payload={"error": error},
            )
    except _LostLease:
        return Ran.NOT_OURS
    return Ran.INTERRUPTED


def _change(claim: _Claim, **changes: object) -> None:
    held = Export.objects.filter(pk=claim.export.pk, epoch=claim.epoch, state=ExportState.RUNNING)
    if not held.update(**changes):
        raise _LostLease(claim.export.public_id)


def _record(
    export: Export,
    *,
    verb: str,
    actor: Actor,
    now: datetime,
    payload: dict[str, JsonValue] | None = None,
) -> None:
    ledger.record(
        actor=actor,
        verb=verb,
        object_kind="export",
        object_id=export.public_id,
        now=now,
        payload=payload or {},
    )


def _manifest(export: Export, written: Written, *, finished_at: datetime) -> dict[str, JsonValue]:
    version = export.version
    return {
        "format": FORMAT,
        "export": export.public_id,
        "file": export.file_name,
        "file_format": export.format,
        "case_format": case_content.FORMAT,
        "rows": written.rows,
        "bytes": written.size,
        "sha256": written.sha256,
        "dataset": {"id": version.dataset.public_id, "name": version.dataset.name},
        "version": {
            "id": version.public_id,
            "number": version.number,
            "content_sha256": version.content_sha256,
            "selection": version.selection,
            "label_counts": version.label_counts,
            "ledger_seq": version.ledger_seq,
            "frozen_at": case_content.instant(version.frozen_at),
        },
        "requested_by": export.requested_by_name,
        "requested_at": case_content.instant(export.requested_at),
        "finished_at": case_content.instant(finished_at),
    }
