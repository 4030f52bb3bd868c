"""Rights, read from the database in the transaction that acts: never from the session."""

from __future__ import annotations

from django.contrib.auth.models import User
from django.db import connection

REVIEW = "reviews.review_item"
VIEW_ANY = "reviews.view_any_item"


class NotAllowed(Exception):
    """This person may not do that (any more)."""


def current_reviewer(user: User) -> User:
    """Return the person as the database knows them now, when they may review. Raises ``NotAllowed``.

    Call it in the transaction that acts: whoever takes the right away meanwhile waits for that transaction,
    so that the person had the right when it was committed.
    """
    with connection.cursor() as cursor:
        # Shared: a person's own acts do not wait for each other.
        cursor.execute("SELECT 1 FROM auth_user WHERE id = %s FOR SHARE", [user.pk])
        cursor.execute("SELECT 1 FROM auth_user_groups WHERE user_id = %s FOR SHARE", [user.pk])
        cursor.execute("SELECT 1 FROM auth_user_user_permissions WHERE user_id = %s FOR SHARE", [user.pk])
    # A new instance: Django caches permissions on the one that came with the request.
    fresh = User.objects.filter(pk=user.pk, is_active=True).first()
    if fresh is None or not fresh.has_perm(REVIEW):
        raise NotAllowed(
            "You need the right to decide review items; an ops admin can add you to the reviewers."
        )
    return fresh
