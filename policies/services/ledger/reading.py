"""Reading: whoever follows the ledger goes by ``seq`` and keeps a cursor of its own."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models.functions import Now

from hitl_site.lib.strict_json import JsonValue
from policies.models import LedgerCursor, LedgerEntry, LedgerLink
from policies.services.ledger.writing import require_transaction


@dataclass(frozen=True, slots=True)
class LinkedEntry:
    """An entry with its place in the chain. ``payload`` is None once it has been erased."""

    seq: int
    entry: LedgerEntry
    payload: dict[str, JsonValue] | None


def read(*, reader: str, limit: int = 500) -> list[LinkedEntry]:
    """Return what comes after ``reader``'s cursor, in ``seq`` order, and hold the cursor until the commit.

    Two workers under one reader's name take turns: the second waits for the first one's commit.
    """
    seq = hold(reader=reader)
    links = (
        LedgerLink.objects.filter(seq__gt=seq)
        .select_related("entry", "entry__payload")
        .order_by("seq")[:limit]
    )
    return [LinkedEntry(link.seq, link.entry, link.entry.payload.body) for link in links]


def hold(*, reader: str) -> int:
    """Hold ``reader``'s cursor until the commit and return where it stands."""
    require_transaction()
    _make_cursor(reader)
    return LedgerCursor.objects.select_for_update().get(reader=reader).seq


def advance(*, reader: str, seq: int) -> None:
    """Move ``reader``'s cursor to ``seq``, in the transaction of what was made of it; never backwards."""
    require_transaction()
    _make_cursor(reader)
    LedgerCursor.objects.filter(reader=reader, seq__lt=seq).update(seq=seq, updated_at=Now())


def _make_cursor(reader: str) -> None:
    LedgerCursor.objects.bulk_create(
        [LedgerCursor(reader=reader, seq=0, updated_at=Now())], ignore_conflicts=True
    )
