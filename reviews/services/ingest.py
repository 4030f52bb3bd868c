"""Ingest: taking actions in and putting each through the gate, in one transaction with all that follows."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.conf import settings
from django.db import connection, transaction

from hitl_site.lib import ids, rows
from hitl_site.lib.canonical import digest_of_canonical
from policies.engine.agreement import agreement
from policies.engine.facts import Verdict
from policies.models import ActionType, AgentKey, AgentVersion
from policies.selectors.policies import live_document
from policies.selectors.standing import Standing, load_by_key
from policies.selectors.standing import load as load_standing
from policies.services import agents, gate, kill_switch
from reviews.adapters import submission as wire
from reviews.choices import IngestState, Mode
from reviews.models import DEFAULT_QUEUE, ActionRequest, IngestRow, Permit
from reviews.selectors.actions import of_agent
from reviews.selectors.history import History, KnownRefusal, refusal_beside
from reviews.selectors.likeness import is_plain, likeness_of
from reviews.services import gatekeeping, intake

# Closer to its cap than this, an agent's submissions are counted one after the other.
_NEAR = 64
# Counted so lately, an agent that is far below its cap is not counted again.
_COUNTED_FOR: Final = 0.25
_LARGE_CAP: Final = 1_000
# What one wants to know of a submission in the same breath: who has its key, where its items go, and whether
# an act that looks the same was refused within the memory of the policy.
# Each order is that of the one index which answers in a single look. Without it a plan made while
# the tables were empty would read all of an agent's actions, and be kept.
# The sum keeps the planner to the index of keys. To a table that it knows nothing of yet, all that the agent
# ever did looks as short as one key of it; and such a plan is kept while the table grows.
_BESIDE: Final = (
    "(SELECT used.id FROM reviews_actionrequest used"
    " WHERE used.idempotency_key = $7 AND used.agent_id + 0 = a.id)",
    "(SELECT line.public_id FROM reviews_ingestrow line"
    " WHERE line.idempotency_key = $7 AND line.agent_id + 0 = a.id)",
    "(SELECT queue.id FROM reviews_queue queue WHERE queue.slug IN (coalesce(p.document ->> 'queue', $8), $8)"
    " ORDER BY queue.slug = $8 LIMIT 1)",
    refusal_beside(
        likeness="$9",
        since="c.now"
        " - make_interval(secs => coalesce((p.document ->> 'denial_memory_seconds')::float8, $10::float8))",
    ),
)
# By agent: how many waited, and when they were counted.
_counts: dict[int, tuple[int, float]] = {}
_DEFAULT_MEMORY: Final = str(gatekeeping.FALLBACK.denial_memory_seconds)


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


class _NeedsTransaction(Exception):
    """Two statements are not enough for this one."""


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


@dataclass(frozen=True, slots=True)
class Known:
    """What one statement said of a submission when it signed in its key."""

    standing: Standing
    likeness: str


def sign_in(
    *, token: str, address: str, agent_name: str, body: wire.SubmissionBody, idempotency_key: str
) -> tuple[AgentKey, datetime, Known | None]:
    """Sign in, and ask in the same breath all that the gate needs to know of what ``agent_name`` proposes.

    Returns the live key, the database's time and what is known of the action: None where the key is another
    agent's. Raises as ``agents.sign_in``, and ``InvalidVersion`` before anything is asked.
    """
    claim = claim_of(body)
    likeness = _likeness(agent_name, body, None)
    now, found, standing = load_by_key(
        lookup=agents.lookup_in(token),
        label=agents.version_label(claim.label),
        fingerprint=claim.fingerprint,
        action_type_name=body.action_type,
        beside=_BESIDE,
        values=[idempotency_key, DEFAULT_QUEUE, likeness, _DEFAULT_MEMORY],
    )
    key = agents.prove(found, token=token, address=address, now=now)
    if standing is None or key.agent.name != agent_name:
        return key, now, None
    return key, now, Known(standing=standing, likeness=likeness)


def submit(
    *,
    key: AgentKey,
    body: wire.SubmissionBody,
    idempotency_key: str,
    request_id: str,
    now: datetime,
    action_id: str = "",
    known: Known | None = None,
) -> Submitted:
    """Take one action in: idempotency, digest, verdict, item or permit, ledger. All of it, or none.

    The same agent and key with the same body answer the action that exists; with another they are refused.
    Where a stop comes between an allow and its commit, nothing is committed and the gate is asked once more.
    ``known`` is what ``sign_in`` has just read of this very submission; without it, it is read now.
    """
    asked = _Asked(
        key=key,
        body=body,
        idempotency_key=idempotency_key,
        digest=digest_of_canonical(wire.canonical(body)),
        # The exact one for nearly every action type; one that declares what may differ has its own.
        likeness=known.likeness if known is not None else _likeness(key.agent.name, body, None),
        request_id=request_id,
        now=now,
        action_id=action_id,
    )
    _check_environment(key, body)
    try:
        with kill_switch.noticed_at_commit():
            return _take_in(asked, known)
    except kill_switch.StoppedMeanwhile:
        pass  # asked again, and the database too, the gate sees it
    with kill_switch.noticed_at_commit():
        return _take_in(asked)


@dataclass(frozen=True, slots=True)
class _Asked:
    """A submission with what follows from it alone."""

    key: AgentKey
    body: wire.SubmissionBody
    idempotency_key: str
    digest: str
    likeness: str
    request_id: str
    now: datetime
    action_id: str


def _take_in(asked: _Asked, known: Known | None = None) -> Submitted:
    try:
        if connection.in_atomic_block:
            return _in_transaction(asked)
        try:
            return _by_two_statements(asked, known)
        except _NeedsTransaction:
            return _in_transaction(asked)
    except _KeyTaken:
        return _replayed(asked)


def _by_two_statements(asked: _Asked, known: Known | None) -> Submitted:
    """Look at everything by one statement, judge, and write everything by another: the usual case.

    What the second writes is a transaction of its own, so that all of it stands or nothing; and at its commit
    the database itself asks for stops and for the agent once more. Under READ COMMITTED a transaction around
    both would see no more: each statement sees what is committed when it begins.
    """
    standing = known.standing if known is not None else _stand(asked)
    used, line, _, _ = standing.beside
    if used is not None:
        raise _KeyTaken
    if line is not None or standing.agent_version is None or standing.shadow_version is not None:
        raise _NeedsTransaction
    if _measures(standing):
        raise _NeedsTransaction
    return _judged(asked, standing, version=standing.agent_version, action_id=asked.action_id)


@transaction.atomic
def _in_transaction(asked: _Asked) -> Submitted:
    """Do the same where more than one thing is written, or what was measured must stay as it is."""
    standing = _stand(asked)
    used, line, _, _ = standing.beside
    if used is not None:
        raise _KeyTaken
    row, action_id = None, asked.action_id
    if line is not None and line != action_id:
        row = _row_of_batch(asked)
        action_id = row.public_id
    version = standing.agent_version
    if version is None:
        version = agents.see_version(agent=asked.key.agent, claim=claim_of(asked.body), now=asked.now)
    taken = _judged(asked, standing, version=version, action_id=action_id)
    if row is not None:
        row.action, row.state, row.done_at, row.body = taken.action, IngestState.DONE, asked.now, ""
        row.save(update_fields=["action", "state", "done_at", "body"])
    return taken


def _stand(asked: _Asked) -> Standing:
    claim = claim_of(asked.body)
    return load_standing(
        agent=asked.key.agent,
        label=agents.version_label(claim.label),
        fingerprint=claim.fingerprint,
        action_type_name=asked.body.action_type,
        now=asked.now,
        beside=_BESIDE,
        values=[asked.idempotency_key, DEFAULT_QUEUE, asked.likeness, _DEFAULT_MEMORY],
    )


def _judged(asked: _Asked, standing: Standing, *, version: AgentVersion, action_id: str) -> Submitted:
    """Ask the gate, and write what follows by one statement."""
    key, body, now = asked.key, asked.body, asked.now
    _, _, queue_id, refused = standing.beside
    known = None
    if standing.policy_version is not None and is_plain(standing.action_type):
        memory = timedelta(seconds=_memory(standing))
        known = KnownRefusal(since=now - memory, action_id=refused)
    plain = is_plain(standing.action_type)
    likeness = asked.likeness if plain else _likeness(key.agent.name, body, standing.action_type)
    proposal = _proposal(
        key,
        body,
        version,
        action_id=action_id or ids.new("act"),
        past=History(known=known),
        canary_key=gatekeeping.canary_key(likeness=likeness, created_at=now),
    )
    check = gate.judge(proposal=proposal, standing=standing, now=now)
    if check.verdict == Verdict.REVIEW and body.mode != Mode.OBSERVED.value:
        _check_pending(key)
    taken = intake.draw_up(
        key=key,
        body=body,
        proposal=proposal,
        check=check,
        likeness=likeness,
        queue_id=queue_id,
        idempotency_key=asked.idempotency_key,
        digest_of_body=asked.digest,
        request_id=asked.request_id,
        now=now,
    )
    if not intake.write(taken):
        # Somebody was faster with this key. Nothing of this one may stay, not even what shadow said.
        raise _KeyTaken
    return Submitted(action=taken.action, replayed=False, permit=taken.permit)


def _measures(standing: Standing) -> bool:
    """Say whether the policy looks at other actions, so that these must wait for this one's end."""
    if standing.policy_version is None:
        return False
    try:
        return bool(live_document(standing.policy_version).measures)
    except Exception:  # the gate says what is wrong with it
        return True


def _memory(standing: Standing) -> int:
    assert standing.policy_version is not None
    try:
        return live_document(standing.policy_version).denial_memory_seconds
    except Exception:  # as above
        return 0


def _likeness(agent_name: str, body: wire.SubmissionBody, action_type: ActionType | None) -> str:
    return likeness_of(
        agent_name=agent_name,
        subject=body.subject,
        action_type_name=body.action_type,
        action_type=action_type,
        environment=body.environment,
        arguments=body.arguments,
    )


def dry_proposal(*, key: AgentKey, body: wire.SubmissionBody) -> gate.Proposal:
    """Return the submission as the gate would see it. Nothing is stored, not even a version seen first."""
    _check_environment(key, body)
    claim = claim_of(body)
    version = agents.known_version(agent=key.agent, claim=claim)
    version = version or AgentVersion(agent=key.agent, label=agents.version_label(claim.label))
    # Nothing rests on this answer, so that nobody needs to wait for it.
    return _proposal(key, body, version, action_id=ids.new("act"), past=History(waits=False))


def _proposal(
    key: AgentKey,
    body: wire.SubmissionBody,
    version: AgentVersion,
    *,
    action_id: str,
    past: History,
    canary_key: str = "",
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
        canary_key=canary_key,
    )


def _check_pending(key: AgentKey) -> None:
    """Refuse one more item where the agent has as many as it may; nothing of the action is kept then."""
    most = key.agent.max_pending or settings.MAX_PENDING
    if _counted_lately(key.agent_id, most):
        return
    # Far below the cap nobody waits for anybody. Near it one comes after the other, so that it is exact.
    far = max(0, most - _NEAR)
    found = _pending(key.agent_id, far)
    if found < far:
        _counts[key.agent_id] = (found, time.monotonic())
        return
    if not connection.in_atomic_block:
        raise _NeedsTransaction
    _hold(f"pending:{key.agent_id}")
    if _pending(key.agent_id, most) >= most:
        raise TooManyPending(f"{most} actions of this agent wait for a person; that is as many as may.")


def _pending(agent_id: int, most: int) -> int:
    """Return how many actions of the agent wait for a person, and ``most`` where they are more."""
    with rows.server_side_cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM (SELECT FROM reviews_actionrequest"
            " WHERE agent_id = $1::bigint AND state = 'pending_review' AND NOT drill"
            " LIMIT $2::bigint) AS waiting",
            [str(agent_id), str(most)],
        )
        return int(cursor.fetchone()[0])


def _counted_lately(agent_id: int, most: int) -> bool:
    """Say whether the agent was found below half of a large cap a moment ago."""
    found, at = _counts.get(agent_id, (most, 0.0))
    return most >= _LARGE_CAP and found < most // 2 and time.monotonic() - at < _COUNTED_FOR


def _check_environment(key: AgentKey, body: wire.SubmissionBody) -> None:
    if key.environments and body.environment not in key.environments:
        raise EnvironmentNotAllowed(f"This key is not good for the environment {body.environment}.")


def _hold(name: str) -> None:
    """Hold an advisory lock of this name until the transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [name])


def _replayed(asked: _Asked) -> Submitted:
    """Return the action that has the key, when it was the same that was asked."""
    action = of_agent(asked.key.agent).get(idempotency_key=asked.idempotency_key)
    if action.body_digest != asked.digest:
        raise IdempotencyKeyReused("This idempotency key was used before, with another body.")
    return Submitted(action=action, replayed=True)


def _row_of_batch(asked: _Asked) -> IngestRow:
    """Return the line of a batch that has the key and waits to be worked off, held until this ends.

    The same submission is that line, sent again by itself: it is worked off here and now.
    """
    row = IngestRow.objects.select_for_update().get(
        agent=asked.key.agent, idempotency_key=asked.idempotency_key
    )
    if row.body_digest != asked.digest:
        raise IdempotencyKeyReused("This idempotency key was used before, with another body.")
    if row.state == IngestState.DONE:
        raise _KeyTaken  # worked off while we waited for it
    return row
