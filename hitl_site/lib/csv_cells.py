"""Comma-separated values (RFC 4180) of which no spreadsheet runs a cell."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Final

# A spreadsheet may take a cell that begins with one of these for a formula, after blanks too.
_STARTS: Final = tuple("=+-@|%\t\r\n＝＋－＠")
_BLANKS: Final = " \u00a0\u3000\ufeff"


def neutralised(text: str) -> str:
    """Return a text that no spreadsheet runs; ``text[1:]`` of a changed one is the original."""
    return f"'{text}" if text.lstrip(_BLANKS).startswith((*_STARTS, "'")) else text


def table(columns: Sequence[str], rows: Iterable[Sequence[str | float | int | None]]) -> str:
    """Return a table with its line of names. Numbers stay numbers, None is an empty cell."""
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, lineterminator="\r\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow([neutralised(cell) if isinstance(cell, str) else cell for cell in row])
    return buffer.getvalue()
