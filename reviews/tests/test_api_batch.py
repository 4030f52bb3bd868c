"""``POST /actions/batch``: many at once, each line by itself."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.http.response import HttpResponseBase

from policies.models import GateCheck
from reviews.models import ActionRequest, IngestRow, Permit, ReviewItem
from reviews.tasks import sweep_ingest
from reviews.tests.api_client import Api, assert_problem, content_of, read
from reviews.tests.cast import REFUND, Cast

NDJSON = "application/x-ndjson"


@pytest.fixture
def api(cast: Cast) -> Api:
    return Api(cast.token)


def line(key: str, **body: Any) -> dict[str, Any]:
    return {
        "action_type": "refund.issue",
        "arguments": REFUND,
        "confidence": 0.71,
        "agent_version": "1",
        "idempotency_key": key,
        **body,
    }


def ndjson(api: Api, *lines: object) -> HttpResponseBase:
    body = b"\n".join(each if isinstance(each, bytes) else json.dumps(each).encode() for each in lines)
    return api.post("/actions/batch", body, content_type=NDJSON)


def results(response: HttpResponseBase) -> list[dict[str, Any]]:
    assert response.status_code == 200, content_of(response)
    found: list[dict[str, Any]] = read(response)["results"]
    return found


def statuses(response: HttpResponseBase) -> list[int]:
    return [result["status"] for result in results(response)]


def test_gated_and_observed_lines_mix_and_bad_ones_spoil_no_other(api: Api) -> None:
    response = ndjson(
        api,
        line("a"),
        b"not json",
        line("b", confidence=1),
        line("c", mode="observed", outcome={"status": "done"}),
        {**line("d"), "surprise": 1},
        b'{"idempotency_key":"e","idempotency_key":"e"}',
        line("f", mode="observed"),
        line("g", dry_run=True),
        [1],
        line("h", agent_version="\u202e"),
    )
    answers = results(response)

    assert [answer["status"] for answer in answers] == [201, 400, 201, 202, 422, 422, 202, 422, 422, 422]
    assert (answers[0]["verdict"], answers[2]["verdict"]) == ("review", "allow")
    assert answers[2]["permit"]["token"] == Permit.objects.get().token
    assert answers[4]["errors"][0]["pointer"] == "/surprise"
    assert answers[5]["type"] == "/problems/non-ijson/"
    for refused in (1, 4, 5, 7, 8, 9):
        assert "verdict" not in answers[refused]
        assert {"type", "title", "status", "detail", "errors"} == set(answers[refused])
    # What is only stored has not been through the gate, and says so by having no verdict.
    assert (answers[3]["state"], "verdict" in answers[3]) == ("accepted", False)
    assert ActionRequest.objects.count() == 2
    assert IngestRow.objects.count() == 2


def test_an_array_is_the_same_as_lines(api: Api) -> None:
    response = api.post("/actions/batch", [line("a"), 7, line("b", mode="observed")])
    assert statuses(response) == [201, 422, 202]


def test_a_batch_sent_again_answers_what_exists(api: Api) -> None:
    lines = [line("a"), line("b", mode="observed")]
    first, again = results(ndjson(api, *lines)), results(ndjson(api, *lines))
    assert [answer["status"] for answer in again] == [200, 200]
    assert [answer["id"] for answer in again] == [answer["id"] for answer in first]
    assert (ActionRequest.objects.count(), IngestRow.objects.count()) == (1, 1)


def test_the_same_key_twice_in_a_batch_is_one_action_or_a_refusal(api: Api) -> None:
    response = ndjson(
        api,
        line("a"),
        line("a"),
        line("a", confidence=0.5),
        line("b", mode="observed"),
        line("b", mode="observed"),
        line("b", mode="observed", confidence=0.5),
    )
    answers = results(response)
    assert [answer["status"] for answer in answers] == [201, 200, 422, 202, 200, 422]
    assert answers[2]["type"] == answers[5]["type"] == "/problems/idempotency-key-reused/"
    assert answers[4]["id"] == answers[3]["id"]
    assert (ActionRequest.objects.count(), IngestRow.objects.count()) == (1, 1)


def test_a_key_of_a_single_proposal_is_not_free_for_a_line_with_another_body(api: Api) -> None:
    assert api.propose(key="a").status_code == 201
    answers = results(ndjson(api, line("a"), line("a", mode="observed")))
    assert [answer["status"] for answer in answers] == [200, 422]
    assert IngestRow.objects.count() == 0


def test_of_a_key_that_is_asked_and_reported_in_one_batch_the_report_stands_and_nothing_may_run(
    api: Api,
) -> None:
    answers = results(ndjson(api, line("a"), line("a", mode="observed")))
    assert [answer["status"] for answer in answers] == [422, 202]
    assert answers[0]["type"] == "/problems/idempotency-key-reused/"
    assert (ActionRequest.objects.count(), IngestRow.objects.count()) == (0, 1)


def test_a_batch_of_which_some_keys_were_used_stores_the_others_once(api: Api) -> None:
    (single,) = results(ndjson(api, line("single")))
    (before,) = results(ndjson(api, line("before", mode="observed")))
    asked = [line(key, mode="observed") for key in ("new", "before", "single", "newer")]
    for new_status in (202, 200):
        answers = results(ndjson(api, *asked))
        assert [answer["status"] for answer in answers] == [new_status, 200, 422, new_status]
        assert answers[1]["id"] == before["id"]
        kept = IngestRow.objects.order_by("id").values_list("idempotency_key", "public_id")
        assert list(kept) == [
            ("before", before["id"]),
            ("new", answers[0]["id"]),
            ("newer", answers[3]["id"]),
        ]
    assert ActionRequest.objects.get().public_id == single["id"]


def test_observed_lines_can_be_looked_up_before_and_after_they_are_worked_off(api: Api) -> None:
    (answer,) = results(ndjson(api, line("a", mode="observed")))
    waiting = api.get(f"/actions/{answer['id']}")
    assert read(waiting) == {"id": answer["id"], "state": "accepted", "verdict": None}
    assert GateCheck.objects.count() == 0

    sweep_ingest()

    done = read(api.get(f"/actions/{answer['id']}"))
    assert (done["state"], done["mode"], done["id"]) == ("observed", "observed", answer["id"])
    assert done["permit"] is None
    assert ReviewItem.objects.get().kind == "audit"


def test_a_batch_has_one_to_a_thousand_lines(api: Api) -> None:
    nothing = [b"\n", b" \n\n", b"[]"]
    for body, media_type in zip(nothing, (NDJSON, NDJSON, "application/json"), strict=True):
        assert_problem(api.post("/actions/batch", body, content_type=media_type), 422, "validation")
    many = b"\n".join(b"{}" for _ in range(1001))
    assert_problem(api.post("/actions/batch", many, content_type=NDJSON), 422, "validation")
    array = b"[" + b",".join(b"{}" for _ in range(1001)) + b"]"
    assert_problem(api.post("/actions/batch", array), 422, "validation")
    assert IngestRow.objects.count() == ActionRequest.objects.count() == 0


def test_a_thousand_observed_lines_are_stored_at_once(api: Api) -> None:
    lines = [line(f"k-{number}", mode="observed") for number in range(1000)]
    answers = results(ndjson(api, *lines))
    assert [answer["status"] for answer in answers] == [202] * 1000
    ids = [answer["id"] for answer in answers]
    assert list(IngestRow.objects.order_by("id").values_list("public_id", flat=True)) == ids


@pytest.mark.parametrize("media_type", [NDJSON, "application/json"])
def test_more_than_8_mib_is_too_large(api: Api, media_type: str) -> None:
    body = b"[" + b" " * (8 * 1024 * 1024) + b"]"
    assert_problem(api.post("/actions/batch", body, content_type=media_type), 413, "body-too-large")


def test_a_line_may_be_as_large_as_a_single_body_and_no_larger(api: Api) -> None:
    large = line("a", context={"x": "y" * 190_000})
    too_large = line("b", context={"x": "y" * 262_144})
    assert statuses(ndjson(api, large, too_large, line("c"))) == [201, 413, 201]
    assert statuses(api.post("/actions/batch", [large, too_large, line("c")])) == [200, 422, 200]


@pytest.mark.parametrize("media_type", ["text/plain", "text/csv", "application/x-www-form-urlencoded"])
def test_another_content_type_is_refused(api: Api, media_type: str) -> None:
    response = api.post("/actions/batch", b"{}", content_type=media_type)
    assert_problem(response, 415, "unsupported-media-type")


@pytest.mark.parametrize("body", [b"{}", b'"x"', b"null", b"7"])
def test_what_is_no_array_is_no_batch(api: Api, body: bytes) -> None:
    assert_problem(api.post("/actions/batch", body), 422, "validation")


def test_a_fault_of_the_array_itself_refuses_the_whole(api: Api) -> None:
    body = b'[{"action_type":"note.add","arguments":{},"idempotency_key":"a"},]'
    assert_problem(api.post("/actions/batch", body), 400, "malformed-json")
    assert ActionRequest.objects.count() == 0


def test_a_line_for_an_environment_the_key_is_not_good_for_is_refused_alone(cast: Cast, api: Api) -> None:
    cast.key.environments = ["staging"]
    cast.key.save()
    response = ndjson(
        api,
        line("a"),
        line("b", mode="observed"),
        line("c", environment="staging"),
        line("d", environment="staging", mode="observed"),
    )
    assert statuses(response) == [403, 403, 201, 202]


def test_a_line_sent_again_by_itself_is_worked_off_at_once(api: Api) -> None:
    body = line("a", mode="observed", outcome={"status": "done"})
    (accepted,) = results(ndjson(api, body))
    del body["idempotency_key"]

    single = api.post("/actions", body, idempotency_key="a")

    assert single.status_code == 201
    assert (read(single)["id"], read(single)["state"]) == (accepted["id"], "observed")
    row = IngestRow.objects.get()
    assert (row.state, row.action) == ("done", ActionRequest.objects.get())
    sweep_ingest()
    assert api.post("/actions", body, idempotency_key="a").status_code == 200
    assert ActionRequest.objects.count() == 1
    other = api.post("/actions", {**body, "confidence": 0.5}, idempotency_key="a")
    assert_problem(other, 422, "idempotency-key-reused")


def test_a_line_that_repeats_a_single_action_answers_that_one(api: Api) -> None:
    body = line("a", mode="observed")
    del body["idempotency_key"]
    single = read(api.post("/actions", body, idempotency_key="a"))

    answers = results(ndjson(api, line("a", mode="observed"), line("a", mode="observed", confidence=0.5)))

    assert [answer["status"] for answer in answers] == [200, 422]
    assert (answers[0]["id"], answers[0]["state"]) == (single["id"], "done")
    assert IngestRow.objects.count() == 0
