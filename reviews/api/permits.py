"""``/permits`` and ``/executions``: using a permit up, and saying what came of it."""

from __future__ import annotations

from typing import Literal

from django.http import HttpRequest, HttpResponse
from ninja import Router, Schema, Status
from pydantic import Field, JsonValue

from hitl_site.lib import problems
from hitl_site.lib.clock import database_now
from hitl_site.lib.openapi import DOOR, header, may_answer, takes
from policies.api import key_of, needs
from policies.choices import Scope
from reviews.api import answers, bodies, reach
from reviews.choices import Outcome
from reviews.models import Execution
from reviews.services import permits

router = Router(tags=["permits"])


class ConsumeBody(bodies.StrictSchema):
    digest: str = Field(pattern=r"^sha256:[0-9a-f]{64}$")
    execution_key: str = Field(default="", max_length=255)
    arguments: dict[str, JsonValue] | None = Field(
        default=None,
        description="The exact arguments that are about to run. With them the digest may be another than the"
        " permit's, where the action type declares that the difference is of no matter.",
    )


class ConsumeAnswer(Schema):
    execution_id: str
    action_id: str
    digest: str
    arguments: dict[str, JsonValue]
    started_at: str
    lease_until: str


class OutcomeBody(bodies.StrictSchema):
    outcome: Literal["succeeded", "failed", "partial", "unknown"]
    detail: dict[str, JsonValue] | None = None
    executed_digest: str = Field(default="", pattern=r"^(sha256:[0-9a-f]{64})?$")


class ExecutionAnswer(Schema):
    execution_id: str
    action_id: str
    outcome: str | None
    lease_until: str
    outcome_at: str | None


_KEY = header(
    "Idempotency-Key",
    "Names this run where the body has no execution_key: the same key replays the answer.",
    required=False,
    minLength=1,
    maxLength=255,
    pattern=r"^[!#-~]+$",
)


@router.post(
    "/permits/{permit_id}/consume",
    auth=needs(Scope.PERMITS_CONSUME),
    response=ConsumeAnswer,
    summary="Use a permit up: the atomic point",
    openapi_extra=may_answer(
        *DOOR,
        *(error.slug for error in permits.UnableToConsume.__subclasses__()),
        "missing-idempotency-key",
        "bad-request",
        parameters=[_KEY],
        requestBody=takes(json=ConsumeBody),
    ),
)
def consume(request: HttpRequest, response: HttpResponse, permit_id: str) -> ConsumeAnswer:
    """Send the digest of what is about to run. The same key replays the answer; another one gets 409."""
    body = bodies.shape(ConsumeBody, bodies.json_body(request))
    reach.to_permit(key_of(request), permit_id)
    try:
        consumed = permits.consume(
            permit_id=permit_id,
            agent=key_of(request).agent,
            digest=body.digest,
            consume_key=body.execution_key or bodies.idempotency_key(request),
            arguments=body.arguments,
            now=database_now(),
        )
    except permits.UnableToConsume as error:
        raise problems.error(error.slug, str(error)) from None
    if consumed.replayed:
        response["Idempotent-Replayed"] = "true"
    execution = consumed.execution
    return ConsumeAnswer(
        execution_id=execution.public_id,
        action_id=execution.action.public_id,
        digest=consumed.digest,
        arguments=consumed.arguments,
        started_at=answers.moment(execution.started_at),
        lease_until=answers.moment(execution.lease_until),
    )


@router.post(
    "/executions/{execution_id}/outcome",
    auth=needs(Scope.OUTCOMES_WRITE, counted=False),
    response=ExecutionAnswer,
    summary="Say what came of a run",
    openapi_extra=may_answer(*DOOR, "not-found", "outcome-conflict", requestBody=takes(json=OutcomeBody)),
)
def report_outcome(request: HttpRequest, execution_id: str) -> ExecutionAnswer:
    """The same again answers 200; another outcome 409, and that it was said is on record."""
    body = bodies.shape(OutcomeBody, bodies.json_body(request))
    reach.to_execution(key_of(request), execution_id)
    try:
        execution = permits.report_outcome(
            execution_id=execution_id,
            agent=key_of(request).agent,
            outcome=Outcome(body.outcome),
            detail=body.detail,
            executed_digest=body.executed_digest,
            now=database_now(),
        )
    except permits.UnknownExecution as error:
        raise problems.error("not-found", str(error)) from None
    except permits.OutcomeConflict as error:
        raise problems.error("outcome-conflict", str(error)) from None
    return _answer(execution)


@router.post(
    "/executions/{execution_id}/heartbeat",
    auth=needs(Scope.OUTCOMES_WRITE, counted=False),
    response={200: ExecutionAnswer},
    summary="Still running",
    openapi_extra=may_answer("not-found"),
)
def heartbeat(request: HttpRequest, execution_id: str) -> Status[ExecutionAnswer]:
    """Prolongs the lease; without one, or an outcome, in time the run counts as outcome unknown."""
    reach.to_execution(key_of(request), execution_id)
    try:
        execution = permits.heartbeat(
            execution_id=execution_id, agent=key_of(request).agent, now=database_now()
        )
    except permits.UnknownExecution as error:
        raise problems.error("not-found", str(error)) from None
    return Status(200, _answer(execution))


def _answer(execution: Execution) -> ExecutionAnswer:
    return ExecutionAnswer(
        execution_id=execution.public_id,
        action_id=execution.action.public_id,
        outcome=execution.outcome or None,
        lease_until=answers.moment(execution.lease_until),
        outcome_at=answers.moment(execution.outcome_at) if execution.outcome_at else None,
    )
