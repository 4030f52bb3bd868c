"""Seeding: the demo from beginning to end. Safe to call again, also after a start that was interrupted.

Everything goes through the services with ``now`` in the past. The first entry of the ledger about the demo
holds the moment that all its times are counted from, so that a second call proposes the very same; the last
one says that it is complete.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from django.db import transaction

from datasets.demo import (
    afterwards,
    climbing,
    conversations,
    drills,
    history,
    inbox,
    newer_version,
    privacy,
    second_looks,
    trials,
    versions,
    vouchers,
    workplace,
)
from datasets.demo.setting_up import Stage, ask_to_publish, set_up, stage
from hitl_site.lib.clock import database_now
from policies.models import LedgerEntry
from policies.services import ledger

_TOLD_EVERY: Final = 5


def seed(*, now: datetime, say: Callable[[str], None]) -> bool:
    """Make the demo data; return False where they were there already."""
    if _entry("demo.completed") is not None:
        return False
    base = _base(now)
    set_up(now=base - timedelta(days=history.DAYS + 1))
    cast = stage()
    for days_ago in range(history.DAYS, -1, -1):
        newer_version.act_out(cast, base=base, days_ago=days_ago)
        history.act_out(cast, base=base, days_ago=days_ago)
        if days_ago == vouchers.DAYS_AGO:
            vouchers.act_out(cast, base=base)
            afterwards.recall(cast, base=base)
        if days_ago == versions.FROZEN_DAYS_AGO:
            versions.begin(now=base - timedelta(days=versions.FROZEN_DAYS_AGO))
        if days_ago and days_ago % _TOLD_EVERY == 0:
            say(f"{history.DAYS - days_ago} of {history.DAYS} days of work acted out")
    say(f"a month of history: {LedgerEntry.objects.count():,} entries in the ledger")
    inbox.fill(cast, base=base)
    newer_version.go_on(cast, base=base)
    second_looks.leave_some(cast)
    ask_to_publish(now=base)
    drills.switch_on(cast, now=database_now())
    climbing.climb(cast, base=base)
    conversations.leave_some(cast)
    _learn_from_it(cast, base=base)
    workplace.arrange(cast, now=database_now())
    _note("demo.completed", now=database_now())
    return True


def _learn_from_it(cast: Stage, *, base: datetime) -> None:
    """Make of the cases what a team makes of them: curate, freeze, try on, keep, erase, hand over."""
    afterwards.come_to_light(cast, base=base)
    trials.run_both(cast, versions.collect(base=base), base=base)
    privacy.look_after(cast, base=base)
    versions.hand_over(now=database_now())


def _base(now: datetime) -> datetime:
    """Return the moment that the demo's times are counted from: that of the first call."""
    started = _entry("demo.started")
    return started.occurred_at if started is not None else _note("demo.started", now=now).occurred_at


def _entry(verb: str) -> LedgerEntry | None:
    return LedgerEntry.objects.filter(verb=verb).order_by("id").first()


@transaction.atomic
def _note(verb: str, *, now: datetime) -> LedgerEntry:
    return ledger.record(
        actor=ledger.Actor.system(name="demo data"), verb=verb, object_kind="demo", object_id="demo", now=now
    )
