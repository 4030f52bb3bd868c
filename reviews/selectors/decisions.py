"""Questions about decisions."""

from __future__ import annotations

import hashlib
import hmac

from django.conf import settings
from django.contrib.auth.models import User
from django.db.models import QuerySet

from reviews.choices import ItemKind
from reviews.models import ActionRequest, Decision


def released_decision(action: ActionRequest) -> Decision | None:
    """Return the decision that closed this action, once it has left its undo window."""
    return (
        action.decisions.filter(terminal=True, released_at__isnull=False, item__kind=ItemKind.GATE)
        .select_related("action")
        .first()
    )


def pseudonym(person: User) -> str:
    """Return a steady name that tells an outsider nothing: 48 bits of HMAC-SHA256 of the person's key."""
    digest = hmac.new(settings.PSEUDONYM_SECRET, f"user:{person.pk}".encode(), hashlib.sha256).hexdigest()
    return f"rev_{digest[:12]}"


def reviewer_shown(decision: Decision, *, reveal: bool) -> str:
    """Return who decided, as it may be shown to an agent."""
    return decision.reviewer_name if reveal else pseudonym(decision.reviewer)


def of_person(person: User) -> QuerySet[Decision]:
    """Return a person's decisions, newest first."""
    return (
        Decision.objects.filter(reviewer=person)
        .select_related("item", "action__agent", "action__action_type")
        .order_by("-id")
    )


def to_undo(person: User, *, now: object) -> Decision | None:
    """Return the person's latest decision that can still be taken back."""
    return (
        Decision.objects.filter(reviewer=person, undone_at=None, released_at=None, release_at__gt=now)
        .select_related("item", "action")
        .order_by("-id")
        .first()
    )
