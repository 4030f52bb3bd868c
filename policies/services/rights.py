"""Who may govern, read from the database in the transaction that acts: never from the session."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from django.core.exceptions import PermissionDenied
from django.db import connection, transaction
from django.utils.translation import gettext

from policies.selectors import people
from policies.services.ledger import Actor

if TYPE_CHECKING:
    from django.contrib.auth.models import User

# A key of PostgreSQL's advisory locks ("hr_right"), kept in step with the trigger of migration 0007: acts
# hold it shared, and whoever takes a right from a group holds it alone. Nothing is written for it.
RIGHTS_LOCK: Final = 0x68725F7269676874
# One order for all, so that two acts never wait for each other: each part is evaluated when its count is.
_HOLD: Final = """
    WITH people AS (SELECT 1 FROM auth_user WHERE id = ANY(%(ids)s) ORDER BY id FOR SHARE),
    groups AS (SELECT 1 FROM auth_user_groups WHERE user_id = ANY(%(ids)s) ORDER BY id FOR SHARE),
    own AS (SELECT 1 FROM auth_user_user_permissions WHERE user_id = ANY(%(ids)s) ORDER BY id FOR SHARE)
    SELECT pg_advisory_xact_lock_shared(%(rights)s),
        (SELECT count(*) FROM people), (SELECT count(*) FROM groups), (SELECT count(*) FROM own)
"""


class NotAllowed(PermissionDenied):
    """This person may not do that (any more)."""


@contextmanager
def acting(person: User, right: str) -> Iterator[Actor]:
    """One transaction for an act and for the question whether this person may: give them as the actor.

    Whoever takes the right away meanwhile waits for it. Raises ``NotAllowed`` before anything is done.
    """
    with transaction.atomic():
        hold([person.pk])
        yield Actor.person(_fresh(person, right))


@contextmanager
def acting_at_once(person: User, right: str) -> Iterator[Actor]:
    """The same for an act that only makes things stricter, and that must wait for nobody: a stop.

    The right is read in the transaction, and not held until its end.
    """
    with transaction.atomic():
        yield Actor.person(_fresh(person, right))


def _fresh(person: User, right: str) -> User:
    found = people.holders_among([person.pk], right)
    if not found:
        told = gettext("You need the right {right}, and do not have it (any more). Nothing was changed.")
        raise NotAllowed(told.format(right=right))
    return found[person.pk]


def current_manager(user: User) -> User:
    """Return the person as the database knows them now, when they may publish. Raises ``NotAllowed``."""
    found = hold_managers([user.pk])
    if not found:
        raise NotAllowed(gettext("You need the right to declare action types and publish policies."))
    return found[user.pk]


def hold_managers(ids: Collection[int]) -> dict[int, User]:
    """Return those of these people who may publish, by their number.

    Whoever takes the right away from one of them meanwhile waits for this transaction.
    """
    hold(ids)
    return people.managers_among(ids)


def hold(ids: Collection[int]) -> None:
    """Lock what gives these people their rights: whoever takes one away waits for this transaction.

    From them, or from a group. Shared: acts that rest on the same person do not wait for each other.
    """
    if ids:
        with connection.cursor() as cursor:
            cursor.execute(_HOLD, {"ids": sorted(set(ids)), "rights": RIGHTS_LOCK})
