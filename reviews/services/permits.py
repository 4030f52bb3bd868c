"""Permits: the right to run once. Issued on a verdict or a decision, used up at one atomic point."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from pydantic import JsonValue

from hitl_site.lib import ids
from policies.choices import AgentState
from policies.engine.facts import Verdict
from policies.models import Agent
from policies.services import gate, kill_switch, ledger
from reviews.choices import Outcome, PermitBasis
from reviews.models import ActionRequest, Decision, Execution, Permit
from reviews.selectors.actions import final_arguments
from reviews.services import permit_keys
from reviews.services.gatekeeping import document_of, proposal_of


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
    """The policy in force has become stricter than the one that let this pass."""

    slug = "policy-stricter"


class UnknownExecution(Exception):
    """No execution of this agent has this id."""


class OutcomeConflict(Exception):
    """Another outcome was reported before."""


@dataclass(frozen=True)
class Consumed:
    execution: Execution
    replayed: bool


def issue(*, action: ActionRequest, basis: PermitBasis, decision: Decision | None, now: datetime) -> Permit:
    """Issue the permit for what was decided on ``action``; the database refuses any other digest."""
    check = action.gate_check
    permit_id = ids.new("prm")
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
    permit = Permit.objects.create(
        public_id=permit_id,
        action=action,
        agent=action.agent,
        decision=decision,
        basis=basis,
        digest=action.final_digest,
        token=permit_keys.sign(claims),
        issued_at=now,
        expires_at=expires_at,
    )
    ledger.record(
        actor=ledger.Actor.system(),
        verb="permit.issued",
        object_kind="permit",
        object_id=permit.public_id,
        action_id=action.public_id,
        payload={"basis": basis.value, "digest": permit.digest, "expires_at": expires_at.isoformat()},
        now=now,
    )
    return permit


def consume(*, permit_id: str, agent: Agent, digest: str, consume_key: str, now: datetime) -> Consumed:
    """Use up a permit: at most one execution ever comes of it.

    The one conditional UPDATE is the atomic point. Around it, in the same transaction: no stop is in force
    and the agent runs, which the database asks once more at the commit itself; the policy in force is asked
    again, and the stricter answer wins. The same ``consume_key`` replays the answer.
    """
    try:
        with kill_switch.noticed_at_commit():
            return _consume(
                permit_id=permit_id, agent=agent, digest=digest, consume_key=consume_key, now=now
            )
    except kill_switch.StoppedMeanwhile as stopped:
        raise KillSwitchActive("A stop came into force; nothing runs until it is lifted.") from stopped


@transaction.atomic
def _consume(*, permit_id: str, agent: Agent, digest: str, consume_key: str, now: datetime) -> Consumed:
    permit = (
        Permit.objects.select_for_update(of=("self",))
        .select_related("action__gate_check", "action__action_type", "action__agent_version")
        .filter(public_id=permit_id, agent=agent)
        .first()
    )
    if permit is None:
        raise UnknownPermit("There is no such permit.")
    same_digest = hmac.compare_digest(permit.digest.encode(), digest.encode())
    if permit.consumed_at is not None:
        if permit.consume_key == consume_key and same_digest:
            return Consumed(execution=permit.execution, replayed=True)
        raise AlreadyConsumed("This permit has been used.")
    if gate.stopped(agent_id=agent.pk, action_type_id=permit.action.action_type_id):
        raise KillSwitchActive("A stop is in force; nothing runs until it is lifted.")
    if Agent.objects.get(pk=agent.pk).state != AgentState.ACTIVE:
        raise KillSwitchActive("This agent is paused.")
    if not same_digest:
        raise DigestMismatch("What is about to run is not what was decided.")
    _ask_policy_again(permit, now=now)
    execution_id = ids.new("exe")
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE reviews_permit SET consumed_at = clock_timestamp(), consume_key = %s
            WHERE id = %s AND consumed_at IS NULL AND revoked_at IS NULL AND expired_at IS NULL
              AND expires_at > clock_timestamp()
              AND digest = %s AND agent_id = %s
            RETURNING consumed_at
            """,
            [consume_key, permit.pk, digest, agent.pk],
        )
        row = cursor.fetchone()
    if row is None:
        if permit.revoked_at is not None:
            raise PermitRevoked("This permit was revoked.")
        raise PermitExpired("This permit ran out; propose the action again.")
    execution = Execution.objects.create(
        public_id=execution_id,
        permit=permit,
        action=permit.action,
        started_at=row[0],
        lease_until=row[0] + timedelta(seconds=settings.EXECUTION_LEASE_SECONDS),
    )
    ledger.record(
        actor=ledger.Actor.agent(agent),
        verb="permit.consumed",
        object_kind="permit",
        object_id=permit.public_id,
        action_id=permit.action.public_id,
        payload={"digest": digest, "execution_id": execution_id},
        now=row[0],
    )
    return Consumed(execution=execution, replayed=False)


@transaction.atomic
def report_outcome(
    *,
    execution_id: str,
    agent: Agent,
    outcome: Outcome,
    detail: Mapping[str, JsonValue] | None,
    executed_digest: str,
    now: datetime,
) -> Execution:
    """Record what came of a run. The same report again changes nothing; another one is refused.

    A report may come after the lease ran out: it replaces the "unknown" that Handrail had written by itself.
    """
    execution = _own_execution(execution_id, agent)
    body = dict(detail) if detail is not None else None
    if execution.reported:
        if (execution.outcome, execution.detail, execution.executed_digest) == (
            outcome,
            body,
            executed_digest,
        ):
            return execution
        raise OutcomeConflict(f"The outcome {execution.outcome} was reported before.")
    execution.outcome = outcome
    execution.reported = True
    execution.detail = body
    execution.executed_digest = executed_digest
    execution.outcome_at = now
    execution.save(update_fields=["outcome", "reported", "detail", "executed_digest", "outcome_at"])
    payload: dict[str, JsonValue] = {"outcome": outcome.value, "executed_digest": executed_digest}
    if executed_digest and not hmac.compare_digest(executed_digest, execution.permit.digest):
        payload["mismatch"] = True
    ledger.record(
        actor=ledger.Actor.agent(agent),
        verb="execution.outcome",
        object_kind="execution",
        object_id=execution.public_id,
        action_id=execution.action.public_id,
        payload=payload,
        now=now,
    )
    return execution


@transaction.atomic
def heartbeat(*, execution_id: str, agent: Agent, now: datetime) -> Execution:
    """Prolong the lease of a run that is still going. After an outcome it changes nothing."""
    execution = _own_execution(execution_id, agent)
    if not execution.outcome:
        execution.heartbeat_at = now
        execution.lease_until = now + timedelta(seconds=settings.EXECUTION_LEASE_SECONDS)
        execution.save(update_fields=["heartbeat_at", "lease_until"])
    return execution


def _own_execution(execution_id: str, agent: Agent) -> Execution:
    execution = (
        Execution.objects.select_for_update(of=("self",))
        .select_related("permit", "action")
        .filter(public_id=execution_id, action__agent=agent)
        .first()
    )
    if execution is None:
        raise UnknownExecution("There is no such execution.")
    return execution


def _ask_policy_again(permit: Permit, *, now: datetime) -> None:
    """Refuse when the policy in force has become too strict. One that became looser never helps."""
    action = permit.action
    evaluation = gate.recheck(
        proposal=proposal_of(action, arguments=final_arguments(action)),
        previous_verdict=Verdict(action.gate_check.verdict),
        now=now,
    )
    enough: set[Any] = (
        {Verdict.ALLOW} if permit.basis == PermitBasis.ALLOWED else {Verdict.ALLOW, Verdict.REVIEW}
    )
    if any(reason.code in {"kill_switch", "agent_inactive"} for reason in evaluation.reasons):
        raise KillSwitchActive("A stop came into force; nothing runs until it is lifted.")
    if evaluation.verdict not in enough:
        raise NoLongerAllowed("The policy in force no longer lets this run; propose the action again.")
