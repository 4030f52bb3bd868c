"""Rights, read from the database in the transaction that acts: never from the session."""

from __future__ import annotations

from django.contrib.auth.models import User

REVIEW = "reviews.review_item"
VIEW_ANY = "reviews.view_any_item"


class NotAllowed(Exception):
    """This person may not do that (any more)."""


def current_reviewer(user: User) -> User:
    """Return the person as the database knows them now, when they may review. Raises ``NotAllowed``."""
    # A new instance: Django caches permissions on the one that came with the request.
    fresh = User.objects.filter(pk=user.pk, is_active=True).first()
    if fresh is None or not fresh.has_perm(REVIEW):
        raise NotAllowed(
            "You need the right to decide review items; an ops admin can add you to the reviewers."
        )
    return fresh
