"""The digests of the ledger, exactly (JCS is RFC 8785, strings are UTF-8, digests are lower-case hex):

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
from collections.abc import Mapping
from datetime import UTC
from typing import Final

from hitl_site.lib.canonical import canonicalize, sha256_hex
from hitl_site.lib.strict_json import MAX_SAFE_INTEGER, JsonValue
from policies.models import LedgerEntry

GENESIS_HASH: Final = "0" * 64


def link_hash(*, seq: int, previous_hash: str, entry: LedgerEntry) -> str:
    """Return the hash of an entry's link, as the head of this module defines it."""
    return sha256_hex(canonicalize(link_document(seq=seq, previous_hash=previous_hash, entry=entry)))


def link_document(*, seq: int, previous_hash: str, entry: LedgerEntry) -> dict[str, JsonValue]:
    """Return what the hash of a link is over."""
    occurred_at = entry.occurred_at.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds")
    return {
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


def payload_digest(salt: bytes, body: Mapping[str, JsonValue]) -> str:
    """Return the digest that an entry keeps of its payload."""
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
