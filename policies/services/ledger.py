"""The ledger: what happened, written with the change itself, then numbered and chained.

An entry is written inside the transaction of the change that it tells of, so there is never one without the
other. Nobody is held up by a chain at that moment: order and hashes come afterwards, from one sequencer
(``link_entries``), and ``verify`` recomputes them.

The digests, exactly (JCS is RFC 8785, strings are UTF-8, digests are lower-case hex):

- ``payload_digest = HMAC-SHA256(salt, JCS(payload))``; the salt is 32 random bytes of this payload alone.
  Once payload and salt are erased the digest tells nothing of them, and the chain still verifies.
- ``hash = SHA-256(JCS(link))`` with ``link`` =
  ``{"seq", "previous_hash", "entry", "payload_digest", "actor": {"kind", "id", "name"}, "verb",
  "object": {"kind", "id"}, "action_id", "request_id", "occurred_at"}``; ``entry`` is the entry's number in
  the database, ``occurred_at`` is UTC with six decimals and ``Z``. The first link has ``seq`` 1 and 64 zeros
  for ``previous_hash``.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from django.db import connection, transaction
from django.db.models.functions import Now

from hitl_site.lib.canonical import canonicalize, sha256_hex
from hitl_site.lib.http import current_request_id
from hitl_site.lib.strict_json import MAX_SAFE_INTEGER, JsonValue
from policies.choices import ActorKind
from policies.models import Agent, LedgerCursor, LedgerEntry, LedgerLink, LedgerPayload

if TYPE_CHECKING:
    from django.contrib.auth.models import User

GENESIS_HASH: Final = "0" * 64
SEQUENCER_LOCK: Final = 0x68725F6C65646772  # "hr_ledgr", a key of PostgreSQL's advisory locks
_NAME_LENGTH: Final = 200


class NotInTransaction(RuntimeError):
    """The ledger was used outside a transaction: its fact could come apart from the change it tells of."""


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts: kept as text, so that the record outlives accounts and their names."""

    kind: ActorKind
    id: str
    name: str

    @staticmethod
    def person(user: User) -> Actor:
        """Return the actor for somebody who signed in."""
        return Actor(ActorKind.PERSON, str(user.pk), (user.get_full_name() or user.username)[:_NAME_LENGTH])

    @staticmethod
    def agent(agent: Agent) -> Actor:
        """Return the actor for an agent."""
        return Actor(ActorKind.AGENT, agent.public_id, agent.name)

    @staticmethod
    def system(name: str = "handrail") -> Actor:
        """Return the actor for what Handrail does by itself."""
        return Actor(ActorKind.SYSTEM, "", name)


@dataclass(frozen=True, slots=True)
class LinkedEntry:
    """An entry with its place in the chain. ``payload`` is None once it has been erased."""

    seq: int
    entry: LedgerEntry
    payload: dict[str, JsonValue] | None


@dataclass(frozen=True, slots=True)
class Verification:
    """What ``verify`` found: how many links hold, and the first that does not, if any."""

    first_bad_seq: int | None
    problem: str
    verified: int
    last_hash: str

    @property
    def is_intact(self) -> bool:
        return self.first_bad_seq is None


# Entry and payload in one statement: every act of the product passes here, and waits for it.
_WRITE: Final = """
    WITH entry AS (
        INSERT INTO policies_ledgerentry (
            transaction_id, actor_kind, actor_id, actor_name, verb, object_kind, object_id, action_id,
            request_id, payload_digest, occurred_at
        )
        VALUES (
            pg_current_xact_id(), %(actor_kind)s, %(actor_id)s, %(actor_name)s, %(verb)s, %(object_kind)s,
            %(object_id)s, %(action_id)s, %(request_id)s, %(payload_digest)s, %(occurred_at)s
        )
        RETURNING id
    )
    INSERT INTO policies_ledgerpayload (entry_id, salt, body)
    SELECT id, %(salt)s, %(body)s::jsonb FROM entry
    RETURNING entry_id
"""


def record(
    *,
    actor: Actor,
    verb: str,
    object_kind: str,
    object_id: str,
    now: datetime,
    payload: Mapping[str, JsonValue] | None = None,
    action_id: str = "",
) -> LedgerEntry:
    """Write one fact in the caller's transaction; it stands exactly when the caller's change does.

    Raises ``NotInTransaction`` outside of one.
    """
    _require_transaction()
    body: dict[str, JsonValue] = dict(payload or {})
    salt = secrets.token_bytes(32)
    written: dict[str, Any] = {
        "actor_kind": actor.kind,
        "actor_id": actor.id,
        "actor_name": actor.name,
        "verb": verb,
        "object_kind": object_kind,
        "object_id": object_id,
        "action_id": action_id,
        "request_id": current_request_id(),
        "payload_digest": _payload_digest(salt, body),
        "occurred_at": now,
    }
    with connection.cursor() as cursor:
        cursor.execute(_WRITE, {**written, "salt": salt, "body": json.dumps(body)})
        (number,) = cursor.fetchone()
    return LedgerEntry(pk=number, **written)


def link_entries(*, now: datetime, limit: int = 5000) -> int:
    """Give at most ``limit`` committed entries their place in the chain; return how many.

    One sequencer works at a time; a second one finds the advisory lock taken and returns 0.

    Why no entry is left out and none moves. ``transaction_id`` is the number of the top transaction that
    wrote it. Below ``pg_snapshot_xmin`` of a statement's snapshot every transaction has ended, and what it
    committed is visible to that very statement: the set of entries below xmin is final, and every entry that
    appears later has a number at or above it. Each batch is the head of that final set in the order
    (transaction_id, id), so whatever comes later in time also comes later in this order, and "after the last
    linked one" is all that has to be asked: an index range, however long the ledger. An entry rolled back
    leaves a hole among the ids and none in ``seq``, which counts only what is linked. The lock is taken
    before the last link is read and released by the commit, so under READ COMMITTED the next sequencer sees
    that link; should one ever not, the primary key of links refuses a second ``seq`` and nothing is written.

    A transaction that stays open holds the chain back and never breaks it; idle ones are ended by
    ``idle_in_transaction_session_timeout``.

    A ledger restored from a dump into another cluster meets transaction numbers that count anew. Visible
    entries at or above this snapshot's xmax can only come from the old cluster; they are complete, and come
    first. After them the order starts over, and what is linked already is passed over.
    """
    with transaction.atomic():
        if not _lock_sequencer():
            return 0
        last = LedgerLink.objects.select_related("entry").order_by("-seq").first()
        entries = _entries_to_link(last, limit)
        seq = last.seq if last else 0
        previous_hash = last.hash if last else GENESIS_HASH
        links = []
        for entry in entries:
            seq += 1
            digest = link_hash(seq=seq, previous_hash=previous_hash, entry=entry)
            links.append(
                LedgerLink(seq=seq, entry=entry, previous_hash=previous_hash, hash=digest, linked_at=now)
            )
            previous_hash = digest
        LedgerLink.objects.bulk_create(links)
        return len(links)


def link_hash(*, seq: int, previous_hash: str, entry: LedgerEntry) -> str:
    """Return the hash of an entry's link, as the head of this module defines it."""
    occurred_at = entry.occurred_at.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds")
    link: dict[str, JsonValue] = {
        "seq": seq,
        "previous_hash": previous_hash,
        "entry": entry.pk,
        "payload_digest": entry.payload_digest,
        "actor": {"kind": str(entry.actor_kind), "id": entry.actor_id, "name": entry.actor_name},
        "verb": entry.verb,
        "object": {"kind": entry.object_kind, "id": entry.object_id},
        "action_id": entry.action_id,
        "request_id": entry.request_id,
        "occurred_at": f"{occurred_at}Z",
    }
    return sha256_hex(canonicalize(link))


def verify(*, progress: Callable[[int], None] | None = None) -> Verification:
    """Recompute the whole chain in constant memory and name the first link that does not hold.

    ``progress`` is called with the number of links that hold so far, every thousand links. What was cut off
    at the end of the chain cannot be seen from within: compare ``last_hash`` with one published elsewhere.
    """
    verified, previous_hash = 0, GENESIS_HASH
    for link, payload in _chain():
        problem = _problem_of(link, payload, expected_seq=verified + 1, previous_hash=previous_hash)
        if problem:
            # A missing link is named by its own number, not by that of the one found in its place.
            bad = min(verified + 1, link.seq)
            return Verification(bad, problem, verified, previous_hash)
        verified, previous_hash = verified + 1, link.hash
        if progress and verified % 1000 == 0:
            progress(verified)
    return Verification(None, "", verified, previous_hash)


def problems_of(links: Iterable[LedgerLink]) -> dict[int, str]:
    """Recompute some links, each against the one before it; return what does not hold, by ``seq``.

    A look at what a page shows, in one query. It says nothing of the rest of the chain: ``verify`` does.
    """
    shown = list(links)
    before = [link.seq - 1 for link in shown]
    hashes = dict(LedgerLink.objects.filter(seq__in=before).values_list("seq", "hash"))
    hashes[0] = GENESIS_HASH
    found = {}
    for link in shown:
        payload = getattr(link.entry, "payload", None)
        previous_hash = hashes.get(link.seq - 1, "")
        problem = _problem_of(link, payload, expected_seq=link.seq, previous_hash=previous_hash)
        if problem:
            found[link.seq] = problem
    return found


def read(*, reader: str, limit: int = 500) -> list[LinkedEntry]:
    """Return what comes after ``reader``'s cursor, in ``seq`` order, and hold the cursor until the commit.

    Two workers under one reader's name take turns: the second waits for the first one's commit.
    """
    _require_transaction()
    _make_cursor(reader)
    cursor = LedgerCursor.objects.select_for_update().get(reader=reader)
    links = (
        LedgerLink.objects.filter(seq__gt=cursor.seq)
        .select_related("entry", "entry__payload")
        .order_by("seq")[:limit]
    )
    return [LinkedEntry(link.seq, link.entry, link.entry.payload.body) for link in links]


def advance(*, reader: str, seq: int) -> None:
    """Move ``reader``'s cursor to ``seq``, in the transaction of what was made of it; never backwards."""
    _require_transaction()
    _make_cursor(reader)
    LedgerCursor.objects.filter(reader=reader, seq__lt=seq).update(seq=seq, updated_at=Now())


def erase_payload(*, entry: LedgerEntry, actor: Actor, reason: str, now: datetime) -> None:
    """Erase what an entry says, for good; who did what when stays, and so does the chain."""
    with transaction.atomic():
        erased = LedgerPayload.objects.filter(entry=entry, erased_at=None).update(
            body=None, salt=None, erased_at=now
        )
        if erased:
            record(
                actor=actor,
                verb="ledger.payload_erased",
                object_kind="ledger_entry",
                object_id=str(entry.pk),
                now=now,
                payload={"reason": reason},
                action_id=entry.action_id,
            )


def _require_transaction() -> None:
    if not connection.in_atomic_block:
        raise NotInTransaction("The ledger is written and read inside the transaction of the change itself.")


def _make_cursor(reader: str) -> None:
    LedgerCursor.objects.bulk_create(
        [LedgerCursor(reader=reader, seq=0, updated_at=Now())], ignore_conflicts=True
    )


def _payload_digest(salt: bytes, body: Mapping[str, JsonValue]) -> str:
    return hmac.new(salt, canonicalize(_as_doubles(dict(body))), hashlib.sha256).hexdigest()


def _as_doubles(value: JsonValue) -> JsonValue:
    """Return ``value`` with integers beyond 2^53-1 as doubles: jsonb gives 1e300 back as 301 digits."""
    if isinstance(value, dict):
        return {key: _as_doubles(member) for key, member in value.items()}
    if isinstance(value, list):
        return [_as_doubles(member) for member in value]
    if isinstance(value, int) and abs(value) > MAX_SAFE_INTEGER:
        return float(value)
    return value


def _lock_sequencer() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [SEQUENCER_LOCK])
        return bool(cursor.fetchone()[0])


# Bounds and rows come from one statement, so they speak of one snapshot (see ``link_entries``).
_HEAD: Final = "SELECT e.* FROM policies_ledgerentry e WHERE (e.transaction_id, e.id) > (%s::text::xid8, %s)"
# OFFSET 0 keeps this a look into an index for each entry of the range: as a join, with poor statistics, the
# planner may read the whole ledger for it.
_UNLINKED: Final = " AND NOT EXISTS (SELECT 1 FROM policies_ledgerlink l WHERE l.entry_id = e.id OFFSET 0)"
_TAIL: Final = " ORDER BY e.transaction_id, e.id LIMIT %s"
_ENDED: Final = " AND e.transaction_id < pg_snapshot_xmin(pg_current_snapshot())"
_FOREIGN: Final = " AND e.transaction_id >= pg_snapshot_xmax(pg_current_snapshot())"


def _entries_to_link(last: LedgerLink | None, limit: int) -> list[LedgerEntry]:
    if last is None:
        return _after(0, 0, _ENDED, limit)
    # The value of db_default is an int as read back, see models.ledger.TransactionId.
    position = int(str(last.entry.transaction_id))
    if not _is_foreign(position):
        return _after(position, last.entry_id, _ENDED, limit)
    return _after(position, last.entry_id, _FOREIGN, limit) or _after(0, 0, _ENDED, limit)


def _after(transaction_id: int, entry_id: int, bound: str, limit: int) -> list[LedgerEntry]:
    # Raw, since xid8 and the snapshot's bounds are PostgreSQL's own: built of the constants above alone, and
    # every value is a parameter.
    query = _HEAD + bound + _UNLINKED + _TAIL
    return list(LedgerEntry.objects.raw(query, [str(transaction_id), entry_id, limit]))


def _is_foreign(transaction_id: int) -> bool:
    """Say whether this cluster has not come to that number yet: then the entry was restored from another."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT %s::text::xid8 >= pg_snapshot_xmax(pg_current_snapshot())", [str(transaction_id)]
        )
        return bool(cursor.fetchone()[0])


def _chain() -> Iterator[tuple[LedgerLink, LedgerPayload | None]]:
    links = LedgerLink.objects.select_related("entry", "entry__payload").order_by("seq")
    # Inside a transaction the server-side cursor streams; outside it would first copy all (WITH HOLD).
    with transaction.atomic():
        for link in links.iterator(chunk_size=1000):
            yield link, getattr(link.entry, "payload", None)


def _problem_of(
    link: LedgerLink, payload: LedgerPayload | None, *, expected_seq: int, previous_hash: str
) -> str:
    if link.seq != expected_seq:
        return f"Link {expected_seq} is missing."
    if link.previous_hash != previous_hash:
        return "The link does not follow from the one before it."
    if link.hash != link_hash(seq=link.seq, previous_hash=previous_hash, entry=link.entry):
        return "The entry is not the one that was linked."
    if payload is None:
        return "The payload is gone without a trace of an erasure."
    if payload.erased_at is not None and payload.salt is None and payload.body is None:
        return ""
    if payload.salt is None or payload.body is None:
        return "The payload is incomplete."
    if not hmac.compare_digest(_payload_digest(bytes(payload.salt), payload.body), link.entry.payload_digest):
        return "The payload is not the one that was recorded."
    return ""
