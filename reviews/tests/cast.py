"""The cast of the tests, built through services so that no test data is impossible.

Alice and Bob review, Dan may only look, Olga is the ops admin. The agent ``clerk`` belongs to Carol, who
reviews too. ``refund.issue`` is held under 90%, ``note.add`` runs alone from 50% on.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group, User

from hitl_site.lib.clock import database_now
from hitl_site.lib.strict_json import JsonValue
from policies.choices import AGENT_SCOPES, AutonomyLevel, Risk
from policies.models import ActionType, Agent, AgentKey
from policies.services import action_types, agents, autonomy, policies
from policies.services.ledger import Actor
from reviews.adapters import submission as wire
from reviews.choices import DecisionKind
from reviews.models import ActionRequest, ReviewItem
from reviews.selectors.attention import is_to_be_read
from reviews.services import attention, decisions, ingest

REFUND_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "order": {"type": "string", "title": "Order"},
        "amount": {"type": "number", "title": "Amount", "minimum": 0},
        "message": {"type": "string", "title": "Message to customer"},
    },
    "required": ["order", "amount"],
    "additionalProperties": False,
}
REFUND: dict[str, JsonValue] = {"order": "SO-48213", "amount": 184, "message": "Sorry!"}


@dataclass(frozen=True)
class Cast:
    """Everybody and everything a test needs, ready made."""

    alice: User
    bob: User
    carol: User
    dan: User
    olga: User
    clerk: Agent
    key: AgentKey
    token: str
    refund: ActionType
    note: ActionType


def make_person(name: str, *groups: str) -> User:
    user = User.objects.create_user(name.lower(), password=f"{name.lower()}-password", first_name=name)
    user.groups.set(Group.objects.filter(name__in=groups))
    return user


def make_cast() -> Cast:
    """Make the cast in the current database."""
    now = database_now()
    people = {
        "alice": make_person("Alice", "reviewer"),
        "bob": make_person("Bob", "reviewer"),
        "carol": make_person("Carol", "reviewer"),
        "dan": make_person("Dan", "manager"),
        "olga": make_person("Olga", "ops_admin"),
    }
    olga = people["olga"]
    clerk = agents.create_agent(name="clerk", owner=people["carol"], actor=Actor.person(olga), now=now)
    key, token = agents.create_key(agent=clerk, scopes=AGENT_SCOPES, actor=Actor.person(olga), now=now)
    version = agents.see_version(agent=clerk, label="1", now=now)
    refund = action_types.declare(
        name="refund.issue",
        title="Refund",
        title_template="Refund {amount} for {order}",
        risk=Risk.MEDIUM,
        argument_schema=REFUND_SCHEMA,
        reading_floor_ms=0,
        actor=Actor.person(olga),
        now=now,
    )
    note = action_types.declare(
        name="note.add", title="Note", risk=Risk.LOW, actor=Actor.person(olga), now=now
    )
    for action_type, threshold in ((refund, 0.9), (note, 0.5)):
        policies.put_in_force(
            action_type=action_type,
            document={"threshold": threshold, "audit_rate": 0.01, "undo_seconds": 5, "blind_share": 0},
            author=olga,
            reason="The cast's policy",
            now=now,
        )
        autonomy.grant(
            agent_version=version,
            action_type=action_type,
            level=AutonomyLevel.THRESHOLD,
            reason="The cast's level",
            granted_by=olga,
            now=now,
        )
    return Cast(**people, clerk=clerk, key=key, token=token, refund=refund, note=note)


@pytest.fixture
def cast(db: None) -> Cast:
    return make_cast()


def propose(cast: Cast, **body: Any) -> ActionRequest:
    """Submit a refund by clerk (held, at 71%) unless ``body`` says otherwise; return the action."""
    now = body.pop("now", None) or database_now()
    idempotency_key = body.pop("idempotency_key", None) or f"key-{ActionRequest.objects.count()}"
    given = {
        "action_type": "refund.issue",
        "arguments": REFUND,
        "confidence": 0.71,
        "agent_version": "1",
        **body,
    }
    return ingest.submit(
        key=cast.key, body=wire.read(given), idempotency_key=idempotency_key, request_id="", now=now
    ).action


def held(cast: Cast, **body: Any) -> ReviewItem:
    """Submit an action that is held and return its item."""
    return ReviewItem.objects.get(action=propose(cast, **body))


def decide_as(
    person: User,
    item: ReviewItem,
    kind: DecisionKind = DecisionKind.APPROVE,
    *,
    now: datetime | None = None,
    **answer: Any,
) -> decisions.Decided:
    """Decide as a person who has just opened the item, and read what has to be read before it may run."""
    now = now or database_now()
    item.refresh_from_db()
    if kind != DecisionKind.APPROVE:
        answer.setdefault("reasons", ("wrong_arguments",))
    token = attention.view_token(item=item, reviewer=person, now=now)
    opening = attention.opening(token=token, item_id=item.public_id, reviewer=person)
    if is_to_be_read(item):
        opening = replace(opening, opened_at=now - timedelta(seconds=3), arguments_seen=True)
    return decisions.decide(
        item_id=item.public_id,
        reviewer=person,
        answer=decisions.Answer(kind=kind, **answer),
        shown_digest=item.action.digest,
        item_version=item.version,
        opening=opening,
        now=now,
    )
