"""Writing: one fact, in the transaction of the change that it tells of."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from django.db import connection, transaction

from hitl_site.lib.http import current_request_id
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


# Entry and payload in one statement: every act of the product passes here, and waits for it.
_WRITE: Final = """
    WITH entry AS (
        INSERT INTO policies_ledgerentry (
            transaction_id, actor_kind, actor_id, actor_name, verb, object_kind, object_id, action_id,
            request_id, payload_digest, occurred_at
        )
        VALUES (
            pg_current_xact_id(), %(actor_kind)s, %(actor_id)s, %(actor_name)s, %(verb)s, %(object_kind)s,
            %(object_id)s, %(action_id)s, %(request_id)s, %(payload_digest)s, %(occurred_at)s
        )
        RETURNING id
    )
    INSERT INTO policies_ledgerpayload (entry_id, salt, body)
    SELECT id, %(salt)s, %(body)s::jsonb FROM entry
    RETURNING entry_id
"""


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
    body: dict[str, JsonValue] = dict(payload or {})
    salt = secrets.token_bytes(32)
    written: dict[str, Any] = {
        "actor_kind": actor.kind,
        "actor_id": actor.id,
        "actor_name": actor.name,
        "verb": verb,
        "object_kind": object_kind,
        "object_id": object_id,
        "action_id": action_id,
        "request_id": current_request_id(),
        "payload_digest": payload_digest(salt, body),
        "occurred_at": now,
    }
    with connection.cursor() as cursor:
        cursor.execute(_WRITE, {**written, "salt": salt, "body": json.dumps(body)})
        (number,) = cursor.fetchone()
    return LedgerEntry(pk=number, **written)


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
