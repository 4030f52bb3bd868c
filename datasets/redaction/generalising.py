"""Dates made coarser: a birthday becomes a year."""

from __future__ import annotations

import re
from typing import Final

from datasets.redaction.normalised import normalise

_DATE: Final = re.compile(r"([0-9]{4})(?:-([0-9]{2})(?:-[0-9]{2}(?:[T ].*)?)?)?", re.DOTALL)


def generalised(text: str, *, to_month: bool) -> str | None:
    """Return year, or year and month, of a date or time in ISO 8601; None when it is none."""
    found = _DATE.fullmatch(normalise(text).text.strip())
    if found is None:
        return None
    year, month = found[1], found[2]
    return f"{year}-{month}" if to_month and month else year
