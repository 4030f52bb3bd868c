"""What every format has in common: it turns composed cases into bytes, and knows nothing else.

An exporter has no clock, no randomness, no database. The same cases with the same options give the same
bytes, so an export can be made again, compared, and gone on with after its worker died.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeAlias, runtime_checkable

from hitl_site.lib.strict_json import JsonValue

Document: TypeAlias = dict[str, JsonValue]


@dataclass(frozen=True, slots=True)
class Placed:
    """A composed case (``exporters.composition``) and the split that its version put it in, "" for none."""

    case: Document
    split: str = ""


class Skips(Protocol):
    """What both kinds of exporter say of themselves and of a case."""

    @property
    def extension(self) -> str:
        """The ending of the file's name without a dot; "" for a folder."""

    @property
    def media_type(self) -> str: ...

    @property
    def resumable(self) -> bool:
        """Whether no row depends on another one: a killed export is gone on with behind its bytes."""

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences for the data card: what a reader of the file must know of how it was written."""

    def skipped(self, case: Document) -> str | None:
        """Return why this case makes no row (a code of ``SKIP_REASONS``); None when it makes some."""


@runtime_checkable
class RowExporter(Skips, Protocol):
    """A format of one row after the other: header, the rows of each case, footer."""

    def header(self) -> bytes: ...

    def rows(self, case: Document, split: str = "") -> Iterator[bytes]:
        """Yield the rows of a case with their line ends; none exactly where ``skipped`` says why."""

    def footer(self) -> bytes: ...


@runtime_checkable
class FolderExporter(Skips, Protocol):
    """A format of whole files: written anew by every attempt, in memory that does not grow with the cases."""

    def write(self, cases: Iterator[Placed], folder: Path) -> list[str]:
        """Write the files into this empty folder and return their names, relative and in order."""


Exporter: TypeAlias = RowExporter | FolderExporter

# Why a case makes no row in a format. The sentence goes into manifests and data cards.
SKIP_REASONS: dict[str, str] = {
    "approved": "approved as proposed: no better answer stands against it, so it is no pair",
    "rejected": "rejected without a correction: nobody said what would have been right",
    "corrected": "corrected: left to the format of preference pairs, as the options say",
    "omission": "the agent proposed nothing: there is no answer of its own to compare",
    "erased": "the proposal or the right answer was erased",
    "no_context": "the agent sent nothing of what led to the action: there is no prompt",
    "no_difference": "labelled as corrected, but the correction is the proposal itself",
}
