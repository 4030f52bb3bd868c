"""Where an action stands: everything the gate asks the database about it before it judges, in one statement.

The agent's state, its version with the level granted to it, the action type, the policy in force, the one in
shadow, and whether a stop covers any of it: read together, from one snapshot, in the transaction of the
answer. Nothing of it is remembered from one action to the next. What the statement does not carry is the text
of a policy, which never changes once it is published and is compiled once a process.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any, Final

from hitl_site.lib import parts, rows
from hitl_site.lib.parts import Part
from policies.choices import PolicyState
from policies.models import ActionType, Agent, AgentVersion, PolicyVersion

_LIVE: Final = PolicyState.LIVE.value
_SHADOW: Final = PolicyState.SHADOW.value


@dataclass(frozen=True, slots=True)
class Granted:
    """The grant in force: its level and what it comes with."""

    level: str
    threshold: float | None
    audit_rate: float | None
    canary_share: float
    canary_base: str


@dataclass(frozen=True, slots=True)
class Standing:
    """What the database says at this moment. ``beside`` is what the caller asked in the same breath."""

    agent_state: str
    agent_version: AgentVersion | None
    action_type: ActionType | None
    policy_version: PolicyVersion | None
    shadow_version: PolicyVersion | None
    granted: Granted | None
    stopped: bool
    beside: tuple[Any, ...] = ()


_PARTS: Final = (
    Part.of(AgentVersion, "v"),
    Part.of(ActionType, "t"),
    # Deferred: it is read when a process first meets the version, and never again.
    Part.of(PolicyVersion, "p", without=frozenset({"document"})),
    Part.of(PolicyVersion, "s", without=frozenset({"document"})),
)
_WIDTH: Final = parts.width(_PARTS)


def load(
    *,
    agent: Agent,
    action_type_name: str,
    now: datetime,
    version: AgentVersion | None = None,
    label: str = "",
    fingerprint: str = "",
    beside: tuple[str, ...] = (),
    values: Sequence[object] = (),
) -> Standing:
    """Return where an action of this agent and name stands: by its version, or by what names one.

    ``beside`` are further columns; they may name $7 and on, for ``values``, and the tables above.
    """
    known = version.pk if version is not None else None
    with rows.server_side_cursor() as cursor:
        cursor.execute(
            _statement(beside),
            [str(agent.pk), known and str(known), label, fingerprint, action_type_name, now, *values],
        )
        row = cursor.fetchone()
    if row is None:
        raise Agent.DoesNotExist(f"There is no agent {agent.pk}.")
    agent_state, level, threshold, audit_rate, canary_share, canary_base, stopped, *rest = row
    seen, declared, live, in_shadow = parts.instances(_PARTS, rest)
    for policy in (live, in_shadow):
        if policy is not None:
            policy.action_type = declared
    if seen is not None:
        seen.agent = agent
    return Standing(
        agent_state=agent_state,
        agent_version=version or seen,
        action_type=declared,
        policy_version=live,
        shadow_version=in_shadow,
        granted=Granted(level, threshold, audit_rate, canary_share, canary_base) if level else None,
        stopped=stopped,
        beside=tuple(rest[_WIDTH:]),
    )


@lru_cache(maxsize=8)
def _statement(beside: tuple[str, ...]) -> str:
    columns = ", ".join([parts.columns(_PARTS), *beside])
    # Names of our own models alone; every value is a parameter.
    return f"""
        SELECT a.state, g.level, g.threshold, g.audit_rate, g.canary_share, g.canary_base,
            EXISTS (
                SELECT FROM policies_killswitch k WHERE k.lifted_at IS NULL
                AND (k.scope = 'everything' OR k.agent_id = a.id OR k.action_type_id = t.id)
            ),
            {columns}
        FROM policies_agent a
        LEFT JOIN policies_agentversion v
            ON v.id = coalesce($2::bigint, (
                SELECT known.id FROM policies_agentversion known
                WHERE known.agent_id = a.id AND known.label = $3 AND known.fingerprint = $4
            ))
        LEFT JOIN policies_actiontype t ON t.name = $5
        LEFT JOIN policies_policyversion p ON p.action_type_id = t.id AND p.state = '{_LIVE}'
        LEFT JOIN policies_policyversion s ON s.action_type_id = t.id AND s.state = '{_SHADOW}'
        LEFT JOIN policies_autonomygrant g ON g.agent_version_id = v.id AND g.action_type_id = t.id
            AND g.ended_at IS NULL AND (g.expires_at IS NULL OR g.expires_at > $6::timestamptz)
        WHERE a.id = $1::bigint
    """  # noqa: S608 - columns of our models
