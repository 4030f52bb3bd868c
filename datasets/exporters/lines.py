"""Formats of JSON Lines: one or more canonical JSON objects of each case that has a place in the format."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator

from datasets.exporters import options
from datasets.exporters.base import Document
from datasets.exporters.reading import Facts, read
from hitl_site.lib.canonical import canonicalize

ALL_SPLITS = "all"


def split_choice() -> str:
    """Declare which split is written: training formats have no place of their own to say it."""
    return options.choice(
        default=ALL_SPLITS,
        title="Which cases",
        choices={
            ALL_SPLITS: "All splits",
            "train": "Training",
            "validation": "Validation",
            "test": "Test",
        },
        help="Readers of this format do not keep splits apart: never train on the test split.",
    )


class JsonRows(ABC):
    """What the formats of JSON Lines have in common."""

    extension = "jsonl"
    media_type = "application/jsonl"
    resumable = True
    notes: tuple[str, ...] = ()
    only = ALL_SPLITS

    def header(self) -> bytes:
        return b""

    def footer(self) -> bytes:
        return b""

    def rows(self, case: Document, split: str = "") -> Iterator[bytes]:
        facts = read(case)
        if self._skipped(facts, split) is None:
            for document in self.documents(facts, split):
                yield canonicalize(document) + b"\n"

    def skipped(self, case: Document, split: str = "") -> str | None:
        return self._skipped(read(case), split)

    def _skipped(self, facts: Facts, split: str) -> str | None:
        if self.only not in (ALL_SPLITS, split):
            return "other_split"
        return self.without(facts)

    @abstractmethod
    def documents(self, facts: Facts, split: str) -> Iterator[Document]:
        """Yield the rows of a case that is not left out."""

    @abstractmethod
    def without(self, facts: Facts) -> str | None:
        """Return why this case makes no row, None when it makes some."""
