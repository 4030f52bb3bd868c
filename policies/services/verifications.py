"""Verifications of the ledger as jobs: asked for on a page, worked off by workers that may die at any moment.

The row is the work; a Celery message is only a hint to look at it. A worker shows by ``heartbeat_at`` that it
is at it. Who takes over a row that is silent raises ``attempts``, and every write names the attempt that it
belongs to: a worker that comes back late changes nothing any more. A run goes on where the last one stopped.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Final

from django.conf import settings
from django.db import connection, transaction
from django.db.models import F, Q

from hitl_site.lib import ids
from hitl_site.lib.strict_json import JsonValue
from policies.choices import VerificationState
from policies.models import LedgerLink, LedgerVerification
from policies.services import checkpoints, ledger
from policies.services.ledger import GENESIS_HASH, Actor, Verification

if TYPE_CHECKING:
    from django.contrib.auth.models import User

SILENT_AFTER: Final = timedelta(seconds=30)
MAX_ATTEMPTS: Final = 5
STEP: Final = 2000
# A task ends well before Celery's time limit; the next one goes on where it stopped.
SLICE_SECONDS: Final = 120.0
# Two requests at once (a double click) become one run.
_REQUEST_LOCK: Final = 0x68725F7665726966  # "hr_verif"
_UNDER_WAY: Final = (VerificationState.QUEUED, VerificationState.RUNNING)

Clock = Callable[[], datetime]


class Ran(StrEnum):
    """How one turn of a worker at a verification ended."""

    FINISHED = "finished"
    TO_BE_CONTINUED = "to_be_continued"
    NOT_OURS = "not_ours"


class _LostTheRow(Exception):
    """Somebody else is at it."""


@transaction.atomic
def request(*, asked_by: User, now: datetime) -> LedgerVerification:
    """Ask for the chain to be recomputed. While one run is under way, asking again answers that one."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_REQUEST_LOCK])
    under_way = LedgerVerification.objects.filter(state__in=_UNDER_WAY).order_by("id").first()
    if under_way is not None:
        return under_way
    actor = Actor.person(asked_by)
    verification = LedgerVerification.objects.create(
        public_id=ids.new("ver"), asked_by_name=actor.name, total=_end_of_the_chain(), asked_at=now
    )
    _record(verification, verb="ledger.verification_requested", actor=actor, now=now, payload={})
    return verification


def to_do(*, now: datetime) -> list[str]:
    """Return the runs that nobody is at: never begun, or by a worker that has gone silent."""
    rows = LedgerVerification.objects.filter(_free(now), state__in=_UNDER_WAY)
    return list(rows.order_by("id").values_list("public_id", flat=True))


def run(*, verification_id: str, clock: Clock, slice_seconds: float = SLICE_SECONDS) -> Ran:
    """Recompute, or go on with it, for at most a slice of time. Any number of workers may call this.

    Takes a clock and not ``now``, because the end of a long run is another moment than its start.
    """
    verification = _claim(verification_id, clock())
    if verification is None:
        return Ran.NOT_OURS
    deadline = time.monotonic() + slice_seconds
    seq, last_hash = verification.verified, verification.last_hash or GENESIS_HASH
    try:
        while True:
            step = ledger.verify(after_seq=seq, after_hash=last_hash, limit=STEP)
            if not step.is_intact:
                return _finish(verification, step, clock())
            if step.verified == seq:
                return _finish(verification, _with_checkpoints(step), clock())
            seq, last_hash = step.verified, step.last_hash
            _save(verification, verified=seq, last_hash=last_hash, heartbeat_at=clock())
            if time.monotonic() >= deadline:
                # Not a failure: the attempt does not count, and the row is free at once.
                _save(
                    verification,
                    state=VerificationState.QUEUED,
                    attempts=F("attempts") - 1,
                    heartbeat_at=None,
                )
                return Ran.TO_BE_CONTINUED
    except _LostTheRow:
        return Ran.NOT_OURS


def _free(now: datetime) -> Q:
    return Q(state=VerificationState.QUEUED) | Q(heartbeat_at=None) | Q(heartbeat_at__lt=now - SILENT_AFTER)


@transaction.atomic
def _claim(verification_id: str, now: datetime) -> LedgerVerification | None:
    rows = LedgerVerification.objects.select_for_update(skip_locked=True)
    row = rows.filter(_free(now), public_id=verification_id, state__in=_UNDER_WAY).first()
    if row is None:
        return None
    row.attempts += 1
    if row.attempts > MAX_ATTEMPTS:
        row.state = VerificationState.FAILED
        row.problem = f"The worker died {MAX_ATTEMPTS} times while verifying."
        row.finished_at = now
        row.save(update_fields=["state", "problem", "finished_at"])
        _record(
            row,
            verb="ledger.verification_failed",
            actor=Actor.system(),
            now=now,
            payload={"problem": row.problem},
        )
        return None
    row.state = VerificationState.RUNNING
    row.heartbeat_at = now
    row.total = max(row.total, _end_of_the_chain())
    row.save(update_fields=["attempts", "state", "heartbeat_at", "total"])
    return row


def _with_checkpoints(step: Verification) -> Verification:
    """Return what the file of checkpoints adds: a chain that holds may be another than the one signed."""
    path = Path(settings.CHECKPOINT_FILE)
    if not path.is_file():
        return step
    notes = path.read_text(encoding="utf-8", errors="replace")
    found = checkpoints.compare(notes=notes, keys=checkpoints.known_keys())
    if found.holds:
        return step
    return Verification(found.first_bad_seq or step.verified, found.problem, step.verified, step.last_hash)


@transaction.atomic
def _finish(verification: LedgerVerification, result: Verification, now: datetime) -> Ran:
    _save(
        verification,
        state=VerificationState.DONE,
        verified=result.verified,
        total=max(verification.total, result.verified),
        last_hash=result.last_hash,
        first_bad_seq=result.first_bad_seq,
        problem=result.problem,
        heartbeat_at=now,
        finished_at=now,
    )
    _record(
        verification,
        verb="ledger.verified" if result.is_intact else "ledger.found_broken",
        actor=Actor.system(),
        now=now,
        payload={
            "verified": result.verified,
            "last_hash": result.last_hash,
            "first_bad_seq": result.first_bad_seq,
            "problem": result.problem,
        },
    )
    return Ran.FINISHED


def _save(verification: LedgerVerification, **changes: object) -> None:
    held = LedgerVerification.objects.filter(
        pk=verification.pk, attempts=verification.attempts, state=VerificationState.RUNNING
    )
    if not held.update(**changes):
        raise _LostTheRow(verification.public_id)


def _end_of_the_chain() -> int:
    return LedgerLink.objects.order_by("-seq").values_list("seq", flat=True).first() or 0


def _record(
    verification: LedgerVerification,
    *,
    verb: str,
    actor: Actor,
    now: datetime,
    payload: dict[str, JsonValue],
) -> None:
    ledger.record(
        actor=actor,
        verb=verb,
        object_kind="verification",
        object_id=verification.public_id,
        now=now,
        payload=payload,
    )
