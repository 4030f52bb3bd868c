"""JSON Lines of canonical cases (docs/cases.md): one case a line, in its RFC 8785 bytes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from datasets.exporters.base import Document
from hitl_site.lib.canonical import canonicalize

MEDIA_TYPE = "application/jsonl"
EXTENSION = "jsonl"


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
