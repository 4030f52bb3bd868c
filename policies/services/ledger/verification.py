"""Verification: every hash recomputed, and the first that does not hold is named."""

from __future__ import annotations

import hmac
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from django.db import transaction

from policies.models import LedgerLink, LedgerPayload
from policies.services.ledger.digests import GENESIS_HASH, link_hash, payload_digest


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


def verify(
    *,
    progress: Callable[[int], None] | None = None,
    after_seq: int = 0,
    after_hash: str = GENESIS_HASH,
    limit: int | None = None,
) -> Verification:
    """Recompute the whole chain in constant memory and name the first link that does not hold.

    ``progress`` is called with the number of links that hold so far, every thousand links. ``after_seq`` and
    ``after_hash`` go on behind a link that holds, for at most ``limit`` links: a long run in steps. What was
    cut off at the end of the chain cannot be seen from within: that is what checkpoints are for.
    """
    verified, previous_hash = after_seq, after_hash
    for link, payload in _chain(after_seq, limit):
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


def _chain(after_seq: int, limit: int | None) -> Iterator[tuple[LedgerLink, LedgerPayload | None]]:
    links = LedgerLink.objects.select_related("entry", "entry__payload").order_by("seq")
    links = links.filter(seq__gt=after_seq)[:limit]
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
    if not hmac.compare_digest(payload_digest(bytes(payload.salt), payload.body), link.entry.payload_digest):
        return "The payload is not the one that was recorded."
    return ""
