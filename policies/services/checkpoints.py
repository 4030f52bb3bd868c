"""Checkpoints: signed statements of how long the chain is, kept where the database's owner cannot alter them.

A chain by itself shows that nothing in its middle was altered; whoever owns the database can still cut its
end off, or compute all of it anew. A checkpoint that was given away before makes both visible (``compare``).
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from django.conf import settings
from django.db import transaction

from hitl_site.lib import signed_note
from hitl_site.lib.signed_note import Checkpoint, InvalidKey, InvalidNote, VerifierKey
from policies.models import LedgerCheckpoint, LedgerLink, LedgerPayload
from policies.services import checkpoint_keys, ledger
from policies.services.ledger import Actor
from policies.services.ledger.linking import lock_sequencer

KEY_CHANGED: Final = "ledger.checkpoint_key_changed"
_TAIL_BYTES: Final = 16 * 1024


@dataclass(frozen=True, slots=True)
class Comparison:
    """What notes from outside say of the chain: the first place that is not as it was signed, if any."""

    first_bad_seq: int | None
    problem: str
    compared: int
    signed: int  # of these, by a key that is known

    @property
    def holds(self) -> bool:
        return self.first_bad_seq is None and not self.problem


@transaction.atomic
def sign_due(*, now: datetime) -> LedgerCheckpoint | None:
    """Sign the end of the chain when enough entries or enough time passed since the last checkpoint.

    One process at a time, like linking. A key that is not the last checkpoint's is noted in the ledger first.
    """
    if not lock_sequencer():
        return None
    end = LedgerLink.objects.order_by("-seq").first()
    last = LedgerCheckpoint.objects.order_by("-seq").first()
    if end is None or not _is_due(end.seq, last, now):
        return None
    key = checkpoint_keys.newest()
    key_id = key.verifier.id.hex()
    if last is None or last.key_id != key_id:
        ledger.record(
            actor=Actor.system(),
            verb=KEY_CHANGED,
            object_kind="checkpoint_key",
            object_id=key_id,
            now=now,
            payload={"before": last.key_id if last else None, "after": key_id, "key": key.verifier.text},
        )
    checkpoint = Checkpoint(settings.LEDGER_ORIGIN, end.seq, end.hash)
    return LedgerCheckpoint.objects.create(
        seq=end.seq,
        hash=end.hash,
        note=signed_note.sign(checkpoint.text, key),
        key_id=key_id,
        created_at=now,
    )


def copy_out() -> int:
    """Append what the file outside of the database does not have yet; return how many notes that were.

    Any number of processes may do it at once, each machine into a file of its own. A file that is ahead of
    the database (a restore, or a cut-off chain) is left as it is: ``compare`` tells.
    """
    latest = LedgerCheckpoint.objects.order_by("-seq").values_list("seq", flat=True).first()
    path = Path(settings.CHECKPOINT_FILE)
    if latest is None or latest <= _last_in(path):
        return 0
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
    with os.fdopen(descriptor, "ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        missing = LedgerCheckpoint.objects.filter(seq__gt=_last_in(path)).order_by("seq")
        notes = [checkpoint.note for checkpoint in missing]
        # The empty lines also end what a write that was cut off has left.
        file.write("".join(f"\n\n{note}" for note in notes).encode())
        file.flush()
        os.fsync(file.fileno())
    return len(notes)


def newest_note() -> str:
    """Return the newest checkpoint as it is published, empty when there is none."""
    return LedgerCheckpoint.objects.order_by("-seq").values_list("note", flat=True).first() or ""


def known_keys() -> tuple[VerifierKey, ...]:
    """Return the keys that this installation knows: those in its folder, and those that the ledger names."""
    named = LedgerPayload.objects.filter(entry__verb=KEY_CHANGED).order_by("-entry_id")
    found = dict.fromkeys(checkpoint_keys.verifiers())
    for payload in named:
        try:
            found[VerifierKey.parse(str((payload.body or {}).get("key", "")))] = None
        except InvalidKey:
            continue
    return tuple(found)


def compare(*, notes: str, keys: Iterable[VerifierKey], strict: bool = False) -> Comparison:
    """Compare the chain with checkpoints that were kept outside, the earliest first.

    A note whose key is not among ``keys`` (it may be lost) counts by its hash alone; ``strict`` refuses it. A
    note that claims one of them and does not verify, or that no checkpoint can be read from, is a problem of
    the file.
    """
    known = tuple(keys)
    checkpoints, signed = [], 0
    for note in signed_note.parse_all(notes):
        try:
            checkpoints.append(Checkpoint.parse(note.text))
            proved = [key for key in known if note.is_signed_by(key)]
            if strict and not proved:
                raise InvalidNote("None of the given keys signed it.")
            signed += bool(proved)
        except InvalidNote as exc:
            return Comparison(None, f"A note of the file is not genuine: {exc}", len(checkpoints), signed)
    holds_until = 0
    for compared, checkpoint in enumerate(sorted(checkpoints, key=lambda each: each.size)):
        link = LedgerLink.objects.filter(seq=checkpoint.size).first()
        if link is None:
            end = LedgerLink.objects.order_by("-seq").values_list("seq", flat=True).first() or 0
            problem = f"The chain ends at {end}; a checkpoint was signed at {checkpoint.size}."
            return Comparison(min(end, checkpoint.size - 1) + 1, problem, compared, signed)
        if link.hash != checkpoint.hash:
            problem = f"Between {holds_until + 1} and {checkpoint.size} it is not the chain that was signed."
            return Comparison(holds_until + 1, problem, compared, signed)
        holds_until = checkpoint.size
    return Comparison(None, "", len(checkpoints), signed)


def _is_due(end: int, last: LedgerCheckpoint | None, now: datetime) -> bool:
    if last is None:
        return True
    entries = end - last.seq
    waited = now - last.created_at
    return entries >= settings.CHECKPOINT_ENTRIES or (
        entries > 0 and waited >= timedelta(seconds=settings.CHECKPOINT_SECONDS)
    )


def _last_in(path: Path) -> int:
    """Return the size that the file's last readable note names, 0 for no file: only its end is read."""
    try:
        with path.open("rb") as file:
            file.seek(0, os.SEEK_END)
            file.seek(max(0, file.tell() - _TAIL_BYTES))
            tail = file.read().decode(errors="replace")
    except FileNotFoundError:
        return 0
    sizes = [0]
    for note in signed_note.parse_all(tail):
        try:
            sizes.append(Checkpoint.parse(note.text).size)
        except InvalidNote:
            continue
    return max(sizes)
