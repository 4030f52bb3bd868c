"""Adjudication: two people answered differently, and a lead who is neither of them says what was right.

What ran has run: settling moves no action and no permit. It settles the double review, and the labelled case
of the first decision follows from the entry in the ledger.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from policies.models import DoubleReview
from policies.services import double_reviews, ledger
from reviews.choices import ItemKind
from reviews.models import Decision, ReviewItem, SecondOpinion
from reviews.services import gatekeeping, wakeups

# When it should be settled. It does not lapse: until then the case is in no dataset.
TIME: Final = timedelta(days=3)


def open_item(*, opinion: SecondOpinion, second: Decision, now: datetime) -> ReviewItem:
    """Put a disagreement before the leads. The caller's transaction holds the action."""
    first, action = opinion.first_decision, second.action
    item = gatekeeping.draw_up_item(
        action=action, check=action.gate_check, kind=ItemKind.ADJUDICATION, queue_id=None, now=now
    )
    item.due_at = now + TIME
    item.save(force_insert=True)
    ledger.record(
        actor=ledger.Actor.person(second.reviewer),
        verb="second_opinion.disagreed",
        object_kind="decision",
        object_id=second.public_id,
        action_id=action.public_id,
        payload={
            "item_id": second.item.public_id,
            "first_decision": first.public_id,
            "first_kind": first.kind,
            "second_kind": second.kind,
            "propensity": opinion.propensity,
            "adjudication": item.public_id,
        },
        now=now,
    )
    wakeups.inbox_changed(item.public_id)
    return item


def settle(*, item: ReviewItem, decision: Decision, now: datetime) -> DoubleReview:
    """Settle the double review by a lead's answer, in the transaction that releases it."""
    review = double_reviews.settle(
        double_review=DoubleReview.objects.get(gate_check_id=item.action.gate_check_id),
        kind=decision.kind,
        now=now,
    )
    ledger.record(
        actor=ledger.Actor.person(decision.reviewer),
        verb="second_opinion.settled",
        object_kind="decision",
        object_id=decision.public_id,
        action_id=decision.action.public_id,
        payload={
            "item_id": item.public_id,
            "before": {"settled_kind": ""},
            "after": {"settled_kind": review.settled_kind},
            "first_kind": review.first_kind,
            "second_kind": review.second_kind,
            "reasons": list(decision.reasons),
            "final_digest": decision.final_digest,
        },
        now=now,
    )
    return review
