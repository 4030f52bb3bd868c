"""Questions about the ledger: a page of it, and the story of one action."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db.models import QuerySet

from policies.models import LedgerEntry, LedgerLink


@dataclass(frozen=True, kw_only=True, slots=True)
class LedgerFilter:
    """What an auditor looks for; what is empty does not matter. ``verb`` ending in a dot names a family."""

    verb: str = ""
    actor_kind: str = ""
    actor_id: str = ""
    actor_name: str = ""
    object_id: str = ""
    action_id: str = ""
    since: datetime | None = None
    until: datetime | None = None


def matching(filters: LedgerFilter) -> QuerySet[LedgerLink]:
    """Return the linked entries that match, with what they say, in no order (see ``lib.pagination``)."""
    links = LedgerLink.objects.select_related("entry", "entry__payload")
    if filters.verb.endswith("."):
        links = links.filter(entry__verb__startswith=filters.verb)
    elif filters.verb:
        links = links.filter(entry__verb=filters.verb)
    for field in ("actor_kind", "actor_id", "object_id", "action_id"):
        if wanted := getattr(filters, field):
            links = links.filter(**{f"entry__{field}": wanted})
    if filters.actor_name:
        links = links.filter(entry__actor_name__iexact=filters.actor_name)
    if filters.since is not None:
        links = links.filter(entry__occurred_at__gte=filters.since)
    if filters.until is not None:
        links = links.filter(entry__occurred_at__lt=filters.until)
    return links


def page(filters: LedgerFilter, *, before_seq: int | None = None, limit: int = 50) -> list[LedgerLink]:
    """Return the newest matching links before ``before_seq`` (None: from the end), newest first."""
    links = matching(filters)
    if before_seq is not None:
        links = links.filter(seq__lt=before_seq)
    return list(links.order_by("-seq")[:limit])


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
