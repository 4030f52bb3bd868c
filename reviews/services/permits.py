"""Permits: the right to run once. Issued on a verdict or a decision, used up at one atomic point."""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.conf import settings
from django.contrib.auth.models import User
from django.db import connection, transaction
from django.utils.translation import gettext
from pydantic import JsonValue

from hitl_site.lib import ids, rows
from hitl_site.lib.instances import made
from policies.choices import AgentState
from policies.models import Agent, LedgerEntry, LedgerPayload
from policies.services import gate, kill_switch, ledger
from reviews.choices import PermitBasis
from reviews.models import ActionRequest, Decision, Execution, Permit
from reviews.selectors.actions import Arguments, final_arguments
from reviews.services import binding, grounds, permit_keys, rights, wakeups
from reviews.services.executions import (
    OutcomeConflict,
    UnknownExecution,
    heartbeat,
    report_outcome,
)
from reviews.services.gatekeeping import document_of

__all__ = [
    "AlreadyConsumed",
    "Consumed",
    "DigestMismatch",
    "KillSwitchActive",
    "NoLongerAllowed",
    "OutcomeConflict",
    "PermitExpired",
    "PermitRevoked",
    "UnableToConsume",
    "UnableToRevoke",
    "UnknownExecution",
    "UnknownPermit",
    "consume",
    "draw_up",
    "heartbeat",
    "issue",
    "report_outcome",
    "revoke",
]


class UnableToConsume(Exception):
    """The permit does not let this run happen. ``slug`` names the problem (api.md, Errors)."""

    slug = "not-approved"


class UnknownPermit(UnableToConsume):
    """No permit of this agent has this id."""

    slug = "not-found"


class AlreadyConsumed(UnableToConsume):
    slug = "already-consumed"


class DigestMismatch(UnableToConsume):
    slug = "digest-mismatch"


class PermitExpired(UnableToConsume):
    slug = "permit-expired"


class PermitRevoked(UnableToConsume):
    slug = "permit-revoked"


class KillSwitchActive(UnableToConsume):
    slug = "kill-switch-active"


class NoLongerAllowed(UnableToConsume):
    """What holds now is stricter than what let this pass: the policy, the level, or who approved it."""

    slug = "policy-stricter"


class UnableToRevoke(Exception):
    """The permit cannot be taken back any more. Nothing has changed."""


@dataclass(frozen=True)
class Consumed:
    """The run that came of a permit. ``arguments`` are those that run, and ``digest`` is theirs."""

    execution: Execution
    replayed: bool
    digest: str
    arguments: Arguments


@dataclass(frozen=True, slots=True)
class DrawnUp:
    """A permit that is not written yet, with what the ledger will say of it."""

    permit: Permit
    entry: LedgerEntry
    said: LedgerPayload


def issue(*, action: ActionRequest, basis: PermitBasis, decision: Decision | None, now: datetime) -> Permit:
    """Issue the permit for what was decided on ``action``; the database refuses any other digest."""
    drawn = draw_up(action=action, basis=basis, decision=decision, now=now)
    rows.insert(drawn.permit, drawn.entry, drawn.said)
    return drawn.permit


def draw_up(
    *, action: ActionRequest, basis: PermitBasis, decision: Decision | None, now: datetime
) -> DrawnUp:
    """Return the permit for a caller who writes it together with the action, in one statement."""
    check = action.gate_check
    permit_id = ids.new("prm")
    declared = binding.declared_binding(action.action_type)
    expires_at = now + timedelta(seconds=document_of(check).permit_ttl_seconds)
    claims = {
        "iss": settings.PERMIT_ISSUER,
        "aud": settings.PERMIT_AUDIENCE,
        "sub": action.agent.name,
        "jti": permit_id,
        "iat": int(now.timestamp()),
        "nbf": int(now.timestamp()),
        "exp": int(expires_at.timestamp()),
        "act": {
            "id": action.public_id,
            "type": action.action_type_name,
            "env": action.environment,
            "digest": action.final_digest,
        },
        "dec": {
            "id": decision.public_id if decision else None,
            "kind": basis.value,
            "policy_version": check.policy_version.number if check.policy_version else None,
            "approvals": check.approvals_required if decision else 0,
        },
    }
    permit = made(
        Permit,
        public_id=permit_id,
        action=action,
        agent=action.agent,
        decision=decision,
        basis=basis,
        digest=action.final_digest,
        binding_digest=binding.binding_digest(
            action=action, arguments=final_arguments(action), declared=declared
        )
        if not declared.is_exact
        else "",
        token=permit_keys.sign(claims),
        issued_at=now,
        expires_at=expires_at,
    )
    entry, said = ledger.drawn_up(
        actor=ledger.Actor.system(),
        verb="permit.issued",
        object_kind="permit",
        object_id=permit.public_id,
        action_id=action.public_id,
        payload={
            "basis": basis.value,
            "digest": permit.digest,
            "expires_at": expires_at.isoformat(),
            **({} if declared.is_exact else {"binding": binding.told(declared)}),
        },
        now=now,
    )
    return DrawnUp(permit=permit, entry=entry, said=said)


def consume(
    *,
    permit_id: str,
    agent: Agent,
    digest: str,
    consume_key: str,
    now: datetime,
    arguments: JsonValue = None,
) -> Consumed:
    """Use up a permit: at most one execution ever comes of it.

    The one conditional UPDATE is the atomic point; it asks for everything that rows can say. Around it, in
    the same transaction: no stop is in force and the agent runs, which the database asks once more at the
    commit itself; the policy in force is asked again, and the stricter answer wins: the one in force at the
    atomic point, so that it is asked anew where another was published since; whoever approved must still be
    one who may. Without ``arguments`` the digest must be the one that was decided. With them it may
    be another one, where the action type declares that the difference is of no matter (``services.binding``).

    The same ``consume_key`` replays the answer for as long as the record stands, whatever has happened since:
    it tells of a run that has begun, and lets no other one begin.
    """
    try:
        with kill_switch.noticed_at_commit():
            return _consume(
                permit_id=permit_id,
                agent=agent,
                digest=digest,
                consume_key=consume_key,
                arguments=arguments,
                now=now,
            )
    except kill_switch.StoppedMeanwhile as stopped:
        raise KillSwitchActive("A stop came into force; nothing runs until it is lifted.") from stopped


@transaction.atomic
def revoke(*, permit_id: str, reason: str, actor: User, now: datetime) -> Permit:
    """Take a permit back before it is used. It needs the right to stop agents; twice changes nothing more.

    Against ``consume`` at the same moment the permit's row decides: exactly one of the two happens.
    """
    person = rights.current_holder(actor, rights.STOP)
    permit = (
        Permit.objects.select_for_update(of=("self",))
        .select_related("action")
        .filter(public_id=permit_id)
        .first()
    )
    if permit is None:
        raise UnableToRevoke(gettext("There is no such permit."))
    if permit.revoked_at is not None:
        return permit
    if permit.consumed_at is not None:
        raise UnableToRevoke(gettext("This permit has been used: the run had begun before you took it back."))
    if not reason.strip():
        raise UnableToRevoke(gettext("Say why: others will read it."))
    permit.revoked_at = now
    permit.revoke_reason = reason.strip()
    permit.save(update_fields=["revoked_at", "revoke_reason"])
    ledger.record(
        actor=ledger.Actor.person(person),
        verb="permit.revoked",
        object_kind="permit",
        object_id=permit.public_id,
        action_id=permit.action.public_id,
        payload={"reason": permit.revoke_reason, "digest": permit.digest},
        now=now,
    )
    wakeups.action_changed(permit.action.public_id)
    return permit


# Which policy of an action type is in force, and which declaration: another text is another value.
_IN_FORCE: Final = """
    SELECT concat(live.id, ' ', declared.updated_at)
      FROM policies_actiontype declared
      LEFT JOIN policies_policyversion live ON live.action_type_id = declared.id AND live.state = 'live'
     WHERE declared.name = %(action_type_name)s
"""
# Everything that rows can say, in one statement; what it does not find is refused.
_USE_UP: Final = """
    UPDATE reviews_permit AS permit
       SET consumed_at = clock_timestamp(), consume_key = %(consume_key)s
     WHERE permit.id = %(permit)s
       AND permit.agent_id = %(agent)s
       AND permit.digest = %(digest)s
       AND permit.binding_digest = %(binding_digest)s
       AND permit.consumed_at IS NULL
       AND permit.revoked_at IS NULL
       AND permit.expired_at IS NULL
       AND permit.expires_at > clock_timestamp()
       AND EXISTS (SELECT 1 FROM policies_agent a WHERE a.id = permit.agent_id AND a.state = 'active')
       AND NOT EXISTS (
           SELECT 1 FROM policies_killswitch stop
            WHERE stop.lifted_at IS NULL
              AND (stop.scope = 'everything'
                   OR stop.scope = 'agent' AND stop.agent_id = permit.agent_id
                   OR stop.scope = 'action_type' AND stop.action_type_id = %(action_type)s)
       )
       AND ({in_force}) IS NOT DISTINCT FROM %(asked)s
    RETURNING consumed_at
"""
# Each time a policy of this very type was published between two statements.
_MOST_TIMES_ASKED: Final = 5


@transaction.atomic
def _consume(
    *,
    permit_id: str,
    agent: Agent,
    digest: str,
    consume_key: str,
    arguments: JsonValue,
    now: datetime,
) -> Consumed:
    permit = _lock(permit_id, agent)
    if permit.consumed_at is not None:
        return _replayed(permit, digest=digest, consume_key=consume_key, arguments=arguments)
    if permit.revoked_at is not None:
        raise PermitRevoked("This permit was revoked.")
    holder = _running_holder(permit)
    running = _what_runs(permit, digest=digest, arguments=arguments)
    for _ in range(_MOST_TIMES_ASKED):
        asked = _in_force(permit.action)
        if why_not := grounds.why_not(permit, holder=holder, running=running, now=now):
            # The gate heeds stops as well: one that came since we asked is to be told as what it is.
            _running_holder(permit)
            raise NoLongerAllowed(why_not)
        consumed_at = _use_up(permit, consume_key=consume_key, asked=asked)
        if consumed_at is not None:
            break
    else:
        raise NoLongerAllowed("The policy in force keeps changing; propose the action again.")
    as_decided = _is_same(digest, permit.digest)
    execution = Execution.objects.create(
        public_id=ids.new("exe"),
        permit=permit,
        action=permit.action,
        started_at=consumed_at,
        lease_until=consumed_at + timedelta(seconds=settings.EXECUTION_LEASE_SECONDS),
        executed_digest="" if as_decided else digest,
    )
    told: dict[str, JsonValue] = {"digest": digest, "execution_id": execution.public_id}
    if not as_decided:
        told |= {
            "decided_digest": permit.digest,
            "declared_difference": binding.difference(permit.action, running),
        }
    ledger.record(
        actor=ledger.Actor.agent(agent),
        verb="permit.consumed",
        object_kind="permit",
        object_id=permit.public_id,
        action_id=permit.action.public_id,
        payload=told,
        now=consumed_at,
    )
    return Consumed(execution=execution, replayed=False, digest=digest, arguments=running)


def _lock(permit_id: str, agent: Agent) -> Permit:
    permit = (
        Permit.objects.select_for_update(of=("self",))
        .select_related(
            "action__gate_check",
            "action__action_type",
            "action__agent_version",
            "action__agent",
            "decision__item",
        )
        .filter(public_id=permit_id, agent=agent)
        .first()
    )
    if permit is None:
        raise UnknownPermit("There is no such permit.")
    return permit


def _running_holder(permit: Permit) -> Agent:
    """Return the permit's agent as it is now, or refuse where it or the action type is stopped."""
    if gate.stopped(agent_id=permit.agent_id, action_type_id=permit.action.action_type_id):
        raise KillSwitchActive("A stop is in force; nothing runs until it is lifted.")
    holder = Agent.objects.get(pk=permit.agent_id)
    if holder.state != AgentState.ACTIVE:
        raise KillSwitchActive("This agent is not running: somebody paused or retired it.")
    return holder


def _in_force(action: ActionRequest) -> str | None:
    with connection.cursor() as cursor:
        cursor.execute(_IN_FORCE, {"action_type_name": action.action_type_name})
        row = cursor.fetchone()
    return None if row is None else str(row[0])


def _use_up(permit: Permit, *, consume_key: str, asked: str | None) -> datetime | None:
    """Mark the permit as used by the database's clock, or refuse; None where ``asked`` is not in force."""
    with connection.cursor() as cursor:
        cursor.execute(
            _USE_UP.format(in_force=_IN_FORCE),
            {
                "consume_key": consume_key,
                "permit": permit.pk,
                "digest": permit.digest,
                "binding_digest": permit.binding_digest,
                "agent": permit.agent_id,
                "action_type": permit.action.action_type_id,
                "action_type_name": permit.action.action_type_name,
                "asked": asked,
            },
        )
        row = cursor.fetchone()
        if row is not None:
            consumed_at: datetime = row[0]
            return consumed_at
        cursor.execute("SELECT expires_at > clock_timestamp() FROM reviews_permit WHERE id = %s", [permit.pk])
        if cursor.fetchone()[0] and permit.expired_at is None:
            if _in_force(permit.action) != asked:
                return None
            # The row is locked and was good: what came between is a stop, or a pause of the agent.
            raise KillSwitchActive("A stop came into force; nothing runs until it is lifted.")
    raise PermitExpired("This permit ran out; propose the action again.")


def _replayed(permit: Permit, *, digest: str, consume_key: str, arguments: JsonValue) -> Consumed:
    """Return the run that this very request began."""
    execution = permit.execution
    if _is_same(permit.consume_key, consume_key):
        if _is_same(digest, permit.digest) and binding.is_decided(permit, arguments):
            return Consumed(execution, True, digest, final_arguments(permit.action))
        if isinstance(arguments, dict) and _is_same(digest, execution.executed_digest):
            exact = binding.exact_digest(permit.action, arguments)
            if _is_same(digest, exact):
                return Consumed(execution, True, digest, arguments)
    raise AlreadyConsumed("This permit has been used.")


def _what_runs(permit: Permit, *, digest: str, arguments: JsonValue) -> Arguments:
    """Return the arguments that are about to run, or refuse: they are what was decided, or of its binding."""
    if _is_same(digest, permit.digest):
        if not binding.is_decided(permit, arguments):
            raise DigestMismatch("The arguments are not those of the digest that came with them.")
        return final_arguments(permit.action)
    if isinstance(arguments, dict) and binding.covers(permit, digest=digest, arguments=arguments):
        return arguments
    raise DigestMismatch("What is about to run is not what was decided.")


def _is_same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(), other.encode())
