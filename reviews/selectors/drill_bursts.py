"""Questions about the drills that begin a shift: whether one begins now, and what may go before them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from django.contrib.auth.models import User
from django.db.models import Count, Q
from django.utils.translation import gettext

from policies.models import ActionType, DrillResult
from reviews.choices import ItemKind, SeedState
from reviews.models import Decision, Drill, DrillSeed, ItemView, ReviewItem
from reviews.selectors import inbox, team

# How many drills begin a shift, and how many of them have an error.
SIZE: Final = 5
WITH_ERROR: Final = 3
# So long without a look or an answer, and the next one begins a shift.
REST: Final = timedelta(hours=4)
# Who opens the first item from the list meets the drills after it, but not in the middle of their work.
BEGINNING: Final = timedelta(minutes=15)
# What is due within this time goes before any of them.
URGENT: Final = timedelta(minutes=15)
# What is left of them after this time is left out.
LONGEST: Final = timedelta(hours=1)
_MOST_IN_BEGINNING: Final = 200


@dataclass(frozen=True)
class Beginning:
    """A shift that has just begun. ``rested_since`` is the last work before it, None where there was none."""

    rested_since: datetime | None


def beginning(person: User, *, now: datetime) -> Beginning | None:
    """Return the person's shift if it begins now, or has within ``BEGINNING``; None in the midst of one.

    Work is looking at items and answering them. Whoever is off duty by the rota only helps out.
    """
    answers = Decision.objects.filter(reviewer=person).order_by("-id").values_list("decided_at", flat=True)
    looks = ItemView.objects.filter(reviewer=person).order_by("-opened_at").values_list(
        "opened_at", flat=True
    )  # fmt: skip
    edge = now - BEGINNING
    last = (answers.filter(decided_at__lte=edge).first(), looks.filter(opened_at__lte=edge).first())
    rested_since = max((moment for moment in last if moment is not None), default=None)
    if rested_since is not None:
        if now - rested_since < REST:
            return None
        lately = [*answers[:_MOST_IN_BEGINNING], *looks.filter(opened_at__gt=edge)[:_MOST_IN_BEGINNING]]
        began = min((moment for moment in lately if moment > edge), default=now)
        if began - rested_since < REST:
            return None
    return Beginning(rested_since) if team.is_on_duty(person, now=now) else None


def is_urgent(person: User, *, now: datetime) -> bool:
    """Say whether a real item that this person could take now is due soon, or overdue."""
    waiting = inbox.my_turn(person).filter(inbox.free_for(person, now=now), reserved_for=None)
    return waiting.filter(due_at__lte=now + URGENT).exists()


def next_real(person: User, *, view: inbox.View | None, now: datetime) -> ReviewItem | None:
    """Return the next real item of a type whose shifts begin with drills, and of which enough can be made."""
    order = view.order if view is not None else inbox.DUE_FIRST
    return (
        inbox.my_turn(person, view=view)
        .filter(inbox.free_for(person, now=now), kind=ItemKind.GATE, action__drill=False)
        .filter(action__action_type__in=types_ready())
        .select_related("action__action_type", "action__agent", "action__agent_version")
        .order_by(*order)
        .first()
    )


def types_ready() -> list[ActionType]:
    """Return the action types that are switched on and have enough drills for none to come twice."""
    return [found for found in ActionType.objects.filter(drill_burst=True) if is_ready(found)]


def is_ready(action_type: ActionType) -> bool:
    """Say whether enough drills of this type are in use for a burst."""
    counted = DrillSeed.objects.filter(action_type=action_type, state=SeedState.APPROVED).aggregate(
        all=Count("pk"), wrong=Count("pk", filter=Q(planted=True))
    )
    return bool(counted["all"] >= SIZE and counted["wrong"] >= WITH_ERROR)


def is_whole_turn(view: inbox.View | None) -> bool:
    """Say whether a reading of the inbox is work as it comes, and no search for something in particular."""
    if view is None:
        return True
    return replace(view, queue="", action_type="", agent="", risk="", risk_first=False) == inbox.View()


def words_after(decision: Decision) -> str:
    """Return what is said after an answer within a burst: what it is, or how it went. "" for other drills."""
    drill = Drill.objects.select_related("burst").filter(action=decision.action).first()
    if drill is None or drill.burst is None:
        return ""
    served = drill.burst.drills.filter(action__isnull=False)
    waits = inbox.my_turn(decision.reviewer).filter(action__served_drill__burst=drill.burst)
    if drill.burst.ended_at is None and (served.count() < SIZE or waits.exists()):
        return gettext("It warms you up, as your shift begins; none of these counts.")
    results = DrillResult.objects.filter(
        reviewer=decision.reviewer, drill_id__in=served.values("action__public_id")
    ).aggregate(answered=Count("pk"), right=Count("pk", filter=Q(caught=True)))
    return gettext("{right} of {answered} right; now the real ones.").format(**results)
