"""Where an action stands: everything the gate asks the database about it before it judges, in one statement.

The agent's state, its version with the level granted to it, the action type, the policy in force, the one in
shadow, and whether a stop covers any of it: read together, from one snapshot, in the transaction of the
answer. Nothing of it is remembered from one action to the next. What the statement does not carry is the text
of a policy, which never changes once it is published and is compiled once a process.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any, Final, TypeVar

from django.db import connection, models

from hitl_site.lib import rows
from policies.choices import PolicyState
from policies.models import ActionType, Agent, AgentVersion, PolicyVersion

T = TypeVar("T")
_LIVE: Final = PolicyState.LIVE.value
_SHADOW: Final = PolicyState.SHADOW.value


@dataclass(frozen=True, slots=True)
class Standing:
    """What the database says at this moment. ``beside`` is what the caller asked in the same breath."""

    agent_state: str
    agent_version: AgentVersion | None
    action_type: ActionType | None
    policy_version: PolicyVersion | None
    shadow_version: PolicyVersion | None
    granted_level: str | None
    stopped: bool
    beside: tuple[Any, ...] = ()


@dataclass(frozen=True, slots=True)
class _Part:
    """One model in the answer: its alias in the statement, and the columns that come."""

    model: type[models.Model]
    alias: str
    names: tuple[str, ...]
    key: int
    documents: tuple[int, ...]
    columns: str


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
    agent_state, granted, stopped, *rest = row
    places = _places()
    found: list[models.Model | None] = []
    for part, start in zip(_PARTS, places, strict=False):
        found.append(_instance(part, rest[start : start + len(part.names)]))
    seen, declared, live, in_shadow = found
    for policy in (live, in_shadow):
        if isinstance(policy, PolicyVersion) and isinstance(declared, ActionType):
            policy.action_type = declared
    if isinstance(seen, AgentVersion):
        seen.agent = agent
    return Standing(
        agent_state=agent_state,
        agent_version=version if version is not None else _as(AgentVersion, seen),
        action_type=_as(ActionType, declared),
        policy_version=_as(PolicyVersion, live),
        shadow_version=_as(PolicyVersion, in_shadow),
        granted_level=granted,
        stopped=stopped,
        beside=tuple(rest[places[-1] :]),
    )


def _part(model: type[models.Model], alias: str, *, without: frozenset[str] = frozenset()) -> _Part:
    fields = [field for field in model._meta.concrete_fields if field.attname not in without]
    documents = [index for index, field in enumerate(fields) if isinstance(field, models.JSONField)]
    return _Part(
        model=model,
        alias=alias,
        names=tuple(field.attname for field in fields),
        key=next(index for index, field in enumerate(fields) if field.primary_key),
        documents=tuple(documents),
        columns=", ".join(
            f'{alias}."{field.column}"' + ("::text" if index in documents else "")
            for index, field in enumerate(fields)
        ),
    )


_PARTS: Final = (
    _part(AgentVersion, "v"),
    _part(ActionType, "t"),
    # Deferred: it is read when a process first meets the version, and never again.
    _part(PolicyVersion, "p", without=frozenset({"document"})),
    _part(PolicyVersion, "s", without=frozenset({"document"})),
)


@lru_cache(maxsize=8)
def _statement(beside: tuple[str, ...]) -> str:
    columns = ", ".join([*(part.columns for part in _PARTS), *beside])
    # Names of our own models alone; every value is a parameter.
    return f"""
        SELECT a.state, g.level,
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
    """  # noqa: S608


@lru_cache(maxsize=1)
def _places() -> tuple[int, ...]:
    """Return where each part begins in a row, and where the last one ends."""
    places = [0]
    for part in _PARTS:
        places.append(places[-1] + len(part.names))
    return tuple(places)


def _instance(part: _Part, values: Sequence[Any]) -> models.Model | None:
    if values[part.key] is None:
        return None
    given = list(values)
    for index in part.documents:
        given[index] = None if given[index] is None else _document(given[index])
    return part.model.from_db(connection.alias, part.names, given)


@lru_cache(maxsize=1024)
def _document(text: str) -> Any:
    """Return the value of a JSON text; the same text is read once. Nobody changes what it returns."""
    return json.loads(text)


def _as(kind: type[T], value: object) -> T | None:
    return value if isinstance(value, kind) else None
