"""Double reviews: two people's answers to the same action, and who of them was right where they differ."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from django.db import transaction

from policies.models import DoubleReview, GateCheck

if TYPE_CHECKING:
    from django.contrib.auth.models import User


class AlreadySettled(Exception):
    """Somebody settled it otherwise before. What they said stands."""


@transaction.atomic
def record(
    *,
    gate_check: GateCheck,
    first_reviewer: User,
    second_reviewer: User,
    first_kind: str,
    second_kind: str,
    agreed: bool,
    propensity: float | None,
    now: datetime,
) -> DoubleReview:
    """Keep what two people said of one action. The caller writes the entry of the ledger.

    Of one gate check the first pair counts: again, or twice at once, gives the same one.
    """
    review, _ = DoubleReview.objects.get_or_create(
        gate_check=gate_check,
        defaults={
            "action_type_id": gate_check.action_type_id,
            "first_reviewer": first_reviewer,
            "second_reviewer": second_reviewer,
            "first_kind": first_kind,
            "second_kind": second_kind,
            "agreed": agreed,
            "propensity": propensity,
            "reviewed_at": now,
        },
    )
    return review


@transaction.atomic
def settle(*, double_review: DoubleReview, kind: str, now: datetime) -> DoubleReview:
    """Keep what adjudication found. The same again changes nothing; another finding: ``AlreadySettled``."""
    review = DoubleReview.objects.select_for_update(of=("self",)).get(pk=double_review.pk)
    if review.settled_kind:
        if review.settled_kind != kind:
            raise AlreadySettled("This disagreement has been settled.")
        return review
    review.settled_kind, review.settled_at = kind, now
    review.save(update_fields=["settled_kind", "settled_at"])
    return review
