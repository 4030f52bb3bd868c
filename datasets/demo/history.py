"""A month of work: what the agents proposed day by day, and what became of it."""

from __future__ import annotations

import random
import time
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from django.db import transaction
from django.db.models import Max

from datasets.demo import acting, second_looks, stories
from datasets.demo.setting_up import Stage, change_policies
from datasets.demo.story import Story
from datasets.selectors import taking
from datasets.services import labelling
from hitl_site.lib.clock import database_now
from policies.models import LedgerEntry, LedgerLink
from policies.services import ledger
from reviews.choices import ActionState
from reviews.services import cancellations, deadlines

DAYS: Final = 30
POLICIES_CHANGED: Final = 12  # days ago
_A_DAY: Final = (7, 13)
_TODAY: Final = 24
_LEARNING_SECONDS: Final = 60.0
# Routine checks of the last hours are left for whoever looks at the demo.
_LEFT_FOR_THE_VISITOR: Final = timedelta(hours=20)


def act_out(stage: Stage, *, base: datetime, days_ago: int) -> None:
    """Act one day out, all of it or nothing; a day that was acted out before stays as it is."""
    rng = random.Random(f"demo day {days_ago}")  # noqa: S311 - the same demo everywhere, no secret
    with transaction.atomic():
        if acting.exists(_key(days_ago, 0)):
            return
        if days_ago == POLICIES_CHANGED:
            change_policies(now=base - timedelta(days=days_ago))
        for number, at in enumerate(_times(rng, base=base, days_ago=days_ago)):
            _act_out_one(stage, stories.any_story(rng, at), _key(days_ago, number), at, base=base, rng=rng)
    learn()


def learn() -> None:
    """Number what was recorded, and let the labelling follow, as the worker does all the time.

    Where a worker is running, either of the two may find the work taken, and waits for it to be done.
    """
    give_up = time.monotonic() + _LEARNING_SECONDS
    while time.monotonic() < give_up:
        ledger.link_entries(now=database_now())
        labelling.label_cases(now=database_now())
        last = LedgerLink.objects.aggregate(last=Max("seq"))["last"] or 0
        if taking.labelled_up_to() >= last and not LedgerEntry.objects.filter(link=None).exists():
            return
        time.sleep(0.05)


def _act_out_one(
    stage: Stage, story: Story, key: str, at: datetime, *, base: datetime, rng: random.Random
) -> None:
    fate = rng.random()
    if fate < 0.012 and story.action_type == "refund.issue":
        story = replace(story, arguments={**story.arguments, "amount": 1250})
    forgotten = 0.012 <= fate < 0.03
    action = acting.propose(stage, story, key=key, now=at, timeout="1h" if forgotten else None)
    if action.state == ActionState.PENDING_REVIEW and forgotten:
        deadlines.expire_due(now=at + timedelta(minutes=61))
        return
    if action.state == ActionState.PENDING_REVIEW and fate > 0.99:
        cancellations.cancel(action_id=action.public_id, agent=action.agent, now=at + timedelta(minutes=1))
        return
    if action.state == ActionState.ALLOWED and base - at < _LEFT_FOR_THE_VISITOR:
        acting.run(action, rng)
        return
    decided_at = acting.settle(stage, story, action, rng)
    acting.run(action, rng)
    second_looks.give(stage, story, action, rng, at=decided_at)


def _times(rng: random.Random, *, base: datetime, days_ago: int) -> list[datetime]:
    """Return the times of one day's proposals, in order: office hours, and fewer at weekends."""
    if days_ago == 0:
        # So long ago at least that everything about it has been decided.
        return sorted(base - timedelta(minutes=rng.randint(150, 1100)) for _ in range(_TODAY))
    day = (base - timedelta(days=days_ago)).replace(hour=8, minute=0, second=0)
    count = rng.randint(*_A_DAY) // (2 if day.weekday() >= 5 else 1)
    return sorted(day + timedelta(seconds=rng.randint(0, 10 * 3600)) for _ in range(count))


def _key(days_ago: int, number: int) -> str:
    return f"demo-day-{days_ago}-{number}"
