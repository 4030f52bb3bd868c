"""Waiting for a person: a long-poll, repeated, that never outlasts the time it is given."""

from __future__ import annotations

from dataclasses import dataclass, replace

from handrail.answers import Answer, Verdict, read_answer
from handrail.errors import (
    ActionCancelled,
    ActionDenied,
    ActionExpired,
    ActionRejected,
    NotApproved,
    ProtocolError,
    StillPending,
)
from handrail.exchange import Flow, Pause, Refused, attempt_once
from handrail.flows import Flows
from handrail.wire import read_object, read_retry_after

LONGEST_HOLD = 25
# Two questions are at least so far apart, however the server answers: no busy loop by mistake or by malice.
_SHORTEST_ROUND = 0.5

PENDING = "pending_review"
_RUNNABLE = {"allowed": Verdict.ALLOW, "approved": Verdict.REVIEW, "corrected": Verdict.REVIEW}
_REFUSALS: dict[str, type[NotApproved]] = {
    "denied": ActionDenied,
    "rejected": ActionRejected,
    "expired": ActionExpired,
    "cancelled": ActionCancelled,
}


@dataclass(frozen=True)
class _Held:
    """One answer of a long-poll, and how long the server asks us to stay away."""

    answer: Answer
    retry_after: float | None
    seconds: float


def wait(flows: Flows, action: Answer | str, *, timeout: float) -> Flow[Answer]:
    """Return the answer once the action may run; raise why not, or ``StillPending`` when the time is over.

    An outage shorter than ``timeout`` is waited out. ``timeout=0`` asks once.
    """
    known = action if isinstance(action, Answer) else None
    action_id = action if isinstance(action, str) else action.id
    try:
        if known is not None and known.state != PENDING and not _lacks_its_arguments(known):
            return (yield from settle(flows, known))
        answer = yield from _wait_until_decided(flows, action_id, known, timeout)
        return (yield from settle(flows, answer))
    except NotApproved as refusal:
        refusal.concerning(action_id=action_id, action_type=known.action_type if known else None)
        raise


def _lacks_its_arguments(answer: Answer) -> bool:
    """Say whether this is the short answer to a proposal made again, after a person had corrected it."""
    is_correction = answer.state == "corrected" and _RUNNABLE["corrected"] is answer.verdict
    return is_correction and answer.final_arguments is None


def settle(flows: Flows, answer: Answer) -> Flow[Answer]:
    """Return ``answer`` if its action may run, else raise the exception that says why not."""
    if answer.state != PENDING and answer.state not in _REFUSALS:
        if _RUNNABLE.get(answer.state) is not answer.verdict:
            raise ProtocolError(f"verdict {answer.verdict} and state {answer.state!r} do not go together")
        return answer
    refusal = _REFUSALS.get(answer.state, StillPending)(reasons=answer.reasons)
    if isinstance(refusal, ActionRejected):
        yield from _explain(flows, answer, refusal)
    refusal.concerning(action_id=answer.id, action_type=answer.action_type)
    raise refusal


def _wait_until_decided(flows: Flows, action_id: str, known: Answer | None, timeout: float) -> Flow[Answer]:
    clock = flows.clock
    deadline = clock.monotonic() + timeout
    link = known.wait_link if known else None
    failures = 0
    answered = False
    reasons = known.reasons if known else ()
    outage: NotApproved | None = None
    while True:
        left = deadline - clock.monotonic()
        try:
            held = yield from _hold(flows, action_id, known, link, left=max(left, 0.0), failures=failures)
        except Refused as failed:
            # Retried until the deadline, not for a number of times: a wait of hours outlives a restart.
            if failed.pause is None:
                raise failed.refusal from None
            failures, link, pause = failures + 1, None, failed.pause
            outage = failed.refusal
        else:
            if held.answer.state != PENDING:
                return held.answer
            answered, failures, link = True, 0, held.answer.wait_link or link
            reasons = held.answer.reasons
            pause = max(held.retry_after or 0.0, _SHORTEST_ROUND - held.seconds)
        left = deadline - clock.monotonic()
        if left > 0:
            yield Pause(min(pause, left))
        if deadline - clock.monotonic() <= 0:
            # Nobody decided, or nobody answered: two different things to tell the agent.
            raise StillPending(reasons=reasons) if answered or outage is None else outage


def _hold(
    flows: Flows, action_id: str, known: Answer | None, link: str | None, *, left: float, failures: int
) -> Flow[_Held]:
    """Ask once, letting the server hold the request."""
    seconds = min(LONGEST_HOLD, int(left))
    timeout = min(seconds + flows.endpoints.timeout, left) if left > 0 else flows.endpoints.timeout
    request = flows.endpoints.wait(action_id, link=link, seconds=seconds, timeout=timeout)
    began = flows.clock.monotonic()
    response = yield from attempt_once(
        request, attempt=failures + 1, retries=flows.retries, clock=flows.clock, accept=frozenset({200})
    )
    proposal = known.proposal if known else None
    answer = replace(read_answer(read_object(response)), proposal=proposal)
    if answer.id != action_id:
        raise ProtocolError("the answer is about another action")
    retry_after = read_retry_after(response, now=flows.clock.wall())
    return _Held(answer, retry_after, flows.clock.monotonic() - began)


def _explain(flows: Flows, answer: Answer, refusal: ActionRejected) -> Flow[None]:
    """Add the reviewer's reasons and note. Not to know them changes nothing about the refusal."""
    try:
        decision = yield from flows.decision(answer.id)
    except NotApproved:
        return
    refusal.reasons = decision.reasons or refusal.reasons
    refusal.note = decision.note
