"""A newer version that people have looked over for three weeks: two hundred refunds, each of them answered.

It gives the pages of evidence something to show: the what-if curve, the calibration of the score, a certified
threshold, and the ladder of a version whose evidence is enough for its next level. There are as many as the
error limit of the type takes (``catalogue``): half of it would need about twice as many. All of its answers
are of two people who see it in turn, and every tenth or so was looked at by the other one too.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from django.db import transaction

from datasets.demo import acting, drills, stories
from datasets.demo.setting_up import Stage
from datasets.demo.story import RIGHT, Document, Story, Verdict, euros
from reviews.choices import DecisionKind, ItemKind, ItemStatus
from reviews.models import ActionRequest, ReviewItem
from reviews.services import deadlines

VERSION: Final = "3.3"
DAYS: Final = 22
# Of the present day. What-if and calibration ask the version that was judged last.
LATEST: Final = 3
_A_DAY: Final = 10
_MOST: Final = 150
# From here on it is right; under it the score says how often it is not.
_SURE: Final = 0.86


def act_out(stage: Stage, *, base: datetime, days_ago: int) -> None:
    """Act one day out, all of it or nothing; once."""
    if not 0 < days_ago <= DAYS:
        return
    morning = (base - timedelta(days=days_ago)).replace(hour=7, minute=40, second=0)
    with transaction.atomic():
        lately = _work(stage, days_ago, _A_DAY, starts=morning, apart=timedelta(minutes=56))
        if lately:
            ends = lately[-1].created_at + timedelta(hours=2)
            drills.practise(stage, lately, now=ends)


def go_on(stage: Stage, *, base: datetime) -> None:
    """Have it propose the newest refunds that there are; once."""
    with transaction.atomic():
        _work(stage, 0, LATEST, starts=base - timedelta(hours=2), apart=timedelta(minutes=4))


def _work(
    stage: Stage, days_ago: int, number: int, *, starts: datetime, apart: timedelta
) -> list[ActionRequest]:
    """Have so many proposed, all of them answered and some a second time; none where they are there."""
    rng = random.Random(f"demo newer version {days_ago}")  # noqa: S311 - the same demo everywhere, no secret
    if acting.exists(_key(days_ago, 0)):
        return []
    told = [_propose(stage, rng, _key(days_ago, place), starts + place * apart) for place in range(number)]
    for place, story, item in _waiting(told):
        _answer(stage, story, item, place, rng, now=item.action.created_at + timedelta(minutes=9))
    ends = starts + number * apart
    deadlines.release_due(now=ends + timedelta(minutes=10))
    for place, story, item in _waiting(told):
        _answer(stage, story, item, place + 1, rng, now=ends + timedelta(minutes=15 + place))
    deadlines.release_due(now=ends + timedelta(hours=1))
    return [action for _, action in told]


def story_of(rng: random.Random, at: datetime) -> Story:
    """Return a small refund by the newer version: right, or wrong in a way that no rule sees."""
    story = stories.refund(rng, at)
    while story.verdict != RIGHT or _amount(story) > _MOST:
        story = stories.refund(rng, at)
    own = round(min(rng.betavariate(8, 1.5), 0.99), 2)
    wrong = rng.random() < 1.1 * (_SURE - own)
    return replace(
        story,
        version=VERSION,
        confidence=own,
        judge=None,
        verdict=_objection(rng, story) if wrong else RIGHT,
    )


def _objection(rng: random.Random, story: Story) -> Verdict:
    """Return what a person would say: only a part came back, the wrong card, or nothing is owed."""
    fate = rng.random()
    if fate < 0.5:
        part = euros(round(_amount(story) / 2, 2))
        letter = str(story.arguments["message"]).replace(f"€{_amount(story):.2f}", f"€{part:.2f}")
        fixed: Document = {**story.arguments, "amount": part, "message": letter}
        return Verdict(DecisionKind.CORRECT, fixed, ("wrong_amount",), "Only one of the two came back.")
    if fate < 0.8:
        card = f"Visa ending {rng.randint(1000, 9999)}"
        fixed = {**story.arguments, "pay_back_to": card}
        return Verdict(DecisionKind.CORRECT, fixed, ("wrong_person",), "It was paid with another card.")
    return Verdict(DecisionKind.REJECT, None, ("not_needed",), "It was paid back last week.")


def _propose(stage: Stage, rng: random.Random, key: str, at: datetime) -> tuple[Story, ActionRequest]:
    story = story_of(rng, at)
    return story, acting.propose(stage, story, key=key, now=at)


def _waiting(told: Sequence[tuple[Story, ActionRequest]]) -> list[tuple[int, Story, ReviewItem]]:
    """Return what waits of each, with its place and story."""
    kinds = (ItemKind.GATE, ItemKind.AUDIT, ItemKind.SECOND_OPINION)
    places = {action.pk: place for place, (_, action) in enumerate(told)}
    found = ReviewItem.objects.filter(action__in=places, status=ItemStatus.OPEN, kind__in=kinds)
    return [
        (places[item.action_id], told[places[item.action_id]][0], item)
        for item in found.select_related("action__action_type").order_by("action_id", "id")
    ]


def _answer(
    stage: Stage, story: Story, item: ReviewItem, turn: int, rng: random.Random, *, now: datetime
) -> None:
    """Have the one whose turn it is answer; a second look is the other one's."""
    person = stage.reviewers[drills.PEOPLE[turn % len(drills.PEOPLE)]]
    acting.answer(item, person, story.verdict, now=now, rng=rng)


def _amount(story: Story) -> float:
    amount = story.arguments["amount"]
    assert isinstance(amount, int | float)
    return float(amount)


def _key(days_ago: int, number: int) -> str:
    return f"demo-newer-{days_ago}-{number}"
