"""Writing the data of an export: cases in, blocks or files out, and a tally of what was written.

A file of rows is cut into blocks at places that the cases alone decide, never the clock. A block is
compressed by itself and a step is saved only behind a whole one, so an export that was resumed has the same
bytes as one in one go.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final, cast

from datasets.exporters.base import FolderExporter, Placed, RowExporter
from datasets.exporters.jsonl import JsonLines
from datasets.services.compression import Codec
from datasets.services.export_files import DataFile, PartFile, PartFolder
from datasets.services.export_members import Member, Pages
from hitl_site.lib.strict_json import JsonValue

BLOCK_BYTES: Final = 1024 * 1024
BLOCK_CASES: Final = 5000


class WrongFiles(Exception):
    """An exporter wrote other files than its format has."""


@dataclass(slots=True)
class Tally:
    """What is in the file so far. ``position`` is the last case read, -1 before the first."""

    position: int = -1
    cases: int = 0
    rows: int = 0
    erased: int = 0
    rows_by_split: Counter[str] = field(default_factory=Counter)
    skipped: Counter[str] = field(default_factory=Counter)
    replaced: Counter[str] = field(default_factory=Counter)

    def add(self, member: Member, *, rows: int, skipped: str | None) -> None:
        """Count a case that was read, and what became of it."""
        self.position = member.position
        self.cases += 1
        self.rows += rows
        self.erased += member.erased
        if rows:
            self.rows_by_split[member.split] += rows
        if skipped is not None:
            self.skipped[skipped] += 1
        if member.replaced:
            self.replaced.update(member.replaced)

    def document(self) -> dict[str, JsonValue]:
        """Return it as JSON, for the row that the next worker goes on with."""
        return {
            "position": self.position,
            "cases": self.cases,
            "rows": self.rows,
            "erased": self.erased,
            "rows_by_split": counts(self.rows_by_split),
            "skipped": counts(self.skipped),
            "replaced": counts(self.replaced),
        }

    @classmethod
    def from_document(cls, document: dict[str, JsonValue]) -> Tally:
        """Return the tally that ``document`` wrote down."""
        position, cases, rows, erased = (
            cast(int, document[name]) for name in ("position", "cases", "rows", "erased")
        )
        by_split, skipped, replaced = (
            Counter(cast(dict[str, int], document[name])) for name in ("rows_by_split", "skipped", "replaced")
        )
        return cls(position, cases, rows, erased, by_split, skipped, replaced)


def counts(counter: Counter[str]) -> dict[str, JsonValue]:
    """Return a counter as JSON, in the order of its names."""
    return {name: counter[name] for name in sorted(counter)}


def write_rows(
    exporter: RowExporter,
    pages: Pages,
    part: PartFile,
    tally: Tally,
    *,
    codec: Codec | None,
    step: Callable[[], bool],
    touch: Callable[[], None],
) -> bool:
    """Write the rows of all pages behind what ``part`` has; return False where ``step`` ended it early.

    ``step`` is called behind each whole block, ``touch`` wherever time has passed.
    """
    block = _Block(part, codec)
    whole_case = isinstance(exporter, JsonLines)
    if tally.cases == 0:
        block.add(exporter.header())
    for page in pages:
        for member in page:
            rows = 0
            # A line of canonical JSON is exactly what was hashed a moment ago.
            made: Iterable[bytes] = (
                (member.canonical, b"\n") if whole_case else exporter.rows(member.document, member.split)
            )
            for row in made:
                block.add(row)
                rows += 1
            tally.add(
                member,
                rows=1 if whole_case else rows,
                skipped=None if rows else exporter.skipped(member.document) or "none",
            )
            block.cases += 1
            if block.is_full():
                block.write()
                if not step():
                    return False
        touch()
    block.add(exporter.footer())
    block.write()
    if not part.written().size and codec is not None:
        # Nothing at all is no gzip file; the compressed form of nothing is one.
        part.append(codec.compress(b""))
    return True


class _Block:
    def __init__(self, part: PartFile, codec: Codec | None) -> None:
        self._part = part
        self._codec = codec
        self._rows: list[bytes] = []
        self._size = 0
        self.cases = 0

    def add(self, row: bytes) -> None:
        self._rows.append(row)
        self._size += len(row)

    def is_full(self) -> bool:
        return self._size >= BLOCK_BYTES or self.cases >= BLOCK_CASES

    def write(self) -> None:
        if self._size:
            data = b"".join(self._rows)
            self._part.append(data if self._codec is None else self._codec.compress(data))
        self._rows, self._size, self.cases = [], 0, 0


def write_folder(
    exporter: FolderExporter, pages: Pages, part: PartFolder, tally: Tally, *, touch: Callable[[], None]
) -> list[str]:
    """Let the exporter write its files from nothing; return their names, to be published."""

    def placed() -> Iterator[Placed]:
        for page in pages:
            for member in page:
                skipped = exporter.skipped(member.document)
                tally.add(member, rows=int(skipped is None), skipped=skipped)
                yield Placed(case=member.document, split=member.split)
            touch()

    names = exporter.write(placed(), part.path)
    if exporter.extension and len(names) != 1:
        raise WrongFiles(f"A file of .{exporter.extension} was asked for, and {len(names)} were written.")
    return names


def publish_folder(exporter: FolderExporter, part: PartFolder, names: list[str]) -> list[DataFile]:
    """Make what was written durable: one file where the format is one, else the folder."""
    return part.publish_file(names[0]) if exporter.extension else part.publish_folder(names)
