"""Drills of the demo: made of past corrections, answered by its reviewers, nearly all of them caught."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from django.db import transaction
from django.db.models import QuerySet

from datasets.demo.setting_up import Stage
from datasets.services import drills as making
from policies.services import action_types
from policies.services.ledger import Actor
from reviews.choices import DecisionKind, ItemKind, ItemStatus, SeedState
from reviews.models import ActionRequest, Decision, Drill, DrillSeed, ReviewItem
from reviews.selectors.drills import expected_of
from reviews.services import attention, deadlines, decisions, drills

PEOPLE: Final = ("mira", "sam")
_TYPE: Final = "refund.issue"
_RATE: Final = 0.03
# With as many, or whatever the first days brought, drills begin.
_WRONG: Final = 5
_RIGHT: Final = 3
_A_DAY: Final = 3
# Of so many one is missed.
_MISSED: Final = 24
_LATER: Final = timedelta(minutes=11)
_UNDO: Final = timedelta(minutes=1)


def practise(stage: Stage, lately: Sequence[ActionRequest], *, now: datetime) -> None:
    """Have a few drills follow what was decided lately, and be answered; none before there is an error."""
    if not DrillSeed.objects.exists() and not _make(stage, wrong=_WRONG, right=0, now=now):
        return
    found = _decisions().filter(action__in=[action.pk for action in lately])
    for decision in found.order_by("id")[:_A_DAY]:
        drills.call_for(decision=decision, now=now)
    drills.serve_due(now=now + _LATER)
    _answer(stage, now=now + 2 * _LATER)


@transaction.atomic
def switch_on(stage: Stage, *, now: datetime) -> None:
    """Draw drills from now on as people decide, some of them right as they stand; one waits for an admin."""
    action_type = stage.types[_TYPE]
    action_type.refresh_from_db()
    if action_type.drill_rate:
        return
    action_types.change(
        action_type=action_type, drill_rate=_RATE, actor=Actor.person(stage.operator), now=now - _UNDO
    )
    wrong = 0 if DrillSeed.objects.exists() else _WRONG
    _make(stage, wrong=wrong, right=_RIGHT, waiting=1, now=now - _UNDO)
    for decision in _decisions().order_by("-id")[:_A_DAY]:
        drills.call_for(decision=decision, now=now - 2 * _LATER)
    drills.serve_due(now=now - _LATER)
    _answer(stage, now=now - _UNDO)


def _make(stage: Stage, *, wrong: int, right: int, waiting: int = 0, now: datetime) -> bool:
    """Make drills from what was decided, and have the operator approve them; return whether there are any."""
    action_type = stage.types[_TYPE]
    made = making.make_seeds(
        action_type=action_type, wrong=wrong, right=right, made_by=stage.operator, now=now
    )
    approved = made.seeds[: len(made.seeds) - waiting]
    for seed in approved:
        drills.judge_seed(seed=seed, state=SeedState.APPROVED, judged_by=stage.operator, now=now)
    return bool(approved)


def _answer(stage: Stage, *, now: datetime) -> None:
    waiting = ReviewItem.objects.filter(action__drill=True, status=ItemStatus.OPEN)
    for item in waiting.select_related("action").order_by("id"):
        drill = Drill.objects.select_related("seed__source").get(action=item.action)
        person = stage.reviewers[PEOPLE[drill.pk % len(PEOPLE)]]
        rng = random.Random(f"demo drill {drill.pk}")  # noqa: S311 - the same demo everywhere, no secret
        opened = now - timedelta(seconds=rng.randint(25, 150))
        token = attention.view_token(item=item, reviewer=person, now=opened)
        opening = attention.opening(token=token, item_id=item.public_id, reviewer=person)
        decisions.decide(
            item_id=item.public_id,
            reviewer=person,
            answer=_said(drill, wrong=drill.pk % _MISSED == 0),
            shown_digest=item.action.digest,
            item_version=item.version,
            opening=replace(opening, arguments_seen=True),
            now=now,
        )
    deadlines.release_due(now=now + _UNDO)


def _said(drill: Drill, *, wrong: bool) -> decisions.Answer:
    assert drill.seed is not None
    if wrong or not drill.seed.planted:
        return decisions.Answer(kind=DecisionKind.APPROVE)
    reasons = tuple(drill.seed.source.reasons)
    expected = expected_of(drill)
    if expected is None:
        return decisions.Answer(kind=DecisionKind.REJECT, reasons=reasons)
    return decisions.Answer(kind=DecisionKind.CORRECT, arguments=expected, reasons=reasons)


def _decisions() -> QuerySet[Decision]:
    return Decision.objects.filter(
        item__kind=ItemKind.GATE,
        action__action_type__name=_TYPE,
        action__drill=False,
        released_at__isnull=False,
    ).select_related("item", "action__action_type")
