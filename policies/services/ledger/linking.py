"""Linking: the one sequencer that gives committed entries their place in the chain."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from django.db import connection, transaction

from hitl_site.lib import rows
from policies.models import LedgerEntry, LedgerLink
from policies.services.ledger.digests import GENESIS_HASH, link_hash

SEQUENCER_LOCK: Final = 0x68725F6C65646772  # "hr_ledgr", a key of PostgreSQL's advisory locks


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
        if not lock_sequencer():
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
                {
                    "seq": seq,
                    "entry_id": entry.pk,
                    "previous_hash": previous_hash,
                    "hash": digest,
                    "linked_at": now,
                }
            )
            previous_hash = digest
        rows.copy(LedgerLink, links)
        return len(links)


def lock_sequencer() -> bool:
    """Take the lock of the one sequencer until the transaction ends, or say that another has it."""
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
    query, values = _HEAD + bound + _UNLINKED + _TAIL, [str(transaction_id), entry_id, limit]
    return list(LedgerEntry.objects.raw(query, values))  # of constants and parameters; xid8 is PostgreSQL's


def _is_foreign(transaction_id: int) -> bool:
    """Say whether this cluster has not come to that number yet: then the entry was restored from another."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT %s::text::xid8 >= pg_snapshot_xmax(pg_current_snapshot())", [str(transaction_id)]
        )
        return bool(cursor.fetchone()[0])
