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
from policies.models import ActionType, Agent, AgentKey, AgentVersion, PolicyVersion

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


# Deferred: the text is read when a process first meets the version, and never again; nobody asks here how a
# version came about.
_LATER: Final = frozenset(
    {
        "document",
        "reason",
        "author_id",
        "author_name",
        "created_at",
        "rollback_of_id",
        "shadowed_at",
        "published_at",
        "retired_at",
    }
)
_PARTS: Final = (
    Part.of(AgentVersion, "v", without=frozenset({"first_seen_at"})),
    Part.of(ActionType, "t", without=frozenset({"created_at", "updated_at"})),
    Part.of(PolicyVersion, "p", without=_LATER),
    Part.of(PolicyVersion, "s", without=_LATER),
)
_WIDTH: Final = parts.width(_PARTS)
_KEY: Final = (Part.of(AgentKey, "k"), Part.of(Agent, "a"))
_KEY_WIDTH: Final = parts.width(_KEY)
# Where an action stands begins at its agent, or at the key that the agent shows.
_BY_AGENT: Final = "policies_agent a"
_BY_LOOKUP: Final = """(SELECT $1 AS lookup) asked
        LEFT JOIN policies_agentkey k ON k.lookup = asked.lookup
        LEFT JOIN policies_agent a ON a.id = k.agent_id"""


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

    ``beside`` are further columns; they may name $7 and on, for ``values``, the tables below, and the time as
    ``c.now``.
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
    return _standing(agent, row, version)


def load_by_key(
    *,
    lookup: str,
    label: str,
    fingerprint: str,
    action_type_name: str,
    beside: tuple[str, ...] = (),
    values: Sequence[rows.Value] = (),
) -> tuple[datetime, AgentKey | None, Standing | None]:
    """Return the database's time, the key of this lookup with its agent, and where an action of it stands.

    Whether the key is good, and the caller's, is for the caller to find out before anything else. The first
    question of a request.
    """
    now, *row = rows.first_answer(
        _statement(beside, by_key=True), [lookup, None, label, fingerprint, action_type_name, None, *values]
    )
    key, agent = parts.instances(_KEY, row)
    if key is None:
        return now, None, None
    key.agent = agent
    return now, key, _standing(agent, row[_KEY_WIDTH:], None)


def _standing(agent: Agent, row: Sequence[Any], version: AgentVersion | None) -> Standing:
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
def _statement(beside: tuple[str, ...], *, by_key: bool = False) -> str:
    columns = ", ".join([parts.columns(_PARTS), *beside])
    first = f"c.now, {parts.columns(_KEY)}, " if by_key else ""
    start = _BY_LOOKUP if by_key else _BY_AGENT
    ending = "" if by_key else "WHERE a.id = $1::bigint"
    # Names of our own models alone; every value is a parameter.
    return f"""
        SELECT {first}a.state, g.level, g.threshold, g.audit_rate, g.canary_share, g.canary_base,
            EXISTS (
                SELECT FROM policies_killswitch k WHERE k.lifted_at IS NULL
                AND (k.scope = 'everything' OR k.agent_id = a.id OR k.action_type_id = t.id)
            ),
            {columns}
        FROM {start}
        -- Asked once: a volatile function in a subquery stays there.
        CROSS JOIN (SELECT coalesce($6::timestamptz, clock_timestamp()) AS now) c
        LEFT JOIN policies_agentversion v
            ON v.id = coalesce($2::bigint, (
                SELECT known.id FROM policies_agentversion known
                WHERE known.agent_id = a.id AND known.label = $3 AND known.fingerprint = $4
            ))
        LEFT JOIN policies_actiontype t ON t.name = $5
        LEFT JOIN policies_policyversion p ON p.action_type_id = t.id AND p.state = '{_LIVE}'
        LEFT JOIN policies_policyversion s ON s.action_type_id = t.id AND s.state = '{_SHADOW}'
        LEFT JOIN policies_autonomygrant g ON g.agent_version_id = v.id AND g.action_type_id = t.id
            AND g.ended_at IS NULL AND (g.expires_at IS NULL OR g.expires_at > c.now)
        {ending}
    """  # noqa: S608 - columns of our models
