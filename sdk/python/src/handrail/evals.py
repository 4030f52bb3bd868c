"""Evals: what an agent does with each case of a frozen dataset version, posted and graded there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, cast

from handrail.canonical import JSONObject, snapshot_object
from handrail.endpoints import segment
from handrail.errors import ProtocolError
from handrail.exchange import Flow, exchange
from handrail.flows import Flows
from handrail.wire import BODY_LIMIT, Fields, read_object

MAX_RESULTS = 1000
# An answer has a line for each result.
_ANSWER_LIMIT = 8 * BODY_LIMIT
_CREATED = frozenset({200, 201})

Taken = Literal["taken", "same", "conflict", "not_a_case"]


@dataclass(frozen=True, kw_only=True)
class CaseResult:
    """What the agent did with one case: an action, nothing (``acted`` False), or a breakdown (``error``).

    Without an ``action_type`` an action counts as one of the case's own type.
    """

    case: str
    acted: bool
    action_type: str = ""
    output: Mapping[str, object] | None = None
    error: str = ""

    def document(self) -> JSONObject:
        """Return the result as it is posted."""
        output = None if self.output is None else snapshot_object(self.output)
        return {
            "case": self.case,
            "acted": self.acted,
            "action_type": self.action_type,
            "output": output,
            "error": self.error,
        }


@dataclass(frozen=True)
class EvalRun:
    """A run as the server knows it; ``state`` is open, done or abandoned."""

    id: str
    state: str
    cases_total: int
    cases_done: int
    cases_passed: int


@dataclass(frozen=True)
class Graded:
    """What the server says of one result. ``passed`` None: it could not be graded, ``why`` says so."""

    case: str
    taken: Taken
    passed: bool | None
    why: str


@dataclass(frozen=True)
class Kept:
    """A result that a run has."""

    case: str
    action_type: str
    passed: bool | None
    why: str


def start(
    flows: Flows,
    *,
    dataset_version: str,
    agent_version: str | Mapping[str, str],
    split: str,
    source: str,
    note: str,
    idempotency_key: str,
) -> Flow[EvalRun]:
    """Begin a run, or find the one that the key began."""
    version = agent_version if isinstance(agent_version, str) else snapshot_object(agent_version)
    body: JSONObject = {
        "dataset_version": dataset_version,
        "agent_version": version,
        "split": split,
        "source": source,
        "note": note,
    }
    request = flows.endpoints.post("eval-runs", body, idempotency_key=idempotency_key)
    response = yield from exchange(request, retries=flows.retries, clock=flows.clock, accept=_CREATED)
    return _run(Fields(read_object(response), of="eval run"))


def show(flows: Flows, run_id: str) -> Flow[EvalRun]:
    """Return a run as it stands."""
    request = flows.endpoints.get(f"eval-runs/{segment(run_id)}")
    response = yield from exchange(request, retries=flows.retries, clock=flows.clock)
    return _run(Fields(read_object(response), of="eval run"))


def post(flows: Flows, run_id: str, results: Sequence[CaseResult]) -> Flow[tuple[EvalRun, list[Graded]]]:
    """Post up to 1,000 results; posting one again is harmless. One line comes back for each."""
    if not 1 <= len(results) <= MAX_RESULTS:
        raise ValueError(f"post 1 to {MAX_RESULTS} results at once")
    request = flows.endpoints.post(
        f"eval-runs/{segment(run_id)}/results", {"results": [result.document() for result in results]}
    )
    response = yield from exchange(
        replace(request, limit=_ANSWER_LIMIT), retries=flows.retries, clock=flows.clock
    )
    fields = Fields(read_object(response), of="results")
    run = fields.maybe("run")
    lines = [_line(line) for line in _objects(fields, "results")]
    if run is None or [line.case for line in lines] != [result.case for result in results]:
        raise ProtocolError("the answer is not about the results that were posted")
    return _run(run), lines


def kept(flows: Flows, run_id: str) -> Flow[list[Kept]]:
    """Return every result that a run has."""
    found: list[Kept] = []
    cursor: str | None = None
    while True:
        query = {"limit": str(MAX_RESULTS)} | ({} if cursor is None else {"cursor": cursor})
        request = flows.endpoints.get(f"eval-runs/{segment(run_id)}/results", query)
        response = yield from exchange(
            replace(request, limit=_ANSWER_LIMIT), retries=flows.retries, clock=flows.clock
        )
        fields = Fields(read_object(response), of="results")
        for item in _objects(fields, "items"):
            line = Fields(item, of="result")
            found.append(Kept(line.text("case"), line.text("action_type"), _verdict(item), line.text("why")))
        cursor = fields.maybe_text("next_cursor")
        if cursor is None:
            return found


def _run(fields: Fields) -> EvalRun:
    return EvalRun(
        id=fields.text("id"),
        state=fields.text("state"),
        cases_total=fields.number("cases_total"),
        cases_done=fields.number("cases_done"),
        cases_passed=fields.number("cases_passed"),
    )


def _line(document: JSONObject) -> Graded:
    fields = Fields(document, of="result")
    taken = fields.text("taken")
    if taken not in ("taken", "same", "conflict", "not_a_case"):
        raise ProtocolError(f"a result was {taken!r}, which this client does not know")
    return Graded(fields.text("case"), cast("Taken", taken), _verdict(document), fields.text("why"))


def _verdict(document: JSONObject) -> bool | None:
    passed = document.get("passed")
    if passed is not None and not isinstance(passed, bool):
        raise ProtocolError("result.passed is not true, false or null")
    return passed


def _objects(fields: Fields, name: str) -> Iterator[JSONObject]:
    for item in fields.items(name):
        if not isinstance(item, dict):
            raise ProtocolError(f"a member of {name} is not an object")
        yield item
