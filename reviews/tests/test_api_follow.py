"""After the gate has answered: reading, waiting, listing, taking back, the decision."""

from __future__ import annotations

import re
import threading
import time
from datetime import timedelta

import pytest
from django.db import connection
from django.test import override_settings

from hitl_site.lib.clock import database_now
from reviews.choices import DecisionKind
from reviews.models import ActionRequest, Permit
from reviews.services import deadlines
from reviews.tests.api_client import Api, assert_problem, pointers, read, stranger
from reviews.tests.cast import REFUND, Cast, decide_as, held, make_cast, propose

LATER = timedelta(seconds=6)


@pytest.fixture
def api(cast: Cast) -> Api:
    return Api(cast.token)


def test_an_action_is_shown_in_full_to_its_own_agent(cast: Cast, api: Api) -> None:
    action = propose(cast, subject="Zoë", conversation_id="c-1")
    response = api.get(f"/actions/{action.public_id}")

    answer = read(response)
    assert (answer["state"], answer["verdict"], answer["action_type"]) == (
        "pending_review",
        "review",
        "refund.issue",
    )
    assert (answer["arguments"], answer["final_arguments"], answer["final_digest"]) == (REFUND, None, None)
    assert (answer["subject"], answer["conversation_id"], answer["environment"]) == (
        "Zoë",
        "c-1",
        "production",
    )
    assert (answer["closed_at"], answer["decision"], answer["permit"]) == (None, None, None)
    assert (response["ETag"], response["Retry-After"]) == ('"1"', "2")


def test_an_answer_in_its_undo_window_is_not_told(cast: Cast, api: Api) -> None:
    item = held(cast)
    now = database_now()
    path = f"/actions/{item.action.public_id}"
    decide_as(cast.alice, item, DecisionKind.CORRECT, arguments={**REFUND, "amount": 1}, note="half", now=now)

    assert (read(api.get(path))["state"], read(api.get(path))["decision"]) == ("pending_review", None)
    assert_problem(api.get(f"{path}/decision"), 404, "not-found")

    deadlines.release_due(now=now + LATER)

    shown = read(api.get(path))
    assert (shown["state"], shown["verdict"], shown["decision"]["kind"]) == ("corrected", "review", "correct")
    assert (shown["arguments"], shown["final_arguments"]) == (REFUND, {**REFUND, "amount": 1})
    assert shown["final_digest"] != shown["digest"]
    assert shown["permit"]["id"] == Permit.objects.get().public_id
    decision = read(api.get(f"{path}/decision"))
    assert (decision["kind"], decision["note"], decision["reasons"]) == (
        "correct",
        "half",
        ["wrong_arguments"],
    )
    assert decision["patch"] == [{"op": "replace", "path": "/amount", "value": 1}]
    assert (decision["final_arguments"], decision["final_digest"]) == (
        shown["final_arguments"],
        shown["final_digest"],
    )


def test_a_rejection_leaves_nothing_to_run(cast: Cast, api: Api) -> None:
    item = held(cast)
    now = database_now()
    decide_as(cast.alice, item, DecisionKind.REJECT, note="no", now=now)
    deadlines.release_due(now=now + LATER)
    path = f"/actions/{item.action.public_id}"
    shown, decision = read(api.get(path)), read(api.get(f"{path}/decision"))
    assert (shown["state"], shown["permit"], shown["final_arguments"]) == ("rejected", None, None)
    assert (decision["kind"], decision["final_arguments"], decision["final_digest"]) == ("reject", None, None)
    assert "Retry-After" not in api.get(path)


def test_the_reviewer_is_a_steady_pseudonym_unless_the_operator_says_otherwise(cast: Cast, api: Api) -> None:
    names = []
    for person in (cast.alice, cast.bob, cast.alice):
        item = held(cast)
        now = database_now()
        decide_as(person, item, now=now)
        deadlines.release_due(now=now + LATER)
        path = f"/actions/{item.action.public_id}/decision"
        names.append(read(api.get(path))["decided_by"])
    assert names[0] == names[2] != names[1]
    assert all(re.fullmatch(r"rev_[0-9a-f]{12}", name) for name in names)
    with override_settings(REVEAL_REVIEWERS=True):
        assert read(api.get(path))["decided_by"] == "Alice"


def test_what_the_gate_answered_alone_has_no_decision(cast: Cast, api: Api) -> None:
    action = propose(cast, confidence=1)
    assert_problem(api.get(f"/actions/{action.public_id}/decision"), 404, "not-found")


@pytest.mark.parametrize("wait", ["31", "-1", "abc", "1.5", "1e1", "", "99999999999999999999"])
def test_a_wait_is_0_to_30_whole_seconds(cast: Cast, api: Api, wait: str) -> None:
    action = propose(cast)
    document = assert_problem(api.get(f"/actions/{action.public_id}?wait={wait}"), 422, "validation")
    assert pointers(document) == ["/query/wait"]


def test_a_wait_of_0_answers_at_once(cast: Cast, api: Api) -> None:
    action = propose(cast)
    response = api.get(f"/actions/{action.public_id}?wait=0")
    assert (response.status_code, read(response)["state"]) == (200, "pending_review")


def test_a_final_action_is_not_waited_for(cast: Cast, api: Api) -> None:
    action = propose(cast, confidence=1)
    began = time.monotonic()
    assert read(api.get(f"/actions/{action.public_id}?wait=30"))["state"] == "allowed"
    assert time.monotonic() - began < 15


def test_a_wait_in_vain_says_still_pending_and_when_to_ask_again(cast: Cast, api: Api) -> None:
    action = propose(cast)
    response = api.get(f"/actions/{action.public_id}?wait=1")
    assert (response.status_code, read(response)["state"]) == (200, "pending_review")
    assert int(response["Retry-After"]) > 0
    assert ActionRequest.objects.get().state == "pending_review"


@pytest.mark.django_db(transaction=True)
def test_a_waiting_agent_hears_of_the_decision() -> None:
    cast = make_cast()
    item = held(cast)
    path = f"/actions/{item.action.public_id}?wait=30"
    heard: list[str] = []

    def wait() -> None:
        try:
            heard.append(read(Api(cast.token).get(path))["state"])
        finally:
            connection.close()

    waiting = threading.Thread(target=wait)
    waiting.start()
    now = database_now()
    decide_as(cast.alice, item, now=now)
    deadlines.release_due(now=now + LATER)
    waiting.join(timeout=60)
    assert heard == ["approved"]


def test_a_list_has_the_newest_first_in_pages(cast: Cast, api: Api) -> None:
    made = [propose(cast).public_id for _ in range(7)]
    seen: list[str] = []
    path = "/actions?limit=3"
    pages = 0
    while path:
        page = read(api.get(path))
        seen += [item["id"] for item in page["items"]]
        path = f"/actions?limit=3&cursor={page['next_cursor']}" if page["next_cursor"] else ""
        pages += 1
    assert (seen, pages) == (made[::-1], 3)


def test_a_list_is_filtered_by_state_and_action_type(cast: Cast, api: Api) -> None:
    pending, allowed = propose(cast), propose(cast, confidence=1)
    note = propose(cast, action_type="note.add", arguments={}, confidence=0.1)

    def ids(query: str) -> list[str]:
        return [item["id"] for item in read(api.get(f"/actions{query}"))["items"]]

    assert ids("?status=pending_review") == [note.public_id, pending.public_id]
    assert ids("?status=allowed") == [allowed.public_id]
    assert ids("?action_type=note.add") == [note.public_id]
    assert ids("?status=allowed&action_type=note.add") == []
    assert ids("?action_type=nobody") == []
    assert_problem(api.get("/actions?action_type=%00"), 400, "bad-request")


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ("status=open", "/query/status"),
        ("status=", "/query/status"),
        ("limit=0", "/query/limit"),
        ("limit=201", "/query/limit"),
        ("limit=x", "/query/limit"),
    ],
)
def test_a_list_refuses_a_filter_that_means_nothing(api: Api, query: str, pointer: str) -> None:
    assert pointers(assert_problem(api.get(f"/actions?{query}"), 422, "validation")) == [pointer]


def test_a_cursor_is_good_for_its_own_list_alone(cast: Cast, api: Api) -> None:
    for _ in range(3):
        propose(cast)
    cursor = read(api.get("/actions?limit=1"))["next_cursor"]
    assert api.get(f"/actions?limit=1&cursor={cursor}").status_code == 200
    for path in (
        f"/actions?limit=1&cursor={cursor}x",
        f"/actions?limit=1&cursor={cursor[:-1]}",
        f"/actions?limit=1&status=allowed&cursor={cursor}",
        "/actions?cursor=" + "x" * 2000,
        "/actions?cursor=%ff%fe",
    ):
        assert_problem(api.get(path), 400, "invalid-cursor")
    assert_problem(stranger(cast).get(f"/actions?limit=1&cursor={cursor}"), 400, "invalid-cursor")


def test_taking_back_is_done_once_however_often_it_is_asked(cast: Cast, api: Api) -> None:
    action = propose(cast)
    first, again = (api.post(f"/actions/{action.public_id}/cancel") for _ in range(2))
    assert (first.status_code, again.status_code) == (200, 200)
    assert read(first) == read(again)
    assert read(first)["state"] == "cancelled"
    assert ActionRequest.objects.get().version == 2


@pytest.mark.parametrize("kind", [DecisionKind.APPROVE, DecisionKind.REJECT])
def test_what_was_decided_is_not_taken_back_by_the_agent(cast: Cast, api: Api, kind: DecisionKind) -> None:
    item = held(cast)
    now = database_now()
    decide_as(cast.alice, item, kind, now=now)
    deadlines.release_due(now=now + LATER)
    before = ActionRequest.objects.values().get()
    assert_problem(api.post(f"/actions/{item.action.public_id}/cancel"), 409, "already-decided")
    assert ActionRequest.objects.values().get() == before


def test_an_expired_action_never_got_a_permit(cast: Cast, api: Api) -> None:
    action = propose(cast, timeout="1m")
    deadlines.expire_due(now=action.expires_at)
    answer = read(api.get(f"/actions/{action.public_id}?wait=30"))
    assert (answer["state"], answer["permit"], answer["decision"]) == ("expired", None, None)
    assert Permit.objects.count() == 0
