"""``/actions/{id}/ground-truth``: what the world said later of an action."""

from __future__ import annotations

from datetime import UTC, datetime

from django.http import HttpRequest, HttpResponse
from ninja import Router, Schema, Status
from pydantic import ConfigDict, Field, JsonValue

from datasets.services import ground_truth
from datasets.services.ground_truth import Report
from hitl_site.lib import problems
from hitl_site.lib.openapi import DOOR, header, may_answer, takes
from hitl_site.lib.problems import FieldError
from policies.api import key_of, needs, received_at
from policies.choices import Scope
from reviews.api import answers, bodies, reach

router = Router(tags=["ground truth"])


class GroundTruthBody(bodies.StrictSchema):
    model_config = ConfigDict(
        strict=True,
        extra="forbid",
        json_schema_extra={
            "not": {
                "required": ["correct", "arguments"],
                "properties": {"correct": {"const": True}, "arguments": {"type": "object"}},
            }
        },
    )

    correct: bool = Field(description="Whether what was done turned out to be right.")
    source: str = Field(
        pattern=r"^[a-z][a-z0-9_]{0,59}$", description="Who says so: chargeback, complaint, audit, ..."
    )
    arguments: dict[str, JsonValue] | None = Field(
        default=None, description="What should have been done instead, where it is known and it was wrong."
    )
    detail: dict[str, JsonValue] | None = None
    occurred_at: str | None = Field(
        default=None,
        description="When it became known in the world, RFC 3339 with its offset.",
        json_schema_extra={"format": "date-time"},
    )


class GroundTruthAnswer(Schema):
    id: str
    action_id: str
    correct: bool
    source: str
    contradicts: bool
    received_at: str


_KEY = header(
    "Idempotency-Key",
    "Names this report: the same key with the same body answers the one that exists. Bare or quoted.",
    required=True,
    minLength=1,
    maxLength=255,
    pattern=r"^[!#-~]+$",
)


@router.post(
    "/actions/{action_id}/ground-truth",
    auth=needs(Scope.LABELS_WRITE),
    response={201: GroundTruthAnswer, 200: GroundTruthAnswer},
    summary="Say what turned out to be true of an action",
    openapi_extra=may_answer(
        *DOOR,
        "missing-idempotency-key",
        "bad-request",
        "not-found",
        "idempotency-key-reused",
        parameters=[_KEY],
        requestBody=takes(json=GroundTruthBody),
    ),
)
def report_ground_truth(
    request: HttpRequest, response: HttpResponse, action_id: str
) -> Status[GroundTruthAnswer]:
    """Kept apart from what reviewers said. Where it contradicts an approval, the case is looked at again."""
    key = key_of(request)
    report = _report(bodies.shape(GroundTruthBody, bodies.json_body(request)))
    idempotency_key = bodies.idempotency_key(request)
    reach.to_action(key, action_id)
    try:
        received = ground_truth.receive(
            action_id=action_id,
            agent=key.agent,
            report=report,
            idempotency_key=idempotency_key,
            now=received_at(request),
        )
    except ground_truth.UnknownAction as error:
        raise problems.error("not-found", str(error)) from None
    except ground_truth.KeyReused as error:
        raise problems.error("idempotency-key-reused", str(error)) from None
    if received.replayed:
        response["Idempotent-Replayed"] = "true"
    truth = received.truth
    return Status(
        200 if received.replayed else 201,
        GroundTruthAnswer(
            id=truth.public_id,
            action_id=truth.action_id,
            correct=truth.correct,
            source=truth.source,
            contradicts=truth.contradicts,
            received_at=answers.moment(truth.received_at),
        ),
    )


def _report(body: GroundTruthBody) -> Report:
    if body.correct and body.arguments is not None:
        raise _fault("/arguments", "forbidden", "What was right needs no other arguments.")
    return Report(
        correct=body.correct,
        source=body.source,
        arguments=body.arguments,
        detail=body.detail,
        occurred_at=None if body.occurred_at is None else _instant(body.occurred_at),
    )


def _instant(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            raise ValueError("no offset")
        # At the ends of the calendar a time can have no place in UTC.
        return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise _fault(
            "/occurred_at", "format", "A time with its offset, such as 2026-03-01T09:00:00Z."
        ) from None


def _fault(pointer: str, code: str, message: str) -> problems.ProblemError:
    return problems.error(
        "validation",
        "The body does not have the right shape.",
        errors=(FieldError(pointer, code, message),),
    )
