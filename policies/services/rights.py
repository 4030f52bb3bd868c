"""Who may govern, read from the database in the transaction that acts: never from the session."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Final

from django.db import connection

from policies.selectors import people

if TYPE_CHECKING:
    from django.contrib.auth.models import User

# One order for all, so that two acts never wait for each other. Constants of ours, no value goes in here.
_HOLD: Final = (
    "SELECT 1 FROM auth_user WHERE id = ANY(%s) ORDER BY id FOR SHARE",
    "SELECT 1 FROM auth_user_groups WHERE user_id = ANY(%s) ORDER BY id FOR SHARE",
    "SELECT 1 FROM auth_user_user_permissions WHERE user_id = ANY(%s) ORDER BY id FOR SHARE",
)


class NotAllowed(Exception):
    """This person may not do that (any more)."""


def current_manager(user: User) -> User:
    """Return the person as the database knows them now, when they may publish. Raises ``NotAllowed``."""
    found = hold_managers([user.pk])
    if not found:
        raise NotAllowed("You need the right to declare action types and publish policies.")
    return found[user.pk]


def hold_managers(ids: Collection[int]) -> dict[int, User]:
    """Return those of these people who may publish, by their number.

    Whoever takes the right away from one of them meanwhile waits for this transaction.
    """
    wanted = sorted(set(ids))
    with connection.cursor() as cursor:
        for statement in _HOLD:
            cursor.execute(statement, [wanted])
    return people.managers_among(wanted)
