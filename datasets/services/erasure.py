"""Erasure: everything of one person taken away, as a job that is safe to repeat and to kill.

``request`` writes down what is reached, as ids. ``run`` takes it away in batches, each a transaction that
names the removal, holds its row and counts; a worker that dies leaves whole batches behind, and the next one
goes on after them. What is still open, running or held is left until it is not: then the erasure waits. In
the end the ledger is verified and the database searched, and the proof says what both found.
"""

from __future__ import annotations

import hashlib
import hmac
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Final

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils.translation import gettext

from datasets.choices import ExportState
from datasets.models import Conversation, Export
from datasets.selectors import reach
from datasets.selectors.reach import Reach, Whose
from datasets.services import export_files, removal_proof, taking_away
from datasets.services.holds import RIGHT
from datasets.services.taking_away import ACTION, CONVERSATION, EXPORT, INGEST_ROW
from hitl_site.lib import ids
from hitl_site.lib.jobs import hint
from hitl_site.lib.strict_json import JsonValue
from policies.choices import Criterion, RemovalKind, RemovalState
from policies.models import Removal, RemovalTarget
from policies.services import ledger
from policies.services.ledger import Actor
from reviews.models import ActionRequest, IngestRow
from reviews.services.rights import current_holder

if TYPE_CHECKING:
    from django.contrib.auth.models import User

TASK: Final = "datasets.run_removal"
BATCH: Final = 25
_WHY_SHOWN: Final = 5

Clock = Callable[[], datetime]


class UnableToErase(Exception):
    """Nothing was erased, and the request was not taken."""


class NothingFound(UnableToErase):
    """There is no data of this subject, conversation or customer."""


class OnHold(UnableToErase):
    """A legal hold keeps some of it."""


def value_digest(whose: Whose) -> str:
    """Return what stays of whom an erasure was about: only this server can compute it."""
    message = f"erasure\0{whose.criterion}\0{whose.value}".encode()
    return hmac.new(settings.PSEUDONYM_SECRET, message, hashlib.sha256).hexdigest()


@transaction.atomic
def request(*, whose: Whose, reason: str, legal_basis: str, by: User, now: datetime) -> Removal:
    """Ask for everything of a person to be erased. While it is under way, asking again answers the same."""
    person = current_holder(by, RIGHT)
    if not reason.strip() or not legal_basis.strip():
        raise UnableToErase(gettext("An erasure says why, and on what legal basis."))
    digest = value_digest(whose)
    under_way = _under_way(whose, digest)
    if under_way is not None:
        return under_way
    found = reach.reach(whose, until=now)
    if found.is_empty:
        raise NothingFound(gettext("There is nothing of this name. Nothing was erased."))
    kept = {*reach.held(found.actions).values(), *reach.held_conversations(found.conversations).values()}
    if kept:
        said = gettext("A legal hold keeps some of it: {holds}. Nothing was erased.")
        raise OnHold(said.format(holds=", ".join(sorted(kept))))
    actor = Actor.person(person)
    removal = Removal(
        public_id=ids.new("ers"),
        kind=RemovalKind.ERASURE,
        criterion=whose.criterion,
        value=whose.value,
        value_digest=digest,
        reason=reason.strip(),
        legal_basis=legal_basis.strip(),
        found=reach.preview(found),
        asked_by=person,
        asked_by_name=actor.name,
        asked_at=now,
    )
    try:
        with transaction.atomic():
            removal.save(force_insert=True)
    except IntegrityError:
        # Somebody asked for the same at the same moment, and was first.
        other = _under_way(whose, digest)
        if other is None:
            raise
        return other
    _aim(removal, found)
    payload: dict[str, JsonValue] = {
        "criterion": str(whose.criterion),
        "value_digest": digest,
        "reason": removal.reason,
        "legal_basis": removal.legal_basis,
        "found": dict(removal.found),
    }
    _record(removal, verb="erasure.requested", actor=actor, now=now, payload=payload)
    hint(TASK, removal_id=removal.public_id)
    return removal


def to_do() -> list[str]:
    """Return the removals that are not done, the oldest first."""
    rows = Removal.objects.exclude(state=RemovalState.DONE).order_by("pk")
    return list(rows.values_list("public_id", flat=True))


def run(*, removal_id: str, clock: Clock, batch: int = BATCH) -> bool:
    """Take away what an erasure has reached and not taken yet. False where there is nothing to do here.

    Any number of workers may call this: each batch holds the row, and a second worker finds it held.
    """
    removal = Removal.objects.filter(public_id=removal_id, kind=RemovalKind.ERASURE).first()
    if removal is None or removal.state == RemovalState.DONE or _is_blocked(removal, clock()):
        return False
    if not _begin(removal_id, clock):
        return False
    after = 0
    while (last := _take_batch(removal_id, after=after, size=batch, clock=clock)) is not None:
        after = last
    remove_files(removal_id, clock=clock)
    if _left(removal_id) or not _aim_again(removal_id, clock):
        return _wait(removal_id, clock)
    if _left(removal_id):
        # More was found, such as a conversation that was being closed: it is taken in a turn of its own.
        return True
    proof = removal_proof.draw_up(removal_id=removal_id, clock=clock)
    return _finish(removal_id, proof, clock)


def remove_files(removal_id: str, *, clock: Clock) -> None:
    """Remove the files of the exports that a removal has ended, and what those have that it interrupted.

    Safe to repeat, and after a kill.
    """
    targets = RemovalTarget.objects.filter(
        removal__public_id=removal_id, kind=EXPORT, removed_at=None
    ).select_related("removal")
    for target in targets.order_by("pk"):
        export_files.remove(target.object_id)
        with transaction.atomic():
            now = clock()
            if RemovalTarget.objects.filter(pk=target.pk, removed_at=None).update(removed_at=now):
                _record(
                    target.removal,
                    verb="removal.files_removed",
                    actor=Actor.system(),
                    now=now,
                    payload={"export": target.object_id},
                )
    # A worker that still writes one finds its file gone. The next one begins from nothing; while the row is
    # held it has not begun, and when it has, it removes what earlier ones left once it is done.
    interrupted = Export.objects.filter(
        version__marks__erasure_id=removal_id, state=ExportState.REQUESTED, checkpoint__isnull=True
    )
    for key in interrupted.order_by("pk").values_list("pk", flat=True):
        with transaction.atomic():
            export = interrupted.select_for_update(of=("self",)).filter(pk=key).first()
            if export is not None:
                export_files.remove(export.public_id)


def _is_blocked(removal: Removal, now: datetime) -> bool:
    """Say whether everything that an erasure waits for is still open or held: then there is nothing to do."""
    if removal.state != RemovalState.WAITING:
        return False
    left = removal.targets.filter(removed_at=None)
    named = {kind: left.filter(kind=kind).values("object_id") for kind in (ACTION, CONVERSATION)}
    actions = list(ActionRequest.objects.filter(public_id__in=named[ACTION]).values_list("pk", flat=True))
    talks = list(Conversation.objects.filter(public_id__in=named[CONVERSATION]).values_list("pk", flat=True))
    kept = {**reach.unsettled(actions, now=now), **reach.held(actions)}
    kept_talks = reach.held_conversations(talks)
    if len(kept) < len(actions) or len(kept_talks) < len(talks):
        return False
    return bool(actions or talks)


@transaction.atomic
def _begin(removal_id: str, clock: Clock) -> bool:
    """Take the row up; False while another worker holds it. A new attempt is counted."""
    removal = _hold(removal_id)
    if removal is None:
        return False
    if removal.state == RemovalState.WAITING:
        _record(removal, verb="erasure.resumed", actor=Actor.system(), now=clock(), payload={})
    removal.state, removal.attempts = RemovalState.RUNNING, removal.attempts + 1
    removal.save(update_fields=["state", "attempts"])
    return True


@transaction.atomic
def _take_batch(removal_id: str, *, after: int, size: int, clock: Clock) -> int | None:
    """Take the next targets behind one; return the last that was looked at, None where there are no more."""
    removal = _hold(removal_id)
    if removal is None or removal.state != RemovalState.RUNNING:
        return None
    taking_away.name(removal)
    waiting = removal.targets.filter(removed_at=None, pk__gt=after).exclude(kind=EXPORT)
    targets = list(waiting.order_by("pk")[:size])
    if not targets:
        return None
    now = clock()
    by_kind: dict[str, list[str]] = {}
    for target in targets:
        by_kind.setdefault(target.kind, []).append(target.object_id)
    counts: Counter[str] = Counter()
    counts += _take_actions(removal, by_kind.get(ACTION, []), now=now)
    counts += _take_conversations(removal, by_kind.get(CONVERSATION, []), now=now)
    counts += _take_lines(removal, by_kind.get(INGEST_ROW, []), now=now)
    if counts:
        removed = Counter(removal.removed)
        removed.update(counts)
        removal.removed = {kind: removed[kind] for kind in reach.KINDS if removed[kind]}
        removal.done = removal.targets.filter(removed_at__isnull=False).count()
        removal.total = removal.targets.count()
        removal.save(update_fields=["removed", "done", "total"])
        payload: dict[str, JsonValue] = {"removed": {kind: count for kind, count in counts.items() if count}}
        _record(removal, verb="erasure.batch_done", actor=Actor.system(), now=now, payload=payload)
    return targets[-1].pk


def _take_actions(removal: Removal, action_ids: Sequence[str], *, now: datetime) -> Counter[str]:
    # Under the lock nothing is decided, permitted or run any more.
    rows = ActionRequest.objects.select_for_update(of=("self",)).filter(public_id__in=action_ids)
    keys = dict(rows.order_by("pk").values_list("pk", "public_id"))
    kept = {**reach.unsettled(keys, now=now), **reach.held(keys)}
    free = [key for key in keys if key not in kept]
    if not free:
        return Counter()
    counts = Counter(ledger_payloads=taking_away.payloads([keys[key] for key in free], (), now=now))
    counts += taking_away.actions(removal, free, now=now)
    gone = [keys[key] for key in free]
    taking_away.note_gone(removal, ACTION, gone, now=now)
    for action_id in gone:
        ledger.record(
            actor=Actor.system(),
            verb="action.erased",
            object_kind="action",
            object_id=action_id,
            action_id=action_id,
            now=now,
            payload={"removal": removal.public_id, "legal_basis": removal.legal_basis},
        )
    return counts


def _take_conversations(removal: Removal, public_ids: Sequence[str], *, now: datetime) -> Counter[str]:
    keys = dict(Conversation.objects.filter(public_id__in=public_ids).values_list("pk", "public_id"))
    kept = reach.held_conversations(keys)
    free = [key for key in keys if key not in kept]
    if not free:
        return Counter()
    counts = Counter(ledger_payloads=taking_away.payloads((), free, now=now))
    counts += taking_away.conversations(removal, free, now=now)
    taking_away.note_gone(removal, CONVERSATION, [keys[key] for key in free], now=now)
    return counts


def _take_lines(removal: Removal, public_ids: Sequence[str], *, now: datetime) -> Counter[str]:
    """Take away lines of batches that became no action: those that were parked."""
    rows = IngestRow.objects.select_for_update(of=("self",)).filter(public_id__in=public_ids)
    parked = [row.public_id for row in rows if row.state != "accepted"]
    if not parked:
        return Counter()
    taken = IngestRow.objects.filter(public_id__in=parked).update(body="", last_error="")
    taking_away.note_gone(removal, INGEST_ROW, parked, now=now)
    return Counter(ingest_rows=taken)


def _left(removal_id: str) -> bool:
    return RemovalTarget.objects.filter(removal__public_id=removal_id, removed_at=None).exists()


@transaction.atomic
def _aim_again(removal_id: str, clock: Clock) -> bool:
    """Look once more for what came in before the request and was committed after it; False when held."""
    removal = _hold(removal_id)
    if removal is None:
        return False
    whose = Whose(Criterion(removal.criterion), removal.value)
    before = removal.targets.count()
    _aim(removal, reach.reach(whose, until=removal.asked_at))
    more = removal.targets.count() - before
    if more:
        payload: dict[str, JsonValue] = {"more": more}
        _record(removal, verb="erasure.found_more", actor=Actor.system(), now=clock(), payload=payload)
    return True


def _aim(removal: Removal, found: Reach) -> None:
    """Write down what is reached, as ids."""
    targets = [
        *((ACTION, each) for each in found.action_ids),
        *((CONVERSATION, each) for each in found.conversation_ids),
        *((INGEST_ROW, each) for each in found.ingest_rows),
    ]
    RemovalTarget.objects.bulk_create(
        [RemovalTarget(removal=removal, kind=kind, object_id=object_id) for kind, object_id in targets],
        ignore_conflicts=True,
        batch_size=1000,
    )
    Removal.objects.filter(pk=removal.pk).update(total=removal.targets.count())


@transaction.atomic
def _wait(removal_id: str, clock: Clock) -> bool:
    """Let the rest wait until it is closed or no longer held, and say what it is."""
    removal = _hold(removal_id)
    if removal is None:
        return False
    now = clock()
    left = removal.targets.filter(removed_at=None)
    actions = ActionRequest.objects.filter(public_id__in=left.filter(kind=ACTION).values("object_id"))
    keys = dict(actions.values_list("pk", "public_id"))
    why = reach.unsettled(keys, now=now)
    why |= {key: f"is held ({hold})" for key, hold in reach.held(keys).items()}
    told = [f"{keys[key]} {reason}" for key, reason in sorted(why.items())[:_WHY_SHOWN]]
    rest = left.count() - len(told)
    note = "; ".join([*told, *([f"{rest} more"] if rest > 0 else [])])
    removal.state, removal.note = RemovalState.WAITING, note
    removal.save(update_fields=["state", "note"])
    payload: dict[str, JsonValue] = {"left": left.count()}
    _record(removal, verb="erasure.waits", actor=Actor.system(), now=now, payload=payload)
    return False


@transaction.atomic
def _finish(removal_id: str, proof: dict[str, JsonValue], clock: Clock) -> bool:
    removal = _hold(removal_id)
    if removal is None or removal.state == RemovalState.DONE:
        return False
    now = clock()
    removal.state, removal.finished_at, removal.value, removal.note = RemovalState.DONE, now, "", ""
    removal.proof = {**proof, "finished_at": now.isoformat()}
    removal.done = removal.total = removal.targets.count()
    removal.save()
    payload: dict[str, JsonValue] = {
        "removed": dict(removal.removed),
        "proof_sha256": removal_proof.digest(removal.proof),
        "ledger_intact": proof["ledger"]["intact"] if isinstance(proof["ledger"], dict) else None,
    }
    _record(removal, verb="erasure.finished", actor=Actor.system(), now=now, payload=payload)
    return True


def _hold(removal_id: str) -> Removal | None:
    """Lock the row until the transaction ends; None while somebody else has it."""
    rows = Removal.objects.select_for_update(skip_locked=True, of=("self",))
    return rows.filter(public_id=removal_id).first()


def _under_way(whose: Whose, digest: str) -> Removal | None:
    rows = Removal.objects.filter(kind=RemovalKind.ERASURE, criterion=whose.criterion, value_digest=digest)
    return rows.exclude(state=RemovalState.DONE).first()


def _record(
    removal: Removal, *, verb: str, actor: Actor, now: datetime, payload: dict[str, JsonValue]
) -> None:
    ledger.record(
        actor=actor,
        verb=verb,
        object_kind="removal",
        object_id=removal.public_id,
        now=now,
        payload=payload,
    )
