"""Autonomy: a person grants an agent version how far it may go alone with one action type."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final

from django.db import transaction
from django.utils.translation import gettext

from hitl_site.lib import ids
from hitl_site.lib.strict_json import JsonValue
from policies.choices import AutonomyLevel
from policies.models import ActionType, Agent, AgentVersion, AutonomyGrant
from policies.selectors import autonomy as ladder
from policies.selectors import owners
from policies.services import demotions, ledger, rights
from policies.services.ledger import Actor

if TYPE_CHECKING:
    from django.contrib.auth.models import User


GRANT: Final = "policies.grant_autonomy"


class UnableToGrant(ValueError):
    """The grant cannot be made as asked."""


class AboveTheCap(UnableToGrant):
    """The level is higher than the action type's cap."""


class AlreadyEnded(Exception):
    """The grant has ended before."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Terms:
    """What a grant on evidence comes with. In canary it holds for a share of the actions at first.

    ``proposal_id`` names the proposal that a person approved, ``minor_of`` the version whose level goes on.
    """

    threshold: float | None = None
    audit_rate: float | None = None
    canary_share: float = 1.0
    canary_base: AutonomyLevel | None = None
    proposal_id: str = ""
    minor_of: AgentVersion | None = None


_NO_TERMS = Terms()


def grant(
    *,
    agent_version: AgentVersion,
    action_type: ActionType,
    level: AutonomyLevel,
    reason: str,
    granted_by: User,
    certified: bool = False,
    expires_at: datetime | None = None,
    terms: Terms = _NO_TERMS,
    now: datetime,
) -> AutonomyGrant:
    """Grant a level in place of the one in force, never above the action type's cap.

    Not ``certified``, it is an override: it rests on a person's word, and says so for as long as it lasts.
    """
    if not reason.strip():
        raise UnableToGrant(gettext("A grant needs a reason: others will read it."))
    if expires_at is not None and expires_at <= now:
        raise UnableToGrant(gettext("A grant has to expire in the future."))
    actor = Actor.person(granted_by)
    with transaction.atomic():
        # The cap is read under a lock, so that it cannot be lowered between here and the commit.
        current = ActionType.objects.select_for_update(no_key=True).get(pk=action_type.pk)
        cap = ladder.cap_of(current)
        if ladder.rank(level) > ladder.rank(cap):
            raise AboveTheCap(
                gettext("{action_type} goes up to {cap}; {level} is above.").format(
                    action_type=current.name, cap=cap.label, level=AutonomyLevel(level).label
                )
            )
        demotions.change_of_level(agent_version_id=agent_version.pk, action_type_id=action_type.pk)
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
            threshold=terms.threshold,
            audit_rate=terms.audit_rate,
            canary_share=terms.canary_share,
            canary_base=terms.canary_base or "",
            canary_since=now if terms.canary_share < 1 else None,
            minor_of=terms.minor_of,
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
                **_told(terms),
            },
        )
    return granted


def override(
    *,
    agent_version: AgentVersion,
    action_type: ActionType,
    level: AutonomyLevel,
    reason: str,
    granted_by: User,
    expires_at: datetime | None,
    now: datetime,
) -> AutonomyGrant:
    """Grant a level without evidence, on a person's word. The agent's owner may only lower it this way."""
    with rights.acting(granted_by, GRANT):
        current = ActionType.objects.select_for_update(no_key=True).get(pk=action_type.pk)
        demotions.change_of_level(agent_version_id=agent_version.pk, action_type_id=current.pk)
        in_force, _ = ladder.level_in_force(agent_version, current, now)
        agent = Agent.objects.get(pk=agent_version.agent_id)
        if owners.is_apart(agent, granted_by.pk, since=now) and ladder.rank(level) > ladder.rank(in_force):
            raise UnableToGrant(gettext("You own this agent; somebody else decides how far it may go."))
        return grant(
            agent_version=agent_version,
            action_type=current,
            level=level,
            reason=reason,
            granted_by=granted_by,
            expires_at=expires_at,
            now=now,
        )


def end(*, grant: AutonomyGrant, reason: str, actor: Actor, now: datetime) -> AutonomyGrant:
    """Take a grant back; the action type's first contact level holds again. Handrail itself may do this."""
    if not reason.strip():
        raise UnableToGrant(gettext("Taking autonomy away needs a reason: others will read it."))
    with transaction.atomic():
        demotions.change_of_level(
            agent_version_id=grant.agent_version_id, action_type_id=grant.action_type_id
        )
        ended = AutonomyGrant.objects.filter(pk=grant.pk, ended_at=None).update(ended_at=now)
        if not ended:
            raise AlreadyEnded(gettext("This grant has ended before."))
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
                "before": str(current.level),
                "after": str(current.action_type.first_contact_level),
                "reason": reason,
            },
        )
    return current


def lapse_due(*, now: datetime) -> int:
    """Write down, once for each, that a grant ran out: from the moment that it names nothing runs on it."""
    due = AutonomyGrant.objects.filter(ended_at=None, expires_at__lte=now)
    done = 0
    for held in due.select_related("agent_version__agent", "action_type").order_by("expires_at"):
        with transaction.atomic():
            demotions.change_of_level(
                agent_version_id=held.agent_version_id, action_type_id=held.action_type_id
            )
            if not AutonomyGrant.objects.filter(pk=held.pk, ended_at=None).update(ended_at=held.expires_at):
                continue
            ledger.record(
                actor=Actor.system(),
                verb="autonomy.lapsed",
                object_kind="autonomy_grant",
                object_id=held.public_id,
                now=now,
                payload={
                    "agent": held.agent_version.agent.name,
                    "version": held.agent_version.label,
                    "action_type": held.action_type.name,
                    "before": str(held.level),
                    "after": str(held.action_type.first_contact_level),
                },
            )
            done += 1
    return done


def _told(terms: Terms) -> dict[str, JsonValue]:
    told: dict[str, JsonValue] = {
        "threshold": terms.threshold,
        "audit_rate": terms.audit_rate,
        "canary_share": terms.canary_share if terms.canary_share < 1 else None,
        "proposal": terms.proposal_id or None,
        "minor_of": terms.minor_of.label if terms.minor_of is not None else None,
    }
    return {name: value for name, value in told.items() if value is not None}


def _live(agent_version: AgentVersion, action_type: ActionType) -> AutonomyGrant | None:
    return (
        AutonomyGrant.objects.select_for_update(no_key=True)
        .filter(agent_version=agent_version, action_type=action_type, ended_at=None)
        .first()
    )
