"""Parquet: typed columns, written by groups of rows so that memory does not grow with the cases.

The same cases give the same bytes with the same release of pyarrow (its version stands in the file's footer).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

from datasets.exporters import columns, options
from datasets.exporters.base import Document, Placed
from datasets.exporters.columns import COLUMNS, SPLIT, Cell, Kind

if TYPE_CHECKING:
    import pyarrow

FILE_NAME: Final = "cases.parquet"
# Rows wait in memory until a group is full: a thousand of the largest cases are a quarter of a gigabyte, so
# the size of the texts ends a group too.
GROUP_ROWS: Final = 5_000
GROUP_CHARACTERS: Final = 32 * 1024 * 1024


def compression_choice() -> str:
    """Declare how the pages of a Parquet file are compressed."""
    return options.choice(
        default="zstd",
        title="Compression inside the file",
        choices={"zstd": "Zstandard", "snappy": "Snappy, for old readers", "none": "None"},
    )


@dataclass(frozen=True, slots=True)
class Options:
    compression: str = compression_choice()


class ParquetFile:
    """One file, one row a case."""

    extension = "parquet"
    media_type = "application/vnd.apache.parquet"
    resumable = False
    notes: tuple[str, ...] = (
        "Columns whose values differ between action types hold canonical JSON as text.",
    )

    def __init__(self, chosen: Options) -> None:
        self.compression = chosen.compression

    def write(self, cases: Iterator[Placed], folder: Path) -> list[str]:
        with Rows(folder / FILE_NAME, compression=self.compression, with_split=True) as rows:
            for placed in cases:
                rows.add(placed)
        return [FILE_NAME]

    def skipped(self, case: Document) -> str | None:
        return None


class Rows:
    """A Parquet file that is being written."""

    def __init__(self, path: Path, *, compression: str, with_split: bool) -> None:
        import pyarrow.parquet

        self._columns = (SPLIT, *COLUMNS) if with_split else COLUMNS
        self._with_split = with_split
        self._schema = schema(with_split=with_split)
        self._writer = pyarrow.parquet.ParquetWriter(
            path, self._schema, compression=compression, version="2.6"
        )
        self._waiting: list[list[Cell]] = []
        self._characters = 0
        self.count = 0

    def add(self, placed: Placed) -> None:
        row = columns.cells(placed.case)
        if self._with_split:
            row.insert(0, placed.split)
        self._waiting.append(row)
        self._characters += sum(len(cell) for cell in row if isinstance(cell, str))
        self.count += 1
        if len(self._waiting) >= GROUP_ROWS or self._characters >= GROUP_CHARACTERS:
            self._write_group()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None and self._waiting:
            self._write_group()
        self._writer.close()

    def _write_group(self) -> None:
        import pyarrow

        values = zip(*self._waiting, strict=True)
        arrays = [
            pyarrow.array(list(cells), type=field.type)
            for cells, field in zip(values, self._schema, strict=True)
        ]
        self._writer.write_table(
            pyarrow.Table.from_arrays(arrays, schema=self._schema), row_group_size=len(self._waiting)
        )
        self._waiting = []
        self._characters = 0


def schema(*, with_split: bool) -> pyarrow.Schema:
    """Return the Arrow schema of the table."""
    import pyarrow

    types = {
        Kind.TEXT: pyarrow.string(),
        Kind.TEXTS: pyarrow.list_(pyarrow.string()),
        Kind.JSON: pyarrow.string(),
        Kind.FLAG: pyarrow.bool_(),
        Kind.INTEGER: pyarrow.int64(),
        Kind.NUMBER: pyarrow.float64(),
        Kind.TIME: pyarrow.timestamp("us", tz="UTC"),
    }
    chosen = (SPLIT, *COLUMNS) if with_split else COLUMNS
    return pyarrow.schema([pyarrow.field(column.name, types[column.kind]) for column in chosen])
