"""Whatever comes in, what goes out is an answer or a whole problem document; never a 5xx, never a verdict."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.http.response import HttpResponseBase
from django.test import Client
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from hitl_site.tests.test_strict_json import ACCEPTED, REFUSED, json_values, near_json
from reviews.models import ActionRequest, Execution, IngestRow, Permit
from reviews.tests.api_client import PROBLEM_FIELDS, Api, assert_problem, content_of, read
from reviews.tests.cast import Cast, propose

BODIES = [(name, body) for name, body, *_ in REFUSED] + [(name, body) for name, body, _ in ACCEPTED]


@pytest.fixture
def api(cast: Cast) -> Api:
    return Api(cast.token)


@pytest.fixture
def paths(cast: Cast) -> dict[str, str]:
    """Every address that takes a body, with things that exist."""
    permit = propose(cast, idempotency_key="p", confidence=1).permits.get()
    used = propose(cast, idempotency_key="u", confidence=1).permits.get()
    answer = Api(cast.token).post(
        f"/permits/{used.public_id}/consume", {"digest": used.digest, "execution_key": "k"}
    )
    execution_id = read(answer)["execution_id"]
    return {
        "propose": "/actions",
        "consume": f"/permits/{permit.public_id}/consume",
        "outcome": f"/executions/{execution_id}/outcome",
        "heartbeat": f"/executions/{execution_id}/heartbeat",
        "cancel": f"/actions/{propose(cast, idempotency_key='c').public_id}/cancel",
    }


def assert_refused_or_ignored(response: HttpResponseBase, path: str) -> None:
    assert response.status_code < 500, (path, content_of(response))
    document = read(response)
    if response.status_code >= 400:
        assert response["Content-Type"] == "application/problem+json"
        assert set(document) == PROBLEM_FIELDS
        assert "verdict" not in content_of(response).decode()


@pytest.mark.parametrize("name", ["propose", "consume", "outcome"])
def test_a_hostile_body_is_refused_by_name_at_every_address(
    api: Api, paths: dict[str, str], name: str
) -> None:
    before = (ActionRequest.objects.count(), Execution.objects.values().get())
    for what, body, status, slug, pointer in REFUSED:
        if len(body) > 8 * 1024 * 1024:
            continue
        response = api.post(paths[name], body, idempotency_key="k", content_type="application/json")
        if not body:  # then the test client sends no content type either, and that is the same as JSON
            assert response.status_code == 400
            continue
        document = assert_problem(response, status, slug)
        assert [fault["pointer"] for fault in document["errors"]] == ([] if pointer is None else [pointer]), (
            what
        )
    assert (ActionRequest.objects.count(), Execution.objects.values().get()) == before
    assert Permit.objects.filter(consumed_at=None).count() == 1


@pytest.mark.parametrize("name", ["propose", "consume", "outcome", "heartbeat", "cancel"])
def test_no_body_of_the_corpus_breaks_any_address(api: Api, paths: dict[str, str], name: str) -> None:
    # What the door refuses has its own test above, for the addresses that read a body.
    reads = name not in {"heartbeat", "cancel"}
    for _, body in [(what, sound) for what, sound, _ in ACCEPTED] if reads else BODIES[::5]:
        response = api.post(paths[name], body, idempotency_key="k", content_type="application/json")
        assert_refused_or_ignored(response, paths[name])


@pytest.mark.parametrize("media_type", ["application/json", "application/x-ndjson"])
def test_no_body_of_the_corpus_breaks_a_batch(api: Api, media_type: str) -> None:
    for what, body in BODIES:
        response = api.post("/actions/batch", body, content_type=media_type)
        assert_refused_or_ignored(response, "batch")
        if response.status_code == 200:
            assert all(result["status"] >= 400 for result in read(response)["results"]), what
    everything = b"\n".join(body.replace(b"\n", b" ") for _, body in BODIES if len(body) < 300_000)
    response = api.post("/actions/batch", everything, content_type="application/x-ndjson")
    assert {result["status"] for result in read(response)["results"]} <= {400, 413, 422}
    assert ActionRequest.objects.count() == IngestRow.objects.count() == 0


@pytest.mark.parametrize("where", ["arguments", "context"])
def test_every_value_of_the_corpus_that_is_sound_comes_back_as_it_was(api: Api, where: str) -> None:
    for number, (name, _, value) in enumerate(ACCEPTED):
        response = api.propose(key=f"k-{number}", action_type="note.add", **{where: {"value": value}})
        assert response.status_code == 201, (name, content_of(response))
        if where == "arguments":
            shown = read(api.get(f"/actions/{read(response)['id']}"))
            assert shown["arguments"] == {"value": value}, name


FIELDS = st.sampled_from(
    [
        "action_type", "arguments", "mode", "context", "confidence", "judge", "samples", "reason",
        "agent_version", "conversation_id", "parent_action_id", "environment", "subject", "timeout",
        "dry_run", "outcome", "idempotency_key", "digest", "execution_key", "detail",
        "executed_digest", "other",
    ]
)  # fmt: skip


@hypothesis_settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from(["propose", "consume", "outcome"]),
    st.one_of(st.dictionaries(FIELDS, json_values), json_values).map(lambda v: json.dumps(v).encode())
    | near_json,
    st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=20),
)
def test_no_shape_at_all_ends_in_an_error_of_ours(
    api: Api, paths: dict[str, str], name: str, body: bytes, key: str
) -> None:
    assert_refused_or_ignored(api.post(paths[name], body, idempotency_key=key), name)


def test_an_address_that_is_none_is_a_problem_too(api: Api) -> None:
    for path in ("/", "/nothing", "/actions/", "/actions/a/b/c", "/actionsx", "/../admin"):
        assert_problem(api.get(path), 404, "not-found")
    assert_problem(Client().get("/api/v2/actions"), 404, "not-found")
    assert_problem(Client().get("/.well-known/nothing"), 404, "not-found")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("put", "/actions", "GET, POST"),
        ("delete", "/actions/act_1", "GET"),
        ("patch", "/actions/act_1", "GET"),
        ("get", "/actions/act_1/cancel", "POST"),
        ("post", "/actions/act_1/decision", "GET"),
        ("get", "/permits/prm_1/consume", "POST"),
        ("get", "/executions/exe_1/outcome", "POST"),
        ("put", "/executions/exe_1/heartbeat", "POST"),
        ("trace", "/actions", "GET, POST"),
    ],
)
def test_a_method_that_does_not_exist_names_those_that_do(
    cast: Cast, method: str, path: str, allowed: str
) -> None:
    client = Client(headers={"authorization": f"Bearer {cast.token}"})
    response = getattr(client, method)(f"/api/v1{path}")
    assert_problem(response, 405, "method-not-allowed")
    assert response["Allow"] == allowed


def test_a_wrong_host_is_a_problem_and_not_a_page(api: Api) -> None:
    response = Client().get("/api/v1/actions", headers={"host": "evil.example"})
    assert_problem(response, 400, "bad-request")


def test_too_large_is_too_large_by_what_is_announced(api: Api) -> None:
    response = api.post("/actions", b" " * (8 * 1024 * 1024 + 1), idempotency_key="k")
    assert_problem(response, 413, "body-too-large")
    response = api.post("/actions", b'{"a":"' + b"x" * 262_144 + b'"}', idempotency_key="k")
    assert_problem(response, 413, "body-too-large")


def test_problems_lead_to_a_page_that_explains_them(api: Api) -> None:
    document: dict[str, Any] = assert_problem(api.get("/actions/act_1"), 404, "not-found")
    assert Client().get(document["type"]).status_code == 200
