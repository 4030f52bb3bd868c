"""Ingest: taking actions in and putting each through the gate, in one transaction with all that follows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Final

from django.conf import settings
from django.db import connection, transaction

from hitl_site.lib import ids
from hitl_site.lib.canonical import canonicalize, digest_of_canonical
from policies.engine.agreement import agreement
from policies.engine.facts import Verdict
from policies.models import AgentKey, AgentVersion
from policies.selectors.standing import load as load_standing
from policies.services import agents, gate, kill_switch
from reviews.adapters import submission as wire
from reviews.choices import ActionState, IngestState, Mode
from reviews.models import DEFAULT_QUEUE, ActionRequest, IngestRow, Permit
from reviews.selectors.actions import of_agent
from reviews.selectors.history import History
from reviews.services import intake

# Closer to its cap than this, an agent's submissions are counted one after the other.
_NEAR = 64
# What one wants to know of a submission in the same breath: who has its key, and where its items go.
_BESIDE: Final = (
    "(SELECT used.id FROM reviews_actionrequest used"
    " WHERE used.agent_id = a.id AND used.idempotency_key = $7)",
    "(SELECT ARRAY[line.public_id] FROM reviews_ingestrow line"
    " WHERE line.agent_id = a.id AND line.idempotency_key = $7)",
    f"(SELECT queue.id FROM reviews_queue queue"
    f" WHERE queue.slug IN (coalesce(p.document ->> 'queue', '{DEFAULT_QUEUE}'), '{DEFAULT_QUEUE}')"
    f" ORDER BY queue.slug = '{DEFAULT_QUEUE}' LIMIT 1)",
)


class UnableToSubmit(Exception):
    """The action cannot be taken in."""


class IdempotencyKeyReused(UnableToSubmit):
    """The key was used before, with another body."""


class EnvironmentNotAllowed(UnableToSubmit):
    """The agent's key is not good for this environment."""


class TooManyPending(UnableToSubmit):
    """As many actions of this agent wait for a person as may."""


class _KeyTaken(Exception):
    """The agent has used this key for an action that stands."""


@dataclass(frozen=True)
class Submitted:
    """An action that was taken in; with its permit when the gate has just allowed it."""

    action: ActionRequest
    replayed: bool
    permit: Permit | None = None


def claim_of(body: wire.SubmissionBody) -> agents.VersionClaim:
    """Return which version the agent says that it is: a label, or a label with what stands behind it."""
    said = body.agent_version
    return agents.VersionClaim(
        label=said.label, model=said.model, prompt_sha256=said.prompt_sha256, tools_sha256=said.tools_sha256
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
        pass  # asked again, the gate sees it
    with kill_switch.noticed_at_commit():
        return again()


def _submit(
    *,
    key: AgentKey,
    body: wire.SubmissionBody,
    idempotency_key: str,
    request_id: str,
    now: datetime,
    action_id: str,
) -> Submitted:
    digest = digest_of_canonical(canonicalize(wire.filled(body)))
    try:
        return _take_in(
            key=key,
            body=body,
            idempotency_key=idempotency_key,
            digest_of_body=digest,
            request_id=request_id,
            now=now,
            action_id=action_id,
        )
    except _KeyTaken:
        return _replayed(key, idempotency_key, digest)


@transaction.atomic
def _take_in(
    *,
    key: AgentKey,
    body: wire.SubmissionBody,
    idempotency_key: str,
    digest_of_body: str,
    request_id: str,
    now: datetime,
    action_id: str,
) -> Submitted:
    _check_environment(key, body)
    claim = claim_of(body)
    standing = load_standing(
        agent=key.agent,
        label=agents.version_label(claim.label),
        fingerprint=claim.fingerprint,
        action_type_name=body.action_type,
        now=now,
        beside=_BESIDE,
        values=[idempotency_key],
    )
    used_by, accepted, queue_id = standing.beside
    if used_by is not None:
        raise _KeyTaken
    row = None
    if accepted is not None and accepted[0] != action_id:
        row = _row_of_batch(key, idempotency_key, digest_of_body)
        action_id = row.public_id
    version = standing.agent_version or agents.see_version(agent=key.agent, claim=claim, now=now)
    proposal = _proposal(key, body, version, action_id=action_id or ids.new("act"), past=History())
    check = gate.judge(proposal=proposal, standing=standing, now=now)
    if check.verdict == Verdict.REVIEW and body.mode != Mode.OBSERVED.value:
        _check_pending(key)
    taken = intake.draw_up(
        key=key,
        body=body,
        proposal=proposal,
        check=check,
        queue_id=queue_id,
        idempotency_key=idempotency_key,
        digest_of_body=digest_of_body,
        request_id=request_id,
        now=now,
    )
    if not intake.write(taken):
        # Somebody was faster with this key. Nothing of this one may stay, not even what shadow said.
        raise _KeyTaken
    if row is not None:
        row.action, row.state, row.done_at = taken.action, IngestState.DONE, now
        row.save(update_fields=["action", "state", "done_at"])
    return Submitted(action=taken.action, replayed=False, permit=taken.permit)


def dry_proposal(*, key: AgentKey, body: wire.SubmissionBody) -> gate.Proposal:
    """Return the submission as the gate would see it. Nothing is stored, not even a version seen first."""
    _check_environment(key, body)
    claim = claim_of(body)
    version = agents.known_version(agent=key.agent, claim=claim)
    version = version or AgentVersion(agent=key.agent, label=agents.version_label(claim.label))
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


def _check_pending(key: AgentKey) -> None:
    """Refuse one more item where the agent has as many as it may; nothing of the action is kept then."""
    most = key.agent.max_pending or settings.MAX_PENDING
    pending = ActionRequest.objects.filter(agent=key.agent, state=ActionState.PENDING_REVIEW)
    # Far below the cap nobody waits for anybody. Near it one comes after the other, so that it is exact.
    far = max(0, most - _NEAR)
    if pending[:far].count() < far:
        return
    _hold(f"pending:{key.agent_id}")
    if pending[:most].count() >= most:
        raise TooManyPending(f"{most} actions of this agent wait for a person; that is as many as may.")


def _check_environment(key: AgentKey, body: wire.SubmissionBody) -> None:
    if key.environments and body.environment not in key.environments:
        raise EnvironmentNotAllowed(f"This key is not good for the environment {body.environment}.")


def _hold(name: str) -> None:
    """Hold an advisory lock of this name until the transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [name])


def _replayed(key: AgentKey, idempotency_key: str, digest_of_body: str) -> Submitted:
    """Return the action that has the key, when it was the same that was asked."""
    action = of_agent(key.agent).get(idempotency_key=idempotency_key)
    if action.body_digest != digest_of_body:
        raise IdempotencyKeyReused("This idempotency key was used before, with another body.")
    return Submitted(action=action, replayed=True)


def _row_of_batch(key: AgentKey, idempotency_key: str, digest_of_body: str) -> IngestRow:
    """Return the line of a batch that has the key and waits to be worked off, held until this ends.

    The same submission is that line, sent again by itself: it is worked off here and now.
    """
    row = IngestRow.objects.select_for_update().get(agent=key.agent, idempotency_key=idempotency_key)
    if row.body_digest != digest_of_body:
        raise IdempotencyKeyReused("This idempotency key was used before, with another body.")
    if row.state == IngestState.DONE:
        raise _KeyTaken  # worked off while we waited for it
    return row
