"""Minor changes: a person says that a new version is nearly the one before, and its threshold goes on.

Evidence never goes on (statistics.md 2): the new version begins with none, and four times as much of what it
does alone is checked. So the level rests on a person's word, and is shown as not certified until the version
has earned it itself.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Final

from django.utils.translation import gettext

from policies.choices import AutonomyLevel
from policies.engine.ladder_settings import LadderSettings
from policies.models import ActionType, AgentVersion, AutonomyGrant
from policies.selectors import autonomy as levels
from policies.selectors import owners
from policies.selectors.evidence_limits import settings_of
from policies.selectors.minor_versions import predecessor
from policies.services import autonomy, demotions, rights
from policies.services.autonomy import Terms, UnableToGrant

if TYPE_CHECKING:
    from django.contrib.auth.models import User

GRANT: Final = "policies.grant_autonomy"
_CHECKED_MORE: Final = 4


def audit_start_of(grant: AutonomyGrant, settings: LadderSettings) -> float:
    """Return the share of what runs alone that is checked at the beginning of a grant."""
    more = _CHECKED_MORE if grant.minor_of_id is not None else 1
    return min(1.0, more * settings.audit_start)


def carry_on(
    *, agent_version: AgentVersion, action_type: ActionType, reason: str, declared_by: User, now: datetime
) -> AutonomyGrant:
    """Grant Threshold to a version that a person declares a minor change of the one before.

    At the certified threshold of that one, never above it, and no longer than its grant lasts. Raises
    ``UnableToGrant`` where there is none to go on with, where this version holds a level of its own, and for
    the agent's owner.
    """
    with rights.acting(declared_by, GRANT):
        current = ActionType.objects.select_for_update(no_key=True).get(pk=action_type.pk)
        if owners.is_apart(agent_version.agent, declared_by.pk, since=now):
            raise UnableToGrant(gettext("You own this agent; somebody else decides how far it may go."))
        earlier = predecessor(agent_version, current, now)
        if earlier is None:
            raise UnableToGrant(
                gettext("No earlier version of this agent holds a certified level to go on with.")
            )
        # A demotion of the earlier one is over by now, or waits until this level stands.
        for version in sorted({agent_version.pk, earlier.agent_version_id}):
            demotions.change_of_level(agent_version_id=version, action_type_id=current.pk)
        earlier = predecessor(agent_version, current, now)
        if earlier is None:
            raise UnableToGrant(gettext("The earlier version has just lost its level."))
        if levels.grant_in_force(agent_version, current, now) is not None:
            raise UnableToGrant(gettext("This version holds a level of its own."))
        certified = demotions.last_certified_threshold(earlier, now=now)
        if certified is None:
            raise UnableToGrant(gettext("No threshold was ever certified for the earlier version."))
        return autonomy.grant(
            agent_version=agent_version,
            action_type=current,
            level=AutonomyLevel.THRESHOLD,
            reason=reason,
            granted_by=declared_by,
            expires_at=min(
                (each for each in (earlier.expires_at, certified.expires_at) if each is not None),
                default=None,
            ),
            terms=Terms(
                threshold=certified.threshold,
                audit_rate=min(1.0, _CHECKED_MORE * settings_of(current).audit_start),
                minor_of=earlier.agent_version,
            ),
            now=now,
        )
