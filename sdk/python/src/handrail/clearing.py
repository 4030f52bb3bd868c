"""From a proposal to the leave to run: submit, wait, verify, consume. What is not certain is not cleared."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from handrail.answers import Answer, Decision, Execution, Permit
from handrail.canonical import JSONObject, same_digest, snapshot_object
from handrail.errors import (
    DigestMismatch,
    InvalidArguments,
    NotApproved,
    PermitExpired,
    PermitInvalid,
    ProtocolError,
    UnusableArguments,
)
from handrail.exchange import Flow
from handrail.flows import Flows
from handrail.permits import LEEWAY, Expected, FetchedKeys, SignatureCheck, UnknownSigner, check_permit
from handrail.proposals import Proposal, propose
from handrail.waiting import settle, wait

Fit = Callable[[JSONObject], None]


@dataclass(frozen=True)
class Verified:
    """An action that may run with exactly these arguments, once its permit is consumed."""

    answer: Answer
    proposal: Proposal
    permit: Permit
    digest: str
    _arguments: JSONObject

    @property
    def arguments(self) -> JSONObject:
        """A fresh copy of the decided arguments."""
        return snapshot_object(self._arguments)

    @property
    def is_corrected(self) -> bool:
        """Whether a person changed the arguments."""
        return self.answer.state == "corrected"


@dataclass(frozen=True)
class Cleared:
    """The permit is used up: the function must be called now, once, and its outcome reported."""

    verified: Verified
    execution: Execution
    decision: Decision | None


def clear(
    flows: Flows,
    action: Proposal | str,
    *,
    action_type: str,
    wait_timeout: float,
    fit: Fit,
    signature_check: SignatureCheck | None,
) -> Flow[Cleared]:
    """Take an action, new or known by its id, to the point where its function must be called.

    ``fit`` raises ``TypeError`` for arguments the function does not take; it is asked before the permit is
    used up, since afterwards it would be too late to decide again.
    """
    try:
        if isinstance(action, str):
            answer = yield from wait(flows, action, timeout=wait_timeout)
        else:
            answer = yield from flows.send(action)
            answer = yield from wait(flows, answer, timeout=wait_timeout)
        verified = yield from verify(flows, answer, signature_check=signature_check)
        if verified.proposal.action_type != action_type:
            raise ProtocolError(f"the action is a {verified.proposal.action_type}, not a {action_type}")
        _check_fit(fit, verified.arguments)
        decision = (yield from _correction(flows, answer)) if verified.is_corrected else None
        execution = yield from flows.consume(verified.permit, verified.digest)
        _check_execution(flows, execution, verified)
    except NotApproved as refusal:
        key = None if isinstance(action, str) else action.idempotency_key
        refusal.concerning(action_type=action_type, idempotency_key=key)
        raise
    return Cleared(verified, execution, decision)


def verify(flows: Flows, answer: Answer, *, signature_check: SignatureCheck | None) -> Flow[Verified]:
    """Check that the action may run, that the digest is our own, and that the permit is for just that."""
    try:
        answer = yield from settle(flows, answer)
        proposal = answer.proposal or _proposal_of(answer, flows.environment)
        agent = yield from flows.name()
        if proposal.mode != "gated" or proposal.dry_run:
            raise ProtocolError("an observed action or a dry run has no permit")
        if not same_digest(answer.digest, proposal.digest(agent=agent)):
            raise DigestMismatch("the answer is for another action than the one proposed")
        arguments = _decided_arguments(answer, proposal, agent=agent)
        digest = proposal.digest_of(arguments, agent=agent)
        if answer.permit is None:
            raise PermitInvalid("there is no permit")
        expected = Expected(answer.permit.id, answer.id, proposal.action_type, proposal.environment, digest)
        sub = yield from _check_token(flows, answer.permit.token, expected, signature_check)
        yield from _check_holder(flows, sub)
    except NotApproved as refusal:
        refusal.concerning(action_id=answer.id, action_type=answer.action_type)
        raise
    return Verified(answer, proposal, answer.permit, digest, arguments)


def _check_token(
    flows: Flows, token: str, expected: Expected, signature_check: SignatureCheck | None
) -> Flow[str]:
    """Check the permit; where an unknown key signed it and keys are fetched, once more with the newest."""
    now = flows.clock.wall()
    try:
        return check_permit(token, expected, now=now, signature_check=signature_check)
    except UnknownSigner:
        if not isinstance(signature_check, FetchedKeys) or not signature_check.may_fetch(now):
            raise
    try:
        signature_check.take((yield from flows.published_keys()))
    except ValueError as exc:
        raise PermitInvalid(str(exc)) from exc
    return check_permit(token, expected, now=now, signature_check=signature_check)


def _decided_arguments(answer: Answer, proposal: Proposal, *, agent: str) -> JSONObject:
    """Return the arguments that were decided: our own unless a person corrected them."""
    if answer.state != "corrected":
        if answer.final_digest and not same_digest(answer.final_digest, answer.digest):
            raise DigestMismatch("the arguments were changed, yet the action is not marked as corrected")
        return proposal.arguments
    if answer.final_arguments is None or not answer.final_digest:
        raise ProtocolError("the action was corrected, but its final arguments are missing")
    final, digest = _received(answer.final_arguments, proposal, agent=agent)
    if not same_digest(answer.final_digest, digest):
        raise DigestMismatch("the final arguments do not have the digest that was decided")
    return final


def _proposal_of(answer: Answer, environment: str) -> Proposal:
    """Return what an earlier run of this process proposed, as the server kept it, in our own environment.

    An action of another environment gets another digest here, and is refused for it.
    """
    if answer.action_type is None or answer.arguments is None:
        raise ProtocolError("the answer does not say what was proposed")
    try:
        return propose(answer.action_type, answer.arguments, environment=environment, subject=answer.subject)
    except InvalidArguments as exc:
        raise ProtocolError(f"what was proposed: {exc}") from exc


def _received(document: JSONObject, proposal: Proposal, *, agent: str) -> tuple[JSONObject, str]:
    """Return arguments that the server sent, and their digest, computed here."""
    try:
        arguments = snapshot_object(document)
        return arguments, proposal.digest_of(arguments, agent=agent)
    except InvalidArguments as exc:
        raise ProtocolError(f"the decided arguments: {exc}") from exc


def _check_holder(flows: Flows, sub: str) -> Flow[None]:
    """The permit's holder is this agent, by its name or by its id."""
    if sub == (yield from flows.name()):
        return
    if sub != (yield from flows.identity()).id:
        raise PermitInvalid("the permit was given to another agent")


def _check_fit(fit: Fit, arguments: JSONObject) -> None:
    try:
        fit(arguments)
    except TypeError as exc:
        raise UnusableArguments(f"the decided arguments do not fit the function: {exc}") from exc


def _check_execution(flows: Flows, execution: Execution, verified: Verified) -> None:
    if execution.lease_until.timestamp() + LEEWAY <= flows.clock.wall():
        raise PermitExpired("the time to run was over before the leave arrived")
    if execution.arguments is None:
        return
    agent = flows.agent_name or ""
    _, released = _received(execution.arguments, verified.proposal, agent=agent)
    if not same_digest(released, verified.digest):
        raise DigestMismatch("the server released other arguments than those about to run")


def _correction(flows: Flows, answer: Answer) -> Flow[Decision | None]:
    """Return the reviewer's reasons, so that the agent can learn from them; none known is no obstacle."""
    try:
        return (yield from flows.decision(answer.id))
    except NotApproved:
        return None
