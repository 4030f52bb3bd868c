"""Questions about exports."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.db.models import DateTimeField, Func, Q, QuerySet

from datasets.choices import ExportState
from datasets.models import Export
from hitl_site.lib import wording

UNDER_WAY: Final = frozenset({ExportState.REQUESTED, ExportState.RUNNING})


class ClockTimestamp(Func):
    """The database's wall clock at this very moment: it alone decides whether a lease has lapsed."""

    function = "clock_timestamp"
    output_field = DateTimeField()


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
    def note(self) -> str:
        """Return pace and time left in words, as far as they are known."""
        if self.seconds_left is None or not self.rows_a_second:
            return ""
        left = wording.duration(self.seconds_left)
        return f"{wording.number(self.rows_a_second)} rows a second, about {left} left"


def to_do() -> QuerySet[Export]:
    """Return the exports that wait for a worker, or whose worker has let its lease lapse."""
    lapsed = Q(state=ExportState.RUNNING, lease_expires_at__lt=ClockTimestamp())
    return Export.objects.filter(Q(state=ExportState.REQUESTED) | lapsed)


def to_do_ids(*, limit: int) -> list[str]:
    """Return the public ids of the oldest exports to do."""
    return list(to_do().order_by("id").values_list("public_id", flat=True)[:limit])


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
