"""JSON Lines of canonical cases (docs/cases.md): one case a line, in its RFC 8785 bytes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from datasets.exporters.base import Document
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


@dataclass(frozen=True, slots=True)
class Options:
    """None: the canonical case is what it is."""


@dataclass(frozen=True, slots=True)
class JsonLines:
    """Every case whole, one a line, in exactly the bytes that its content hash is computed over.

    The split is not in the line: a version's content hash can be computed again from the file alone.
    """

    options: Options = Options()
    extension: str = EXTENSION
    media_type: str = MEDIA_TYPE
    resumable: bool = True
    notes: tuple[str, ...] = ()

    def header(self) -> bytes:
        return b""

    def rows(self, case: Document, split: str = "") -> Iterator[bytes]:
        yield canonicalize(case) + b"\n"

    def footer(self) -> bytes:
        return b""

    def skipped(self, case: Document) -> str | None:
        return None
