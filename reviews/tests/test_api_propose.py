"""``POST /actions``: the gate over HTTP."""

from __future__ import annotations

from typing import Any

import pytest

from hitl_site.lib.canonical import action_digest
from hitl_site.lib.clock import database_now
from policies.choices import KillSwitchScope
from policies.models import AgentVersion, GateCheck, LedgerEntry
from policies.services import kill_switch
from reviews.models import ActionContext, ActionRequest, IngestRow, Permit, ReviewItem
from reviews.tests.api_client import Api, assert_problem, pointers, read
from reviews.tests.cast import REFUND, Cast


@pytest.fixture
def api(cast: Cast) -> Api:
    return Api(cast.token)


def test_a_first_proposal_is_created_and_says_where_it_lives(api: Api) -> None:
    response = api.propose()

    assert response.status_code == 201
    answer = read(response)
    action = ActionRequest.objects.get()
    assert answer["id"] == action.public_id
    assert (answer["verdict"], answer["state"]) == ("review", "pending_review")
    assert answer["digest"] == action_digest(
        agent="clerk", subject=None, action_type="refund.issue", environment="production", arguments=REFUND
    )
    assert answer["reasons"][0]["code"] == "below_threshold"
    assert set(answer["reasons"][0]) == {"code", "trigger", "title", "detail", "rule"}
    assert answer["policy"]["version"] == 1
    assert (answer["risk"], answer["autonomy_level"]) == ("medium", "threshold")
    assert answer["approvals"] == {"required": 1, "given": 0}
    assert answer["permit"] is None
    assert answer["expires_at"].endswith("Z")
    assert response["ETag"] == '"1"'
    assert response["Location"] == answer["links"]["self"]
    assert answer["links"]["self"].endswith(f"/api/v1/actions/{action.public_id}")
    assert answer["links"]["review"].endswith(f"/actions/{action.public_id}/")
    assert answer["links"]["wait"].endswith(f"/api/v1/actions/{action.public_id}?wait=25")
    assert response["Cache-Control"] == "no-store"
    assert "Idempotent-Replayed" not in response


def test_the_same_again_is_the_same_answer_replayed(api: Api) -> None:
    first, again = api.propose(), api.propose()

    assert (first.status_code, again.status_code) == (201, 200)
    assert again["Idempotent-Replayed"] == "true"
    assert read(again) == read(first)
    assert again["ETag"] == first["ETag"]
    assert ActionRequest.objects.count() == GateCheck.objects.count() == ReviewItem.objects.count() == 1


def test_a_body_written_in_another_way_is_the_same_body(api: Api) -> None:
    one = b'{"action_type":"refund.issue","arguments":{"amount":184,"order":"A"},"confidence":0.5}'
    other = (
        b' {"confidence":5e-1,"arguments":{"order":"\\u0041","amount":184.0},"action_type":"refund.issue"}'
    )
    assert api.post("/actions", one, idempotency_key="k").status_code == 201
    assert api.post("/actions", other, idempotency_key='"k"').status_code == 200
    assert ActionRequest.objects.count() == 1


@pytest.mark.parametrize(
    "change",
    [
        {"arguments": {**REFUND, "amount": 185}},
        {"confidence": 0.72},
        {"action_type": "note.add"},
        {"subject": "Zoë"},
        {"context": {"input": "other"}},
    ],
)
def test_the_same_key_with_another_body_is_refused(api: Api, change: dict[str, Any]) -> None:
    api.propose()
    assert_problem(api.propose(**change), 422, "idempotency-key-reused")
    assert ActionRequest.objects.count() == 1


def test_an_allowed_action_comes_with_its_permit(api: Api) -> None:
    response = api.propose(confidence=1)

    answer = read(response)
    permit = Permit.objects.get()
    assert (answer["verdict"], answer["state"], answer["expires_at"]) == ("allow", "allowed", None)
    assert (answer["permit"]["id"], answer["permit"]["token"]) == (permit.public_id, permit.token)
    assert read(api.propose(confidence=1)) == answer


def test_a_denial_is_an_answer_and_not_an_error(cast: Cast, api: Api) -> None:
    kill_switch.engage(
        scope=KillSwitchScope.EVERYTHING, reason="drill", engaged_by=cast.olga, now=database_now()
    )
    response = api.propose(confidence=1)

    assert response.status_code == 201
    answer = read(response)
    assert (answer["verdict"], answer["state"], answer["permit"]) == ("deny", "denied", None)
    assert answer["reasons"] != []


@pytest.mark.parametrize("key", ["", " "])
def test_without_an_idempotency_key_nothing_is_stored(api: Api, key: str) -> None:
    response = api.propose(key=key)
    assert_problem(response, 400, "missing-idempotency-key")
    assert_problem(
        api.post("/actions", {"action_type": "a", "arguments": {}}), 400, "missing-idempotency-key"
    )
    assert ActionRequest.objects.count() == 0


@pytest.mark.parametrize(
    "key",
    ["a b", "x" * 256, '"' + "x" * 256 + '"', '"', '""', '"a', 'a"', "ключ", "a\tb", '"a\\"b"', "a\x7f"],
)
def test_a_bad_idempotency_key_is_refused(api: Api, key: str) -> None:
    assert_problem(api.propose(key=key), 400, "bad-request")
    assert ActionRequest.objects.count() == 0


@pytest.mark.parametrize(
    "key", ["a", '"a"', "x" * 255, '"with spaces inside"', "8e03978e-40d5-43dd-bc93-6894a57f9324"]
)
def test_quoted_and_bare_keys_are_taken(api: Api, key: str) -> None:
    assert api.propose(key=key).status_code == 201
    assert ActionRequest.objects.get().idempotency_key == key.strip('"')


def test_every_complaint_comes_at_once_each_with_its_pointer(api: Api) -> None:
    odd: dict[str, Any] = {"a/b~c": 2}
    response = api.propose(
        confidence=1.5, mode="later", surprise=1, judge={"name": "j", "score": "high"}, **odd
    )
    document = assert_problem(response, 422, "validation")
    assert pointers(document) == ["/a~1b~0c", "/confidence", "/judge/score", "/mode", "/surprise"]
    assert ActionRequest.objects.count() == AgentVersion.objects.filter(label="new").count() == 0


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"arguments": {}}, "/action_type"),
        ({"action_type": "a"}, "/arguments"),
        ({"action_type": "a", "arguments": []}, "/arguments"),
        ({"action_type": "a", "arguments": "{}"}, "/arguments"),
        ({"action_type": "not a name", "arguments": {}}, "/action_type"),
        ({"action_type": "a\n", "arguments": {}}, "/action_type"),
        ({"action_type": "x" * 121, "arguments": {}}, "/action_type"),
        ({"action_type": "a", "arguments": {}, "confidence": "0.5"}, "/confidence"),
        ({"action_type": "a", "arguments": {}, "confidence": True}, "/confidence"),
        ({"action_type": "a", "arguments": {}, "dry_run": 1}, "/dry_run"),
        ({"action_type": "a", "arguments": {}, "timeout": "0s"}, "/timeout"),
        ({"action_type": "a", "arguments": {}, "timeout": "15 m"}, "/timeout"),
        ({"action_type": "a", "arguments": {}, "environment": "Prod"}, "/environment"),
        ({"action_type": "a", "arguments": {}, "outcome": {}}, "/outcome"),
        ({"action_type": "a", "arguments": {}, "mode": "observed", "dry_run": True}, "/dry_run"),
        ({"action_type": "a", "arguments": {}, "agent_version": "a\u202eb"}, "/agent_version"),
        ({"action_type": "a", "arguments": {}, "samples": [{}] * 51}, "/samples"),
        ({"action_type": "a", "arguments": {"x": "y" * 65_536}}, "/arguments"),
        ({"action_type": "a", "arguments": {}, "context": {"x": "y" * 196_608}}, "/context"),
        ({"action_type": "a", "arguments": {}, "samples": ["y" * 196_608]}, "/samples"),
        ({"action_type": "a", "arguments": {}, "mode": "observed", "outcome": {"x": "y" * 65_536}},
         "/outcome"),
        ([], ""),
        ("text", ""),
        (None, None),
    ],
)  # fmt: skip
def test_a_wrong_shape_is_refused_where_it_is_wrong(api: Api, body: object, pointer: str | None) -> None:
    response = api.post("/actions", b"null" if body is None else body, idempotency_key="k")
    document = assert_problem(response, 422, "validation")
    assert pointers(document) == [pointer or ""]
    assert ActionRequest.objects.count() == AgentVersion.objects.count() - 1 == 0


@pytest.mark.parametrize(
    "media_type",
    ["text/plain", "application/x-www-form-urlencoded", "application/xml", "multipart/form-data", "x"],
)
def test_another_content_type_is_refused(api: Api, media_type: str) -> None:
    response = api.post(
        "/actions", b'{"action_type":"a","arguments":{}}', content_type=media_type, idempotency_key="k"
    )
    assert_problem(response, 415, "unsupported-media-type")
    assert ActionRequest.objects.count() == 0


def test_a_charset_on_the_content_type_is_no_trouble(api: Api) -> None:
    body = b'{"action_type":"note.add","arguments":{}}'
    response = api.post("/actions", body, content_type="application/json; charset=utf-8", idempotency_key="k")
    assert response.status_code == 201


def test_a_dry_run_answers_like_the_gate_and_stores_nothing(api: Api) -> None:
    before = LedgerEntry.objects.count()
    held = api.post("/actions", {"action_type": "refund.issue", "arguments": REFUND, "dry_run": True})
    unseen = api.propose(dry_run=True, agent_version="never seen", confidence=1)
    runs = api.propose(dry_run=True, confidence=1)

    assert (held.status_code, unseen.status_code, runs.status_code) == (200, 200, 200)
    assert (read(held)["verdict"], read(held)["state"], read(held)["id"]) == ("review", "dry_run", None)
    assert [reason["code"] for reason in read(unseen)["reasons"]] == ["autonomy_review_all"]
    answer = read(runs)
    assert (answer["verdict"], answer["permit"], answer["links"]) == ("allow", None, None)
    assert ActionRequest.objects.count() == GateCheck.objects.count() == Permit.objects.count() == 0
    assert ReviewItem.objects.count() == ActionContext.objects.count() == IngestRow.objects.count() == 0
    assert AgentVersion.objects.filter(label="never seen").count() == 0
    assert LedgerEntry.objects.count() == before
    # The key was not used up by it.
    assert api.propose().status_code == 201


@pytest.mark.parametrize(("key", "slug"), [("", "missing-idempotency-key"), ("two words", "bad-request")])
def test_a_dry_run_needs_no_idempotency_key_but_a_well_formed_one(api: Api, key: str, slug: str) -> None:
    assert_problem(api.propose(key=key, dry_run=True), 400, slug)


def test_an_observed_action_is_recorded_and_never_gets_a_permit(api: Api) -> None:
    response = api.propose(mode="observed", confidence=1, outcome={"status": "done"})
    answer = read(response)
    assert (response.status_code, answer["state"], answer["permit"]) == (201, "observed", None)
    assert Permit.objects.count() == 0


def test_a_key_bound_to_an_environment_is_good_there_alone(cast: Cast, api: Api) -> None:
    cast.key.environments = ["staging"]
    cast.key.save()
    assert_problem(api.propose(), 403, "scope")
    assert_problem(api.propose(dry_run=True), 403, "scope")
    assert ActionRequest.objects.count() == 0
    assert api.propose(environment="staging").status_code == 201


def test_the_request_id_is_kept_from_the_caller_to_the_record(api: Api) -> None:
    response = api.post(
        "/actions",
        {"action_type": "note.add", "arguments": {}},
        idempotency_key="k",
        x_request_id="my-request.7",
    )
    assert response["X-Request-Id"] == "my-request.7"
    assert ActionRequest.objects.get().request_id == "my-request.7"
    assert set(LedgerEntry.objects.exclude(action_id="").values_list("request_id", flat=True)) == {
        "my-request.7"
    }


def test_arguments_come_back_exactly_as_they_were_proposed(api: Api) -> None:
    arguments = {
        "é": ["ключ", "🙂", None, True, 0],
        "": {},
        "tiny": 1e-7,
        "big": 1e300,
        "a": {"b": [[[1.5]]]},
    }
    answer = read(api.propose(action_type="note.add", arguments=arguments))
    assert read(api.get(f"/actions/{answer['id']}"))["arguments"] == arguments


def test_text_of_an_agent_that_looks_like_markup_or_sql_is_only_text(api: Api) -> None:
    nasty = "<script>alert(1)</script>'; DROP TABLE x; -- {{ 7*7 }} {% now %} %s \u202e"
    response = api.propose(
        arguments={"order": nasty, "amount": 1}, subject=nasty, reason=nasty, conversation_id=nasty
    )
    assert response.status_code == 201
    assert read(api.get(f"/actions/{read(response)['id']}"))["subject"] == nasty
