"""The OpenAPI document is true: what it says, the API takes and answers, and nothing ends in a 5xx."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import jsonschema_rs
import pytest
import schemathesis
from django.core.signals import request_finished, request_started
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections
from django.test import Client
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.config import SchemathesisConfig
from schemathesis.core.parameters import ParameterLocation
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    positive_data_acceptance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from datasets.models import EvalRun
from datasets.selectors.selection import Selection
from datasets.services import datasets, evaluating, freezing
from datasets.tests.base import label
from hitl_site.api import api
from hitl_site.lib.clock import database_now
from hitl_site.lib.problem_kinds import KINDS
from policies.choices import KillSwitchScope, Scope
from policies.services import agents, kill_switch
from policies.services.ledger import Actor
from reviews.choices import DecisionKind
from reviews.services import deadlines, permits
from reviews.tests.cast import REFUND, Cast, decide_as, held, make_cast, propose

pytestmark = pytest.mark.django_db

DOCUMENT = "/api/v1/openapi.json"
SYSTEM = Actor.system()
CONFORMANCE = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
COUNTER = itertools.count()
METHODS = {"get", "put", "post", "delete", "patch"}
CONFIG = SchemathesisConfig.from_dict(
    {
        "generation": {
            "deterministic": True,
            # Text that no JSON text of ours may hold has tests of its own (the corpus of the strict door).
            "allow-x00": False,
        },
        "checks": {
            "positive_data_acceptance": {
                # 400: a cursor is a text, but only those that we gave are good.
                "expected-statuses": ["2xx", "400", "401", "403", "404", "409"]
            },
        },
    }
)


@pytest.fixture
def cast(db: None) -> Iterator[Cast]:
    """The cast, in the one transaction of the test, which the end of a request must not close."""
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    yield make_cast()
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


def the_document() -> dict[str, Any]:
    document = json.loads(json.dumps(api.get_openapi_schema(path_prefix="/api/v1/")))
    assert isinstance(document, dict)
    return document


def operations() -> list[Any]:
    found = schemathesis.openapi.from_dict(the_document(), config=CONFIG)
    found.app = get_wsgi_application()
    return [operation.ok() for operation in found.get_all_operations() if isinstance(operation, Ok)]


DOCUMENTED = the_document()
OPERATIONS = operations()
each_operation = pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.label)
few = settings(
    max_examples=20,
    deadline=None,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)


def not_for(operation: Any, case: Any) -> list[Any]:
    """Return the checks that ask more of a document than a JSON Schema can say."""
    # One bad line of a batch spoils no other: its refusal is in the 200. In a query everything is some text.
    if operation.path.endswith("/batch") or operation.method == "get":
        return [negative_data_rejection]
    # A number that one branch of an alternative excludes is right by another; and every request has a key of
    # ours to come in with. What was made to be wrong, and is right, is no proof against the gate.
    if case.meta.generation.mode.is_negative and is_right(operation, case):
        return [negative_data_rejection]
    body = case.body if isinstance(case.body, dict) else {}
    # A dry run needs no key; and one may come in quotes, or with space around it.
    key = str((case.headers or {}).get("Idempotency-Key", ""))
    if body.get("dry_run") is True or key != key.strip(' \t"'):
        return [negative_data_rejection]
    return [] if is_instant(body.get("occurred_at")) else [positive_data_acceptance]


def is_right(operation: Any, case: Any) -> bool:
    """Say whether the document itself has nothing against a request with a body of JSON."""
    documented = DOCUMENTED["paths"][operation.path][operation.method]
    content = documented.get("requestBody", {}).get("content", {})
    if "application/json" not in content or not isinstance(case.body, dict):
        return False
    wrong = {place for place, part in case.meta.components.items() if part.mode.is_negative}
    wrong.discard(ParameterLocation.BODY)
    if not any(
        each["name"] == "Idempotency-Key" for each in documented.get("parameters", [])
    ) or is_sound_key(case):
        wrong.discard(ParameterLocation.HEADER)
    schema = {**content["application/json"]["schema"], "components": DOCUMENTED["components"]}
    return not wrong and jsonschema_rs.is_valid(schema, case.body)


def is_sound_key(case: Any) -> bool:
    return re.fullmatch("[!#-~]{1,255}", (case.headers or {}).get("Idempotency-Key", "")) is not None


def is_instant(value: Any) -> bool:
    """Say whether this, if anything, is a time that a calendar has: a pattern knows no leap years."""
    try:
        return value is None or datetime.fromisoformat(value).astimezone(UTC).tzinfo is UTC
    except (TypeError, ValueError, OverflowError):
        return False


def fresh_key(case: Any) -> None:
    """Give the example a key of its own where it has a sound one: one key for two bodies is no accident."""
    if is_sound_key(case):
        case.headers["Idempotency-Key"] = f"key-{next(COUNTER)}"


@each_operation
@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.value)
def test_whatever_is_sent_the_answer_is_one_that_the_document_names(
    cast: Cast, operation: Any, mode: GenerationMode
) -> None:
    @few
    @given(case=operation.as_strategy(generation_mode=mode))
    def ask(case: Any) -> None:
        fresh_key(case)
        case.call_and_validate(
            headers={"Authorization": f"Bearer {cast.token}"}, excluded_checks=not_for(operation, case)
        )

    ask()


@pytest.fixture
def things(cast: Cast) -> dict[str, list[str]]:
    """Give what exists for each path parameter: an action of every kind, a permit, a run."""
    now = database_now()
    decided = held(cast, idempotency_key="decided")
    decide_as(cast.alice, decided, DecisionKind.CORRECT, arguments={**REFUND, "amount": 1}, now=now)
    deadlines.release_due(now=now + timedelta(seconds=6))
    # Another order: what was refused once is held when it comes again.
    rejected = held(cast, idempotency_key="rejected", arguments={**REFUND, "order": "SO-1"})
    decide_as(cast.alice, rejected, DecisionKind.REJECT, now=now)
    deadlines.release_due(now=now + timedelta(seconds=6))
    used, free = (propose(cast, confidence=1).permits.get() for _ in range(2))
    execution = permits.consume(
        permit_id=used.public_id, agent=cast.clerk, digest=used.digest, consume_key="k", now=now
    ).execution
    pending, observed = propose(cast), propose(cast, mode="observed")
    actions = [decided.action, rejected.action, used.action, pending, observed]
    stop = kill_switch.engage(
        scope=KillSwitchScope.ACTION_TYPE,
        action_type=cast.note,
        reason="An alarm",
        actor=Actor.agent(cast.clerk),
        now=now,
    )
    run = finished_run(cast, now)
    return {
        "action_id": [action.public_id for action in actions],
        "conversation_id": ["talk-1"],
        "permit_id": [free.public_id, used.public_id],
        "execution_id": [execution.public_id],
        "stop_id": [stop.public_id],
        "dataset_version": [run.version.public_id],
        "version_id": [run.version.public_id],
        "run_id": [run.public_id],
    }


def finished_run(cast: Cast, now: datetime) -> EvalRun:
    """Judge an eval run on what was decided."""
    label()
    dataset = datasets.create_dataset(name="All", selection=Selection(), created_by=None, now=now)
    freezing.freeze(dataset_id=dataset.public_id, frozen_by=None, now=now)
    version = dataset.versions.get()
    run = evaluating.start(
        agent=cast.clerk,
        version_id=version.public_id,
        claim=agents.VersionClaim(label="2"),
        split="",
        source="handrail",
        note="",
        idempotency_key="eval",
        body_digest="",
        now=now,
    ).run
    sent = [evaluating.Sent(case=member.case.public_id, acted=False) for member in version.members.all()]
    return evaluating.take_results(run_id=run.public_id, agent=cast.clerk, results=sent, now=now)[0]


@each_operation
def test_what_exists_is_answered_as_the_document_says(
    cast: Cast, things: dict[str, list[str]], operation: Any
) -> None:
    seen: set[int] = set()
    # A key that proposes actions posts no evals.
    scopes = [scope for scope in Scope if scope != Scope.ACTIONS_CREATE or "/eval-runs" not in operation.path]
    _, token = agents.create_key(agent=cast.clerk, scopes=scopes, actor=SYSTEM, now=database_now())

    @few
    @given(case=operation.as_strategy(), chosen=st.integers(0, 99))
    def ask(case: Any, chosen: int) -> None:
        for name in case.path_parameters:
            case.path_parameters[name] = things[name][chosen % len(things[name])]
        case.query.pop("wait", None)
        if isinstance(case.body, dict) and "dataset_version" in case.body and operation.method == "post":
            case.body["dataset_version"] = things["dataset_version"][0]
        fresh_key(case)
        response = case.call(headers={"Authorization": f"Bearer {token}"})
        case.validate_response(response, checks=CONFORMANCE)
        seen.add(response.status_code)

    ask()
    assert seen & {200, 201, 409}


def test_it_is_openapi_3_1_and_names_a_problem_for_every_error(cast: Cast) -> None:
    response = Client().get(DOCUMENT)
    assert response["Content-Type"].startswith("application/json")
    document = json.loads(response.content)
    assert document["openapi"].startswith("3.1")
    assert set(document["paths"]) == {
        "/api/v1/actions",
        "/api/v1/actions/batch",
        "/api/v1/actions/{action_id}",
        "/api/v1/actions/{action_id}/cancel",
        "/api/v1/actions/{action_id}/decision",
        "/api/v1/actions/{action_id}/ground-truth",
        "/api/v1/conversations/{conversation_id}/close",
        "/api/v1/permits/{permit_id}/consume",
        "/api/v1/executions/{execution_id}/outcome",
        "/api/v1/executions/{execution_id}/heartbeat",
        "/api/v1/stops",
        "/api/v1/stops/{stop_id}/lift",
        "/api/v1/agent",
        "/api/v1/dataset-versions/{version_id}/cases",
        "/api/v1/eval-runs",
        "/api/v1/eval-runs/{run_id}",
        "/api/v1/eval-runs/{run_id}/results",
        "/api/v1/eval-runs/{run_id}/abandon",
    }
    assert document["components"]["securitySchemes"] == {
        "AgentKeyAuth": {
            "type": "http",
            "scheme": "bearer",
            "description": "An agent's key: hr_live_…, shown once when it is made.",
        }
    }
    for name, path in document["paths"].items():
        good = "application/jsonl" if name.endswith("/cases") else "application/json"
        for method, operation in path.items():
            assert method in METHODS
            assert operation["security"] == [{"AgentKeyAuth": []}]
            assert {"401", "403", "503"} <= set(operation["responses"])
            for status, answer in operation["responses"].items():
                media = "application/problem+json" if status >= "400" else good
                assert set(answer["content"]) == {media}
    assert [ref for ref in references(document) if resolve(document, ref) is None] == []


def test_every_kind_of_problem_in_the_document_is_one_of_the_register() -> None:
    text = json.dumps(api.get_openapi_schema(path_prefix="/api/v1/"))
    named = set(re.findall(r"\(`([a-z0-9-]+)`\)", text))
    assert named
    assert named <= set(KINDS)


def references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        for member in node.values():
            yield from references(member)
    elif isinstance(node, list):
        for member in node:
            yield from references(member)


def resolve(document: Any, reference: str) -> Any:
    node = document
    for part in reference.removeprefix("#/").split("/"):
        node = node.get(part) if isinstance(node, dict) else None
    return node
