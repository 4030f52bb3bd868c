"""Ingest: taking actions in and putting each through the gate, in one transaction with all that follows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from django.db import connection, transaction

from hitl_site.lib import ids
from hitl_site.lib.canonical import action_digest, body_digest, canonicalize
from policies.engine.agreement import agreement
from policies.engine.facts import Verdict
from policies.engine.policy import PolicyDocument
from policies.models import ActionType, AgentKey, AgentVersion, GateCheck
from policies.services import agents, gate, kill_switch, ledger
from reviews.adapters import submission as wire
from reviews.choices import ActionState, ItemKind, Mode, PermitBasis
from reviews.models import ActionContext, ActionRequest, IngestRow, Permit
from reviews.schema_form.titles import render_title
from reviews.selectors.history import History
from reviews.selectors.likeness import likeness_of
from reviews.services import gatekeeping, permits

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
    proposal = _proposal(key, body, version, action_id=action_id, past=History())
    check = gate.check(proposal=proposal, now=now)
    action = _store(
        key=key,
        body=body,
        proposal=proposal,
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
    version = version or AgentVersion(agent=key.agent, label=label)
    # Nothing rests on this answer, so that nobody needs to wait for it.
    return _proposal(key, body, version, action_id=ids.new("act"), past=History(waits=False))


def _proposal(
    key: AgentKey, body: wire.SubmissionBody, version: AgentVersion, *, action_id: str, past: History
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
        sample_agreement=agreement(body.samples, action_type=body.action_type, arguments=body.arguments),
        environment=body.environment,
        subject=body.subject,
        conversation_id=body.conversation_id,
        context=body.context,
        past=past,
    )


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
    proposal: gate.Proposal,
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
        likeness=likeness_of(
            agent_name=key.agent.name,
            subject=body.subject,
            action_type_name=body.action_type,
            action_type=check.action_type,
            environment=body.environment,
            arguments=body.arguments,
        ),
        environment=body.environment,
        subject=body.subject,
        conversation_id=body.conversation_id,
        parent_action_id=body.parent_action_id,
        confidence=body.confidence,
        judge_score=body.judge.score if body.judge else None,
        sample_agreement=proposal.sample_agreement,
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
