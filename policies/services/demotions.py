"""Demotions: autonomy is lost at once, without anybody's leave, and the record says why.

Whoever learns of a reason calls ``demote`` in the transaction in which it learns of it. After its commit
nothing runs on the level that was: a permit that rests on it is used up under ``holding``, which a demotion
waits for and which then waits for the demotion.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from django.db import connection, transaction

from hitl_site.lib import ids
from hitl_site.lib.strict_json import JsonValue
from policies.choices import AutonomyLevel, ProposalState
from policies.engine.facts import Level
from policies.engine.ladder import Demotion, below
from policies.models import ActionType, AgentVersion, AutonomyGrant, AutonomyProposal
from policies.selectors import autonomy as ladder
from policies.selectors import score_basis, score_changes
from policies.selectors.evidence_limits import settings_of
from policies.services import ledger
from policies.services.ledger import Actor

__all__ = [
    "Demotion",
    "change_of_level",
    "demote",
    "end_thresholds",
    "holding",
    "last_certified_threshold",
    "withdraw_open",
]

HANDRAIL: Final = "Handrail"
_KEY_BITS: Final = 0x7FFFFFFF
# A certificate runs out long before so many grants follow it.
_MOST_GRANTS: Final = 100


def change_of_level(*, agent_version_id: int, action_type_id: int) -> None:
    """Wait for whatever is being used up under the present level, and keep the next waiting until the commit.

    Every service that changes a level calls it before it looks at the grant: two of them take turns.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", _key(agent_version_id, action_type_id))


def holding(*, agent_version_id: int, action_type_id: int | None) -> None:
    """Keep the level as it is until the caller's commit: what it reads after this is what holds."""
    if action_type_id is None:
        return
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock_shared(%s, %s)", _key(agent_version_id, action_type_id))


@transaction.atomic
def demote(
    *,
    agent_version: AgentVersion,
    action_type: ActionType,
    because: Demotion,
    says: str,
    facts: Mapping[str, JsonValue],
    now: datetime,
    at_most: AutonomyLevel | None = None,
) -> AutonomyGrant | None:
    """Take the level away that lets anything run alone: one rung, or down to ``at_most``.

    The rung is that under the level in force, which a cap that was lowered after the grant may have cut. A
    level still in canary falls back to the one beside it. Returns the grant that ended, None where nothing
    ran alone any more: twice at once, one of the two demotes. Open proposals are withdrawn in any case.
    """
    change_of_level(agent_version_id=agent_version.pk, action_type_id=action_type.pk)
    withdraw_open(agent_version=agent_version, action_type=action_type, because=says, now=now)
    held = (
        AutonomyGrant.objects.select_for_update(no_key=True)
        .filter(agent_version=agent_version, action_type=action_type, ended_at=None)
        .first()
    )
    if held is None or ladder.rank(held.level) <= ladder.rank(AutonomyLevel.REVIEW_ALL):
        return None
    in_force = ladder.level_under(held, action_type)
    target = AutonomyLevel(below(Level(str(in_force))).value)
    if target == AutonomyLevel.SHADOW:
        target = AutonomyLevel.REVIEW_ALL
    if held.canary_share < 1:
        target = ladder.lowest(target, AutonomyLevel(held.canary_base))
    if at_most is not None:
        target = ladder.lowest(target, at_most)
    earlier = last_certified_threshold(held, now=now) if target == AutonomyLevel.THRESHOLD else None
    if target == AutonomyLevel.THRESHOLD and earlier is None:
        # Nothing was ever certified to fall back on.
        target = AutonomyLevel.REVIEW_ALL
    held.ended_at = now
    held.save(update_fields=["ended_at"])
    _fall_back(held, target, earlier, says=says, now=now)
    ledger.record(
        actor=Actor.system(),
        verb="autonomy.demoted",
        object_kind="autonomy_grant",
        object_id=held.public_id,
        now=now,
        payload={
            "agent": agent_version.agent.name,
            "version": agent_version.label,
            "action_type": action_type.name,
            "before": str(held.level),
            "after": str(target),
            "because": because.value,
            "says": says,
            "certified": held.certified,
            **facts,
        },
    )
    return held


def end_thresholds(*, action_type: ActionType, now: datetime) -> int:
    """Demote whatever runs alone from a threshold on, since the score means something else from now on.

    A level that does not go by the score stays, but for what is still being tried beside one that does.
    Returns how many levels ended. The caller holds the action type's lock.
    """
    ended = 0
    for grant in score_changes.resting_on_threshold(action_type):
        ended += (
            demote(
                agent_version=grant.agent_version,
                action_type=action_type,
                because=Demotion.SCORE_CHANGED,
                says="The policy goes by another score now; the threshold was certified for the one before.",
                facts={"threshold": grant.threshold},
                at_most=AutonomyLevel.REVIEW_ALL,
                now=now,
            )
            is not None
        )
    return ended


def withdraw_open(
    *, agent_version: AgentVersion, action_type: ActionType, because: str, now: datetime
) -> AutonomyProposal | None:
    """Withdraw the open proposal, if there is one: what it rests on no longer stands."""
    proposal = (
        AutonomyProposal.objects.select_for_update(no_key=True)
        .filter(agent_version=agent_version, action_type=action_type, state=ProposalState.OPEN)
        .first()
    )
    if proposal is None:
        return None
    proposal.state = ProposalState.WITHDRAWN
    proposal.closed_at = now
    proposal.closed_by_name = HANDRAIL
    proposal.closed_because = because
    proposal.save(update_fields=["state", "closed_at", "closed_by_name", "closed_because"])
    ledger.record(
        actor=Actor.system(),
        verb="autonomy.proposal_withdrawn",
        object_kind="autonomy_proposal",
        object_id=proposal.public_id,
        now=now,
        payload={
            "agent": agent_version.agent.name,
            "version": agent_version.label,
            "action_type": action_type.name,
            "to": str(proposal.to_level),
            "because": because,
        },
    )
    return proposal


def _fall_back(
    held: AutonomyGrant,
    target: AutonomyLevel,
    earlier: AutonomyGrant | None,
    *,
    says: str,
    now: datetime,
) -> None:
    """Make the grant of the level that holds from now on, where it is not the one of first contact."""
    if target == held.action_type.first_contact_level:
        return
    settings = settings_of(held.action_type)
    AutonomyGrant.objects.create(
        public_id=ids.new("gra"),
        agent_version=held.agent_version,
        action_type=held.action_type,
        level=target,
        reason=says,
        certified=earlier.certified if earlier is not None else held.certified,
        granted_by=None,
        granted_by_name=HANDRAIL,
        granted_at=now,
        expires_at=_sooner(held.expires_at, earlier.expires_at) if earlier is not None else None,
        threshold=earlier.threshold if earlier is not None else None,
        audit_rate=settings.audit_start if earlier is not None else None,
    )


def last_certified_threshold(held: AutonomyGrant, *, now: datetime) -> AutonomyGrant | None:
    """Return the newest grant that a certified threshold came with, if it still stands.

    It stands while nothing took it back: since it was granted, this version held Threshold or more without a
    break, it has not run out by its own terms, and the policy goes by the score that it was certified for.
    """
    before = AutonomyGrant.objects.filter(
        agent_version=held.agent_version_id, action_type=held.action_type_id, pk__lte=held.pk
    ).order_by("-id")
    until: datetime | None = None
    for grant in before[:_MOST_GRANTS]:
        if until is not None and grant.ended_at != until:
            # In between, the level of first contact held.
            return None
        if ladder.rank(grant.level) < ladder.rank(AutonomyLevel.THRESHOLD):
            return None
        if grant.level == AutonomyLevel.THRESHOLD and grant.certified and grant.threshold is not None:
            has_run_out = grant.expires_at is not None and grant.expires_at <= now
            same = score_basis.is_same_since(held.action_type, grant.granted_at)
            return grant if same and not has_run_out else None
        until = grant.granted_at
    return None


def _sooner(one: datetime | None, other: datetime | None) -> datetime | None:
    return min((each for each in (one, other) if each is not None), default=None)


def _key(agent_version_id: int, action_type_id: int) -> list[int]:
    return [agent_version_id & _KEY_BITS, action_type_id & _KEY_BITS]
