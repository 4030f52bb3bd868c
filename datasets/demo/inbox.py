"""A living inbox: what waits now, from minutes to weeks before it is due."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from django.contrib.auth.models import User
from django.db import transaction

from datasets.demo import acting, stories
from datasets.demo.setting_up import Stage
from datasets.demo.special import SPECIAL
from datasets.demo.story import RIGHT, Story
from hitl_site.lib.clock import database_now
from reviews.models import ReviewItem
from reviews.services import claims, passing_on

# Minutes from now. Most are days away, so that a demo left alone over night is not empty in the morning.
DUE_IN_MINUTES: Final = (
    *(6, 14, 22, 34, 47, 58, 70, 72, 80, 125, 160, 220, 300, 390, 520, 700, 900),
    *(60 * hours for hours in (26, 30, 44, 52, 70, 90, 118, 140, 165, 190, 220, 260, 300, 330, 360)),
    *(60 * 24 * days for days in (16, 18, 20, 22, 24, 26, 27, 28)),
)  # fmt: skip
_MAKERS: Final = (
    stories.refund,
    stories.email,
    stories.credit,
    stories.tickets,
    stories.refund,
    stories.email,
    stories.access,
    stories.merge,
)


def fill(stage: Stage, *, base: datetime) -> None:
    """Put the open items in, all or none."""
    rng = random.Random("demo inbox")  # noqa: S311 - the same demo everywhere, no secret
    with transaction.atomic():
        if acting.exists(_key(0)):
            return
        for number, (minutes, story, created) in enumerate(_waiting(rng, base)):
            wait = base + timedelta(minutes=minutes) - created
            timeout = f"{max(1, round(wait.total_seconds() / 60))}m"
            acting.propose(stage, story, key=_key(number), now=created, timeout=timeout)
    _be_at_work(stage, rng)


def _waiting(rng: random.Random, base: datetime) -> Iterator[tuple[int, Story, datetime]]:
    """Yield when it is due, the story, and when it was proposed: all of them are held."""
    for number, minutes in enumerate(DUE_IN_MINUTES):
        created = base - timedelta(minutes=rng.randint(2, 42), seconds=rng.randint(0, 59))
        if number < len(SPECIAL):
            yield minutes, SPECIAL[number](rng, created), created
            continue
        story = _MAKERS[number % len(_MAKERS)](rng, created)
        if story.action_type == "credit.issue":
            # It would run alone, were it not for a rule.
            story = replace(story, facts={"credits_this_month": 2})
        else:
            story = replace(story, confidence=round(rng.uniform(0.48, 0.79), 2))
        yield minutes, story, created


def _be_at_work(stage: Stage, rng: random.Random) -> None:
    """Let colleagues hold some items, have given a first approval, and have passed one on."""
    now = database_now()
    items = {
        item.action.idempotency_key: item
        for item in ReviewItem.objects.filter(status="open").select_related("action")
    }
    mira, sam = stage.reviewers["mira"], stage.reviewers["sam"]
    for number, person in ((1, mira), (9, sam)):
        item = items.get(_key(number))
        if item is not None and item.due_at > now:
            claims.claim(item_id=item.public_id, reviewer=person, now=now)
    wants_two = [item for item in items.values() if item.approvals_required == 2 and item.due_at > now]
    if wants_two and not wants_two[-1].decisions.exists():
        acting.answer(wants_two[-1], mira, RIGHT, now=now, rng=rng)
    admin = User.objects.filter(is_superuser=True, is_active=True).order_by("pk").first()
    passed_on = items.get(_key(12))
    if admin is not None and passed_on is not None and not passed_on.escalations.exists():
        passing_on.escalate(
            item_id=passed_on.public_id,
            reviewer=sam,
            to_user=admin,
            note="The evidence looks thin to me. What do you think?",
            item_version=passed_on.version,
            now=now,
        )


def _key(number: int) -> str:
    return f"demo-inbox-{number}"
