"""The sweep: everything that falls due, most urgent first.

Any number of workers may sweep at the same moment: each act claims its own row and skips those that another
worker has locked. Nothing depends on a sweep being in time, but when things happen; what is past its deadline
is refused by every service on its own.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.db import InterfaceError, OperationalError
from django.db.models import QuerySet

from policies.choices import PublicationState
from policies.models import Publication
from policies.services import publications
from reviews.choices import ActionState, ItemKind, ItemStatus
from reviews.models import ActionRequest, Decision, Drill, Execution, ReviewItem, SecondReview
from reviews.services import deadlines, drills, notices, reminders, second_opinions, second_reviews, stops

logger = logging.getLogger(__name__)

Act = Callable[..., int]

# Expiry before reminders: nobody is reminded of what can no longer be decided.
ACTS: tuple[Act, ...] = (
    deadlines.release_due,
    deadlines.expire_due,
    drills.serve_due,
    reminders.remind_due,
    notices.end_claims,
    deadlines.end_leases,
    deadlines.expire_permits,
    second_opinions.expire_due,
    second_reviews.end_due,
    stops.close_pending,
    publications.publish_due,
)


def run(*, now: datetime, acts: tuple[Act, ...] = ACTS) -> int:
    """Do all that is due, and return how much that was. An act that fails keeps no other from its turn."""
    done = 0
    for act in acts:
        try:
            done += act(now=now)
        except (InterfaceError, OperationalError):
            raise
        except Exception:
            logger.exception("%s failed as a whole and will be tried again", act.__qualname__)
    return done


def next_due(*, now: datetime) -> datetime | None:
    """Return when the next thing falls due after ``now``, for a sweeper to sleep until then.

    ``now`` is the moment of the last sweep. What was due then has been tried: to wake for it again at once
    would be to spin around a bad row.
    """
    waiting: tuple[tuple[QuerySet[Any], str], ...] = (
        (Decision.objects.filter(terminal=True, released_at=None, undone_at=None), "release_at"),
        (ActionRequest.objects.filter(state=ActionState.PENDING_REVIEW), "expires_at"),
        (ReviewItem.objects.filter(status=ItemStatus.OPEN, reminded_at=None), "remind_at"),
        (Execution.objects.filter(outcome=""), "lease_until"),
        (Drill.objects.filter(served_at=None, dropped_because=""), "serve_at"),
        (ReviewItem.objects.filter(status=ItemStatus.OPEN, kind=ItemKind.SECOND_OPINION), "due_at"),
        (SecondReview.objects.filter(ended_at=None), "ends_at"),
        (Publication.objects.filter(state=PublicationState.OPEN), "publish_at"),
    )
    moments = (
        rows.filter(**{f"{due}__gt": now}).order_by(due).values_list(due, flat=True).first()
        for rows, due in waiting
    )
    return min((moment for moment in moments if moment is not None), default=None)
