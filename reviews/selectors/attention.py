"""Questions about attention: how long something has to be looked at, and how a person has been looking.

What is said of one person is for that person: there is no list of people by speed.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from statistics import median
from typing import Final

from django.contrib.auth.models import User
from django.db.models import Count, Q

from policies.choices import Risk
from policies.engine.reading import reading_floor_ms
from reviews.choices import DecisionKind, ItemKind
from reviews.models import ActionRequest, Decision, PaceNotice, ReviewItem
from reviews.selectors.actions import proposed_arguments

# So many answers faster than one can read, and a card asks how it goes.
PACE_DECISIONS: Final = 20
# Away for longer, somebody begins another sitting.
SITTING_ENDS_AFTER: Final = timedelta(minutes=30)
LONGEST_SITTING: Final = timedelta(hours=12)
_USUAL_OVER: Final = timedelta(days=30)
_FEWEST_FOR_USUAL: Final = 20
_TO_BE_READ: Final = frozenset({Risk.HIGH, Risk.CRITICAL})


@dataclass(frozen=True)
class Considered:
    """How many approvals of an action type took long enough to count, of all of this person."""

    action_type: str
    title: str
    approvals: int
    considered: int

    @property
    def rate(self) -> float:
        return self.considered / self.approvals


@dataclass(frozen=True)
class Pace:
    """The last answers of a sitting, all faster than one can read. ``usual_ms`` is None if unknown."""

    sitting_began_at: datetime
    median_ms: int
    usual_ms: int | None


def floor_of(action: ActionRequest) -> int:
    """Return the milliseconds below which an approval of this action is no evidence.

    It is what the action type declares, scaled by what there is to read, and never what reviewers turn out to
    take: otherwise careless speed would lower the floor that it is judged by, and slowness of some would take
    the weight of what others answer. How long right answers take is a signal (``floor_times``), not evidence.
    """
    if action.action_type is None or action.action_type.reading_floor_ms <= 0:
        return 0
    return reading_floor_ms(
        declared_ms=action.action_type.reading_floor_ms, arguments=proposed_arguments(action)
    )


def risks_of(item: ReviewItem) -> frozenset[str]:
    """Return the risk of what was proposed, as it was declared when it was held and as it is now.

    The stricter of the two counts wherever something asks for it.
    """
    declared = item.action.action_type
    return frozenset({item.risk} if declared is None else {item.risk, declared.risk})


def is_to_be_read(item: ReviewItem) -> bool:
    """Say whether this item runs something risky: then its end has to be in view before it may."""
    return item.kind == ItemKind.GATE and not _TO_BE_READ.isdisjoint(risks_of(item))


def is_quick(decision: Decision) -> bool:
    """Say whether this was an approval too fast to have been read."""
    return decision.kind == DecisionKind.APPROVE and not decision.considered and not decision.bulk


def considered_rates(person: User, *, since: datetime) -> list[Considered]:
    """Return for each action type how many of the person's approvals count, those of many first."""
    approvals = Decision.objects.filter(
        reviewer=person, kind=DecisionKind.APPROVE, undone_at=None, bulk=False, decided_at__gte=since
    )
    rows = (
        approvals.order_by()
        .values("action__action_type_name", "action__action_type__title")
        .annotate(approvals=Count("pk"), counted=Count("pk", filter=Q(considered=True)))
        .order_by("-approvals", "action__action_type_name")
    )
    return [
        Considered(
            action_type=row["action__action_type_name"],
            title=row["action__action_type__title"] or row["action__action_type_name"],
            approvals=row["approvals"],
            considered=row["counted"],
        )
        for row in rows
    ]


def too_fast(person: User, *, now: datetime) -> Pace | None:
    """Return the person's pace where the last ``PACE_DECISIONS`` of this sitting were all under the floor.

    None while there are fewer, and while one of them took as long as reading takes. Those given in
    bulk have no pace of their own.
    """
    last = list(
        Decision.objects.filter(reviewer=person, bulk=False, decided_at__lte=now)
        .select_related("action__action_type")
        .order_by("-id")[:PACE_DECISIONS]
    )
    if len(last) < PACE_DECISIONS or not _are_one_sitting([each.decided_at for each in last], now=now):
        return None
    times = [each.decision_ms for each in last if each.decision_ms is not None]
    under = [time for time, each in zip(times, last, strict=False) if time < floor_of(each.action)]
    if len(times) < len(last) or len(under) < len(last):
        return None
    began_at = _sitting_began(person, now=now)
    return Pace(began_at, round(median(times)), _usual(person, before=began_at))


def open_notice(person: User, *, now: datetime) -> PaceNotice | None:
    """Return the card that waits for this person's word, None where there is none or the sitting is over."""
    return PaceNotice.objects.filter(
        reviewer=person, answer="", shown_at__gt=now - SITTING_ENDS_AFTER
    ).first()


def on_a_break_until(person: User, *, now: datetime) -> datetime | None:
    """Return until when this person takes a break, None where they do not."""
    return (
        PaceNotice.objects.filter(reviewer=person, paused_until__gt=now)
        .order_by("-paused_until")
        .values_list("paused_until", flat=True)
        .first()
    )


def _sitting_began(person: User, *, now: datetime) -> datetime:
    """Return when the person gave the first answer since their last long pause."""
    began = now
    moments = (
        Decision.objects.filter(reviewer=person, bulk=False, decided_at__gt=now - LONGEST_SITTING)
        .order_by("-id")
        .values_list("decided_at", flat=True)
    )
    for decided_at in moments:
        if began - decided_at > SITTING_ENDS_AFTER:
            break
        began = decided_at
    return began


def _are_one_sitting(moments: list[datetime], *, now: datetime) -> bool:
    return all(later - earlier <= SITTING_ENDS_AFTER for later, earlier in pairwise([now, *moments]))


def _usual(person: User, *, before: datetime) -> int | None:
    times = list(
        Decision.objects.filter(
            reviewer=person,
            undone_at=None,
            bulk=False,
            decision_ms__isnull=False,
            decided_at__gt=before - _USUAL_OVER,
            decided_at__lt=before,
        )
        .order_by("-id")
        .values_list("decision_ms", flat=True)[:500]
    )
    known = [time for time in times if time is not None]
    return round(median(known)) if len(known) >= _FEWEST_FOR_USUAL else None
