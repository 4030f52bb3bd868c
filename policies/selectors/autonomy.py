"""Questions about autonomy: how far an agent version may go alone, and who said so."""

from __future__ import annotations

from datetime import datetime

from django.db.models import Q

from policies.choices import AutonomyLevel
from policies.models import ActionType, AgentVersion, AutonomyGrant

# The ladder, from nothing to nearly everything.
LADDER = (
    AutonomyLevel.SHADOW,
    AutonomyLevel.REVIEW_ALL,
    AutonomyLevel.THRESHOLD,
    AutonomyLevel.AUTONOMOUS,
)


def rank(level: str) -> int:
    """Return the rung of a level; more is more trust."""
    return LADDER.index(AutonomyLevel(level))


def cap_of(action_type: ActionType) -> AutonomyLevel:
    """Return the highest level that anybody can be granted for this action type."""
    cap = AutonomyLevel(action_type.autonomy_cap)
    # What gives an agent more rights than it had is never left to it.
    return lowest(cap, AutonomyLevel.REVIEW_ALL) if action_type.widens_rights else cap


def lowest(*levels: AutonomyLevel) -> AutonomyLevel:
    """Return the least trusting of the levels."""
    return min(levels, key=rank)


def grant_in_force(
    agent_version: AgentVersion, action_type: ActionType, now: datetime
) -> AutonomyGrant | None:
    """Return the grant that holds at this moment: neither ended nor lapsed."""
    if agent_version.pk is None:  # a dry run of a version that was never seen
        return None
    return AutonomyGrant.objects.filter(
        Q(expires_at=None) | Q(expires_at__gt=now),
        agent_version=agent_version,
        action_type=action_type,
        ended_at=None,
    ).first()


def level_in_force(
    agent_version: AgentVersion, action_type: ActionType, now: datetime
) -> tuple[AutonomyLevel, AutonomyGrant | None]:
    """Return the level that holds now with the grant it rests on, None for the first contact level.

    A cap that was lowered after the grant counts.
    """
    grant = grant_in_force(agent_version, action_type, now)
    return level_under(grant, action_type), grant


def level_under(grant: AutonomyGrant | None, action_type: ActionType) -> AutonomyLevel:
    """Return the level that a grant in force, or the lack of one, gives for this action type."""
    level = AutonomyLevel(grant.level if grant is not None else action_type.first_contact_level)
    return lowest(level, cap_of(action_type))
