"""``/actions``: the gate, and what became of what was asked."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, TypeVar

import orjson
from django.conf import settings
from django.db import OperationalError
from django.http import HttpRequest, HttpResponse
from ninja import Query, Router, Schema
from pydantic import Field, JsonValue

from hitl_site.lib import problems, shutdown
from hitl_site.lib.openapi import DOOR, header, may_answer, schema_of, takes
from hitl_site.lib.pagination import InvalidCursor, page
from policies.api import key_of, needs, received_at
from policies.choices import Scope
from policies.models import AgentKey
from policies.services import agents, gate
from reviews.adapters import submission as wire
from reviews.api import answers, batches, bodies, reach
from reviews.choices import ActionState, IngestState
from reviews.models import ActionRequest
from reviews.selectors import actions as actions_selector
from reviews.selectors.decisions import released_decision
from reviews.services import cancellations, ingest, intake, observed

router = Router(tags=["actions"])

LONGEST_WAIT = 30
_POLL = 0.2
# A wait on this port holds a thread; past these slots the pending answer comes at once, and the stream
# process, which links.wait names, holds any number.
_slots = threading.BoundedSemaphore(max(1, settings.WAIT_SLOTS)) if settings.WAIT_SLOTS else None


T = TypeVar("T")
# Where a request keeps what was read of it while its key was signed in.
_PROPOSED = "proposed_action"


class ActionFilter(Schema):
    status: ActionState | None = None
    action_type: str | None = None
    cursor: str | None = None
    limit: int = Field(50, ge=1, le=200)


class BatchAnswer(Schema):
    """One result a line, in the order of the lines: ``status`` is what the line alone would have got."""

    results: list[dict[str, JsonValue]]


_KEY = header(
    "Idempotency-Key",
    "Names this request: the same key with the same body answers the action that exists. Not needed for a"
    " dry run. Bare or quoted.",
    required=True,
    minLength=1,
    maxLength=255,
    pattern=r"^[!#-~]+$",
)
_BATCH = {"type": "array", "minItems": 1, "maxItems": batches.MAX_LINES, "items": schema_of(wire.BatchLine)}


@dataclass(frozen=True, slots=True)
class _Proposed:
    """A body that was read before its key was signed in, and what was known of it then."""

    body: wire.SubmissionBody
    known: ingest.Known | None


def _sign_in(request: HttpRequest, token: str, address: str) -> tuple[AgentKey, datetime] | None:
    """Sign in by the statement that asks what the gate needs to know: one round trip less.

    Only with a key that was good here before, and for what can be taken in. Whatever is wrong with the body
    is said to somebody with a good key alone: then the key comes first, and the body is read again.
    """
    agent_name = agents.name_seen(agents.lookup_in(token))
    if agent_name is None:
        return None
    try:
        body = wire.read(bodies.json_body(request), size=len(request.body))
        if body.dry_run:
            return None
        key, now, known = ingest.sign_in(
            token=token,
            address=address,
            agent_name=agent_name,
            body=body,
            idempotency_key=bodies.idempotency_key(request),
        )
    except (problems.ProblemError, wire.InvalidSubmission, agents.InvalidVersion):
        return None
    setattr(request, _PROPOSED, _Proposed(body=body, known=known))
    return key, now


@router.post(
    "",
    auth=needs(Scope.ACTIONS_CREATE, sign_in=_sign_in),
    response={201: answers.GateAnswer, 200: answers.GateAnswer},
    summary="Ask leave for an action",
    openapi_extra=may_answer(
        *DOOR,
        "missing-idempotency-key",
        "bad-request",
        "idempotency-key-reused",
        "idempotency-in-progress",
        "too-many-pending",
        parameters=[_KEY],
        requestBody=takes(json=wire.SubmissionBody),
    ),
)
def propose(request: HttpRequest) -> HttpResponse:
    """The gate answers at once: allow, review or deny. 201 the first time, 200 when replayed."""
    key = key_of(request)
    proposed: _Proposed = getattr(request, _PROPOSED, None) or _Proposed(body=_body_of(request), known=None)
    body = proposed.body
    if body.dry_run:
        if "HTTP_IDEMPOTENCY_KEY" in request.META:
            bodies.idempotency_key(request)  # it is of no use here, but what is sent is well formed
        return answers.response(_refusing(lambda: _dry_run(request, body)), request, status=200)
    idempotency_key = bodies.idempotency_key(request)
    submitted = _refusing(
        lambda: ingest.submit(
            key=key,
            body=body,
            idempotency_key=idempotency_key,
            request_id=getattr(request, "request_id", ""),
            now=received_at(request),
            known=proposed.known,
        )
    )
    answer = answers.gate_answer(submitted, request)
    response = answers.response(answer, request, status=200 if submitted.replayed else 201)
    response.headers["ETag"] = f'"{submitted.action.version}"'
    if submitted.replayed:
        response.headers["Idempotent-Replayed"] = "true"
        return response
    assert answer.links is not None
    response.headers["Location"] = answer.links.self
    return response


@router.post(
    "/batch",
    auth=needs(Scope.ACTIONS_CREATE),
    response={200: BatchAnswer},
    summary="Ask leave for up to 1,000 actions, or report them",
    openapi_extra=may_answer(
        *DOOR, requestBody=takes(json=_BATCH, ndjson={"type": "string", "description": "One object a line."})
    ),
)
def propose_batch(request: HttpRequest) -> HttpResponse:
    """Per-line results in the order of the lines; one bad line spoils no other."""
    key = key_of(request)
    bodies.refuse_encoded(request)
    results = batches.take_in(
        key=key,
        lines=batches.split(request.content_type or "", request.body),
        request_id=getattr(request, "request_id", ""),
        now=received_at(request),
    )
    # Each is typed already; to look at a thousand of them once more would take as long as they did.
    written = orjson.dumps({"results": [_line(result, request) for result in results]})
    return answers.response(written, request, status=200)


@router.get(
    "",
    auth=needs(Scope.ACTIONS_READ),
    response=answers.ActionPage,
    summary="List own actions, newest first",
    openapi_extra=may_answer("validation", "invalid-cursor"),
)
def list_actions(request: HttpRequest, filters: Query[ActionFilter]) -> answers.ActionPage:
    """An agent that restarted finds here what it waits for: ``?status=pending_review``."""
    key = key_of(request)
    found = actions_selector.of_key(key)
    if filters.status is not None:
        found = found.filter(state=filters.status)
    if filters.action_type is not None:
        found = found.filter(action_type_name=filters.action_type)
    # A cursor is good for the list it was made for: this agent's, with these filters.
    scope = f"api-actions?{key.agent_id}&{filters.status or ''}&{filters.action_type or ''}"
    try:
        rows = page(found, order_by=("-id",), limit=filters.limit, cursor=filters.cursor, scope=scope)
    except InvalidCursor as error:
        raise problems.error("invalid-cursor", str(error)) from None
    return answers.ActionPage(
        items=[answers.action_answer(action, request) for action in rows.items], next_cursor=rows.next_cursor
    )


@router.get(
    "/{action_id}",
    auth=needs(Scope.ACTIONS_READ),
    response={200: answers.ActionAnswer | answers.AcceptedAnswer},
    summary="One action; with wait=, as soon as it is decided",
    openapi_extra=may_answer("not-found", "validation"),
)
def show(
    request: HttpRequest,
    response: HttpResponse,
    action_id: str,
    wait: Annotated[int, Query(ge=0, le=LONGEST_WAIT, description="Seconds to wait for a decision.")] = 0,
) -> answers.ActionAnswer | answers.AcceptedAnswer:
    """Answers at once when the state is final, else holds up to ``wait`` seconds (30 at most)."""
    key = key_of(request)
    action = _own(key, action_id)
    if action is None:
        row = actions_selector.accepted_row(agent=key.agent, action_id=action_id)
        if row is None:
            raise problems.error("not-found", "There is no such action.")
        response["Retry-After"] = "2"
        return answers.AcceptedAnswer(id=row.public_id, state=IngestState(row.state))
    if wait and action.state == ActionState.PENDING_REVIEW:
        action = _wait(key, action, wait)
    if action.state == ActionState.PENDING_REVIEW:
        response["Retry-After"] = "2"
    response["ETag"] = f'"{action.version}"'
    return answers.action_answer(action, request)


@router.post(
    "/{action_id}/cancel",
    auth=needs(Scope.ACTIONS_CREATE),
    response=answers.ActionAnswer,
    summary="Take a pending action back",
    openapi_extra=may_answer("not-found", "already-decided"),
)
def cancel(request: HttpRequest, action_id: str) -> answers.ActionAnswer:
    """Idempotent. What was decided cannot be taken back by the agent it was decided for."""
    key = key_of(request)
    try:
        reach.to_action(key, action_id)
        action = cancellations.cancel(action_id=action_id, agent=key.agent, now=received_at(request))
    except cancellations.UnknownAction:
        raise problems.error("not-found", "There is no such action.") from None
    except cancellations.TooLateToCancel as error:
        raise problems.error("already-decided", str(error)) from None
    return answers.action_answer(action, request)


@router.get(
    "/{action_id}/decision",
    auth=needs(Scope.ACTIONS_READ),
    response=answers.DecisionAnswer,
    summary="What people decided",
    openapi_extra=may_answer("not-found"),
)
def show_decision(request: HttpRequest, action_id: str) -> answers.DecisionAnswer:
    """404 while nothing is decided, and for what the gate answered alone."""
    action = _own(key_of(request), action_id)
    decision = released_decision(action) if action is not None else None
    if decision is None:
        raise problems.error("not-found", "There is no decision on such an action.")
    return answers.decision_answer(decision)


def _body_of(request: HttpRequest) -> wire.SubmissionBody:
    try:
        return wire.read(bodies.json_body(request), size=len(request.body))
    except wire.InvalidSubmission as error:
        raise bodies.invalid(error) from None


def _own(key: AgentKey, action_id: str) -> ActionRequest | None:
    return actions_selector.of_key(key).filter(public_id=action_id).first()


def _refusing(act: Callable[[], T]) -> T:
    """Act, and raise the problem that says why it could not be done."""
    try:
        return act()
    except ingest.IdempotencyKeyReused as error:
        raise problems.error("idempotency-key-reused", str(error)) from None
    except ingest.EnvironmentNotAllowed as error:
        raise problems.error("scope", str(error)) from None
    except ingest.TooManyPending as error:
        raise problems.error("too-many-pending", str(error)) from None
    except agents.InvalidVersion as error:
        fault = problems.FieldError("/agent_version", "invalid", str(error))
        raise problems.error("validation", str(error), errors=(fault,)) from None
    except OperationalError as error:
        # Another request with this very key holds it: the client asks again and gets that one's answer.
        if getattr(error.__cause__, "sqlstate", "") == "55P03":
            raise problems.error("idempotency-in-progress") from None
        raise


def _wait(key: AgentKey, action: ActionRequest, seconds: int) -> ActionRequest:
    if _slots is None or not _slots.acquire(blocking=False):
        return action
    try:
        ends = time.monotonic() + seconds
        while action.state == ActionState.PENDING_REVIEW and time.monotonic() < ends:
            if shutdown.sleep(_POLL):
                break  # the answer of the moment; the client comes back to the next process
            # The row is the truth; nothing is remembered between two looks at it.
            action = _own(key, action.public_id) or action
        return action
    finally:
        _slots.release()


def _dry_run(request: HttpRequest, body: wire.SubmissionBody) -> answers.GateAnswer:
    key = key_of(request)
    outlook = gate.evaluate(proposal=ingest.dry_proposal(key=key, body=body), now=received_at(request))
    evaluation = outlook.evaluation
    return answers.GateAnswer(
        id=None,
        verdict=evaluation.verdict,
        state="dry_run",
        digest=intake.digest_of(agent_name=key.agent.name, body=body),
        policy=answers.policy_ref(outlook.policy_version),
        reasons=[
            answers.ReasonAnswer(
                code=reason.code,
                trigger=reason.trigger,
                title=reason.title,
                detail=reason.detail,
                rule=reason.rule,
            )
            for reason in evaluation.reasons
        ],
        nearest_miss=evaluation.nearest_miss,
        risk=outlook.action_type.risk if outlook.action_type is not None else None,
        autonomy_level=evaluation.level,
        expires_at=None,
        approvals=answers.Approvals(required=evaluation.approvals_required, given=0),
    )


def _line(result: batches.Result, request: HttpRequest) -> dict[str, Any]:
    """Return one line's result: a gate answer, an acceptance, or a problem without a verdict."""
    if isinstance(result, ingest.Submitted):
        answer = answers.gate_answer(result, request).model_dump()
        return {"status": 200 if result.replayed else 201, **answer}
    if isinstance(result, observed.Accepted):
        return {"status": 200 if result.replayed else 202, "id": result.id, "state": result.state}
    problem = result
    return {
        "status": problem.status,
        "type": problem.type,
        "title": problem.title,
        "detail": problem.detail,
        "errors": [{"pointer": e.pointer, "code": e.code, "message": e.message} for e in problem.errors],
    }
