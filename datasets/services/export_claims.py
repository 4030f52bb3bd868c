"""Who writes an export: a lease that every step renews, and an epoch that fences off whoever lost it.

The row is the work; a Celery message is only a hint to look at it. Taking the row over raises ``epoch``, and
every write names the epoch it was made under: a worker that lost its lease changes nothing any more.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.db import transaction
from django.db.models import F

from datasets.choices import ExportState
from datasets.models import Export
from datasets.selectors import exports
from datasets.selectors.exports import ClockTimestamp
from datasets.services import export_files
from datasets.services.export_files import NOTHING, Written
from datasets.services.export_writing import Tally
from hitl_site.lib.strict_json import JsonValue
from policies.services import ledger
from policies.services.ledger import Actor

LEASE: Final = timedelta(seconds=30)
MAX_ATTEMPTS: Final = 5

Clock = Callable[[], datetime]


class LostLease(Exception):
    """Somebody else holds the export now, or it was cancelled."""


class ErasedMeanwhile(Exception):
    """An erasure reached the version while it was written: what is written may hold what was erased."""


@dataclass(frozen=True, slots=True)
class Claim:
    """An export that this worker may write, and what the row vouches for of an earlier worker's file."""

    export: Export
    epoch: int
    known: Written
    tally: Tally
    marks: int


@transaction.atomic
def take(export_id: str, clock: Clock) -> Claim | None:
    """Take an export that waits or whose worker died; None when there is nothing to take."""
    export = (
        exports.to_do()
        .filter(public_id=export_id)
        .select_related("version__dataset", "version__redaction", "since_version")
        .select_for_update(skip_locked=True, of=("self",))
        .first()
    )
    if export is None:
        return None
    export.epoch += 1
    claim = _claim(export)
    if export.attempts >= MAX_ATTEMPTS:
        Export.objects.filter(pk=export.pk).update(epoch=export.epoch, state=ExportState.RUNNING)
        fail(claim, export.error or f"The worker died {export.attempts} times while writing.", clock)
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
        record(export, verb="export.started", actor=Actor.system(), now=now)
    return claim


def _claim(export: Export) -> Claim:
    marks = export.version.marks.count()
    checkpoint = export.checkpoint
    if checkpoint is None or checkpoint["marks"] != marks:
        return Claim(export, export.epoch, NOTHING, Tally(), marks)
    known = Written(size=export.bytes_done, sha256=export.sha256 or NOTHING.sha256)
    return Claim(export, export.epoch, known, Tally.from_document(checkpoint["tally"]), marks)


def renew(claim: Claim, *, cases: int) -> None:
    """Renew the lease and say how far it is, or raise ``LostLease``."""
    change(claim, rows_done=cases, lease_expires_at=ClockTimestamp() + LEASE)


def save(claim: Claim, written: Written, tally: Tally, *, hand_over: bool = False) -> None:
    """Save a step that the next worker can go on behind; with ``hand_over`` it may begin at once."""
    attempts = {"attempts": F("attempts") - 1} if hand_over else {}
    change(
        claim,
        rows_done=tally.cases,
        bytes_done=written.size,
        sha256=written.sha256,
        checkpoint={"marks": claim.marks, "tally": tally.document()},
        lease_expires_at=ClockTimestamp() + (timedelta(0) if hand_over else LEASE),
        **attempts,
    )


@transaction.atomic
def finish(claim: Claim, manifest: dict[str, JsonValue], clock: Clock) -> None:
    """Say that the export is there, with its manifest."""
    now = clock()
    change(
        claim,
        state=ExportState.DONE,
        file_name=claim.export.file_name,
        bytes_done=manifest["bytes"],
        sha256=manifest["sha256"],
        manifest=manifest,
        checkpoint=None,
        error="",
        lease_expires_at=None,
        finished_at=now,
    )
    if claim.export.version.marks.count() != claim.marks:
        raise ErasedMeanwhile(claim.export.public_id)
    payload: dict[str, JsonValue] = {name: manifest[name] for name in ("rows", "bytes", "sha256")}
    record(claim.export, verb="export.finished", actor=Actor.system(), now=now, payload=payload)


@transaction.atomic
def fail(claim: Claim, error: str, clock: Clock) -> bool:
    """End the export without a file; False when it is not ours to end."""
    now = clock()
    try:
        # The lease that has lapsed says that what was written is still to be taken away.
        change(
            claim, state=ExportState.FAILED, error=error, lease_expires_at=ClockTimestamp(), finished_at=now
        )
    except LostLease:
        return False
    record(claim.export, verb="export.failed", actor=Actor.system(), now=now, payload={"error": error})
    transaction.on_commit(lambda: export_files.remove(claim.export.public_id))
    return True


@transaction.atomic
def give_back(claim: Claim, error: str, clock: Clock) -> bool:
    """Leave the export to another attempt; False when it is not ours to leave."""
    try:
        change(claim, state=ExportState.REQUESTED, error=error, lease_expires_at=None)
    except LostLease:
        return False
    payload: dict[str, JsonValue] = {"error": error}
    record(claim.export, verb="export.interrupted", actor=Actor.system(), now=clock(), payload=payload)
    return True


def change(claim: Claim, **changes: object) -> None:
    """Change the row while it is ours, or raise ``LostLease``."""
    held = Export.objects.filter(pk=claim.export.pk, epoch=claim.epoch, state=ExportState.RUNNING)
    if not held.update(**changes):
        raise LostLease(claim.export.public_id)


def record(
    export: Export, *, verb: str, actor: Actor, now: datetime, payload: dict[str, JsonValue] | None = None
) -> None:
    """Write what happened to an export into the ledger, in the transaction of the change."""
    ledger.record(
        actor=actor,
        verb=verb,
        object_kind="export",
        object_id=export.public_id,
        now=now,
        payload=payload or {},
    )
