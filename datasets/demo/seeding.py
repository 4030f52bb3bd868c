"""Seeding: the demo from beginning to end. Safe to call again, also after a start that was interrupted.

Everything goes through the services with ``now`` in the past. The first entry of the ledger about the demo
holds the moment that all its times are counted from, so that a second call proposes the very same; the last
one says that it is complete.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from django.contrib.auth.models import User
from django.db import transaction

from datasets.demo import climbing, conversations, drills, history, inbox, second_looks, workplace
from datasets.demo.setting_up import ask_to_publish, set_up, stage
from datasets.models import Dataset
from datasets.selectors.selection import Selection
from datasets.services import datasets, freezing
from hitl_site.lib.clock import database_now
from policies.models import LedgerEntry
from policies.services import ledger

_FROZEN_DAYS_AGO: Final = 2
_DATASET: Final = "Refunds and credits"


def seed(*, now: datetime, say: Callable[[str], None]) -> bool:
    """Make the demo data; return False where they were there already."""
    if _entry("demo.completed") is not None:
        return False
    base = _base(now)
    set_up(now=base - timedelta(days=history.DAYS + 1))
    cast = stage()
    for days_ago in range(history.DAYS, -1, -1):
        history.act_out(cast, base=base, days_ago=days_ago)
        if days_ago == _FROZEN_DAYS_AGO:
            _freeze(now=base - timedelta(days=_FROZEN_DAYS_AGO))
    say(f"a month of history: {LedgerEntry.objects.count():,} entries in the ledger")
    inbox.fill(cast, base=base)
    second_looks.leave_some(cast)
    ask_to_publish(now=base)
    climbing.climb(cast, base=base)
    conversations.leave_some(cast)
    history.learn()
    drills.practise(cast, now=database_now())
    workplace.arrange(cast, now=database_now())
    _note("demo.completed", now=database_now())
    return True


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


def _freeze(*, now: datetime) -> None:
    """Make a dataset of what was decided so far, and its first version."""
    if Dataset.objects.filter(name=_DATASET).exists():
        return
    with transaction.atomic():
        owner = User.objects.get(username="tomas")
        dataset = datasets.create_dataset(
            name=_DATASET,
            description="For the next training of support-agent",
            selection=Selection(action_types=("refund.issue", "credit.issue")),
            created_by=owner,
            now=now,
        )
        freezing.freeze(dataset_id=dataset.public_id, frozen_by=owner, now=now)
