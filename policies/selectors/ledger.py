"""Questions about the ledger: which entries match, the story of one object, which verbs there are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.db import connection
from django.db.models import QuerySet, TextField
from django.db.models.functions import Cast

from policies.models import LedgerEntry, LedgerLink

# Text is looked for among so many of the newest entries that the other filters leave: no index knows the
# words of a payload, and one would cost every act of the product.
TEXT_REACH: Final = 20_000
DOWNLOAD_STEP: Final = 1000


@dataclass(frozen=True, kw_only=True, slots=True)
class LedgerFilter:
    """What an auditor looks for; what is empty does not matter. ``verb`` ending in a dot names a family."""

    verb: str = ""
    actor_kind: str = ""
    actor_name: str = ""
    object_kind: str = ""
    object_id: str = ""
    action_id: str = ""
    text: str = ""
    since: datetime | None = None
    until: datetime | None = None


def entries(filters: LedgerFilter) -> QuerySet[LedgerEntry]:
    """Return the entries that match, in no order (see ``lib.pagination``)."""
    found = LedgerEntry.objects.all()
    if filters.verb.endswith("."):
        found = found.filter(verb__in=[verb for verb in verbs() if verb.startswith(filters.verb)])
    elif filters.verb:
        found = found.filter(verb=filters.verb)
    for field in ("actor_kind", "object_kind", "object_id", "action_id"):
        if wanted := getattr(filters, field):
            found = found.filter(**{field: wanted})
    if filters.actor_name:
        found = found.filter(actor_name__iexact=filters.actor_name)
    if filters.since is not None:
        found = found.filter(occurred_at__gte=filters.since)
    if filters.until is not None:
        found = found.filter(occurred_at__lt=filters.until)
    if filters.text:
        # A bound for the id, and no subquery: else the planner begins with all payloads there are.
        furthest = found.order_by("-id").values_list("id", flat=True)[TEXT_REACH - 1 : TEXT_REACH].first()
        found = found.alias(says=Cast("payload__body", TextField())).filter(
            id__gte=furthest or 0, says__icontains=filters.text
        )
    return found.select_related("payload")


def links_of(found: Iterable[LedgerEntry]) -> dict[int, LedgerLink]:
    """Return the places in the chain of these entries, by entry; the newest may not have one yet."""
    links = LedgerLink.objects.filter(entry__in=[entry.pk for entry in found])
    return {link.entry_id: link for link in links.select_related("entry__payload")}


def stream(filters: LedgerFilter) -> Iterator[LedgerLink]:
    """Return all that matches and is linked, oldest first, however much it is.

    Piece by piece and each a query of its own: a transaction as long as a download would hold back the chain.
    """
    after = 0
    while True:
        piece = list(entries(filters).filter(id__gt=after).order_by("id")[:DOWNLOAD_STEP])
        links = links_of(piece)
        yield from (links[entry.pk] for entry in piece if entry.pk in links)
        if len(piece) < DOWNLOAD_STEP:
            return
        after = piece[-1].pk


def story(action_id: str) -> list[LedgerEntry]:
    """Return all that happened to an action, first things first.

    What was written just now and has no place in the chain yet is among them: there ``link`` is missing.
    """
    return list(
        LedgerEntry.objects.filter(action_id=action_id).select_related("payload", "link").order_by("id")
    )


def last_link() -> LedgerLink | None:
    """Return the end of the chain, whose hash stands for all before it."""
    return LedgerLink.objects.order_by("-seq").first()


def link_at(seq: int) -> LedgerLink | None:
    """Return one place of the chain with its entry and what it says."""
    return LedgerLink.objects.select_related("entry__payload").filter(seq=seq).first()


# A look into the index for each verb, however long the ledger: DISTINCT would read all of it.
_VERBS: Final = """
    WITH RECURSIVE known AS (
        (SELECT verb FROM policies_ledgerentry ORDER BY verb LIMIT 1)
        UNION ALL
        SELECT (
            SELECT e.verb FROM policies_ledgerentry e WHERE e.verb > known.verb ORDER BY e.verb LIMIT 1
        )
        FROM known WHERE known.verb IS NOT NULL
    )
    SELECT verb FROM known WHERE verb IS NOT NULL
"""


def verbs() -> list[str]:
    """Return every verb that was ever recorded."""
    with connection.cursor() as cursor:
        cursor.execute(_VERBS)
        return [verb for (verb,) in cursor.fetchall()]
