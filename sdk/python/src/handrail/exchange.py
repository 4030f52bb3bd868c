"""One exchange with the server as a flow: what to send, when to send it again, what a refusal means.

A flow is a generator that yields steps (send this, pause so long) and is given what came back. It does no
I/O, so the blocking and the asyncio client run the very same logic, and tests run it without either.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import TypeAlias, TypeVar

from handrail.errors import (
    AlreadyConsumed,
    DigestMismatch,
    GateUnavailable,
    KillSwitchActive,
    NotApproved,
    NotAuthorised,
    PermitExpired,
    PermitRevoked,
    ProtocolError,
    RequestRefused,
)
from handrail.problems import words_of
from handrail.wire import Fields, Lost, Request, Response, read_json, read_retry_after

T = TypeVar("T")


@dataclass(frozen=True)
class Send:
    """Send the request and give back what came."""

    request: Request


@dataclass(frozen=True)
class Pause:
    """Let so many seconds pass."""

    seconds: float


Step: TypeAlias = Send | Pause
Flow: TypeAlias = Generator[Step, Response | Lost | None, T]


@dataclass(frozen=True)
class Retries:
    """How often a request is sent again, and how patiently; a longer ``Retry-After`` ends it."""

    attempts: int = 5
    first_pause: float = 0.2
    longest_pause: float = 30.0


@dataclass(frozen=True)
class Clock:
    """Where time and chance come from; tests bring their own."""

    monotonic: Callable[[], float] = time.monotonic
    wall: Callable[[], float] = time.time
    # Jitter spreads the retries of many agents after one outage; it protects nothing.
    jitter: Callable[[], float] = field(default=secrets.SystemRandom().random)


_CONFLICTS: dict[str, type[NotApproved]] = {
    "already-consumed": AlreadyConsumed,
    "digest-mismatch": DigestMismatch,
    "permit-expired": PermitExpired,
    "permit-revoked": PermitRevoked,
    "kill-switch-active": KillSwitchActive,
}


class Refused(Exception):
    """One attempt failed. ``pause`` is the time to the next one; None means that there is to be none."""

    def __init__(self, refusal: NotApproved, pause: float | None) -> None:
        super().__init__(str(refusal))
        self.refusal = refusal
        self.pause = pause


def exchange(
    request: Request, *, retries: Retries, clock: Clock, accept: frozenset[int] = frozenset({200})
) -> Flow[Response]:
    """Return the accepted response, or raise the ``NotApproved`` that fits.

    Sent again only where that is safe and asked for: no whole answer, 429 or 503 with ``Retry-After``, and
    409 ``idempotency-in-progress``. Every request that changes something is idempotent by its key or by its
    nature, so an answer that was lost after the commit is simply given again.
    """
    for attempt in range(1, max(1, retries.attempts) + 1):
        try:
            return (
                yield from attempt_once(request, attempt=attempt, retries=retries, clock=clock, accept=accept)
            )
        except Refused as failed:
            if failed.pause is None or failed.pause > retries.longest_pause or attempt >= retries.attempts:
                raise failed.refusal from None
            yield Pause(failed.pause)
    raise AssertionError("unreachable")


def attempt_once(
    request: Request, *, attempt: int, retries: Retries, clock: Clock, accept: frozenset[int]
) -> Flow[Response]:
    """Send once. Raises ``Refused`` with the pause that the failure asks for."""
    reply = yield Send(request)
    backoff = _backoff(attempt, retries, clock)
    if isinstance(reply, Lost):
        if not reply.retryable:
            raise Refused(ProtocolError(reply.why), None)
        raise Refused(GateUnavailable(reply.why), backoff)
    if reply is None:
        raise AssertionError("a Send is answered by a Response or Lost")
    if reply.status in accept:
        return reply
    refusal = read_refusal(reply, now=clock.wall())
    if refusal.code == "idempotency-in-progress":
        raise Refused(refusal, refusal.retry_after if refusal.retry_after is not None else backoff)
    if reply.status in (429, 503) and refusal.retry_after is not None:
        raise Refused(refusal, max(refusal.retry_after, backoff))
    raise Refused(refusal, None)


def read_refusal(response: Response, *, now: float) -> NotApproved:
    """Say what a response that was not accepted means. Whatever it is, it is not a leave to run."""
    if response.status < 400:
        return ProtocolError(f"unexpected status {response.status} (redirects are never followed)")
    code, detail, request_id = _read_problem(response)
    retry_after = read_retry_after(response, now=now)
    if response.status == 429 or response.status >= 500:
        code = code or ("rate-limited" if response.status == 429 else "gate-unavailable")
        kind: type[NotApproved] = GateUnavailable
    elif response.status in (401, 403):
        kind = NotAuthorised
    elif response.status == 409:
        kind = _CONFLICTS.get(code or "", RequestRefused)
    else:
        kind = RequestRefused
    message = detail or f"status {response.status}"
    refusal = kind(message, code=code, request_id=request_id, retry_after=retry_after)
    if code == "idempotency-in-progress":
        refusal.may_retry = True
    return refusal


def _read_problem(response: Response) -> tuple[str | None, str | None, str | None]:
    """Return code, text and request id of a problem (RFC 9457); an error page has none of them."""
    if response.media_type not in ("application/problem+json", "application/json"):
        return None, None, None
    try:
        document = read_json(response.body)
        if not isinstance(document, dict):
            return None, None, None
        fields = Fields(document, of="problem")
        kind = (fields.maybe_text("type") or "").rstrip("/").rpartition("/")[2]
        return kind or None, words_of(fields), fields.maybe_text("request_id")
    except ProtocolError:
        return None, None, None


def _backoff(attempt: int, retries: Retries, clock: Clock) -> float:
    """Double each time, with jitter over the upper half."""
    full = min(retries.first_pause * 2.0 ** min(attempt - 1, 30), retries.longest_pause)
    return full * (0.5 + clock.jitter() / 2)
