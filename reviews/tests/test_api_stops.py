"""Stops over HTTP: an agent stops itself at any time; more takes a scope; people lift what people stopped."""

from __future__ import annotations

import pytest
from pytest_django import Settings

from hitl_site.lib.clock import database_now
from policies.choices import KillSwitchScope, Scope
from policies.models import Agent, KillSwitch, LedgerEntry
from policies.services import agents, kill_switch
from policies.services.ledger import Actor
from reviews.tests.api_client import Api, assert_problem, read
from reviews.tests.cast import Cast

pytestmark = pytest.mark.django_db


@pytest.fixture
def clerk(cast: Cast) -> Api:
    return Api(cast.token)


@pytest.fixture
def guard(cast: Cast) -> Api:
    """An agent registered for automation."""
    agent = agents.create_agent(name="guard", actor=Actor.person(cast.olga), now=database_now())
    _, token = agents.create_key(
        agent=agent, scopes=[Scope.STOPS_WRITE], actor=Actor.person(cast.olga), now=database_now()
    )
    return Api(token)


def person_stops(cast: Cast, scope: KillSwitchScope = KillSwitchScope.EVERYTHING) -> KillSwitch:
    return kill_switch.engage(scope=scope, reason="odd", engaged_by=cast.olga, now=database_now())


@pytest.mark.parametrize("named", [{}, {"agent": "clerk"}])
def test_an_agent_stops_itself_without_any_scope_and_cannot_start_itself_again(
    cast: Cast, clerk: Api, named: dict[str, str]
) -> None:
    answer = clerk.post("/stops", {"scope": "agent", **named, "reason": "I loop"})
    assert answer.status_code == 201
    stop = read(answer)
    assert (stop["scope"], stop["agent"], stop["engaged_by"]) == ("agent", "clerk", "clerk")
    assert stop["lifted_at"] is None
    assert read(clerk.propose(confidence=1))["verdict"] == "deny"
    assert_problem(clerk.post(f"/stops/{stop['id']}/lift", {"reason": "Well again"}), 403, "scope")
    entry = LedgerEntry.objects.get(verb="kill_switch.engaged")
    assert (entry.actor_kind, entry.actor_id) == ("agent", cast.clerk.public_id)
    again = clerk.post("/stops", {"scope": "agent", "reason": "I still loop"})
    assert (again.status_code, read(again)["id"]) == (200, stop["id"])
    assert KillSwitch.objects.count() == 1


@pytest.mark.parametrize(
    "body",
    [
        {"scope": "everything"},
        {"scope": "agent", "agent": "guard"},
        {"scope": "agent", "agent": "nobody"},
        {"scope": "action_type", "action_type": "refund.issue"},
        {"scope": "action_type", "action_type": "nothing"},
    ],
)
def test_without_the_scope_nothing_else_is_stopped(clerk: Api, guard: Api, body: dict[str, str]) -> None:
    assert_problem(clerk.post("/stops", {**body, "reason": "mischief"}), 403, "scope")
    assert not KillSwitch.objects.exists()


@pytest.mark.parametrize(
    ("body", "shown"),
    [
        ({"scope": "everything"}, ("everything", None, None)),
        ({"scope": "agent", "agent": "clerk"}, ("agent", "clerk", None)),
        ({"scope": "action_type", "action_type": "refund.issue"}, ("action_type", None, "refund.issue")),
    ],
)
def test_with_the_scope_software_stops_and_the_gate_denies_at_once(
    clerk: Api, guard: Api, body: dict[str, str], shown: tuple[str, str | None, str | None]
) -> None:
    answer = guard.post("/stops", {**body, "reason": "An alarm", "reject_pending": True})
    stop = read(answer)
    assert answer.status_code == 201
    assert (stop["scope"], stop["agent"], stop["action_type"]) == shown
    assert stop["reject_pending"] is True
    assert read(clerk.propose(confidence=1))["verdict"] == "deny"
    assert [each["id"] for each in read(clerk.get("/stops"))["items"]] == [stop["id"]]


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"scope": "agent", "agent": "nobody", "reason": "x"}, "/agent"),
        ({"scope": "action_type", "reason": "x"}, "/action_type"),
        ({"scope": "everything", "agent": "clerk", "reason": "x"}, "/agent"),
        ({"scope": "everything", "action_type": "refund.issue", "reason": "x"}, "/action_type"),
        ({"scope": "galaxy", "reason": "x"}, "/scope"),
        ({"scope": "everything"}, "/reason"),
        ({"scope": "everything", "reason": ""}, "/reason"),
        ({"scope": "everything", "reason": " \n"}, "/reason"),
        ({"scope": "everything", "reason": "\x1c\x85\ufeff\u2003"}, "/reason"),
        ({"scope": "everything", "reason": "x", "drill": True}, "/drill"),
    ],
)
def test_a_stop_that_says_too_little_or_too_much_stops_nothing(
    clerk: Api, guard: Api, body: dict[str, object], pointer: str
) -> None:
    problem = assert_problem(guard.post("/stops", body), 422, "validation")
    assert [fault["pointer"] for fault in problem["errors"]] == [pointer]
    assert not KillSwitch.objects.exists()


def test_software_lifts_what_it_stopped_and_once(clerk: Api, guard: Api) -> None:
    stop = read(guard.post("/stops", {"scope": "agent", "agent": "clerk", "reason": "An alarm"}))
    assert_problem(guard.post(f"/stops/{stop['id']}/lift", {"reason": ""}), 422, "validation")
    answer = guard.post(f"/stops/{stop['id']}/lift", {"reason": "A false alarm"})
    assert answer.status_code == 200
    assert read(answer)["lifted_at"] is not None
    assert_problem(guard.post(f"/stops/{stop['id']}/lift", {"reason": "again"}), 409, "stop-lifted")
    assert read(clerk.propose(confidence=1))["verdict"] == "allow"


def test_what_a_person_stopped_no_software_lifts(cast: Cast, guard: Api) -> None:
    stop = person_stops(cast)
    assert_problem(guard.post(f"/stops/{stop.public_id}/lift", {"reason": "I know better"}), 403, "forbidden")
    assert KillSwitch.objects.get().lifted_at is None


def test_what_a_person_stopped_as_well_no_software_lifts(cast: Cast, guard: Api) -> None:
    stop = read(guard.post("/stops", {"scope": "agent", "agent": "clerk", "reason": "An alarm"}))
    joined = kill_switch.engage(
        scope=KillSwitchScope.AGENT,
        agent=cast.clerk,
        reason="I saw it too",
        engaged_by=cast.olga,
        now=database_now(),
    )
    assert joined.public_id == stop["id"]
    assert_problem(guard.post(f"/stops/{stop['id']}/lift", {"reason": "A false alarm"}), 403, "forbidden")
    assert kill_switch.stopped(agent_id=cast.clerk.pk, action_type_id=None)
    assert kill_switch.lift(kill_switch=joined, reason="Over", lifted_by=cast.olga, now=database_now()).lifted


def test_software_does_not_lift_its_own_stop_of_itself(guard: Api) -> None:
    stop = read(guard.post("/stops", {"scope": "agent", "reason": "I am odd"}))
    assert_problem(guard.post(f"/stops/{stop['id']}/lift", {"reason": "Well again"}), 403, "forbidden")
    assert KillSwitch.objects.get().lifted_at is None


def test_what_two_people_have_to_lift_software_does_not(guard: Api, settings: Settings) -> None:
    settings.LIFT_NEEDS_SECOND = "everything"
    stop = read(guard.post("/stops", {"scope": "everything", "reason": "An alarm"}))
    assert_problem(guard.post(f"/stops/{stop['id']}/lift", {"reason": "A false alarm"}), 403, "forbidden")
    assert KillSwitch.objects.get().lifted_at is None


def test_a_stop_that_never_was_is_not_found(guard: Api) -> None:
    assert_problem(guard.post("/stops/kil_0/lift", {"reason": "x"}), 404, "not-found")


def test_an_agent_does_not_read_of_the_stops_of_others(cast: Cast, clerk: Api, guard: Api) -> None:
    read(guard.post("/stops", {"scope": "agent", "reason": "I am odd"}))
    mine = kill_switch.engage(
        scope=KillSwitchScope.AGENT,
        agent=Agent.objects.get(name="clerk"),
        reason="odd",
        engaged_by=cast.olga,
        now=database_now(),
    )
    assert [stop["id"] for stop in read(clerk.get("/stops"))["items"]] == [mine.public_id]
    assert len(read(guard.get("/stops"))["items"]) == 2


def test_a_stranger_stops_nothing(cast: Cast) -> None:
    assert_problem(Api("").post("/stops", {"scope": "agent", "reason": "x"}), 401, "unauthenticated")
    assert not KillSwitch.objects.exists()
