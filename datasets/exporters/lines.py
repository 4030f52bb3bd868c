"""Formats of JSON Lines: one or more canonical JSON objects of each case that has a place in the format."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator

from datasets.exporters.base import Document
from datasets.exporters.reading import Facts, read
from hitl_site.lib.canonical import canonicalize


class JsonRows(ABC):
    """What the formats of JSON Lines have in common."""

    extension = "jsonl"
    media_type = "application/jsonl"
    resumable = True
    notes: tuple[str, ...] = ()

    def header(self) -> bytes:
        return b""

    def footer(self) -> bytes:
        return b""

    def rows(self, case: Document, split: str = "") -> Iterator[bytes]:
        facts = read(case)
        if self._left_out(facts) is None:
            for document in self.documents(facts, split):
                yield canonicalize(document) + b"\n"

    def skipped(self, case: Document) -> str | None:
        return self._left_out(read(case))

    def _left_out(self, facts: Facts) -> str | None:
        return self.without(facts) if facts.is_whole else "erased"

    @abstractmethod
    def documents(self, facts: Facts, split: str) -> Iterator[Document]:
        """Yield the rows of a case that is not left out."""

    @abstractmethod
    def without(self, facts: Facts) -> str | None:
        """Return why a whole case makes no row, None when it makes some."""
