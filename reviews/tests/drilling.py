"""What tests of drills share: a past correction as a seed, and a drill in the inbox."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from hitl_site.lib.clock import database_now
from reviews.choices import DecisionKind
from reviews.models import Decision, Drill, DrillSeed, ReviewItem
from reviews.services import deadlines, drills
from reviews.tests.cast import REFUND, Cast, decide_as, held

CONTEXT: dict[str, Any] = {
    "messages": [
        {"role": "user", "content": "My name is Ana Ruiz, order SO-48213: the lamp came broken."},
        {"role": "tool", "name": "get_order", "content": {"order": "SO-48213", "paid": 148}},
    ]
}
UNDO_IS_OVER = timedelta(seconds=6)


def decided(cast: Cast, kind: DecisionKind = DecisionKind.CORRECT, **body: Any) -> Decision:
    """Return a decision of Bob's that has gone out: a correction of the amount unless said otherwise."""
    now = database_now()
    item = held(cast, **{"context": CONTEXT, "reason": "Refund 184 for SO-48213", **body})
    answer: dict[str, Any] = {}
    if kind == DecisionKind.CORRECT:
        answer = {"arguments": {**REFUND, "amount": 148}}
    decision = decide_as(cast.bob, item, kind, now=now, **answer).decision
    deadlines.release_due(now=now + UNDO_IS_OVER)
    decision.refresh_from_db()
    return decision


def seed(cast: Cast, kind: DecisionKind = DecisionKind.CORRECT, error_kind: str = "wrong_value") -> DrillSeed:
    """Return a seed in use, made of such a decision."""
    return drills.make_seed(
        decision=decided(cast, kind),
        error_kind="" if kind == DecisionKind.APPROVE else error_kind,
        made_by=cast.olga,
        approve=True,
        now=database_now(),
    )


def serve(cast: Cast, *, propensity: float = 0.05, now: datetime | None = None) -> ReviewItem:
    """Put a drill into the inbox, as if somebody's decision had drawn it."""
    now = now or database_now()
    real = decided(cast, DecisionKind.REJECT)
    Drill.objects.create(
        drawn_by=real.public_id, action_type=cast.refund, propensity=propensity, drawn_at=now, serve_at=now
    )
    assert drills.serve_due(now=now) == 1
    return ReviewItem.objects.get(action__drill=True, action__served_drill__drawn_by=real.public_id)
