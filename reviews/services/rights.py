"""Rights, read from the database in the transaction that acts: never from the session."""

from __future__ import annotations

from collections.abc import Iterable

from django.contrib.auth.models import User
from django.utils.translation import gettext

from policies.services import rights
from reviews.selectors import team

REVIEW = "reviews.review_item"
VIEW_ANY = "reviews.view_any_item"
STOP = "policies.use_kill_switch"


class NotAllowed(Exception):
    """This person may not do that (any more)."""


def current_reviewer(user: User) -> User:
    """Return the person as the database knows them now, when they may review. Raises ``NotAllowed``.

    Call it in the transaction that acts: whoever takes the right away meanwhile waits for that transaction,
    so that the person had the right when it was committed.
    """
    for fresh in _as_they_are_now([user.pk]):
        if fresh.has_perm(REVIEW):
            return fresh
    raise NotAllowed(
        gettext("You need the right to decide review items; an ops admin can add you to the reviewers.")
    )


def current_holder(user: User, right: str) -> User:
    """As ``current_reviewer``, for another right."""
    for fresh in _as_they_are_now([user.pk]):
        if fresh.has_perm(right):
            return fresh
    raise NotAllowed(
        gettext("You need the right {right}; an administrator can grant it.").format(right=right)
    )


def who_may_review(user_ids: Iterable[int], *, action_type_name: str) -> frozenset[int]:
    """Return who of these people may review this action type now, in the transaction that acts on it."""
    able = {person.pk for person in _as_they_are_now(user_ids) if person.has_perm(REVIEW)}
    return frozenset(able - team.unskilled_among(able, action_type_name)) if able else frozenset()


def _as_they_are_now(user_ids: Iterable[int]) -> list[User]:
    """Return the active ones of these people, locked against losing a right until the caller's commit."""
    keys = set(user_ids)
    rights.hold(keys)
    # New instances: Django caches permissions on the one that came with a request.
    return list(User.objects.filter(pk__in=keys, is_active=True).order_by("pk"))
