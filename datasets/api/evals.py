"""``/eval-runs``: results of an agent version on a frozen version of cases, graded here."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from django.http import HttpRequest, HttpResponse
from ninja import Query, Router, Schema, Status
from pydantic import ConfigDict, Field, JsonValue, StringConstraints

from datasets.choices import EvalState
from datasets.models import EvalRun
from datasets.selectors import eval_runs
from datasets.services import evaluating
from datasets.services.evaluating import Sent, Taken
from hitl_site.lib import problems, strict_json
from hitl_site.lib.canonical import body_digest
from hitl_site.lib.openapi import DOOR, header, may_answer, takes
from hitl_site.lib.pagination import InvalidCursor
from policies.api import key_of, needs, received_at
from policies.choices import Scope
from policies.models import Agent
from policies.services import agents
from reviews.adapters import submission as wire
from reviews.api import bodies
from reviews.api.answers import moment

router = Router(tags=["evals"])

MAX_RESULTS: Final = 1000
MAX_BYTES: Final = 8 * 1024 * 1024
# The body, the list of results, the result, its output.
_DEPTH: Final = strict_json.MAX_DEPTH + 3

_KEY = header(
    "Idempotency-Key",
    "Names this run: the same key with the same body answers the run that exists. Bare or quoted.",
    required=True,
    minLength=1,
    maxLength=255,
    pattern=r"^[!#-~]+$",
)


class RunBody(bodies.StrictSchema):
    dataset_version: str = Field(pattern=r"^dsv_[0-9a-f]{32}$")
    agent_version: wire.AgentVersion
    split: Literal["", "train", "validation", "test"] = ""
    source: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_.-]*$", max_length=40)] = "handrail"
    note: str = Field("", max_length=2_000)


# What `_sent` checks beyond the types, for the OpenAPI document.
_IDLE: dict[str, Any] = {
    "if": {"properties": {"acted": {"const": False}}},
    "then": {"properties": {"output": {"type": "null"}, "action_type": {"const": ""}}},
    "else": {"required": ["output"], "properties": {"output": {"type": "object"}, "error": {"const": ""}}},
}


class ResultBody(bodies.StrictSchema):
    """What the agent did with one case: it acted, it chose not to, or it broke down (``error``)."""

    model_config = ConfigDict(json_schema_extra=_IDLE)

    case: str = Field(max_length=40)
    acted: bool
    action_type: str = Field("", max_length=120, description='"" is the action type of the case.')
    output: dict[str, JsonValue] | None = Field(None, description="The arguments, where it acted.")
    error: str = Field("", max_length=2_000, description="Why there is no answer; counts as failed.")


class ResultsBody(bodies.StrictSchema):
    results: list[ResultBody] = Field(min_length=1, max_length=MAX_RESULTS)


class RunAnswer(Schema):
    id: str
    dataset_version: str
    agent_version: str
    split: str
    source: str
    state: EvalState
    cases_total: int
    cases_done: int
    cases_passed: int
    created_at: str
    finished_at: str | None


class LineAnswer(Schema):
    """One line for each result: 200 taken or the same again, 409 another result, 422 no case of the run."""

    case: str
    status: Literal[200, 409, 422]
    taken: Taken
    passed: bool | None
    score: float | None
    why: str


class ResultsAnswer(Schema):
    run: RunAnswer
    results: list[LineAnswer]


class KeptAnswer(Schema):
    case: str
    action_type: str
    label: str
    acted: bool
    passed: bool | None
    score: float | None
    why: str


class ResultPage(Schema):
    items: list[KeptAnswer]
    next_cursor: str | None


_STATUS: Final[dict[Taken, Literal[200, 409, 422]]] = {
    Taken.NEW: 200,
    Taken.SAME: 200,
    Taken.CONFLICT: 409,
    Taken.NOT_A_CASE: 422,
}


@router.post(
    "",
    auth=needs(Scope.EVALS_WRITE),
    response={201: RunAnswer, 200: RunAnswer},
    summary="Begin an eval run",
    openapi_extra=may_answer(
        *DOOR,
        "missing-idempotency-key",
        "bad-request",
        "idempotency-key-reused",
        "not-found",
        "forbidden",
        parameters=[_KEY],
        requestBody=takes(json=RunBody),
    ),
)
def start_eval_run(request: HttpRequest, response: HttpResponse) -> Status[RunAnswer]:
    """Of the caller's own version on a dataset version. 201 the first time, 200 when replayed."""
    agent = _runner(request)
    value = bodies.json_body(request)
    body = bodies.shape(RunBody, value)
    try:
        started = evaluating.start(
            agent=agent,
            version_id=body.dataset_version,
            claim=agents.VersionClaim(**body.agent_version.model_dump()),
            split=body.split,
            source=body.source,
            note=body.note,
            idempotency_key=bodies.idempotency_key(request),
            body_digest=body_digest(value),
            now=received_at(request),
        )
    except evaluating.UnknownVersion as error:
        raise problems.error("not-found", str(error)) from None
    except evaluating.NotReadable as error:
        raise problems.error("forbidden", str(error)) from None
    except evaluating.IdempotencyKeyReused as error:
        raise problems.error("idempotency-key-reused", str(error)) from None
    except (evaluating.NothingToEvaluate, agents.InvalidVersion) as error:
        raise problems.error("validation", str(error)) from None
    if started.replayed:
        response["Idempotent-Replayed"] = "true"
    return Status(200 if started.replayed else 201, _answer(started.run))


@router.get(
    "/{run_id}",
    auth=needs(Scope.EVALS_WRITE),
    response=RunAnswer,
    summary="How far a run is",
    openapi_extra=may_answer("not-found"),
)
def show_eval_run(request: HttpRequest, run_id: str) -> RunAnswer:
    """One of the caller's own runs."""
    return _answer(_own(request, run_id))


@router.post(
    "/{run_id}/results",
    auth=needs(Scope.EVALS_WRITE),
    response=ResultsAnswer,
    summary="Post up to 1,000 results",
    openapi_extra=may_answer(
        *DOOR, "not-found", "forbidden", "eval-run-closed", requestBody=takes(json=ResultsBody)
    ),
)
def post_eval_results(request: HttpRequest, run_id: str) -> ResultsAnswer:
    """They are graded at once. The same again is fine; one line that cannot be taken spoils no other."""
    agent = _runner(request)
    body = bodies.shape(ResultsBody, bodies.json_body(request, max_bytes=MAX_BYTES, max_depth=_DEPTH))
    try:
        run, lines = evaluating.take_results(
            run_id=run_id,
            agent=agent,
            results=[_sent(result, at) for at, result in enumerate(body.results)],
            now=received_at(request),
        )
    except evaluating.UnknownRun as error:
        raise problems.error("not-found", str(error)) from None
    except evaluating.NotReadable as error:
        raise problems.error("forbidden", str(error)) from None
    except evaluating.RunClosed as error:
        raise problems.error("eval-run-closed", str(error)) from None
    told = [
        LineAnswer(
            case=line.case,
            status=_STATUS[line.taken],
            taken=line.taken,
            passed=line.passed,
            score=line.score,
            why=line.why,
        )
        for line in lines
    ]
    return ResultsAnswer(run=_answer(run), results=told)


@router.get(
    "/{run_id}/results",
    auth=needs(Scope.EVALS_WRITE),
    response=ResultPage,
    summary="The results of a run",
    openapi_extra=may_answer("not-found", "validation", "invalid-cursor"),
)
def list_eval_results(
    request: HttpRequest,
    run_id: str,
    cursor: str | None = None,
    limit: Annotated[int, Query(ge=1, le=MAX_RESULTS)] = 200,
) -> ResultPage:
    """In the order in which they came: a runner that starts again sees what it need not do."""
    run = _own(request, run_id)
    try:
        page = eval_runs.results_page(run, cursor=cursor, limit=limit, scope="api-eval-results")
    except InvalidCursor as error:
        raise problems.error("invalid-cursor", str(error)) from None
    items = [
        KeptAnswer(
            case=result.case.public_id,
            action_type=result.case.action_type,
            label=result.case.label,
            acted=result.acted,
            passed=result.passed,
            score=result.score,
            why=str(result.detail.get("why", "")),
        )
        for result in page.items
    ]
    return ResultPage(items=items, next_cursor=page.next_cursor)


@router.post(
    "/{run_id}/abandon",
    auth=needs(Scope.EVALS_WRITE),
    response=RunAnswer,
    summary="Give a run up",
    openapi_extra=may_answer("not-found", "eval-run-closed"),
)
def abandon_eval_run(request: HttpRequest, run_id: str) -> RunAnswer:
    """It takes no more results and never counts as done. Again is the same; a run that is done stays so."""
    try:
        run = evaluating.give_up(run_id=run_id, agent=key_of(request).agent, now=received_at(request))
    except evaluating.UnknownRun as error:
        raise problems.error("not-found", str(error)) from None
    except evaluating.RunClosed as error:
        raise problems.error("eval-run-closed", str(error)) from None
    return _answer(run)


def _runner(request: HttpRequest) -> Agent:
    """Return the agent that is tested. Who acts with a key does not say with it how well it acts."""
    key = key_of(request)
    if Scope.ACTIONS_CREATE in key.scopes:
        raise problems.error("scope", "This key proposes actions; evals take a key of their own.")
    return key.agent


def _own(request: HttpRequest, run_id: str) -> EvalRun:
    run = eval_runs.of_agent(key_of(request).agent).filter(public_id=run_id).first()
    if run is None:
        raise problems.error("not-found", "There is no such run.")
    return run


def _sent(result: ResultBody, at: int) -> Sent:
    """Return the result as the service takes it, or raise the problem at what contradicts itself."""
    if result.acted and result.output is None:
        raise _fault(at, "output", "Where the agent acted, its arguments are needed.")
    if result.acted and result.error:
        raise _fault(at, "error", "An agent that broke down did not act.")
    if not result.acted and (result.output is not None or result.action_type):
        raise _fault(at, "output", "Where the agent did not act there is no output and no action type.")
    return Sent(
        case=result.case,
        acted=result.acted,
        action_type=result.action_type,
        output=result.output,
        error=result.error,
    )


def _fault(at: int, name: str, message: str) -> problems.ProblemError:
    fault = problems.FieldError(f"/results/{at}/{name}", "invalid", message)
    return problems.error("validation", message, errors=(fault,))


def _answer(run: EvalRun) -> RunAnswer:
    return RunAnswer(
        id=run.public_id,
        dataset_version=run.version.public_id,
        agent_version=run.agent_version,
        split=run.split,
        source=run.source,
        state=EvalState(run.state),
        cases_total=run.cases_total,
        cases_done=run.cases_done,
        cases_passed=run.cases_passed,
        created_at=moment(run.created_at),
        finished_at=moment(run.finished_at) if run.finished_at else None,
    )
