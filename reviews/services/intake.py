"""Intake: the rows that one submission becomes, drawn up in memory and written by one statement.

The action with its verdict and its context; an item for a person, or a permit; and what the ledger says of
each. The action leads: where the agent has used its key already, nothing of it is written.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Final

from django.db import models, transaction

from hitl_site.lib import rows
from hitl_site.lib.canonical import action_digest, canonicalize
from hitl_site.lib.instances import made
from policies.engine.facts import Verdict
from policies.engine.policy import PolicyDocument
from policies.models import ActionType, AgentKey, GateCheck
from policies.services import ledger
from policies.services.gate import Proposal
from reviews.adapters import submission as wire
from reviews.choices import ActionState, ItemKind, Mode, PermitBasis
from reviews.models import ActionContext, ActionRequest, Permit
from reviews.schema_form.titles import render_title
from reviews.selectors.history import NO_OPINION
from reviews.services import gatekeeping, permits, wakeups

_STATES: Final = {
    Verdict.ALLOW: ActionState.ALLOWED,
    Verdict.DENY: ActionState.DENIED,
    Verdict.REVIEW: ActionState.PENDING_REVIEW,
}
_VERBS: Final = {
    ActionState.ALLOWED: "action.allowed",
    ActionState.DENIED: "action.denied",
    ActionState.PENDING_REVIEW: "action.held",
    ActionState.OBSERVED: "action.observed",
}
_ONE_PER_KEY: Final = ("agent_id", "idempotency_key")


@dataclass(frozen=True, slots=True)
class Intake:
    """What a submission becomes once it is written."""

    action: ActionRequest
    permit: Permit | None
    rows: tuple[models.Model, ...]
    items: tuple[str, ...]


def digest_of(*, agent_name: str, body: wire.SubmissionBody) -> str:
    """Return the digest that binds this submission (api.md, The permit).

    That its numbers are finite was made sure when it was read.
    """
    return action_digest(
        agent=agent_name,
        subject=body.subject,
        action_type=body.action_type,
        environment=body.environment,
        arguments=body.arguments,
        known_finite=True,
    )


def draw_up(
    *,
    key: AgentKey,
    body: wire.SubmissionBody,
    proposal: Proposal,
    check: GateCheck,
    likeness: str,
    queue_id: int | None,
    idempotency_key: str,
    digest_of_body: str,
    request_id: str,
    now: datetime,
) -> Intake:
    """Return what follows from the verdict, unwritten: held for a person, permitted, drawn for a check.

    ``queue_id`` is where the policy's items go; None reads it.
    """
    action = _action(
        key=key,
        body=body,
        proposal=proposal,
        check=check,
        likeness=likeness,
        idempotency_key=idempotency_key,
        digest_of_body=digest_of_body,
        request_id=request_id,
        now=now,
    )
    context = made(
        ActionContext,
        action=action,
        context=body.context,
        judge=body.judge.model_dump(mode="json") if body.judge else None,
        samples=body.samples,
        reason=body.reason,
        reported_outcome=body.outcome,
    )
    written: list[models.Model] = [action, check, context, *_told(action, check, now)]
    permit = None
    kinds: list[ItemKind] = []
    if action.state == ActionState.PENDING_REVIEW:
        kinds.append(ItemKind.GATE)
    elif action.state == ActionState.ALLOWED:
        drawn = permits.draw_up(action=action, basis=PermitBasis.ALLOWED, decision=None, now=now)
        permit = drawn.permit
        written += (permit, drawn.entry, drawn.said)
    # Nothing waits for these: allowed ones that the draw chose, observed ones that a policy would have held.
    held_too_late = action.state == ActionState.OBSERVED and check.verdict == Verdict.REVIEW
    if check.audit_selected or held_too_late:
        kinds.append(ItemKind.AUDIT)
    items = [
        gatekeeping.draw_up_item(action=action, check=check, kind=kind, queue_id=queue_id, now=now)
        for kind in kinds
    ]
    return Intake(
        action=action,
        permit=permit,
        rows=(*written, *items),
        items=tuple(item.public_id for item in items),
    )


def write(intake: Intake) -> bool:
    """Write it all. Return False, with nothing written, where the agent's key was used by another action.

    Another request with that key that is under way is waited for. Open inboxes hear of an item once it is
    committed: a notification inside would have every commit wait for the one before it.
    """
    if not rows.insert(*intake.rows, unless_taken=_ONE_PER_KEY):
        return False
    for item_id in intake.items:
        transaction.on_commit(partial(wakeups.inbox_changed, item_id), robust=True)
    return True


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


def _action(
    *,
    key: AgentKey,
    body: wire.SubmissionBody,
    proposal: Proposal,
    check: GateCheck,
    likeness: str,
    idempotency_key: str,
    digest_of_body: str,
    request_id: str,
    now: datetime,
) -> ActionRequest:
    state = ActionState.OBSERVED if body.mode == Mode.OBSERVED.value else _STATES[Verdict(check.verdict)]
    digest = digest_of(agent_name=key.agent.name, body=body)
    canonical = canonicalize(body.arguments)
    runs = state == ActionState.ALLOWED
    # What was denied for no fault of its own is not known again, however often it comes during a stop.
    blameless = state == ActionState.DENIED and check.reasons[0]["code"] in NO_OPINION
    return made(
        ActionRequest,
        public_id=proposal.action_id,
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
        likeness="" if blameless else likeness,
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


def _told(action: ActionRequest, check: GateCheck, now: datetime) -> tuple[models.Model, models.Model]:
    return ledger.drawn_up(
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
