"""CSV as RFC 4180 has it: a header, CRLF after every record, quotes doubled inside quotes.

Spreadsheets run a cell that starts like a formula, quoted or not. Such a cell gets an apostrophe in front
(and so does one that starts with an apostrophe, so that taking one away always gives the original back).
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from datasets.exporters import columns, options
from datasets.exporters.base import Document
from datasets.exporters.columns import Cell
from hitl_site.lib.canonical import canonicalize

BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
# What spreadsheets take for the start of a formula, in the wide forms of East Asian fonts too.
_STARTS: Final = frozenset("=+-@\t\r\n|%＝＋－＠")
_NEUTRALISED: Final = (
    "Cells that a spreadsheet could run as a formula (they start with =, +, -, @, |, %, a tab or a line "
    "break, with or without spaces before) and cells that start with an apostrophe have one apostrophe put "
    "in front; take the first character away to get the original."
)
_AS_THEY_ARE: Final = (
    "Cells are as they are: a spreadsheet may run those that start with =, +, - or @ as formulas, and they "
    "come from outside. Open this file with a program that reads text alone."
)


@dataclass(frozen=True, slots=True)
class Options:
    neutralise_formulas: bool = options.flag(
        default=True,
        title="Neutralise formulas",
        help="Put an apostrophe before cells that a spreadsheet could run. Texts of agents are hostile.",
    )
    byte_order_mark: bool = options.flag(
        default=False, title="Byte order mark", help="Excel needs it to know that the file is UTF-8."
    )


class Table:
    """One record a case, the split in the first column but one."""

    extension = "csv"
    media_type = "text/csv; charset=utf-8; header=present"
    resumable = True

    def __init__(self, chosen: Options) -> None:
        self.neutralise = chosen.neutralise_formulas
        self.byte_order_mark = chosen.byte_order_mark
        self.notes = (_NEUTRALISED if chosen.neutralise_formulas else _AS_THEY_ARE,)

    def header(self) -> bytes:
        mark = BYTE_ORDER_MARK if self.byte_order_mark else b""
        return mark + record([columns.SPLIT.name, *(column.name for column in columns.COLUMNS)])

    def rows(self, case: Document, split: str = "") -> Iterator[bytes]:
        yield record([self._text(cell) for cell in (split, *columns.cells(case))])

    def footer(self) -> bytes:
        return b""

    def skipped(self, case: Document) -> str | None:
        return None

    def _text(self, cell: Cell) -> str:
        # Numbers, times and flags are ours: none of them starts like a formula.
        if cell is None:
            return ""
        if isinstance(cell, bool):
            return "true" if cell else "false"
        if isinstance(cell, int | float):
            return canonicalize(cell).decode()
        if isinstance(cell, datetime):
            return cell.astimezone(UTC).isoformat().replace("+00:00", "Z")
        text = canonicalize([*cell]).decode() if isinstance(cell, list) else cell
        return neutralised(text) if self.neutralise else text


def record(cells: Iterable[str]) -> bytes:
    """Return one record with its line end."""
    line = io.StringIO(newline="")
    csv.writer(line, lineterminator="\r\n").writerow(cells)
    return line.getvalue().encode()


def neutralised(text: str) -> str:
    """Return a text that no spreadsheet runs; ``text[1:]`` of a changed one is the original."""
    start = text.lstrip(" \u00a0\u3000\ufeff")[:1]
    return f"'{text}" if (start in _STARTS and start) or start == "'" or text.startswith("\ufeff") else text
