"""Uncovering secrets in a context: who asked to see them is on record before anything is shown."""

from __future__ import annotations

from datetime import datetime

from django.contrib.auth.models import User
from django.db import transaction

from policies.services import ledger
from reviews.models import ReviewItem
from reviews.services.rights import current_reviewer


@transaction.atomic
def reveal(*, item_id: str, reviewer: User, now: datetime) -> None:
    """Record that this person asked to see what is covered in the item's context."""
    reviewer = current_reviewer(reviewer)
    item = ReviewItem.objects.select_related("action").get(public_id=item_id)
    ledger.record(
        actor=ledger.Actor.person(reviewer),
        verb="context.revealed",
        object_kind="item",
        object_id=item.public_id,
        action_id=item.action.public_id,
        payload={},
        now=now,
    )
