"""Executions: what became of a run. Its agent reports it once; what is no report is unknown."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

from django.conf import settings
from django.db import transaction
from pydantic import JsonValue

from hitl_site.lib.canonical import body_digest
from policies.choices import KillSwitchScope
from policies.models import Agent, LedgerEntry
from policies.services import kill_switch, ledger
from reviews.choices import IncidentKind, Outcome
from reviews.models import Execution, Incident
from reviews.services import incidents

# Each conflicting report is kept, until an agent that never stops would fill the ledger with them.
_MOST_CONFLICTS: Final = 20


class UnknownExecution(Exception):
    """No execution of this agent has this id."""


class OutcomeConflict(Exception):
    """Another outcome was reported before."""


def report_outcome(
    *,
    execution_id: str,
    agent: Agent,
    outcome: Outcome,
    detail: Mapping[str, JsonValue] | None,
    executed_digest: str,
    now: datetime,
) -> Execution:
    """Record what came of a run. The same report again changes nothing.

    Another report is refused, and that it was made is on record (threat A8). A report may come after the
    lease ran out: it replaces the "unknown" that Handrail had written by itself, and the incident stays for a
    person to close. A digest that is not of what was decided makes an incident, and where the action type
    says so it stops the action type.
    """
    execution, conflict = _report(
        execution_id=execution_id,
        agent=agent,
        outcome=outcome,
        detail=dict(detail) if detail is not None else None,
        executed_digest=executed_digest,
        now=now,
    )
    if conflict:
        # Raised after the commit: what the agent tried to say must not go with a transaction rolled back.
        raise OutcomeConflict(f"The outcome {execution.outcome} was reported before.")
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


@transaction.atomic
def _report(
    *,
    execution_id: str,
    agent: Agent,
    outcome: Outcome,
    detail: dict[str, JsonValue] | None,
    executed_digest: str,
    now: datetime,
) -> tuple[Execution, bool]:
    """Record the report; say whether it contradicts the one before."""
    execution = _own_execution(execution_id, agent)
    # Who names no digest says that it is the one the permit was used with.
    digest = executed_digest or execution.executed_digest
    mismatch = _is_other_than_decided(execution, digest)
    if execution.reported:
        if (execution.outcome, execution.detail, execution.executed_digest) == (outcome, detail, digest):
            return execution, False
        _record_conflict(execution, agent, outcome=outcome, detail=detail, digest=digest, now=now)
        if mismatch:
            _open_mismatch(execution, digest, now=now)
        return execution, True
    late = execution.outcome == Outcome.UNKNOWN
    execution.outcome = outcome
    execution.reported = True
    execution.detail = detail
    execution.executed_digest = digest
    execution.outcome_at = now
    execution.save(update_fields=["outcome", "reported", "detail", "executed_digest", "outcome_at"])
    payload: dict[str, JsonValue] = {"outcome": outcome.value, "executed_digest": digest}
    if late:
        payload["late"] = True
    if mismatch:
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
    if late:
        _note_late_report(execution, agent, now=now)
    if mismatch:
        _open_mismatch(execution, digest, now=now)
    return execution, False


def _is_other_than_decided(execution: Execution, digest: str) -> bool:
    """Say whether this is neither what was decided nor what the permit was used with."""
    if not digest or hmac.compare_digest(digest, execution.permit.digest):
        return False
    # Until an outcome is reported this is what the permit was used with under its declared binding.
    used_with = "" if execution.mismatch else execution.executed_digest
    return not hmac.compare_digest(digest, used_with)


def _open_mismatch(execution: Execution, digest: str, *, now: datetime) -> None:
    """Have a person find out, and stop the action type where its declaration says so."""
    if not execution.mismatch:
        execution.mismatch = True
        execution.save(update_fields=["mismatch"])
    known = Incident.objects.filter(execution=execution, kind=IncidentKind.DIGEST_MISMATCH).exists()
    incident = incidents.open_incident(
        execution=execution,
        kind=IncidentKind.DIGEST_MISMATCH,
        detail={"decided_digest": execution.permit.digest, "executed_digest": digest},
        now=now,
    )
    action_type = execution.action.action_type
    if known or action_type is None or not action_type.pause_on_mismatch:
        return
    kill_switch.engage(
        scope=KillSwitchScope.ACTION_TYPE,
        action_type=action_type,
        reason=f"Something else ran than was decided: incident {incident.public_id}.",
        actor=ledger.Actor.system(),
        now=now,
    )


def _note_late_report(execution: Execution, agent: Agent, *, now: datetime) -> None:
    """Tell of a late report in the story of the incident; whether it is believed is for a person to say."""
    found = Incident.objects.filter(execution=execution, kind=IncidentKind.OUTCOME_UNKNOWN).first()
    if found is None:
        return
    ledger.record(
        actor=ledger.Actor.agent(agent),
        verb="incident.reported_late",
        object_kind="incident",
        object_id=found.public_id,
        action_id=execution.action.public_id,
        payload={"execution_id": execution.public_id, "outcome": execution.outcome},
        now=now,
    )


def _record_conflict(
    execution: Execution,
    agent: Agent,
    *,
    outcome: Outcome,
    detail: dict[str, JsonValue] | None,
    digest: str,
    now: datetime,
) -> None:
    """Keep what was said against the record, which stays as it is."""
    before = LedgerEntry.objects.filter(
        action_id=execution.action.public_id, verb="execution.outcome_conflict", object_id=execution.public_id
    )
    if before.count() >= _MOST_CONFLICTS:
        return
    ledger.record(
        actor=ledger.Actor.agent(agent),
        verb="execution.outcome_conflict",
        object_kind="execution",
        object_id=execution.public_id,
        action_id=execution.action.public_id,
        payload={
            "outcome": outcome.value,
            "executed_digest": digest,
            "detail_digest": body_digest(detail),
            "recorded_outcome": execution.outcome,
        },
        now=now,
    )


def _own_execution(execution_id: str, agent: Agent) -> Execution:
    execution = (
        Execution.objects.select_for_update(of=("self",))
        .select_related("permit", "action__action_type")
        .filter(public_id=execution_id, action__agent=agent)
        .first()
    )
    if execution is None:
        raise UnknownExecution("There is no such execution.")
    return execution
