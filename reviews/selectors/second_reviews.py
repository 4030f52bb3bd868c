"""For whom a second person answers as well, for a time: asked where answers are given.

What lets something run then needs one more person, who is under no second review themselves, to say the very
same; what nobody waits for is asked of a second person afterwards, blind.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Final

from django.contrib.auth.models import User
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.db.models.functions import Now

from reviews.choices import DecisionKind, ItemKind
from reviews.models import Decision, SecondReview

# Its own answer would be a second one, of somebody whose answers need one.
ABOUT: Final = (ItemKind.GATE, ItemKind.AUDIT)


def in_force(*, at: datetime | Now) -> QuerySet[SecondReview]:
    """Return those that count at a moment: not those whose time is over, noted or not."""
    return SecondReview.objects.filter(
        Q(ended_at=None) | Q(ended_at__gt=at), started_at__lte=at, ends_at__gt=at
    )


def under_review(people: Iterable[int], *, action_type_name: str, at: datetime | Now) -> frozenset[int]:
    """Return whose answers to this action type need a second person, of these people."""
    rows = in_force(at=at).filter(_covers(action_type_name), reviewer__in=set(people))
    return frozenset(rows.values_list("reviewer_id", flat=True))


def is_under_review(person: User) -> Exists:
    """Return the same question of one person for a query of items, at the time of the query."""
    return Exists(
        in_force(at=Now()).filter(
            Q(action_type=None) | Q(action_type__name=OuterRef("action_type_name")), reviewer=person
        )
    )


def of_person(person: User, *, at: datetime | Now, action_type_name: str | None = None) -> list[SecondReview]:
    """Return those in force for a person, of one action type where asked; the last to end first."""
    found = in_force(at=at).filter(reviewer=person).select_related("action_type")
    if action_type_name is not None:
        found = found.filter(_covers(action_type_name))
    return list(found.order_by("-ends_at", "pk"))


def people_under_review(*, at: datetime) -> frozenset[int]:
    """Return for whom any is in force."""
    return frozenset(in_force(at=at).values_list("reviewer_id", flat=True))


def is_asked_afterwards(decision: Decision) -> bool:
    """Say whether a released answer is to be asked of a second person, because of whoever gave it and when.

    What was approved or corrected before it ran had its second person before that.
    """
    item = decision.item
    if item.kind not in ABOUT or (item.kind == ItemKind.GATE and decision.kind != DecisionKind.REJECT):
        return False
    name = decision.action.action_type_name
    return bool(under_review([decision.reviewer_id], action_type_name=name, at=decision.decided_at))


def _covers(action_type_name: str) -> Q:
    return Q(action_type=None) | Q(action_type__name=action_type_name)
