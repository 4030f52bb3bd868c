"""Running an agent over cases: a few at a time, results posted in batches, what was done before left out."""

from __future__ import annotations

import asyncio
import inspect
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import Any

from handrail.errors import InvalidArguments
from handrail.eval_cases import EvalCase
from handrail.evals import CaseResult

AgentUnderTest = Callable[[dict[str, Any]], Any]
BATCH = 50
_SECONDS_BETWEEN_POSTS = 2.0


def run_case(agent: AgentUnderTest, case: EvalCase) -> CaseResult:
    """Return what the agent does with a case. Whatever it raises is a result: it broke down."""
    try:
        # A copy: an agent that changes its input changes nothing of ours.
        answer = agent(dict(case.input))
        if inspect.isawaitable(answer):
            answer = asyncio.run(_awaited(answer))
        return read_answer(case.id, answer)
    except Exception as failure:
        # The name alone is sent: messages carry secrets. Here it is told whole.
        sys.stderr.write(f"\n{case.id}: {type(failure).__name__}: {failure}\n")
        return CaseResult(case=case.id, acted=False, error=type(failure).__name__)


def read_answer(case: str, answer: object) -> CaseResult:
    """Return the result of an agent's answer: None for nothing, else ``{"action_type", "arguments"}``."""
    if answer is None:
        return CaseResult(case=case, acted=False)
    if not isinstance(answer, Mapping) or not isinstance(answer.get("arguments"), Mapping):
        raise TypeError('an agent under test returns None or {"action_type": ..., "arguments": {...}}')
    action_type = answer.get("action_type", "")
    if not isinstance(action_type, str):
        raise TypeError("action_type is text")
    result = CaseResult(case=case, acted=True, action_type=action_type, output=answer["arguments"])
    try:
        result.document()
    except InvalidArguments as refusal:
        raise TypeError(f"the arguments are not plain JSON: {refusal}") from refusal
    return result


def results(agent: AgentUnderTest, cases: Iterable[EvalCase], *, workers: int) -> Iterator[CaseResult]:
    """Yield results as they come, ``workers`` cases at a time; cases are taken as workers are free."""
    with ThreadPoolExecutor(max_workers=workers, thread_name_prefix="eval") as pool:
        running: set[Future[CaseResult]] = set()
        try:
            for case in cases:
                running.add(pool.submit(run_case, agent, case))
                if len(running) >= workers:
                    done, running = wait(running, return_when=FIRST_COMPLETED)
                    yield from (future.result() for future in done)
            while running:
                done, running = wait(running, return_when=FIRST_COMPLETED)
                yield from (future.result() for future in done)
        finally:
            for future in running:
                future.cancel()


def batched(found: Iterable[CaseResult]) -> Iterator[list[CaseResult]]:
    """Yield results in batches: full ones, or what there is after a few seconds, so that little is lost."""
    batch: list[CaseResult] = []
    posted = time.monotonic()
    try:
        for result in found:
            batch.append(result)
            if len(batch) >= BATCH or time.monotonic() - posted >= _SECONDS_BETWEEN_POSTS:
                yield batch
                batch, posted = [], time.monotonic()
    except KeyboardInterrupt:
        # What is done by then need not be done again.
        if batch:
            yield batch
        raise
    if batch:
        yield batch


async def _awaited(answer: Any) -> Any:
    return await answer
