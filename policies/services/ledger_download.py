"""The ledger as a file: CSV for a spreadsheet, JSON Lines for whoever recomputes it elsewhere.

A line of JSON holds the linked facts exactly as ``services.ledger.digests`` hashes them, with the hash, the
payload and its salt: nothing else is needed to verify a range without this database.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Final

from django.db import transaction

from hitl_site.lib.csv_cells import neutralised
from hitl_site.lib.strict_json import JsonValue
from policies.models import LedgerLink
from policies.selectors.ledger import LedgerFilter
from policies.services import ledger
from policies.services.ledger import Actor
from policies.services.ledger.digests import link_document

if TYPE_CHECKING:
    from django.contrib.auth.models import User

COLUMNS: Final = (
    "seq", "occurred_at", "actor_kind", "actor_id", "actor_name", "verb", "object_kind", "object_id",
    "action_id", "request_id", "payload", "erased_at", "payload_digest", "previous_hash", "hash",
)  # fmt: skip


@transaction.atomic
def note_download(*, person: User, filters: LedgerFilter, format: str, now: datetime) -> None:
    """Record who takes which part of the record away."""
    wanted: dict[str, JsonValue] = {
        name: value.isoformat() if isinstance(value, datetime) else value
        for name in LedgerFilter.__slots__
        if (value := getattr(filters, name))
    }
    ledger.record(
        actor=Actor.person(person),
        verb="ledger.downloaded",
        object_kind="ledger",
        object_id="ledger",
        now=now,
        payload={"format": format, "filters": wanted},
    )


def as_json_lines(links: Iterable[LedgerLink]) -> Iterator[str]:
    """Return a line of JSON for each link."""
    for link in links:
        payload = link.entry.payload
        document = link_document(seq=link.seq, previous_hash=link.previous_hash, entry=link.entry)
        document["hash"] = link.hash
        document["payload"] = payload.body
        document["salt"] = bytes(payload.salt).hex() if payload.salt is not None else None
        document["erased_at"] = payload.erased_at.isoformat() if payload.erased_at else None
        yield json.dumps(document, ensure_ascii=False) + "\n"


def as_csv(links: Iterable[LedgerLink]) -> Iterator[str]:
    """Return a line of CSV (RFC 4180) for each link, and one of names before; no cell is a formula."""
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow(COLUMNS)
    for link in links:
        entry, payload = link.entry, link.entry.payload
        cells = (
            str(link.seq), entry.occurred_at.isoformat(), entry.actor_kind, entry.actor_id, entry.actor_name,
            entry.verb, entry.object_kind, entry.object_id, entry.action_id, entry.request_id,
            "" if payload.body is None else json.dumps(payload.body, ensure_ascii=False),
            payload.erased_at.isoformat() if payload.erased_at else "",
            entry.payload_digest, link.previous_hash, link.hash,
        )  # fmt: skip
        writer.writerow([neutralised(cell) for cell in cells])
        yield buffer.getvalue()
        buffer.seek(0)
        buffer.truncate()
    yield buffer.getvalue()
