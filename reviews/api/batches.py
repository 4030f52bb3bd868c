"""Batches: up to 1,000 lines at once, each with a result of its own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import chain

from django.db import DatabaseError

from hitl_site.lib import problems, strict_json
from hitl_site.lib.jobs import hint
from hitl_site.lib.problems import FieldError, Problem
from policies.models import AgentKey
from policies.services import agents, rates
from reviews.adapters import submission as wire
from reviews.choices import Mode
from reviews.services import ingest, observed

MAX_LINES = 1000
MAX_BYTES = 8 * 1024 * 1024

Result = ingest.Submitted | observed.Accepted | Problem


@dataclass(frozen=True)
class Line:
    """One line: a submission, or what is wrong with it."""

    body: wire.BatchLine | None
    problem: Problem | None


def split(content_type: str, body: bytes) -> Iterator[Line]:
    """Yield the lines of an NDJSON or JSON array body, each read when it is asked for.

    Raises the problem at once when they cannot be told apart, or are too many or none.
    """
    if len(body) > MAX_BYTES:
        raise problems.error("body-too-large", f"A batch has at most {MAX_BYTES} bytes (8 MiB).")
    if content_type in {"application/x-ndjson", "application/ndjson", "application/jsonl"}:
        texts = [text for text in body.split(b"\n") if text.strip()]
        count, lines = len(texts), map(_line, texts)
    elif content_type == "application/json":
        members = _array(body)
        count, lines = len(members), map(_read, members)
    else:
        raise problems.error("unsupported-media-type", "Send application/x-ndjson, or a JSON array.")
    if not 1 <= count <= MAX_LINES:
        raise problems.error("validation", f"A batch has 1 to {MAX_LINES} lines, not {count}.")
    return lines


def take_in(*, key: AgentKey, lines: Iterable[Line], request_id: str, now: datetime) -> list[Result]:
    """Take every good line in and return the results in the order of the lines.

    Observed ones are stored in one transaction before this returns, and worked off afterwards. Gated ones go
    through the gate at once, each in a transaction of its own; the first counts as the request itself, each
    further one as one more of the agent's rate.
    """
    results: list[Result | None] = []
    gated: list[tuple[int, wire.BatchLine]] = []
    reported: list[int] = []

    def observed_ones() -> Iterator[wire.BatchLine]:
        for index, line in enumerate(lines):
            results.append(line.problem)
            if line.body is None:
                continue
            if line.body.mode == Mode.OBSERVED.value:
                reported.append(index)
                yield line.body
            else:
                gated.append((index, line.body))

    accepted = _observed(key, observed_ones(), request_id=request_id, now=now)
    for index, answer in zip(reported, accepted, strict=True):
        results[index] = answer
    for place, (index, body) in enumerate(gated):
        too_many = _too_many(key) if place else None
        results[index] = too_many or _gated(key, body, request_id=request_id, now=now)
    return [result for result in results if result is not None]


def _too_many(key: AgentKey) -> Problem | None:
    """Count one more action against the agent's rate: a batch is no way to ask for a thousand at once."""
    rate = rates.take(agent=key.agent)
    if rate.allowed:
        return None
    return problems.named("rate-limited", retry_after=rate.wait_seconds)


def _gated(key: AgentKey, body: wire.BatchLine, *, request_id: str, now: datetime) -> Result:
    if body.dry_run:
        return problems.named("validation", "A batch has no dry run; ask for one action at a time.")
    try:
        return ingest.submit(
            key=key, body=body, idempotency_key=body.idempotency_key, request_id=request_id, now=now
        )
    except (ingest.UnableToSubmit, agents.InvalidVersion) as error:
        return _refusal(error)
    except DatabaseError:
        return problems.named("unavailable", "This line was not stored; send it again with the same key.")


def _observed(
    key: AgentKey, coming: Iterator[wire.BatchLine], *, request_id: str, now: datetime
) -> list[observed.Accepted | Problem]:
    first = next(coming, None)
    if first is None:
        return []  # no transaction for nothing
    accepted = observed.accept(key=key, lines=chain((first,), coming), request_id=request_id, now=now)
    fresh = {each.batch_id for each in accepted if isinstance(each, observed.Accepted) and not each.replayed}
    for batch_id in fresh:
        hint("reviews.ingest_batch", batch_id=batch_id)
    return [each if isinstance(each, observed.Accepted) else _refusal(each) for each in accepted]


def _refusal(error: Exception) -> Problem:
    if isinstance(error, ingest.IdempotencyKeyReused):
        return problems.named("idempotency-key-reused", str(error))
    if isinstance(error, ingest.EnvironmentNotAllowed):
        return problems.named("scope", str(error))
    if isinstance(error, ingest.TooManyPending):
        return problems.named("too-many-pending", str(error))
    return problems.named("validation", str(error))


def _line(text: bytes) -> Line:
    try:
        value = strict_json.parse(text)
    except strict_json.DoorError as error:
        return Line(body=None, problem=problems.from_door(error))
    return _read(value, size=len(text))


def _array(body: bytes) -> list[strict_json.JsonValue]:
    try:
        # One level more than a line has: the array itself.
        value = strict_json.parse(body, max_bytes=MAX_BYTES, max_depth=strict_json.MAX_DEPTH + 1)
    except strict_json.DoorError as error:
        raise problems.ProblemError(problems.from_door(error)) from None
    if not isinstance(value, list):
        raise problems.error("validation", "A batch is a JSON array, or NDJSON.")
    return value


def _read(value: strict_json.JsonValue, *, size: int | None = None) -> Line:
    try:
        return Line(body=wire.read_line(value, size=size), problem=None)
    except wire.InvalidSubmission as error:
        faults = tuple(FieldError(c.pointer, c.code, c.message) for c in error.complaints)
        return Line(body=None, problem=problems.named("validation", errors=faults))
