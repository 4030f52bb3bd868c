"""The blocking client."""

from __future__ import annotations

import inspect
import ssl
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Literal, TypeVar, Unpack

from handrail import conversations, eval_cases, evals
from handrail.answers import Agent, Answer, BatchLine, Decision, Execution, Outcome, Page, Permit
from handrail.canonical import JSONObject
from handrail.clearing import Cleared, Fit, Verified, clear, verify
from handrail.conversations import ClosedConversation
from handrail.errors import NotApproved
from handrail.eval_cases import EvalCase
from handrail.evals import CaseResult, EvalRun, Graded, Kept
from handrail.exchange import Flow, Pause, Retries
from handrail.execution import Performed, failure_detail, fits, log, performed, running
from handrail.late_truth import GroundTruth, draw_up
from handrail.proposals import Detail, Proposal, RunOptions, SubmitOptions
from handrail.setup import Setup, set_up
from handrail.waiting import wait

T = TypeVar("T")

WAIT_TIMEOUT = 3600.0


class Client:
    """Asks Handrail before acting. Safe to share between threads.

    Every method either returns what the server said, checked, or raises a ``NotApproved``.
    """

    def __init__(
        self,
        base_url: str,
        key: str,
        *,
        timeout: float = 10.0,
        retries: Retries | None = None,
        environment: str = "production",
        agent: str | None = None,
        jwks: Mapping[str, object] | Literal["fetch"] | None = None,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        self._setup: Setup = set_up(
            base_url,
            key,
            timeout=timeout,
            retries=retries,
            environment=environment,
            agent=agent,
            jwks=jwks,
            ssl_context=ssl_context,
        )
        self._flows = self._setup.flows

    def __repr__(self) -> str:
        return f"Client({self._flows.endpoints.base_url!r}, environment={self._flows.environment!r})"

    def identity(self) -> Agent:
        """Return the agent that the key belongs to."""
        return self._drive(self._flows.identity())

    def submit(
        self, action_type: str, arguments: Mapping[str, object], **options: Unpack[SubmitOptions]
    ) -> Answer:
        """Propose an action. A ``deny`` is an answer, not an error; nothing has run yet in any case."""
        return self._drive(self._flows.submit(action_type, arguments, **options))

    def report_observed(
        self,
        action_type: str,
        arguments: Mapping[str, object],
        outcome: Outcome | str,
        *,
        detail: Detail | None = None,
        **options: Unpack[RunOptions],
    ) -> Answer:
        """Tell of an action that has happened already, so that it is judged and may be drawn for review."""
        observed = self._setup.observed(options, outcome, detail)
        return self._drive(self._flows.submit(action_type, arguments, **observed))

    def submit_batch(self, rows: Sequence[Mapping[str, object]]) -> list[BatchLine]:
        """Propose up to 1,000 rows, each a mapping of what ``submit`` takes; one result for each row."""
        return self._drive(self._flows.submit_batch(rows))

    def wait(self, action: Answer | str, *, timeout: float) -> Answer:
        """Wait at most ``timeout`` seconds; return once the action may run, else raise why not."""
        return self._drive(wait(self._flows, action, timeout=timeout))

    def verify(self, answer: Answer) -> Verified:
        """Check verdict, digest and permit; return the decided arguments and what to consume."""
        return self._drive(verify(self._flows, answer, signature_check=self._setup.signature_check))

    def consume(
        self,
        permit: Permit | str,
        digest: str,
        *,
        execution_key: str | None = None,
        arguments: Mapping[str, object] | None = None,
    ) -> Execution:
        """Use the permit up. Call the function if, and only if, this returns.

        ``arguments`` are those about to run: needed where they differ from what was decided in fields that
        the action type declares not to matter.
        """
        return self._drive(
            self._flows.consume(permit, digest, execution_key=execution_key, arguments=arguments)
        )

    def report(
        self,
        execution: Execution | str,
        outcome: Outcome | str,
        detail: Detail | None = None,
        *,
        executed_digest: str | None = None,
    ) -> None:
        """Say what came of the run, with the digest of what ran where it was computed there."""
        self._drive(self._flows.report(execution, outcome, detail, executed_digest=executed_digest))

    def report_ground_truth(
        self,
        action: Answer | str,
        correct: bool,
        source: str,
        *,
        arguments: Mapping[str, object] | None = None,
        detail: Mapping[str, object] | None = None,
        occurred_at: datetime | None = None,
        idempotency_key: str | None = None,
    ) -> GroundTruth:
        """Say what turned out to be true of an action later; the same report again is the same report.

        ``source`` names who says so (``"chargeback"``), ``arguments`` what should have been done instead.
        The key needs the scope ``labels:write``.
        """
        report = draw_up(
            action,
            correct=correct,
            source=source,
            arguments=arguments,
            detail=detail,
            occurred_at=occurred_at,
            idempotency_key=idempotency_key,
        )
        return self._drive(self._flows.report_ground_truth(report))

    def close_conversation(
        self,
        conversation_id: str,
        messages: Sequence[Mapping[str, object]],
        *,
        agent_version: str = "",
        subject: str | None = None,
        environment: str = "production",
    ) -> ClosedConversation:
        """Say that a conversation is over, with everything that was said; the same again changes nothing.

        A random share of them goes to a person, who looks for what the agent should have done and did not.
        """
        ending = conversations.draw_up(
            conversation_id,
            messages,
            agent_version=agent_version,
            subject=subject,
            environment=environment,
        )
        return self._drive(self._flows.close_conversation(ending))

    def heartbeat(self, execution: Execution | str) -> datetime:
        """Say that a long run goes on; return until when it may."""
        return self._drive(self._flows.heartbeat(execution))

    def get(self, action_id: str) -> Answer:
        """Return an action as it stands, in whatever state."""
        return self._drive(self._flows.get(action_id))

    def list(
        self, *, status: str | None = None, action_type: str | None = None, cursor: str | None = None
    ) -> Page:
        """Return a page of the agent's own actions: after a restart, what it is waiting for."""
        return self._drive(self._flows.list(status=status, action_type=action_type, cursor=cursor))

    def cancel(self, action_id: str) -> Answer:
        """Withdraw an action that nobody has decided."""
        return self._drive(self._flows.cancel(action_id))

    def decision(self, action_id: str) -> Decision:
        """Return the person's decision, with reasons and note."""
        return self._drive(self._flows.decision(action_id))

    def run(
        self,
        action_type: str,
        arguments: Mapping[str, object],
        function: Callable[..., T],
        *,
        wait_timeout: float = WAIT_TIMEOUT,
        **options: Unpack[RunOptions],
    ) -> T:
        """Call ``function(**decided)`` if the action is allowed or approved, and return what it returns.

        Submit, wait, verify, consume, call, report. Raises a ``NotApproved`` when the function was not
        called; any other exception is the function's own, reported as failed.
        """
        return self.perform(action_type, arguments, function, wait_timeout=wait_timeout, **options).result

    def perform(
        self,
        action_type: str,
        arguments: Mapping[str, object],
        function: Callable[..., T],
        *,
        wait_timeout: float = WAIT_TIMEOUT,
        **options: Unpack[RunOptions],
    ) -> Performed[T]:
        """As ``run``, and return the whole record: what was decided, what ran, what the reviewer wrote."""
        _refuse_coroutine_function(function)
        proposal = self._setup.runnable(action_type, arguments, options)
        return self._perform(proposal, action_type, fits(function), lambda a: function(**a), wait_timeout)

    def resume(
        self,
        action_id: str,
        action_type: str,
        function: Callable[..., T],
        *,
        wait_timeout: float = WAIT_TIMEOUT,
    ) -> Performed[T]:
        """As ``perform``, for an action proposed before, perhaps by a process that has died since."""
        _refuse_coroutine_function(function)
        return self._perform(action_id, action_type, fits(function), lambda a: function(**a), wait_timeout)

    def start_eval_run(
        self,
        dataset_version: str,
        *,
        agent_version: str | Mapping[str, str],
        split: str = "",
        source: str = "handrail",
        note: str = "",
        idempotency_key: str | None = None,
    ) -> EvalRun:
        """Begin an eval run of this agent's version, or find the one that the key began."""
        return self._drive(
            evals.start(
                self._flows,
                dataset_version=dataset_version,
                agent_version=agent_version,
                split=split,
                source=source,
                note=note,
                idempotency_key=idempotency_key or uuid.uuid4().hex,
            )
        )

    def eval_run(self, run_id: str) -> EvalRun:
        """Return an eval run as it stands."""
        return self._drive(evals.show(self._flows, run_id))

    def post_eval_results(
        self, run_id: str, results: Sequence[CaseResult]
    ) -> tuple[EvalRun, Sequence[Graded]]:
        """Post up to 1,000 results; they are graded at once, and posting one again is harmless."""
        return self._drive(evals.post(self._flows, run_id, results))

    def eval_results(self, run_id: str) -> Sequence[Kept]:
        """Return every result that a run has."""
        return self._drive(evals.kept(self._flows, run_id))

    def eval_cases(self, dataset_version: str, *, split: str = "") -> Sequence[EvalCase]:
        """Return the cases of a dataset version, without what would give the answers away."""
        return self._drive(eval_cases.of_version(self._flows, dataset_version, split))

    def _perform(
        self,
        action: Proposal | str,
        action_type: str,
        fit: Fit,
        call: Callable[[JSONObject], T],
        wait_timeout: float,
    ) -> Performed[T]:
        cleared = self._drive(
            clear(
                self._flows,
                action,
                action_type=action_type,
                wait_timeout=wait_timeout,
                fit=fit,
                signature_check=self._setup.signature_check,
            )
        )
        try:
            with running(cleared) as arguments:
                result = call(arguments)
        except Exception as error:
            self._report_quietly(cleared, Outcome.FAILED, failure_detail(error))
            raise
        except BaseException as error:
            # Interrupted from outside: nobody knows how far it got.
            self._report_quietly(cleared, Outcome.UNKNOWN, failure_detail(error), patiently=False)
            raise
        reported = self._report_quietly(cleared, Outcome.SUCCEEDED)
        return performed(cleared, result, reported=reported)

    def _report_quietly(
        self, cleared: Cleared, outcome: Outcome, detail: Detail | None = None, *, patiently: bool = True
    ) -> bool:
        """Report; a failure to do so must not look like a run that did not happen, so it is only logged."""
        try:
            self._drive(self._flows.report(cleared.execution, outcome, detail, patiently=patiently))
        except NotApproved as refusal:
            log.warning("outcome of %s not reported: %s", cleared.execution.id, refusal)
            return False
        return True

    def _drive(self, flow: Flow[T]) -> T:
        try:
            step = next(flow)
            while True:
                if isinstance(step, Pause):
                    time.sleep(step.seconds)
                    step = flow.send(None)
                else:
                    step = flow.send(self._setup.transport.send(step.request))
        except StopIteration as done:
            result: T = done.value
            return result


def _refuse_coroutine_function(function: Callable[..., object]) -> None:
    if inspect.iscoroutinefunction(function):
        raise TypeError("Client runs plain functions; use AsyncClient for async ones")
