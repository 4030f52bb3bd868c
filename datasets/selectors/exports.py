"""Questions about exports."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.db.models import DateTimeField, Func, Q, QuerySet
from django.utils.translation import gettext, gettext_lazy

from datasets.choices import Cadence, ExportState
from datasets.models import Dataset, Export, ExportSchedule
from datasets.selectors import words
from hitl_site.lib import pagination, wording
from hitl_site.lib.pagination import Page

PAGE_SIZE: Final = 30
HISTORY: Final = 5
WEEKDAYS: Final = (
    gettext_lazy("Monday"),
    gettext_lazy("Tuesday"),
    gettext_lazy("Wednesday"),
    gettext_lazy("Thursday"),
    gettext_lazy("Friday"),
    gettext_lazy("Saturday"),
    gettext_lazy("Sunday"),
)
UNDER_WAY: Final = frozenset({ExportState.REQUESTED, ExportState.RUNNING})
OVER_WITHOUT_A_FILE: Final = frozenset({ExportState.CANCELLED, ExportState.FAILED})


class ClockTimestamp(Func):
    """The database's wall clock at this very moment: it alone decides whether a lease has lapsed."""

    function = "clock_timestamp"
    output_field = DateTimeField()


@dataclass(frozen=True, slots=True)
class ScheduleView:
    """A schedule and what it last made."""

    schedule: ExportSchedule
    exports: tuple[Export, ...]

    @property
    def when(self) -> str:
        """Return its times in words."""
        hour = f"{self.schedule.hour:02}"
        if self.schedule.cadence == Cadence.WEEKLY:
            day = WEEKDAYS[self.schedule.weekday]
            return gettext("Every {day} at {hour}:00 UTC").format(day=day, hour=hour)
        return gettext("Every day at {hour}:00 UTC").format(hour=hour)


@dataclass(frozen=True, slots=True)
class DownloadableFile:
    """One file of a finished export, as its page lists it; ``name`` is below the folder of exports."""

    name: str
    title: str
    size: int
    sha256: str
    is_card: bool


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an export is. ``seconds_left`` is None before anything can be said of its pace."""

    export: Export
    under_way: bool
    percent: int
    rows_a_second: int | None
    seconds_left: int | None

    @property
    def can_be_downloaded(self) -> bool:
        return self.export.state == ExportState.DONE

    @property
    def gone_because(self) -> str:
        """Return why the files of an export that was done are gone; "" where a person cancelled it."""
        ended = self.export.state == ExportState.CANCELLED and self.export.manifest is not None
        return words.why_ended(self.export.error) if ended else ""

    @property
    def is_here(self) -> bool:
        """Say whether the data lies in our own folder; else it has gone to its destination."""
        return self.can_be_downloaded and not self.export.destination

    @property
    def rows(self) -> int:
        """Return how many rows the finished file has: a case makes none, one or several."""
        return int((self.export.manifest or {}).get("rows", self.export.rows_done))

    @property
    def what(self) -> str:
        """Return what was asked for, in one line."""
        export = self.export
        parts = [str(export.get_format_display())]
        if export.split:
            split = words.inside(str(export.get_split_display()))
            parts.append(gettext("split {split}").format(split=split))
        if export.since_version is not None:
            said = gettext("new since version {number}")
            parts.append(said.format(number=export.since_version.number))
        if export.compression:
            parts.append(str(export.get_compression_display()))
        return ", ".join(parts)

    @property
    def files(self) -> tuple[DownloadableFile, ...]:
        """Return the data files and the data card that can be taken from here."""
        listed = (self.export.manifest or {}).get("files", [])
        return tuple(
            DownloadableFile(
                name=file["name"],
                title=gettext("Data card")
                if file["role"] == "card"
                else file["name"].partition("/")[2] or gettext("Data"),
                size=file["bytes"],
                sha256=file["sha256"],
                is_card=file["role"] == "card",
            )
            for file in listed
            if self.is_here or file["role"] == "card"
        )

    @property
    def note(self) -> str:
        """Return pace and time left in words, as far as they are known."""
        if self.seconds_left is None or not self.rows_a_second:
            return ""
        left = wording.duration(self.seconds_left)
        said = gettext("{rows} rows a second, about {left} left")
        return said.format(rows=wording.number(self.rows_a_second), left=left)


def to_do() -> QuerySet[Export]:
    """Return the exports that wait for a worker, or whose worker has let its lease lapse."""
    lapsed = Q(state=ExportState.RUNNING, lease_expires_at__lt=ClockTimestamp())
    return Export.objects.filter(Q(state=ExportState.REQUESTED) | lapsed)


def to_clear() -> QuerySet[Export]:
    """Return the exports that are over without a file, and whose remains nobody has taken away yet.

    Their lease stays until then: a worker that still writes hears of the end before it lapses.
    """
    return Export.objects.filter(state__in=OVER_WITHOUT_A_FILE, lease_expires_at__lt=ClockTimestamp())


def to_do_ids(*, limit: int) -> list[str]:
    """Return the public ids of the oldest exports to do, then of those to clear away."""
    found = [*to_do().order_by("id").values_list("public_id", flat=True)[:limit]]
    left = to_clear().order_by("id").values_list("public_id", flat=True)
    return [*found, *left[: limit - len(found)]]


def due_schedule_ids(*, limit: int) -> list[str]:
    """Return the public ids of the schedules that are due, the longest overdue first."""
    due = ExportSchedule.objects.filter(active=True, next_at__lte=ClockTimestamp())
    return list(due.order_by("next_at").values_list("public_id", flat=True)[:limit])


def page(*, cursor: str | None, size: int = PAGE_SIZE) -> Page[Export]:
    """Return a page of all exports, newest first. Raises ``pagination.InvalidCursor``."""
    found = Export.objects.select_related("version__dataset", "since_version", "schedule")
    return pagination.page(found, order_by=["-id"], limit=size, scope="exports", cursor=cursor)


def schedules(dataset: Dataset) -> list[ScheduleView]:
    """Return a dataset's schedules with their last exports, newest first."""
    return [
        ScheduleView(schedule, tuple(schedule.exports.select_related("version").order_by("-id")[:HISTORY]))
        for schedule in dataset.schedules.order_by("id")
    ]


def progress(export: Export, *, now: datetime) -> Progress:
    """Return how far an export is, as the page tells it."""
    done, total = export.rows_done, export.rows_total
    rate = None
    if export.started_at is not None and done:
        seconds = ((export.finished_at or now) - export.started_at).total_seconds()
        rate = done / max(seconds, 0.001)
    running = export.state == ExportState.RUNNING
    return Progress(
        export=export,
        under_way=export.state in UNDER_WAY,
        # 100 only when it is done: the manifest comes after the last row.
        percent=100 if export.state == ExportState.DONE else min(99, 100 * done // max(total, 1)),
        rows_a_second=None if rate is None else round(rate),
        seconds_left=round((total - done) / rate) if running and rate else None,
    )
