"""``/eval-runs`` over HTTP: whose runs, which results, what is answered for each line."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import pytest
from django.test import Client

from datasets.models import EvalResult, EvalRun
from datasets.tests.evals import Judged, finished, make_judged, order
from hitl_site.lib.clock import database_now
from policies.choices import AGENT_SCOPES, Scope
from policies.models import Agent
from policies.services import agents
from policies.services.ledger import Actor
from reviews.tests.cast import make_cast

RUNS = "/api/v1/eval-runs"


@pytest.fixture
def judged(db: None) -> Judged:
    return make_judged(make_cast())


def token(agent: Agent, scopes: Iterable[Scope] = (Scope.EVALS_WRITE,)) -> str:
    return agents.create_key(agent=agent, scopes=list(scopes), actor=Actor.system(), now=database_now())[1]


def call(method: str, path: str, key: str, body: object = None, *, run_key: str = "") -> tuple[int, Any]:
    headers = {"Authorization": f"Bearer {key}"} | ({"Idempotency-Key": run_key} if run_key else {})
    data = "" if body is None else json.dumps(body)
    answer = Client().generic(method, path, data, content_type="application/json", headers=headers)
    return answer.status_code, json.loads(answer.content)


def body(judged: Judged, **more: Any) -> dict[str, Any]:
    return {"dataset_version": judged.version.public_id, "agent_version": "2", **more}


@pytest.fixture
def key(judged: Judged) -> str:
    return token(judged.cast.clerk)


@pytest.fixture
def run(judged: Judged, key: str) -> str:
    status, answer = call("POST", RUNS, key, body(judged), run_key="one")
    assert status == 201
    return f"{RUNS}/{answer['id']}"


def test_the_key_that_an_agent_acts_with_says_nothing_of_how_well_it_acts(judged: Judged, run: str) -> None:
    acting = token(judged.cast.clerk, [*AGENT_SCOPES, Scope.EVALS_WRITE, Scope.DATASETS_READ])

    begun = call("POST", RUNS, acting, body(judged), run_key="two")
    sent = call("POST", f"{run}/results", acting, {"results": [{"case": judged.approved[0], "acted": False}]})

    for status, problem in (begun, sent):
        assert (status, problem["type"]) == (403, "/problems/scope/")
    kept = EvalRun.objects.get()
    assert (kept.public_id, kept.cases_done) == (run.rpartition("/")[2], 0)


def test_a_run_begins_once_for_a_key(judged: Judged, key: str, run: str) -> None:
    status, answer = call("POST", RUNS, key, body(judged), run_key="one")
    assert (status, f"{RUNS}/{answer['id']}") == (200, run)
    status, problem = call("POST", RUNS, key, body(judged, note="another"), run_key="one")
    assert (status, problem["type"]) == (422, "/problems/idempotency-key-reused/")
    assert call("POST", RUNS, key, body(judged))[0] == 400
    assert EvalRun.objects.count() == 1


def test_the_version_may_say_what_stands_behind_it(judged: Judged, key: str) -> None:
    said = {"label": "2", "model": "large", "prompt_sha256": "a" * 64}
    status, answer = call("POST", RUNS, key, body(judged, agent_version=said), run_key="two")
    assert (status, answer["agent_version"]) == (201, "2")
    tested = EvalRun.objects.get().tested
    assert tested is not None
    assert (tested.model, tested.agent) == ("large", judged.cast.clerk)


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"dataset_version": "dsv_" + "0" * 32}, 404),
        ({"dataset_version": "everything"}, 422),
        ({"split": "test"}, 422),
        ({"split": "some"}, 422),
        ({"agent_version": "a\nb"}, 422),
        ({"source": "Some Thing"}, 422),
        ({"extra": 1}, 422),
    ],
)
def test_what_cannot_be_tested_begins_no_run(judged: Judged, key: str, change: Any, status: int) -> None:
    assert call("POST", RUNS, key, body(judged, **change), run_key="x")[0] == status
    assert not EvalRun.objects.exists()


def test_each_result_has_its_own_answer(judged: Judged, key: str, run: str) -> None:
    first, second = judged.corrected
    right = {"case": first, "acted": True, "output": {**order(1), "amount": 20}}
    status, answer = call("POST", f"{run}/results", key, {"results": [right]})
    assert status == 200
    assert answer["run"]["cases_done"] == 1
    lines = [
        right,
        {"case": first, "acted": False},
        {"case": second, "acted": True, "output": {**order(2), "amount": 31}},
        {"case": "case_of_nobody", "acted": False},
    ]
    status, answer = call("POST", f"{run}/results", key, {"results": lines})
    assert status == 200
    assert [(line["status"], line["taken"], line["passed"]) for line in answer["results"]] == [
        (200, "same", True),
        (409, "conflict", None),
        (200, "taken", False),
        (422, "not_a_case", None),
    ]
    assert EvalResult.objects.count() == 2
    status, listed = call("GET", f"{run}/results?limit=1", key)
    assert [item["case"] for item in listed["items"]] == [first]
    status, rest = call("GET", f"{run}/results?cursor={listed['next_cursor']}", key)
    assert [(item["case"], item["passed"]) for item in rest["items"]] == [(second, False)]
    assert call("GET", f"{run}/results?cursor=x", key)[0] == 400


@pytest.mark.parametrize(
    ("result", "pointer"),
    [
        ({"acted": True}, "/results/0/output"),
        ({"acted": True, "output": {}, "error": "boom"}, "/results/0/error"),
        ({"acted": False, "output": {}}, "/results/0/output"),
        ({"acted": False, "action_type": "a"}, "/results/0/output"),
        ({"acted": "yes"}, "/results/0/acted"),
        ({"acted": False, "passed": True}, "/results/0/passed"),
    ],
)
def test_what_contradicts_itself_is_refused_at_its_place(
    judged: Judged, key: str, run: str, result: Any, pointer: str
) -> None:
    status, problem = call("POST", f"{run}/results", key, {"results": [{"case": "c", **result}]})
    assert status == 422
    assert [fault["pointer"] for fault in problem["errors"]] == [pointer]
    assert not EvalResult.objects.exists()


def test_a_thousand_results_at_once_and_no_more(key: str, run: str) -> None:
    results = [{"case": f"c{at}", "acted": False} for at in range(1001)]
    assert call("POST", f"{run}/results", key, {"results": results[:1000]})[0] == 200
    assert call("POST", f"{run}/results", key, {"results": results})[0] == 422
    assert call("POST", f"{run}/results", key, {"results": []})[0] == 422


def test_a_run_is_its_agents_alone(judged: Judged, run: str) -> None:
    other = agents.create_agent(name="porter", actor=Actor.system(), now=database_now())
    strange = token(other)
    line = {"results": [{"case": judged.corrected[0], "acted": False}]}
    assert call("GET", run, strange)[0] == 404
    assert call("GET", f"{run}/results", strange)[0] == 404
    assert call("POST", f"{run}/results", strange, line)[0] == 404
    assert call("POST", f"{run}/abandon", strange)[0] == 404
    assert EvalRun.objects.get().state == "open"


def test_a_key_without_the_scope_reads_and_posts_nothing(judged: Judged, run: str) -> None:
    plain = token(judged.cast.clerk, AGENT_SCOPES)
    for method, path in (("POST", RUNS), ("GET", run), ("GET", f"{run}/results"), ("POST", f"{run}/results")):
        status, problem = call(method, path, plain, {} if method == "POST" else None, run_key="x")
        assert (status, problem["type"]) == (403, "/problems/scope/")


def test_what_was_given_up_takes_nothing_and_what_is_done_cannot_be(
    judged: Judged, key: str, run: str
) -> None:
    for _ in range(2):
        status, answer = call("POST", f"{run}/abandon", key)
        assert (status, answer["state"]) == (200, "abandoned")
    line = {"results": [{"case": judged.corrected[0], "acted": False}]}
    status, problem = call("POST", f"{run}/results", key, line)
    assert (status, problem["type"]) == (409, "/problems/eval-run-closed/")
    done = finished(judged, failing=[])
    assert call("POST", f"{RUNS}/{done.public_id}/abandon", key)[0] == 409
    assert call("GET", f"{RUNS}/{done.public_id}", key)[1]["state"] == "done"
