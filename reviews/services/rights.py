"""Rights, read from the database in the transaction that acts: never from the session."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from django.contrib.auth.models import User
from django.utils.translation import gettext

from hitl_site.lib import parts, rows
from hitl_site.lib.parts import Part
from policies.services import rights
from reviews.selectors import team

REVIEW = "reviews.review_item"
VIEW_ANY = "reviews.view_any_item"
STOP = "policies.use_kill_switch"
_PERSON: Final = (Part.of(User, "u", without=frozenset({"password"})),)
# As ``User.has_perm`` asks it of Django's own backend: by person, by group, and of whoever may do anything.
# Asked for every act, so in one statement that PostgreSQL plans once. A test holds that both say the same.
_HOLDERS: Final = f"""
    SELECT {parts.columns(_PERSON)} FROM auth_user u
    WHERE u.id = ANY($1::integer[]) AND u.is_active AND (u.is_superuser OR EXISTS (
        SELECT FROM auth_permission p JOIN django_content_type ct ON ct.id = p.content_type_id
        WHERE ct.app_label = $2 AND p.codename = $3 AND (
            EXISTS (
                SELECT FROM auth_user_user_permissions o WHERE o.permission_id = p.id AND o.user_id = u.id)
            OR EXISTS (
                SELECT FROM auth_user_groups m JOIN auth_group_permissions g ON g.group_id = m.group_id
                WHERE g.permission_id = p.id AND m.user_id = u.id))))
    ORDER BY u.id
"""  # noqa: S608 - names of columns of ours; every value is a parameter


class NotAllowed(Exception):
    """This person may not do that (any more)."""


def current_reviewer(user: User) -> User:
    """Return the person as the database knows them now, when they may review. Raises ``NotAllowed``.

    Call it in the transaction that acts: whoever takes the right away meanwhile waits for that transaction,
    so that the person had the right when it was committed.
    """
    for fresh in _holders_now([user.pk], REVIEW):
        return fresh
    raise NotAllowed(
        gettext("You need the right to decide review items; an ops admin can add you to the reviewers.")
    )


def current_holder(user: User, right: str) -> User:
    """As ``current_reviewer``, for another right."""
    for fresh in _holders_now([user.pk], right):
        return fresh
    raise NotAllowed(
        gettext("You need the right {right}; an administrator can grant it.").format(right=right)
    )


def who_may_review(user_ids: Iterable[int], *, action_type_name: str) -> frozenset[int]:
    """Return who of these people may review this action type now, in the transaction that acts on it."""
    able = {person.pk for person in _holders_now(user_ids, REVIEW)}
    return frozenset(able - team.unskilled_among(able, action_type_name)) if able else frozenset()


def _holders_now(user_ids: Iterable[int], right: str) -> list[User]:
    """Return those of these people who have the right, locked against losing it until the commit."""
    keys = sorted(set(user_ids))
    if not keys:
        return []
    rights.hold(keys)
    app, _, codename = right.partition(".")
    with rows.server_side_cursor() as cursor:
        cursor.execute(_HOLDERS, [keys, app, codename])
        found = cursor.fetchall()
    # New instances: Django caches permissions on the one that came with a request.
    return [person for row in found for person in parts.instances(_PERSON, row)]
