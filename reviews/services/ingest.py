"""Ingest: taking actions in and putting each through the gate, in one transaction with all that follows."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from django.db import DatabaseError, connection, transaction

from hitl_site.lib import ids
from hitl_site.lib.canonical import action_digest, body_digest, canonicalize
from policies.engine.facts import Verdict
from policies.engine.policy import PolicyDocument
from policies.models import ActionType, AgentKey, AgentVersion, GateCheck
from policies.services import agents, gate, kill_switch, ledger
from reviews.adapters import submission as wire
from reviews.choices import ActionState, IngestState, ItemKind, Mode, PermitBasis
from reviews.models import ActionContext, ActionRequest, IngestRow, Permit
from reviews.schema_form.titles import render_title
from reviews.services import gatekeeping, permits

logger = logging.getLogger(__name__)

MAX_ATTEMPTS = 5
_STATES = {
    Verdict.ALLOW: ActionState.ALLOWED,
    Verdict.DENY: ActionState.DENIED,
    Verdict.REVIEW: ActionState.PENDING_REVIEW,
}
_VERBS = {
    ActionState.ALLOWED: "action.allowed",
    ActionState.DENIED: "action.denied",
    ActionState.PENDING_REVIEW: "action.held",
    ActionState.OBSERVED: "action.observed",
}


class UnableToSubmit(Exception):
    """The action cannot be taken in."""


class IdempotencyKeyReused(UnableToSubmit):
    """The key was used before, with another body."""


class EnvironmentNotAllowed(UnableToSubmit):
    """The agent's key is not good for this environment."""


@dataclass(frozen=True)
class Submitted:
    """An action that was taken in; with its permit when the gate has just allowed it."""

    action: ActionRequest
    replayed: bool
    permit: Permit | None = None


@dataclass(frozen=True)
class Accepted:
    """A line of a batch of observed actions that is stored and will be worked off."""

    row: IngestRow
    replayed: bool


def digest_of(*, agent_name: str, body: wire.SubmissionBody) -> str:
    """Return the digest that binds this submission (api.md, The permit)."""
    return action_digest(
        agent=agent_name,
        subject=body.subject,
        action_type=body.action_type,
        environment=body.environment,
        arguments=body.arguments,
    )


def submit(
    *,
    key: AgentKey,
    body: wire.SubmissionBody,
    idempotency_key: str,
    request_id: str,
    now: datetime,
    action_id: str = "",
) -> Submitted:
    """Take one action in: idempotency, digest, verdict, item or permit, ledger. All of it, or none.

    The same agent and key with the same body answer the action that exists; with another they are refused.
    Where a stop comes between an allow and its commit, nothing is committed and the gate is asked once more.
    """
    again = partial(
        _submit,
        key=key,
        body=body,
        idempotency_key=idempotency_key,
        request_id=request_id,
        now=now,
        action_id=action_id,
    )
    try:
        with kill_switch.noticed_at_commit():
            return again()
    except kill_switch.StoppedMeanwhile:
        key.agent.refresh_from_db(fields=["state"])
    with kill_switch.noticed_at_commit():
        return again()


@transaction.atomic
def _submit(
    *,
    key: AgentKey,
    body: wire.SubmissionBody,
    idempotency_key: str,
    request_id: str,
    now: datetime,
    action_id: str,
) -> Submitted:
    _check_environment(key, body)
    # One request with this key at a time: the second then finds what the first wrote.
    _hold(f"submit:{key.agent_id}:{idempotency_key}")
    digest_of_body = body_digest(body.model_dump(mode="json", exclude={"idempotency_key"}))
    existing = _existing(key, idempotency_key, digest_of_body, own_row=action_id)
    if existing is not None:
        return Submitted(action=existing, replayed=True)

    action_id = action_id or ids.new("act")
    version = agents.see_version(agent=key.agent, label=body.agent_version, now=now)
    check = gate.check(proposal=_proposal(key, body, version, action_id=action_id), now=now)
    action = _store(
        key=key,
        body=body,
        check=check,
        action_id=action_id,
        idempotency_key=idempotency_key,
        digest_of_body=digest_of_body,
        request_id=request_id,
        now=now,
    )
    permit = _follow(action=action, check=check, now=now)
    return Submitted(action=action, replayed=False, permit=permit)


def dry_proposal(*, key: AgentKey, body: wire.SubmissionBody) -> gate.Proposal:
    """Return the submission as the gate would see it. Nothing is stored, not even a version seen first."""
    _check_environment(key, body)
    label = agents.version_label(body.agent_version)
    version = AgentVersion.objects.filter(agent=key.agent, label=label).first()
    return _proposal(
        key, body, version or AgentVersion(agent=key.agent, label=label), action_id=ids.new("act")
    )


@transaction.atomic
def accept_observed(
    *,
    key: AgentKey,
    lines: Sequence[wire.BatchLine],
    request_id: str,
    now: datetime,
) -> list[Accepted | UnableToSubmit]:
    """Store the observed lines of a batch, all in one statement, and answer in their order.

    They are durable when this returns to a committed transaction; ``work_off`` takes them through the gate.
    """
    # One batch of an agent at a time: two that share keys in another order would wait for each other for
    # ever, and each finds here what the one before it stored.
    _hold(f"batch:{key.agent_id}")
    batch_id = ids.new("bat")
    answers: list[Accepted | UnableToSubmit] = []
    fresh: dict[str, IngestRow] = {}
    keys = [line.idempotency_key for line in lines]
    taken = {
        row.idempotency_key: row
        for row in IngestRow.objects.filter(agent=key.agent, idempotency_key__in=keys).defer("body")
    }
    elsewhere = dict(
        ActionRequest.objects.filter(agent=key.agent, idempotency_key__in=keys).values_list(
            "idempotency_key", "body_digest"
        )
    )
    for line in lines:
        digest = body_digest(line.model_dump(mode="json", exclude={"idempotency_key"}))
        earlier = taken.get(line.idempotency_key) or fresh.get(line.idempotency_key)
        if key.environments and line.environment not in key.environments:
            answers.append(EnvironmentNotAllowed(f"This key is not good for {line.environment}."))
        elif earlier is not None:
            answers.append(
                Accepted(row=earlier, replayed=True)
                if earlier.body_digest == digest
                else IdempotencyKeyReused("This idempotency key was used with another body.")
            )
        elif line.idempotency_key in elsewhere:
            answers.append(IdempotencyKeyReused("This idempotency key was used for a single submission."))
        else:
            row = IngestRow(
                public_id=ids.new("act"),
                batch_id=batch_id,
                agent=key.agent,
                agent_key=key,
                idempotency_key=line.idempotency_key,
                body_digest=digest,
                # Canonical text inside JSON: jsonb would rewrite numbers, and the digest is over exact ones.
                body={"canonical": canonicalize(line.model_dump(mode="json")).decode()},
                request_id=request_id,
                accepted_at=now,
            )
            fresh[line.idempotency_key] = row
            answers.append(Accepted(row=row, replayed=False))
    IngestRow.objects.bulk_create(fresh.values())
    return answers


def rows_to_do(*, batch_id: str = "", limit: int = 1000) -> list[int]:
    """Return the rows that wait to be worked off, oldest first; those of one batch when it is named."""
    rows = IngestRow.objects.filter(state=IngestState.ACCEPTED)
    if batch_id:
        rows = rows.filter(batch_id=batch_id)
    return list(rows.order_by("id").values_list("pk", flat=True)[:limit])


def work_off(*, row_id: int, now: datetime) -> bool:
    """Take one accepted row through the gate. Return False when somebody else has it or had it.

    A row that fails ``MAX_ATTEMPTS`` times is parked with its error, so that the others keep moving.
    """
    try:
        with transaction.atomic():
            row = (
                IngestRow.objects.select_for_update(skip_locked=True, of=("self",))
                .select_related("agent_key__agent")
                .filter(pk=row_id, state=IngestState.ACCEPTED)
                .first()
            )
            if row is None or row.agent_key is None:
                return False
            submitted = submit(
                key=row.agent_key,
                body=wire.read_line(_parse(row.body)),
                idempotency_key=row.idempotency_key,
                request_id=row.request_id,
                now=now,
                action_id=row.public_id,
            )
            row.action = submitted.action
            row.state = IngestState.DONE
            row.done_at = now
            row.save(update_fields=["action", "state", "done_at"])
    except DatabaseError:
        # The database's own trouble says nothing about the row; it will be tried again.
        raise
    except Exception as error:
        logger.exception("row %s of a batch failed", row_id)
        _count_failure(row_id, str(error))
    return True


def _proposal(
    key: AgentKey, body: wire.SubmissionBody, version: AgentVersion, *, action_id: str
) -> gate.Proposal:
    return gate.Proposal(
        action_id=action_id,
        agent=key.agent,
        agent_version=version,
        action_type_name=body.action_type,
        arguments=body.arguments,
        mode=body.mode,
        confidence=body.confidence,
        judge_score=body.judge.score if body.judge else None,
        environment=body.environment,
        subject=body.subject,
        conversation_id=body.conversation_id,
        context=body.context,
    )


def _parse(body: Mapping[str, Any]) -> object:
    return json.loads(body["canonical"])


@transaction.atomic
def _count_failure(row_id: int, error: str) -> None:
    row = IngestRow.objects.select_for_update().get(pk=row_id)
    row.attempts += 1
    row.last_error = error[:2000]
    if row.attempts >= MAX_ATTEMPTS:
        row.state = IngestState.PARKED
    row.save(update_fields=["attempts", "last_error", "state"])


def _check_environment(key: AgentKey, body: wire.SubmissionBody) -> None:
    if key.environments and body.environment not in key.environments:
        raise EnvironmentNotAllowed(f"This key is not good for the environment {body.environment}.")


def _hold(name: str) -> None:
    """Hold an advisory lock of this name until the transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [name])


def _existing(
    key: AgentKey, idempotency_key: str, digest_of_body: str, *, own_row: str
) -> ActionRequest | None:
    # One light question for the usual answer, which is that nobody has used the key.
    actions = ActionRequest.objects.filter(agent=key.agent, idempotency_key=idempotency_key)
    rows = IngestRow.objects.filter(agent=key.agent, idempotency_key=idempotency_key)
    used = actions.values_list("public_id", "body_digest").union(
        rows.exclude(public_id=own_row).values_list("public_id", "body_digest"), all=True
    )
    earlier = dict(used)
    if not earlier:
        return None
    action = actions.select_related(
        "agent", "agent_version", "action_type", "gate_check__policy_version"
    ).first()
    if action is None or action.body_digest != digest_of_body:
        raise IdempotencyKeyReused("This idempotency key was used before, with another body.")
    return action


def _store(
    *,
    key: AgentKey,
    body: wire.SubmissionBody,
    check: GateCheck,
    action_id: str,
    idempotency_key: str,
    digest_of_body: str,
    request_id: str,
    now: datetime,
) -> ActionRequest:
    state = ActionState.OBSERVED if body.mode == Mode.OBSERVED.value else _STATES[Verdict(check.verdict)]
    digest = digest_of(agent_name=key.agent.name, body=body)
    canonical = canonicalize(body.arguments)
    runs = state == ActionState.ALLOWED
    action = ActionRequest.objects.create(
        public_id=action_id,
        agent=key.agent,
        agent_version=check.agent_version,
        agent_key=key,
        action_type_name=body.action_type,
        action_type=check.action_type,
        gate_check=check,
        mode=body.mode,
        state=state,
        title=title_of(check.action_type, body),
        arguments_canonical=canonical,
        arguments=body.arguments,
        digest=digest,
        final_arguments_canonical=canonical if runs else None,
        final_digest=digest if runs else "",
        environment=body.environment,
        subject=body.subject,
        conversation_id=body.conversation_id,
        parent_action_id=body.parent_action_id,
        confidence=body.confidence,
        judge_score=body.judge.score if body.judge else None,
        idempotency_key=idempotency_key,
        body_digest=digest_of_body,
        request_id=request_id,
        created_at=now,
        expires_at=deadline(body=body, document=gatekeeping.document_of(check), now=now),
        closed_at=None if state == ActionState.PENDING_REVIEW else now,
    )
    ActionContext.objects.create(
        action=action,
        context=body.context,
        judge=body.judge.model_dump(mode="json") if body.judge else None,
        samples=body.samples,
        reason=body.reason,
        reported_outcome=body.outcome,
    )
    return action


def _follow(*, action: ActionRequest, check: GateCheck, now: datetime) -> Permit | None:
    """Do what the verdict asks: hold for a person, issue a permit, draw for a check. And write it down."""
    permit = None
    ledger.record(
        actor=ledger.Actor.agent(action.agent),
        verb=_VERBS[ActionState(action.state)],
        object_kind="action",
        object_id=action.public_id,
        action_id=action.public_id,
        payload={
            "action_type": action.action_type_name,
            "digest": action.digest,
            "verdict": check.verdict,
            "reasons": [reason["code"] for reason in check.reasons],
            "policy_version": check.policy_version.public_id if check.policy_version else None,
            "level": check.level,
            "propensity": check.propensity,
        },
        now=now,
    )
    if action.state == ActionState.PENDING_REVIEW:
        gatekeeping.open_item(action=action, check=check, kind=ItemKind.GATE, now=now)
    elif action.state == ActionState.ALLOWED:
        permit = permits.issue(action=action, basis=PermitBasis.ALLOWED, decision=None, now=now)
    # Nothing waits for these: allowed ones that the draw chose, observed ones that a policy would have held.
    held_too_late = action.state == ActionState.OBSERVED and check.verdict == Verdict.REVIEW
    if check.audit_selected or held_too_late:
        gatekeeping.open_item(action=action, check=check, kind=ItemKind.AUDIT, now=now)
    return permit


def title_of(action_type: ActionType | None, body: wire.SubmissionBody) -> str:
    """Return the sentence of the inbox; the bare name where nobody declared the action type."""
    if action_type is None:
        return f"{body.action_type} (not declared)"
    if not action_type.title_template:
        return action_type.title
    return render_title(action_type.title_template, body.arguments, fallback=action_type.title)


def deadline(*, body: wire.SubmissionBody, document: PolicyDocument, now: datetime) -> datetime:
    """Return when the question lapses: the policy's deadline, or sooner where the agent waits less long."""
    by_policy = timedelta(seconds=document.deadline_seconds)
    patience = wire.patience(body)
    return now + (by_policy if patience is None else min(by_policy, patience))
