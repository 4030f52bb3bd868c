"""Accounts: who can sign in and with which rights, on the same record as everything else.

Django keeps accounts and groups, so most of these acts note what its own views and commands changed, in the
transaction of the change. What the ledger says of an account is its name, its groups and its rights. It holds
no password, no e-mail address and no network address; of a name that is not an account's nothing is kept,
since people type passwords there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from django.contrib.sessions.models import Session
from django.db import transaction

from hitl_site.lib.strict_json import JsonValue
from policies.models import LedgerEntry
from policies.services import ledger
from policies.services.ledger import Actor

if TYPE_CHECKING:
    from django.contrib.auth.models import Group, User

# Guessing passwords must not fill the ledger: the first refusals of a minute tell as much as all of them.
REFUSALS_A_MINUTE: Final = 20
_NOBODY: Final = "unknown"
_STRANGER: Final = Actor.system("sign-in page")


def forget_sessions(*, now: datetime) -> int:
    """Take the sessions away that are over, and with them who had signed in when; return how many."""
    return Session.objects.filter(expire_date__lte=now).delete()[0]


@transaction.atomic
def make_person(
    *,
    name: str,
    password: str,
    email: str = "",
    groups: Iterable[Group] = (),
    is_superuser: bool = False,
    actor: Actor,
    now: datetime,
) -> User:
    """Make somebody who can sign in.

    Raises Django's ``ValidationError`` for a name or address that will not do, ``IntegrityError`` when
    another process made the same name at the same moment. Whether the password is good enough the caller has
    asked.
    """
    from django.contrib.auth.models import User

    user = User(username=name, email=email, is_staff=is_superuser, is_superuser=is_superuser)
    user.set_password(password)
    user.full_clean()
    user.save()
    user.groups.set(groups)
    note_new_person(user=user, actor=actor, now=now)
    return user


def note_new_person(*, user: User, actor: Actor, now: datetime) -> None:
    """Note an account that was just made, in the transaction that made it."""
    after: dict[str, JsonValue] = {
        "active": user.is_active,
        "superuser": user.is_superuser,
        "groups": sorted(user.groups.values_list("name", flat=True)),
    }
    _record("account.created", user, actor=actor, now=now, payload={"before": None, "after": after})


def note_edit(
    *,
    kind: str,
    object_id: str,
    name: str,
    verb: str,
    before: Mapping[str, JsonValue] | None,
    after: Mapping[str, JsonValue] | None,
    actor: Actor,
    now: datetime,
) -> None:
    """Note what somebody changed in the admin, in the transaction of the change: the fields that differ."""
    ledger.record(
        actor=actor,
        verb=f"{kind}.{verb}",
        object_kind=kind,
        object_id=object_id,
        now=now,
        payload={
            "name": name,
            "before": None if before is None else dict(before),
            "after": None if after is None else dict(after),
        },
    )


@transaction.atomic
def set_password(*, user: User, password: str, actor: Actor, now: datetime) -> None:
    """Give an account another password. Whether it is good enough the caller has asked."""
    user.set_password(password)
    user.save(update_fields=["password"])
    note_password_change(user=user, actor=actor, now=now)


def note_password_change(*, user: User, actor: Actor, now: datetime) -> None:
    """Note that an account has another password, in the transaction that set it."""
    _record("account.password_changed", user, actor=actor, now=now)


def note_sign_in(*, user: User, now: datetime) -> None:
    """Note that somebody signed in, in the transaction that keeps when they last did."""
    _record("account.signed_in", user, actor=Actor.person(user), now=now)


@transaction.atomic
def note_sign_out(*, user: User, now: datetime) -> None:
    """Note that somebody signed out."""
    _record("account.signed_out", user, actor=Actor.person(user), now=now)


@transaction.atomic
def note_refused_sign_in(*, name: str, now: datetime) -> None:
    """Note that a sign-in was refused: for whose account, or that it was nobody's."""
    from django.contrib.auth.models import User

    user = User.objects.filter(username=name).first()
    object_id = str(user.pk) if user is not None else _NOBODY
    verb = "account.sign_in_refused"
    latest = LedgerEntry.objects.filter(object_kind="account", object_id=object_id).order_by("-id")
    lately = [
        entry
        for entry in latest[:REFUSALS_A_MINUTE]
        if entry.verb == verb and entry.occurred_at > now - timedelta(minutes=1)
    ]
    if len(lately) >= REFUSALS_A_MINUTE:
        return
    ledger.record(
        actor=_STRANGER,
        verb=verb,
        object_kind="account",
        object_id=object_id,
        now=now,
        payload={"name": user.username if user is not None else None},
    )


def _record(
    verb: str,
    user: User,
    *,
    actor: Actor,
    now: datetime,
    payload: Mapping[str, JsonValue] | None = None,
) -> None:
    ledger.record(
        actor=actor,
        verb=verb,
        object_kind="account",
        object_id=str(user.pk),
        now=now,
        payload={"name": user.username, **(payload or {})},
    )
