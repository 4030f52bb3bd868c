"""What a person has set for themselves."""

from __future__ import annotations

from django.contrib.auth.models import AnonymousUser, User

from reviews.models import Preferences


def preferences_of(person: User | AnonymousUser) -> Preferences | None:
    """Return what the person has set, None where they have set nothing (or are nobody)."""
    if not isinstance(person, User):
        return None
    # Signing in brings it along (reviews.backends): for the person of a request this asks nothing.
    own: Preferences | None = getattr(person, "preferences", None)
    return own
