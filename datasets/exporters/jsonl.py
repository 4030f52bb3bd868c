"""JSON Lines of canonical cases (docs/cases.md): one case a line, in its RFC 8785 bytes."""

from __future__ import annotations

from dataclasses import dataclass

from hitl_site.lib.canonical import canonicalize, sha256_hex
from hitl_site.lib.jsonb import from_jsonb
from hitl_site.lib.strict_json import JsonValue

MEDIA_TYPE = "application/jsonl"
EXTENSION = "jsonl"


class CaseChanged(Exception):
    """A stored case no longer has the bytes that it was frozen with."""


@dataclass(frozen=True, slots=True)
class StoredCase:
    """A case as it comes from the database, with the hash of its canonical bytes."""

    public_id: str
    content: JsonValue
    content_sha256: str


def row(case: StoredCase) -> bytes:
    """Return the case's canonical bytes and a line feed, or raise ``CaseChanged``."""
    canonical = canonicalize(from_jsonb(case.content))
    if sha256_hex(canonical) != case.content_sha256:
        raise CaseChanged(f"Case {case.public_id} does not have the content that it was frozen with.")
    return canonical + b"\n"
