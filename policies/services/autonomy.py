"""Autonomy: a person grants an agent version how far it may go alone with one action type."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from django.db import transaction

from hitl_site.lib import ids
from policies.choices import AutonomyLevel
from policies.models import ActionType, AgentVersion, AutonomyGrant
from policies.selectors import autonomy as ladder
from policies.services import ledger
from policies.services.ledger import Actor

if TYPE_CHECKING:
    from django.contrib.auth.models import User


class UnableToGrant(ValueError):
    """The grant cannot be made as asked."""


class AboveTheCap(UnableToGrant):
    """The level is higher than the action type's cap."""


class AlreadyEnded(Exception):
    """The grant has ended before."""


def grant(
    *,
    agent_version: AgentVersion,
    action_type: ActionType,
    level: AutonomyLevel,
    reason: str,
    granted_by: User,
    certified: bool = False,
    expires_at: datetime | None = None,
    now: datetime,
) -> AutonomyGrant:
    """Grant a level in place of the one in force, never above the action type's cap."""
    if not reason.strip():
        raise UnableToGrant("A grant needs a reason: others will read it.")
    if expires_at is not None and expires_at <= now:
        raise UnableToGrant("A grant has to expire in the future.")
    actor = Actor.person(granted_by)
    with transaction.atomic():
        # The cap is read under a lock, so that it cannot be lowered between here and the commit.
        current = ActionType.objects.select_for_update(no_key=True).get(pk=action_type.pk)
        cap = ladder.cap_of(current)
        if ladder.rank(level) > ladder.rank(cap):
            raise AboveTheCap(
                f"{current.name} goes up to {cap.label}; {AutonomyLevel(level).label} is above."
            )
        before = _live(agent_version, action_type)
        if before is not None:
            before.ended_at = now
            before.save(update_fields=["ended_at"])
        granted = AutonomyGrant.objects.create(
            public_id=ids.new("gra"),
            agent_version=agent_version,
            action_type=action_type,
            level=level,
            reason=reason,
            certified=certified,
            granted_by=granted_by,
            granted_by_name=actor.name,
            granted_at=now,
            expires_at=expires_at,
        )
        ledger.record(
            actor=actor,
            verb="autonomy.granted",
            object_kind="autonomy_grant",
            object_id=granted.public_id,
            now=now,
            payload={
                "agent": agent_version.agent.name,
                "version": agent_version.label,
                "action_type": current.name,
                "before": str(before.level) if before is not None else None,
                "after": str(granted.level),
                "reason": reason,
                "certified": certified,
                "expires_at": expires_at.isoformat() if expires_at else None,
            },
        )
    return granted


def end(*, grant: AutonomyGrant, reason: str, actor: Actor, now: datetime) -> AutonomyGrant:
    """Take a grant back; the action type's first contact level holds again. Handrail itself may do this."""
    if not reason.strip():
        raise UnableToGrant("Taking autonomy away needs a reason: others will read it.")
    with transaction.atomic():
        ended = AutonomyGrant.objects.filter(pk=grant.pk, ended_at=None).update(ended_at=now)
        if not ended:
            raise AlreadyEnded("This grant has ended before.")
        current = AutonomyGrant.objects.select_related("agent_version__agent", "action_type").get(pk=grant.pk)
        ledger.record(
            actor=actor,
            verb="autonomy.ended",
            object_kind="autonomy_grant",
            object_id=current.public_id,
            now=now,
            payload={
                "agent": current.agent_version.agent.name,
                "version": current.agent_version.label,
                "action_type": current.action_type.name,
                "level": str(current.level),
                "reason": reason,
            },
        )
    return current


def _live(agent_version: AgentVersion, action_type: ActionType) -> AutonomyGrant | None:
    return (
        AutonomyGrant.objects.select_for_update(no_key=True)
        .filter(agent_version=agent_version, action_type=action_type, ended_at=None)
        .first()
    )
