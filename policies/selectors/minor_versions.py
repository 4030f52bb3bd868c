"""Which earlier version's level a new one could go on with, were it a minor change."""

from __future__ import annotations

from datetime import datetime

from django.db.models import Q

from policies.choices import AutonomyLevel
from policies.models import ActionType, AgentVersion, AutonomyGrant


def predecessor(agent_version: AgentVersion, action_type: ActionType, now: datetime) -> AutonomyGrant | None:
    """Return the certified grant of the newest earlier version that lets actions run alone, if one holds.

    What is still being tried on a share of the actions is not yet anything to go on with.
    """
    return (
        AutonomyGrant.objects.filter(
            Q(expires_at=None) | Q(expires_at__gt=now),
            agent_version__agent=agent_version.agent_id,
            agent_version__first_seen_at__lt=agent_version.first_seen_at,
            action_type=action_type,
            level__in=(AutonomyLevel.THRESHOLD, AutonomyLevel.AUTONOMOUS),
            certified=True,
            canary_share=1,
            ended_at=None,
        )
        .select_related("agent_version", "action_type")
        .order_by("-agent_version__first_seen_at", "-agent_version_id")
        .first()
    )
