"""What the pages of agents show: the list, and how far one version may go with each action type."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, Q, QuerySet

from policies.choices import AgentState, AutonomyLevel, KillSwitchScope
from policies.models import ActionType, Agent, AgentKey, AgentVersion, AutonomyGrant, KillSwitch
from policies.selectors import autonomy


@dataclass(frozen=True, kw_only=True, slots=True)
class AgentRow:
    """One agent in the list."""

    agent: Agent
    versions: int
    live_keys: int
    stopped: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class KeyRow:
    """One key: ``state`` is live, expired or revoked."""

    key: AgentKey
    state: str


@dataclass(frozen=True, kw_only=True, slots=True)
class LevelRow:
    """How far a version may go with one action type. Without a grant it is the level of first contact."""

    action_type: ActionType
    level: AutonomyLevel
    cap: AutonomyLevel
    grant: AutonomyGrant | None

    @property
    def cut(self) -> bool:
        """Say whether the cap holds the level below what was granted."""
        return self.grant is not None and self.grant.level != self.level


def rows(*, now: datetime) -> list[AgentRow]:
    """Return every agent, in two queries."""
    live = Q(keys__revoked_at=None) & (Q(keys__expires_at=None) | Q(keys__expires_at__gt=now))
    found = (
        Agent.objects.select_related("owner")
        .annotate(
            version_count=Count("versions", distinct=True),
            key_count=Count("keys", filter=live, distinct=True),
        )
        .order_by("name")
    )
    stops = list(KillSwitch.objects.filter(lifted_at=None).values_list("scope", "agent_id"))
    everything = any(scope == KillSwitchScope.EVERYTHING for scope, _ in stops)
    stopped = {agent_id for _, agent_id in stops}
    return [
        AgentRow(
            agent=agent,
            versions=agent.version_count,
            live_keys=agent.key_count,
            stopped=everything or agent.pk in stopped,
        )
        for agent in found
    ]


def running(found: list[AgentRow]) -> int:
    """Return how many of the agents may act."""
    return sum(row.agent.state == AgentState.ACTIVE and not row.stopped for row in found)


def keys(agent: Agent, *, now: datetime) -> list[KeyRow]:
    """Return every key the agent ever had, newest first."""
    return [
        KeyRow(key=key, state=_state(key, now))
        for key in AgentKey.objects.filter(agent=agent).order_by("-created_at", "-id")
    ]


def levels(version: AgentVersion, *, now: datetime) -> list[LevelRow]:
    """Return the level in force for every action type, in two queries."""
    grants = {
        grant.action_type_id: grant
        for grant in AutonomyGrant.objects.filter(
            Q(expires_at=None) | Q(expires_at__gt=now), agent_version=version, ended_at=None
        )
    }
    return [
        LevelRow(
            action_type=action_type,
            level=autonomy.level_under(grants.get(action_type.pk), action_type),
            cap=autonomy.cap_of(action_type),
            grant=grants.get(action_type.pk),
        )
        for action_type in ActionType.objects.order_by("name")
    ]


def grants(agent: Agent, *, limit: int = 30) -> QuerySet[AutonomyGrant]:
    """Return what was granted to the agent's versions, newest first."""
    return (
        AutonomyGrant.objects.filter(agent_version__agent=agent)
        .select_related("agent_version", "action_type")
        .order_by("-granted_at", "-id")[:limit]
    )


def _state(key: AgentKey, now: datetime) -> str:
    if key.revoked_at is not None:
        return "revoked"
    return "expired" if key.expires_at is not None and key.expires_at <= now else "live"
