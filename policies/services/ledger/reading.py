"""Reading: whoever follows the ledger goes by ``seq`` and keeps a cursor of its own."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from django.db.models import Max
from django.db.models.functions import Now

from policies.models import LedgerCursor, LedgerLink
from policies.services.ledger.writing import require_transaction


@dataclass(frozen=True, slots=True)
class LinkedEntry:
    """An entry with its place in the chain; its payload is another look, since few readers need one."""

    seq: int
    entry_id: int
    verb: str
    action_id: str
    object_id: str


@dataclass(frozen=True, slots=True)
class Stretch:
    """A piece of the chain, all of it numbered: from ``after`` to ``last``, with the entries asked for."""

    after: int
    last: int
    entries: tuple[LinkedEntry, ...]

    @property
    def length(self) -> int:
        """How many entries were looked at, asked for or not."""
        return self.last - self.after


def read(*, reader: str, verbs: Collection[str], limit: int = 500) -> Stretch:
    """Return the next ``limit`` entries behind ``reader``'s cursor, those of ``verbs`` in ``seq`` order, and
    hold the cursor until the commit.

    What a reader has no use for stays in the database: most entries are of actions that ran alone. Two
    workers under one reader's name take turns: the second waits for the first one's commit.
    """
    after = hold(reader=reader)
    ahead = LedgerLink.objects.filter(seq__gt=after, seq__lte=after + limit)
    last = ahead.aggregate(last=Max("seq"))["last"]
    if last is None:
        return Stretch(after, after, ())
    # What is linked meanwhile comes next time: it would be behind the cursor without having been looked at.
    found = (
        ahead.filter(seq__lte=last, entry__verb__in=verbs)
        .order_by("seq")
        .values_list("seq", "entry_id", "entry__verb", "entry__action_id", "entry__object_id")
    )
    return Stretch(after, last, tuple(LinkedEntry(*each) for each in found))


def hold(*, reader: str) -> int:
    """Hold ``reader``'s cursor until the commit and return where it stands."""
    require_transaction()
    held = LedgerCursor.objects.select_for_update().filter(reader=reader)
    seq = held.values_list("seq", flat=True).first()
    if seq is None:
        LedgerCursor.objects.bulk_create(
            [LedgerCursor(reader=reader, seq=0, updated_at=Now())], ignore_conflicts=True
        )
        seq = held.values_list("seq", flat=True).get()
    return seq


def advance(*, reader: str, seq: int) -> None:
    """Move ``reader``'s cursor to ``seq``, in the transaction of what was made of it; never backwards."""
    hold(reader=reader)
    LedgerCursor.objects.filter(reader=reader, seq__lt=seq).update(seq=seq, updated_at=Now())
