"""The asyncio client: the same flows, the same transport, each exchange in a thread of its own."""

from __future__ import annotations

import asyncio
import inspect
import ssl
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from types import TracebackType
from typing import Literal, Self, TypeVar, Unpack

from handrail import conversations
from handrail.answers import Agent, Answer, BatchLine, Decision, Execution, Outcome, Page, Permit
from handrail.canonical import JSONObject
from handrail.clearing import Cleared, Fit, Verified, clear, verify
from handrail.client import WAIT_TIMEOUT
from handrail.conversations import ClosedConversation
from handrail.errors import NotApproved
from handrail.exchange import Flow, Pause, Retries
from handrail.execution import Performed, failure_detail, fits, log, performed, running
from handrail.late_truth import GroundTruth, draw_up
from handrail.proposals import Detail, Proposal, RunOptions, SubmitOptions
from handrail.setup import Setup, set_up
from handrail.waiting import wait

T = TypeVar("T")


class AsyncClient:
    """Asks Handrail before acting; see ``Client`` for what each method promises.

    ``connections`` bounds the exchanges under way at once. A long-poll holds one, so it is more than
    asyncio's own small pool: hundreds of waiting actions must not keep one consume from getting through.
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
        connections: int = 128,
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
        self._threads = ThreadPoolExecutor(connections, thread_name_prefix="handrail")

    def __repr__(self) -> str:
        return f"AsyncClient({self._flows.endpoints.base_url!r}, environment={self._flows.environment!r})"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the threads; an exchange under way ends by its own timeout."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def identity(self) -> Agent:
        """Return the agent that the key belongs to."""
        return await self._drive(self._flows.identity())

    async def submit(
        self, action_type: str, arguments: Mapping[str, object], **options: Unpack[SubmitOptions]
    ) -> Answer:
        """Propose an action."""
        return await self._drive(self._flows.submit(action_type, arguments, **options))

    async def report_observed(
        self,
        action_type: str,
        arguments: Mapping[str, object],
        outcome: Outcome | str,
        *,
        detail: Detail | None = None,
        **options: Unpack[RunOptions],
    ) -> Answer:
        """Tell of an action that has happened already."""
        observed = self._setup.observed(options, outcome, detail)
        return await self._drive(self._flows.submit(action_type, arguments, **observed))

    async def submit_batch(self, rows: Sequence[Mapping[str, object]]) -> list[BatchLine]:
        """Propose up to 1,000 rows; one result for each row."""
        return await self._drive(self._flows.submit_batch(rows))

    async def wait(self, action: Answer | str, *, timeout: float) -> Answer:
        """Wait for a person; return once the action may run, else raise why not."""
        return await self._drive(wait(self._flows, action, timeout=timeout))

    async def verify(self, answer: Answer) -> Verified:
        """Check verdict, digest and permit."""
        return await self._drive(verify(self._flows, answer, signature_check=self._setup.signature_check))

    async def consume(
        self,
        permit: Permit | str,
        digest: str,
        *,
        execution_key: str | None = None,
        arguments: Mapping[str, object] | None = None,
    ) -> Execution:
        """Use the permit up. Call the function if, and only if, this returns."""
        return await self._drive(
            self._flows.consume(permit, digest, execution_key=execution_key, arguments=arguments)
        )

    async def report(
        self,
        execution: Execution | str,
        outcome: Outcome | str,
        detail: Detail | None = None,
        *,
        executed_digest: str | None = None,
    ) -> None:
        """Say what came of the run."""
        await self._drive(self._flows.report(execution, outcome, detail, executed_digest=executed_digest))

    async def report_ground_truth(
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
        return await self._drive(self._flows.report_ground_truth(report))

    async def close_conversation(
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
        return await self._drive(self._flows.close_conversation(ending))

    async def heartbeat(self, execution: Execution | str) -> datetime:
        """Say that a long run goes on; return until when it may."""
        return await self._drive(self._flows.heartbeat(execution))

    async def get(self, action_id: str) -> Answer:
        """Return an action as it stands."""
        return await self._drive(self._flows.get(action_id))

    async def list(
        self, *, status: str | None = None, action_type: str | None = None, cursor: str | None = None
    ) -> Page:
        """Return a page of the agent's own actions."""
        return await self._drive(self._flows.list(status=status, action_type=action_type, cursor=cursor))

    async def cancel(self, action_id: str) -> Answer:
        """Withdraw an action that nobody has decided."""
        return await self._drive(self._flows.cancel(action_id))

    async def decision(self, action_id: str) -> Decision:
        """Return the person's decision, with reasons and note."""
        return await self._drive(self._flows.decision(action_id))

    async def run(
        self,
        action_type: str,
        arguments: Mapping[str, object],
        function: Callable[..., Awaitable[T]],
        *,
        wait_timeout: float = WAIT_TIMEOUT,
        **options: Unpack[RunOptions],
    ) -> T:
        """Await ``function(**decided)`` if the action is allowed or approved, and return what it returns."""
        done = await self.perform(action_type, arguments, function, wait_timeout=wait_timeout, **options)
        return done.result

    async def perform(
        self,
        action_type: str,
        arguments: Mapping[str, object],
        function: Callable[..., Awaitable[T]],
        *,
        wait_timeout: float = WAIT_TIMEOUT,
        **options: Unpack[RunOptions],
    ) -> Performed[T]:
        """As ``run``, and return the whole record."""
        _demand_coroutine_function(function)
        proposal = self._setup.runnable(action_type, arguments, options)
        return await self._perform(
            proposal, action_type, fits(function), lambda a: function(**a), wait_timeout
        )

    async def resume(
        self,
        action_id: str,
        action_type: str,
        function: Callable[..., Awaitable[T]],
        *,
        wait_timeout: float = WAIT_TIMEOUT,
    ) -> Performed[T]:
        """As ``perform``, for an action that was proposed before."""
        _demand_coroutine_function(function)
        return await self._perform(
            action_id, action_type, fits(function), lambda a: function(**a), wait_timeout
        )

    async def _perform(
        self,
        action: Proposal | str,
        action_type: str,
        fit: Fit,
        call: Callable[[JSONObject], Awaitable[T]],
        wait_timeout: float,
    ) -> Performed[T]:
        cleared = await self._drive(
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
                result = await call(arguments)
        except Exception as error:
            await self._report_quietly(cleared, Outcome.FAILED, failure_detail(error))
            raise
        except BaseException as error:
            # Cancelled or interrupted from outside: nobody knows how far it got.
            await self._report_quietly(cleared, Outcome.UNKNOWN, failure_detail(error), patiently=False)
            raise
        reported = await self._report_quietly(cleared, Outcome.SUCCEEDED)
        return performed(cleared, result, reported=reported)

    async def _report_quietly(
        self, cleared: Cleared, outcome: Outcome, detail: Detail | None = None, *, patiently: bool = True
    ) -> bool:
        try:
            await self._drive(self._flows.report(cleared.execution, outcome, detail, patiently=patiently))
        except NotApproved as refusal:
            log.warning("outcome of %s not reported: %s", cleared.execution.id, refusal)
            return False
        return True

    async def _drive(self, flow: Flow[T]) -> T:
        loop = asyncio.get_running_loop()
        try:
            step = next(flow)
            while True:
                if isinstance(step, Pause):
                    await asyncio.sleep(step.seconds)
                    step = flow.send(None)
                else:
                    send = self._setup.transport.send
                    step = flow.send(await loop.run_in_executor(self._threads, send, step.request))
        except StopIteration as done:
            result: T = done.value
            return result


def _demand_coroutine_function(function: Callable[..., object]) -> None:
    if not inspect.iscoroutinefunction(function):
        raise TypeError("AsyncClient runs async functions; use Client for plain ones")
