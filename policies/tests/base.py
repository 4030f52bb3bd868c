"""The cast of the governing tests, made by the services themselves so that none of it can be impossible."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import count
from typing import TYPE_CHECKING, Any, cast

from hitl_site.lib import ids
from policies.choices import AutonomyLevel, Risk
from policies.models import (
    ActionType,
    Agent,
    AgentVersion,
    AutonomyGrant,
    LedgerPayload,
    PolicyVersion,
)
from policies.services import action_types, agents, autonomy, policies
from policies.services.gate import Proposal
from policies.services.ledger import Actor

if TYPE_CHECKING:
    from django.contrib.auth.models import User

    from hitl_site.lib.strict_json import JsonValue

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
SYSTEM = Actor.system()
REFUND_SCHEMA: dict[str, JsonValue] = {
    "type": "object",
    "properties": {
        "order_id": {"type": "string"},
        "amount": {"type": "integer", "minimum": 1, "maximum": 50_000},
    },
    "required": ["order_id", "amount"],
    "additionalProperties": False,
}
_numbers = count(1)


def make_user(name: str) -> User:
    from django.contrib.auth.models import User

    return User.objects.create_user(username=name, password="a long enough password")


def make_refund_type(**fields: object) -> ActionType:
    declared: dict[str, object] = {
        "name": "refund.issue",
        "title": "Issue a refund",
        "title_template": "Refund {amount|money} for {order_id}",
        "risk": Risk.MEDIUM,
        "argument_schema": REFUND_SCHEMA,
        "cluster_pointer": "/order_id",
    }
    return action_types.declare(**{**declared, **fields}, actor=SYSTEM, now=NOON)  # type: ignore[arg-type]  # any field


def make_policy(action_type: ActionType, author: User, **document: object) -> PolicyVersion:
    return policies.put_in_force(
        action_type=action_type,
        document={"threshold": 0.8, "audit_rate": 0.2, **document},
        author=author,
        reason="for the tests",
        now=NOON,
    )


def make_agent(name: str = "clerk", label: str = "1.0") -> tuple[Agent, AgentVersion]:
    agent = agents.create_agent(name=name, actor=SYSTEM, now=NOON)
    return agent, agents.see_version(agent=agent, label=label, now=NOON)


def trust(
    version: AgentVersion,
    action_type: ActionType,
    by: User,
    level: AutonomyLevel = AutonomyLevel.THRESHOLD,
    expires_at: datetime | None = None,
) -> AutonomyGrant:
    return autonomy.grant(
        agent_version=version,
        action_type=action_type,
        level=level,
        reason="it earned this",
        granted_by=by,
        expires_at=expires_at,
        now=NOON,
    )


def make_proposal(version: AgentVersion, **fields: object) -> Proposal:
    proposed: dict[str, object] = {
        "action_id": ids.new("act"),
        "agent": version.agent,
        "agent_version": version,
        "action_type_name": "refund.issue",
        "arguments": {"order_id": f"W{next(_numbers)}", "amount": 1250},
        "confidence": 0.9,
    }
    return Proposal(**{**proposed, **fields})  # type: ignore[arg-type]  # any field


def recorded(verb: str) -> list[dict[str, Any]]:
    """Return what the ledger's entries of this verb say, first things first."""
    payloads = LedgerPayload.objects.filter(entry__verb=verb).order_by("entry_id")
    return [cast(dict[str, Any], payload.body) for payload in payloads]
