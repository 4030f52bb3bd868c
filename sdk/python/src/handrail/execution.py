"""Running a cleared action: which execution is running, and what came of it."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Generic, TypeVar

from handrail.answers import Decision, Execution
from handrail.canonical import JSONObject
from handrail.clearing import Cleared

T = TypeVar("T")

log = logging.getLogger("handrail")
_current: ContextVar[Execution | None] = ContextVar("handrail_execution", default=None)


@dataclass(frozen=True)
class Performed(Generic[T]):
    """A function that ran as decided. ``reported`` is False when the server could not be told so."""

    result: T
    action_id: str
    action_type: str
    state: str
    arguments: JSONObject
    decision: Decision | None
    reported: bool

    def as_tool_result(self) -> dict[str, object]:
        """Return what happened as plain JSON for the model; it learns of a correction, and of an approval."""
        return {
            "status": self.state,
            "executed": True,
            "action_id": self.action_id,
            "action_type": self.action_type,
            "executed_arguments": self.arguments,
            "reasons": [reason.as_dict() for reason in self.decision.reasons] if self.decision else [],
            "note": self.decision.note if self.decision else None,
        }


def current_execution() -> Execution | None:
    """Return the execution that the guarded function runs in, for a heartbeat in a long run."""
    return _current.get()


@contextmanager
def running(cleared: Cleared) -> Iterator[JSONObject]:
    """Give the decided arguments to the function that runs inside."""
    token = _current.set(cleared.execution)
    try:
        yield cleared.verified.arguments
    finally:
        _current.reset(token)


def performed(cleared: Cleared, result: T, *, reported: bool) -> Performed[T]:
    """Return the record of a run."""
    answer = cleared.verified.answer
    return Performed(
        result=result,
        action_id=answer.id,
        action_type=cleared.verified.proposal.action_type,
        state=answer.state,
        arguments=cleared.verified.arguments,
        decision=cleared.decision,
        reported=reported,
    )


def failure_detail(error: BaseException) -> dict[str, object]:
    """Name the kind of error only: messages of exceptions carry secrets and personal data."""
    return {"error": f"{type(error).__module__}.{type(error).__qualname__}"}


def fits(function: Callable[..., object]) -> Callable[[JSONObject], None]:
    """Return a check that raises ``TypeError`` for arguments that ``function`` does not take."""
    try:
        signature = inspect.signature(function)
    except ValueError:  # some functions written in C do not say
        return lambda arguments: None

    def fit(arguments: JSONObject) -> None:
        signature.bind(**arguments)

    return fit
