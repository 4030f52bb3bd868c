"""Freeze windows: times in which a person looks at every action, or in which none may run.

A window is either one stretch of time, from an instant to an instant, or comes round on days of the week,
in the local time of a zone. It holds from its start up to, but not including, its end.

When clocks change, a weekly window holds longer rather than shorter: where its start or end happens twice or
not at all on that day, the earliest reading starts it and the latest ends it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from policies.engine.facts import Verdict
from policies.engine.faults import PolicyError, member, repeated, text_faults, unknown_keys

MAX_WINDOWS = 50
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_OUTCOMES = frozenset({Verdict.REVIEW, Verdict.DENY})
_CLOCK = re.compile(r"(?:[01][0-9]|2[0-3]):[0-5][0-9]")
_INSTANT = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(?:\.\d{1,6})?(?:[Zz]|[+-]\d\d:\d\d)")
# "from" and "until" are the words of the document; "from" is not to be had as the name of a field.
_FIELDS = ("title", "from", "until", "weekdays", "zone", "then")


@dataclass(frozen=True, kw_only=True)
class FreezeWindow:
    """One window. With `weekdays`, `starts` and `ends` are local times in `zone`; else they are instants.

    A weekly window begins on each of its days. One that ends at or before its start ends on the next day.
    """

    title: str
    starts: str
    ends: str
    weekdays: tuple[str, ...] = ()
    zone: str = ""
    then: Verdict = Verdict.REVIEW

    def covers(self, now: datetime) -> bool:
        """Return whether the window holds at this instant, which must know its offset from UTC."""
        if now.tzinfo is None:
            raise ValueError("an instant without its offset from UTC says nothing")
        instant = now.astimezone(UTC)
        if not self.weekdays:
            return parse_instant(self.starts) <= instant < parse_instant(self.ends)
        zone = _zone(self.zone)
        today = instant.astimezone(zone).date()
        # A window may begin up to two days before the moment that it still covers, and where a clock
        # changes at midnight, on the day after.
        days = (today + timedelta(days=shift) for shift in (-2, -1, 0, 1))
        return any(
            begins <= instant < until
            for begins, until in (_on_day(self, day, zone) for day in days if self._begins_on(day))
        )

    def to_document(self) -> dict[str, object]:
        """Return the window as JSON values."""
        document: dict[str, object] = {"title": self.title, "from": self.starts, "until": self.ends}
        if self.weekdays:
            document |= {"weekdays": list(self.weekdays), "zone": self.zone}
        return {**document, "then": self.then.value}

    def _begins_on(self, day: date) -> bool:
        return WEEKDAYS[day.weekday()] in self.weekdays


def parse_instant(text: str) -> datetime:
    """Return the instant that RFC 3339 text names, in UTC, or raise `ValueError`."""
    if not _INSTANT.fullmatch(text):
        raise ValueError("no time of RFC 3339 with its offset from UTC")
    try:
        return datetime.fromisoformat(text.upper()).astimezone(UTC)
    except OverflowError as error:
        raise ValueError("a time beyond the calendar") from error


def read_windows(value: object) -> tuple[object, list[PolicyError]]:
    """Return windows as objects where they can be read, with the faults that `window_faults` cannot see."""
    if not isinstance(value, list | tuple):
        return value, []
    windows: list[object] = []
    errors: list[PolicyError] = []
    for index, entry in enumerate(value):
        if not isinstance(entry, Mapping):
            windows.append(entry)
            continue
        errors += unknown_keys(entry, _FIELDS, ("freeze_windows", index))
        days = entry.get("weekdays", ())
        windows.append(
            FreezeWindow(
                title=entry.get("title", ""),
                starts=entry.get("from", ""),
                ends=entry.get("until", ""),
                weekdays=tuple(days) if isinstance(days, list | tuple) else days,
                zone=entry.get("zone", ""),
                then=member(Verdict, entry.get("then", Verdict.REVIEW)),  # type: ignore[arg-type]  # checked by window_faults
            )
        )
    return tuple(windows), errors


def window_faults(windows: object) -> Iterator[PolicyError]:
    """Yield what is wrong with the windows, each with its place."""
    if not isinstance(windows, tuple):
        yield PolicyError("/freeze_windows", "a list of freeze windows")
        return
    if len(windows) > MAX_WINDOWS:
        yield PolicyError("/freeze_windows", f"at most {MAX_WINDOWS} freeze windows")
        return
    for index, window in enumerate(windows):
        at = f"/freeze_windows/{index}"
        if not isinstance(window, FreezeWindow):
            yield PolicyError(at, "a freeze window is an object")
            continue
        yield from text_faults(f"{at}/title", window.title)
        if window.weekdays == ():
            yield from _instant_faults(window, at)
        else:
            yield from _weekly_faults(window, at)
        if not isinstance(window.then, Verdict) or window.then not in _OUTCOMES:
            yield PolicyError(f"{at}/then", "review or deny: a freeze window can hold or refuse, never allow")


def _instant_faults(window: FreezeWindow, at: str) -> Iterator[PolicyError]:
    if window.zone != "":
        yield PolicyError(f"{at}/zone", "a zone belongs to a window with weekdays; an instant has its offset")
    instants: list[datetime] = []
    for name, text in (("from", window.starts), ("until", window.ends)):
        try:
            instants.append(parse_instant(text if isinstance(text, str) else ""))
        except ValueError:
            yield PolicyError(
                f"{at}/{name}", "a time with its offset, such as 2026-12-24T18:00:00+01:00 (RFC 3339)"
            )
    if len(instants) == 2 and not instants[0] < instants[1]:
        yield PolicyError(f"{at}/until", "after the time at which the window begins")


def _weekly_faults(window: FreezeWindow, at: str) -> Iterator[PolicyError]:
    days: object = window.weekdays
    if not isinstance(days, tuple) or any(day not in WEEKDAYS for day in days):
        yield PolicyError(f"{at}/weekdays", f"a list of {', '.join(WEEKDAYS)}")
    elif any(True for _ in repeated(days)):
        yield PolicyError(f"{at}/weekdays", "each day once")
    for name, text in (("from", window.starts), ("until", window.ends)):
        if not isinstance(text, str) or not _CLOCK.fullmatch(text):
            yield PolicyError(f"{at}/{name}", "a local time such as 18:00")
    try:
        _zone(window.zone)
    except (KeyError, ValueError, OSError, TypeError, AttributeError):
        yield PolicyError(f"{at}/zone", "the name of a time zone, such as Europe/Berlin or UTC")


@lru_cache(maxsize=256)
def _zone(name: str) -> ZoneInfo:
    if not isinstance(name, str) or not name or len(name) > 64:
        raise ValueError("no name of a time zone")
    return ZoneInfo(name)


def _on_day(window: FreezeWindow, day: date, zone: ZoneInfo) -> tuple[datetime, datetime]:
    begins, ends = time.fromisoformat(window.starts), time.fromisoformat(window.ends)
    last_day = day if begins < ends else day + timedelta(days=1)
    return min(_readings(day, begins, zone)), max(_readings(last_day, ends, zone))


def _readings(day: date, clock: time, zone: ZoneInfo) -> Sequence[datetime]:
    """Return what a local time can mean: one instant, or two where the clock is changed over it."""
    local = datetime.combine(day, clock, tzinfo=zone)
    return [local.replace(fold=fold).astimezone(UTC) for fold in (0, 1)]
