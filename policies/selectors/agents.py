"""Questions about agents, their versions and keys."""

from __future__ import annotations

from datetime import datetime

from django.db.models import Q, QuerySet

from policies.models import Agent, AgentKey, AgentVersion


def by_name(name: str) -> Agent | None:
    """Return the agent of this name, or None."""
    return Agent.objects.filter(name=name).first()


def versions(agent: Agent) -> QuerySet[AgentVersion]:
    """Return the agent's versions, the one seen first most lately at the top."""
    return AgentVersion.objects.filter(agent=agent).order_by("-first_seen_at", "-id")


def live_keys(agent: Agent, *, now: datetime) -> QuerySet[AgentKey]:
    """Return the keys that let the agent in at this moment, newest first."""
    return AgentKey.objects.filter(
        Q(expires_at=None) | Q(expires_at__gt=now), agent=agent, revoked_at=None
    ).order_by("-created_at", "-id")
