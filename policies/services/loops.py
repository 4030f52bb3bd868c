"""The loops of the worker say that they came round: else one that hangs shows only in what stays undone."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from policies.models import LoopTick

# Every loop that an installation needs; hitl_site.loops runs them, /readyz asks after them.
LOOPS: Final = ("sequencer", "sweeper")


def tick(name: str, now: datetime) -> None:
    """Note that this loop came round. Safe from any number of workers."""
    LoopTick.objects.bulk_create(
        [LoopTick(name=name, ticked_at=now)],
        update_conflicts=True,
        unique_fields=["name"],
        update_fields=["ticked_at"],
    )
