"""Writing: one fact, in the transaction of the change that it tells of."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final

from django.db import connection, transaction

from hitl_site.lib import rows
from hitl_site.lib.http import current_request_id
from hitl_site.lib.instances import made
from hitl_site.lib.strict_json import JsonValue
from policies.choices import ActorKind
from policies.models import Agent, LedgerEntry, LedgerPayload
from policies.services.ledger.digests import payload_digest

if TYPE_CHECKING:
    from django.contrib.auth.models import User

_NAME_LENGTH: Final = 200


class NotInTransaction(RuntimeError):
    """The ledger was used outside a transaction: its fact could come apart from the change it tells of."""


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts: kept as text, so that the record outlives accounts and their names."""

    kind: ActorKind
    id: str
    name: str

    @staticmethod
    def person(user: User) -> Actor:
        """Return the actor for somebody who signed in."""
        return Actor(ActorKind.PERSON, str(user.pk), (user.get_full_name() or user.username)[:_NAME_LENGTH])

    @staticmethod
    def agent(agent: Agent) -> Actor:
        """Return the actor for an agent."""
        return Actor(ActorKind.AGENT, agent.public_id, agent.name)

    @staticmethod
    def system(name: str = "handrail") -> Actor:
        """Return the actor for what Handrail does by itself."""
        return Actor(ActorKind.SYSTEM, "", name)


def record(
    *,
    actor: Actor,
    verb: str,
    object_kind: str,
    object_id: str,
    now: datetime,
    payload: Mapping[str, JsonValue] | None = None,
    action_id: str = "",
) -> LedgerEntry:
    """Write one fact in the caller's transaction; it stands exactly when the caller's change does.

    Raises ``NotInTransaction`` outside of one.
    """
    require_transaction()
    entry, said = drawn_up(
        actor=actor,
        verb=verb,
        object_kind=object_kind,
        object_id=object_id,
        now=now,
        payload=payload,
        action_id=action_id,
    )
    rows.insert(entry, said)
    return entry


def drawn_up(
    *,
    actor: Actor,
    verb: str,
    object_kind: str,
    object_id: str,
    now: datetime,
    payload: Mapping[str, JsonValue] | None = None,
    action_id: str = "",
) -> tuple[LedgerEntry, LedgerPayload]:
    """Return one fact as rows not written yet, for a caller who writes them with the change itself."""
    body: dict[str, JsonValue] = dict(payload or {})
    salt = secrets.token_bytes(32)
    entry = made(
        LedgerEntry,
        actor_kind=actor.kind,
        actor_id=actor.id,
        actor_name=actor.name,
        verb=verb,
        object_kind=object_kind,
        object_id=object_id,
        action_id=action_id,
        request_id=current_request_id(),
        payload_digest=payload_digest(salt, body),
        occurred_at=now,
    )
    return entry, made(LedgerPayload, entry=entry, salt=salt, body=body)


def erase_payload(*, entry: LedgerEntry, actor: Actor, reason: str, now: datetime) -> None:
    """Erase what an entry says, for good; who did what when stays, and so does the chain."""
    with transaction.atomic():
        erased = LedgerPayload.objects.filter(entry=entry, erased_at=None).update(
            body=None, salt=None, erased_at=now
        )
        if erased:
            record(
                actor=actor,
                verb="ledger.payload_erased",
                object_kind="ledger_entry",
                object_id=str(entry.pk),
                now=now,
                payload={"reason": reason},
                action_id=entry.action_id,
            )


def require_transaction() -> None:
    """Raise ``NotInTransaction`` outside of one."""
    if not connection.in_atomic_block:
        raise NotInTransaction("The ledger is written and read inside the transaction of the change itself.")
