"""Drills of the demo: made of past corrections, answered by its reviewers, most of them caught."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from django.db import transaction

from datasets.demo.setting_up import Stage
from datasets.services import drills as making
from policies.services import action_types
from policies.services.ledger import Actor
from reviews.choices import DecisionKind, ItemKind, SeedState
from reviews.models import Decision, Drill, DrillSeed, ReviewItem
from reviews.selectors.drills import expected_of
from reviews.services import attention, deadlines, decisions, drills

_TYPE: Final = "refund.issue"
_RATE: Final = 0.03
_ANSWERED: Final = 8
_MISSED: Final = 2
_UNDO: Final = timedelta(minutes=1)


@transaction.atomic
def practise(stage: Stage, *, now: datetime) -> None:
    """Switch drills on for refunds, and have those answered that the draws so far come to; once."""
    if DrillSeed.objects.exists():
        return
    action_type = stage.types[_TYPE]
    action_types.change(
        action_type=action_type, drill_rate=_RATE, actor=Actor.person(stage.operator), now=now - _UNDO
    )
    action_type.refresh_from_db()
    made = making.make_seeds(
        action_type=action_type, wrong=4, right=3, made_by=stage.operator, now=now - _UNDO
    )
    for seed in made.seeds[:-1]:
        drills.judge_seed(seed=seed, state=SeedState.APPROVED, judged_by=stage.operator, now=now - _UNDO)
    drawn_from = Decision.objects.filter(
        item__kind=ItemKind.GATE, action__action_type=action_type, released_at__isnull=False
    ).select_related("item", "action__action_type")
    for decision in drawn_from.order_by("-id")[:_ANSWERED]:
        drills.call_for(decision=decision, now=now - timedelta(minutes=20))
    drills.serve_due(now=now - _UNDO)
    _answer(stage, now=now)


def _answer(stage: Stage, *, now: datetime) -> None:
    rng = random.Random("demo drills")  # noqa: S311 - the same demo everywhere, no secret
    waiting = ReviewItem.objects.filter(action__drill=True, status="open").order_by("id")
    for place, item in enumerate(waiting):
        person = rng.choice(list(stage.reviewers.values()))
        drill = Drill.objects.select_related("seed").get(action=item.action)
        token = attention.view_token(item=item, reviewer=person, now=now - timedelta(seconds=20 + place))
        opening = attention.opening(token=token, item_id=item.public_id, reviewer=person)
        decisions.decide(
            item_id=item.public_id,
            reviewer=person,
            answer=_said(drill, wrong=place < _MISSED),
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
