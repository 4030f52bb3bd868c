"""Questions about decisions."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.contrib.auth.models import User
from django.db.models import QuerySet
from django.utils.translation import gettext

from reviews.choices import ItemKind
from reviews.models import ActionRequest, Decision
from reviews.selectors import drills
from reviews.selectors.attention import is_quick
from reviews.selectors.drills import TOLD_FOR

# How long a page says that an answer has gone out.
JUST_GONE = timedelta(seconds=20)


def released_decision(action: ActionRequest) -> Decision | None:
    """Return the decision that closed this action, once it has left its undo window."""
    return (
        action.decisions.filter(terminal=True, released_at__isnull=False, item__kind=ItemKind.GATE)
        .select_related("action")
        .first()
    )


def pseudonym(user_id: int) -> str:
    """Return a steady name that tells an outsider nothing: 48 bits of HMAC-SHA256 of the person's key."""
    digest = hmac.new(settings.PSEUDONYM_SECRET, f"user:{user_id}".encode(), hashlib.sha256).hexdigest()
    return f"rev_{digest[:12]}"


def reviewer_shown(decision: Decision, *, reveal: bool) -> str:
    """Return who decided, as it may be shown to an agent."""
    return decision.reviewer_name if reveal else pseudonym(decision.reviewer_id)


def of_person(person: User) -> QuerySet[Decision]:
    """Return a person's decisions, newest first."""
    return (
        Decision.objects.filter(reviewer=person)
        .select_related("item", "action__agent", "action__action_type")
        .order_by("-id")
    )


def latest(person: User, *, now: datetime) -> Decision | None:
    """Return the person's last answer while there is something to say of it: it can be taken back, it has
    gone out this very moment, or it was to a drill a while ago."""
    last = (
        Decision.objects.filter(reviewer=person, undone_at=None)
        .select_related("item", "action__action_type")
        .order_by("-id")
        .first()
    )
    if last is None:
        return None
    is_news = last.decided_at > now - TOLD_FOR if last.action.drill else last.release_at > now - JUST_GONE
    return last if is_news else None


@dataclass(frozen=True)
class Told:
    """A decision in a list: what became of it, and whether it can still be taken back."""

    decision: Decision
    standing: str
    undoable: bool
    quick: bool = False  # an approval too fast to count as evidence
    drill: drills.Told | None = None


def told(decision: Decision, *, now: datetime) -> Told:
    """Return what to say of a decision at a moment."""
    drill = drills.told(decision)
    if drill is not None:
        standing = gettext("Drill: caught") if drill.caught else gettext("Drill: missed")
        return Told(
            decision, standing if drill.planted else gettext("Drill: nothing was wrong"), False, drill=drill
        )
    undoable = decision.undone_at is None and decision.released_at is None and decision.release_at > now
    if decision.undone_at is not None:
        standing = gettext("Taken back")
    elif decision.released_at is not None:
        standing = gettext("Gone out")
    elif undoable:
        standing = gettext("Not gone out yet")
    else:
        standing = gettext("Going out") if decision.terminal else gettext("Waits for another person")
    return Told(decision=decision, standing=standing, undoable=undoable, quick=is_quick(decision))
