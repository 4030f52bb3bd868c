"""What the benchmarks need in the installation: an agent, action types with a policy, trust, a stop."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import psycopg
from django.conf import settings
from django.contrib.auth.models import User
from django.db import connection
from psycopg import sql

from hitl_site.lib.clock import database_now
from policies.choices import AGENT_SCOPES, AutonomyLevel, KillSwitchScope, Risk
from policies.models import Agent
from policies.services import action_types, agents, autonomy, kill_switch, policies
from policies.services.ledger import Actor

AGENT = "bench"
ALLOWED = "bench.refund"
STOPPED = "bench.stopped"
# About 2 kB as JSON.
ARGUMENTS = {"order": "SO-48213", "amount": 184.0, "message": "Sorry for the delay. " * 80}
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "order": {"type": "string"},
        "amount": {"type": "number"},
        "message": {"type": "string"},
    },
    "required": ["order", "amount"],
}
_RULES = [
    {"code": f"over_{limit}", "title": f"Over {limit}", "when": f"args.amount > {limit}.0", "then": "review"}
    for limit in (1000, 5000)
]


@dataclass(frozen=True)
class Installation:
    """What a load needs: the key of an agent that no rate and no cap of items slows down."""

    agent: Agent
    token: str


def prepare() -> Installation:
    """Make it all, once for a fresh database."""
    now = database_now()
    admin, _ = User.objects.get_or_create(username="admin")
    actor = Actor.person(admin)
    agent = agents.create_agent(name=AGENT, actor=actor, now=now)
    Agent.objects.filter(pk=agent.pk).update(
        rate_per_minute=100_000_000, rate_burst=100_000_000, max_pending=100_000_000
    )
    _, token = agents.create_key(agent=agent, scopes=AGENT_SCOPES, actor=actor, now=now)
    version = agents.see_version(agent=agent, label="1", now=now)
    for name in (ALLOWED, STOPPED):
        made = action_types.declare(
            name=name,
            title="Refund",
            title_template="Refund {amount} for {order}",
            risk=Risk.LOW,
            argument_schema=SCHEMA,
            actor=actor,
            now=now,
        )
        policies.put_in_force(
            action_type=made,
            document={"threshold": 0.5, "rules": _RULES, "audit_rate": 0.02},
            author=admin,
            reason="benchmark",
            now=now,
        )
        autonomy.grant(
            agent_version=version,
            action_type=made,
            level=AutonomyLevel.THRESHOLD,
            reason="benchmark",
            granted_by=admin,
            now=now,
        )
    # The last of the loop: nothing of it is allowed, whatever its score.
    kill_switch.engage(
        scope=KillSwitchScope.ACTION_TYPE, action_type=made, reason="benchmark", engaged_by=admin, now=now
    )
    make_table("bench_row", "id bigserial PRIMARY KEY, body jsonb NOT NULL")
    connection.close()
    return Installation(agent=agent, token=token)


def make_table(name: str, columns: str) -> None:
    """Make a table for the application's own role, which may make none itself."""
    table = sql.Identifier(name)
    user = sql.Identifier(connection.settings_dict["USER"])
    with psycopg.connect(settings.MIGRATION_DATABASE_URL or settings.DATABASE_URL) as line:
        line.execute(sql.SQL("CREATE TABLE {} (" + columns + ")").format(table))
        line.execute(sql.SQL("GRANT ALL ON {} TO {}").format(table, user))
        line.execute(sql.SQL("GRANT ALL ON {} TO {}").format(sql.Identifier(f"{name}_id_seq"), user))
