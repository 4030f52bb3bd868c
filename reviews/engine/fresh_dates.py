"""Fresh dates: what happened just before the old proposal happened just before the new one.

Moments within a day before the proposal move with it to the second, so that the steps that led to it end
where it begins. Everything else moves by whole days: a flight that leaves at 15:00 leaves at 15:00.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

MOMENT: Final = re.compile(
    r"(?<![0-9])(?P<day>[12][0-9]{3}-[01][0-9]-[0-3][0-9])"
    r"(?P<clock>[T ][0-2][0-9]:[0-5][0-9](?::[0-5][0-9](?:\.[0-9]{1,6})?)?(?:Z|[+-][0-2][0-9]:?[0-5][0-9])?)?"
    r"(?![0-9])"
)
_MONTHS: Final = (
    *("January", "February", "March", "April", "May", "June", "July"),
    *("August", "September", "October", "November", "December"),
)
_MONTH: Final = rf"(?P<month>{'|'.join(_MONTHS)})"
DAY_IN_WORDS: Final = re.compile(
    rf"\b(?:(?P<d1>[0-3]?[0-9])(?P<s1>\.? ){_MONTH}|{_MONTH.replace('month', 'month2')} (?P<d2>[0-3]?[0-9]))"
    r"(?P<s2>,? )(?P<year>(?:19|20)[0-9]{2})\b"
)
_JUST_BEFORE: Final = timedelta(days=1)
_JUST_AFTER: Final = timedelta(hours=1)
_EARLIEST_EPOCH: Final = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Shift:
    """From when the old proposal was made to when the new one is."""

    before: datetime
    after: datetime

    @property
    def exact(self) -> timedelta:
        return self.after - self.before

    @property
    def days(self) -> timedelta:
        return timedelta(days=self.exact.days)

    def moment(self, found: re.Match[str]) -> str:
        """Return a date, or a date with its time, moved and written as it was."""
        text = found[0]
        try:
            if found["clock"] is None:
                return (date.fromisoformat(text) + self.days).isoformat()
            at = datetime.fromisoformat(text)
            moved = at + (self.exact if self._is_near(at) else self.days)
        except (ValueError, OverflowError):
            return text  # looks like a date and is none
        return _written_as(text, moved)

    def day_in_words(self, found: re.Match[str]) -> str:
        """Return "14 May 2026" or "May 14, 2026", moved."""
        name = found["month"] or found["month2"]
        try:
            day = date(int(found["year"]), _MONTHS.index(name) + 1, int(found["d1"] or found["d2"]))
            moved = day + self.days
        except (ValueError, OverflowError):
            return found[0]
        month = _MONTHS[moved.month - 1]
        if found["d1"]:
            return f"{moved.day}{found['s1']}{month}{found['s2']}{moved.year}"
        return f"{month} {moved.day}{found['s2']}{moved.year}"

    def epoch(self, value: int) -> int | None:
        """Return seconds or milliseconds since 1970, moved; None where the number is no such thing."""
        if value < _EARLIEST_EPOCH:
            return None
        scale = 1000 if value >= _EARLIEST_EPOCH * 1000 else 1
        return value + round(self.exact.total_seconds() * scale)

    def _is_near(self, at: datetime) -> bool:
        if at.tzinfo is None:
            at = at.replace(tzinfo=self.before.tzinfo)
        return self.before - _JUST_BEFORE <= at <= self.before + _JUST_AFTER


def _written_as(text: str, moved: datetime) -> str:
    """Write a moment with the separator, the precision and the zone that ``text`` has."""
    clock = text[11:]
    zone = re.search(r"(?:Z|[+-][0-9]{2}:?[0-9]{2})$", clock)
    digits = clock[: zone.start()] if zone else clock
    seconds = ":%S" if digits.count(":") == 2 else ""
    fraction = ""
    if "." in digits:
        fraction = "." + f"{moved.microsecond:06d}"[: len(digits.partition(".")[2])]
    return moved.strftime(f"%Y-%m-%d{text[10]}%H:%M{seconds}") + fraction + (zone[0] if zone else "")
