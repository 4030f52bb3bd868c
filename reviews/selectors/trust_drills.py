"""The drills behind the catch rate: those that nobody can answer any more.

A drill is indistinguishable from real work until it has been answered by everybody whom it is for. One that
somebody may still answer is in no number here and on no list, and no drill that is yet to come.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.contrib.auth.models import User
from django.db.models import Exists, OuterRef, Q, QuerySet

from policies.models import DrillResult
from policies.selectors.trust import TrustFilter
from reviews.choices import ItemStatus
from reviews.models import ActionRequest, ReviewItem
from reviews.selectors.drills import kind_in_words

OUTCOMES = ("caught", "missed")


@dataclass(frozen=True, slots=True)
class AnsweredDrill:
    """One planted error and whether it was seen. ``action`` is the drill itself, where the viewer may see it.

    Who answered is no part of it: that is between the person and those who lead them.
    """

    at: datetime
    action_type: str
    title: str
    planted: str
    caught: bool
    action: ActionRequest | None


def results(filters: TrustFilter, *, outcome: str = "") -> QuerySet[DrillResult]:
    """Return the answers to planted errors in a period. Of people: a choice of agent does not narrow it.

    Without the drills that began shifts.
    """
    waiting = ReviewItem.objects.filter(
        action__public_id=OuterRef("drill_id"), status__in=(ItemStatus.OPEN, ItemStatus.RECORDED)
    )
    found = DrillResult.objects.filter(~Exists(waiting), warm_up=False).exclude(error_kind="")
    if filters.action_type_name:
        found = found.filter(action_type__name=filters.action_type_name)
    if filters.since is not None:
        found = found.filter(decided_at__gte=filters.since)
    if filters.until is not None:
        found = found.filter(decided_at__lt=filters.until)
    return found.filter(Q(caught=outcome == "caught")) if outcome else found


def may_see_drills(person: User) -> bool:
    """Say whether a person may read answered drills: not whoever may meet another of the same seed."""
    return not person.has_perm("reviews.review_item") or person.has_perm("reviews.manage_drills")


def rows(found: Sequence[DrillResult], person: User) -> list[AnsweredDrill]:
    """Return these answers as the person may read them. One query more where they may see the drills."""
    actions = {}
    if may_see_drills(person) and person.has_perm("reviews.view_any_item"):
        named = ActionRequest.objects.filter(public_id__in=[each.drill_id for each in found], drill=True)
        actions = {action.public_id: action for action in named.only("public_id", "title")}
    return [
        AnsweredDrill(
            at=each.decided_at,
            action_type=each.action_type.name,
            title=each.action_type.title,
            planted=kind_in_words(each.error_kind, each.action_type),
            caught=each.caught,
            action=actions.get(each.drill_id),
        )
        for each in found
    ]
