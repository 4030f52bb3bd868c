"""Every address against every key that is not, or no longer, good for it: it is told and changes nothing."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from hitl_site.lib.clock import database_now
from policies.choices import AGENT_SCOPES
from policies.models import Agent, AgentKey
from policies.services import agents
from policies.services.ledger import Actor
from reviews.tests.api_client import Api, assert_problem, read
from reviews.tests.cast import Cast, propose
from reviews.tests.test_api_keys import ALL, OWN, Things, _facts, things

__all__ = ["things"]  # a fixture

SYSTEM = Actor.system()


def _revoked(cast: Cast) -> str:
    agents.revoke_key(key=cast.key, actor=SYSTEM, now=database_now())
    return cast.token


def _expired(cast: Cast) -> str:
    AgentKey.objects.filter(pk=cast.key.pk).update(expires_at=database_now())
    return cast.token


def _replaced(cast: Cast) -> str:
    agents.rotate_key(key=cast.key, overlap=timedelta(0), actor=SYSTEM, now=database_now())
    return cast.token


def _retired(cast: Cast) -> str:
    agents.retire_agent(agent=cast.clerk, reason="Replaced", actor=SYSTEM, now=database_now())
    return cast.token


@pytest.mark.parametrize("end", [_revoked, _expired, _replaced, _retired])
@pytest.mark.parametrize("name", ALL)
def test_a_key_that_has_ended_opens_nothing_from_that_moment(
    cast: Cast, things: Things, name: str, end: Callable[[Cast], str]
) -> None:
    api = Api(end(cast))
    before = _facts()
    assert_problem(ALL[name][1](api, things), 401, "unauthenticated")
    assert _facts() == before


@pytest.mark.parametrize("name", ALL)
def test_a_key_opens_nothing_from_another_address(cast: Cast, things: Things, name: str) -> None:
    _, token = agents.create_key(
        agent=cast.clerk,
        scopes=AGENT_SCOPES,
        addresses=["192.0.2.0/24"],
        actor=SYSTEM,
        now=database_now(),
    )
    before = _facts()
    assert_problem(ALL[name][1](Api(token), things), 403, "address")
    assert _facts() == before


@pytest.fixture
def staging(cast: Cast) -> Api:
    """Return clerk's way in with a key for another environment than everything was proposed in."""
    _, token = agents.create_key(
        agent=cast.clerk,
        scopes=AGENT_SCOPES,
        environments=["staging"],
        actor=SYSTEM,
        now=database_now(),
    )
    return Api(token)


@pytest.mark.parametrize("name", OWN)
def test_what_lies_in_another_environment_is_not_there(
    cast: Cast, things: Things, staging: Api, name: str
) -> None:
    before = _facts()
    assert_problem(OWN[name][1](staging, things), 404, "not-found")
    assert _facts() == before


def test_a_key_for_an_environment_proposes_and_lists_there_alone(
    cast: Cast, things: Things, staging: Api
) -> None:
    assert_problem(staging.propose(), 403, "scope")
    assert read(staging.get("/actions"))["items"] == []
    assert staging.propose(environment="staging").status_code == 201
    assert [item["environment"] for item in read(staging.get("/actions"))["items"]] == ["staging"]


@pytest.mark.parametrize("name", ["show", "wait", "decision", "cancel", "outcome", "heartbeat"])
def test_a_paused_agent_still_learns_of_what_was_and_reports_what_ran(
    cast: Cast, things: Things, name: str
) -> None:
    agents.pause_agent(agent=cast.clerk, reason="It loops", actor=SYSTEM, now=database_now())
    assert OWN[name][1](Api(cast.token), things).status_code == 200


def test_a_paused_agent_is_denied_and_runs_nothing(cast: Cast, things: Things) -> None:
    agents.pause_agent(agent=cast.clerk, reason="It loops", actor=SYSTEM, now=database_now())
    api = Api(cast.token)
    before = _facts()
    assert_problem(OWN["consume"][1](api, things), 409, "kill-switch-active")
    assert _facts() == before
    answer = read(api.propose(confidence=1))
    assert (answer["verdict"], answer["permit"]) == ("deny", None)
    assert answer["reasons"][0]["code"] == "agent_inactive"


def test_what_waits_for_a_paused_agent_goes_on_waiting(cast: Cast) -> None:
    pending = propose(cast)
    agents.pause_agent(agent=cast.clerk, reason="It loops", actor=SYSTEM, now=database_now())
    pending.refresh_from_db()
    assert pending.state == "pending_review"
    assert Agent.objects.get(pk=cast.clerk.pk).state == "paused"
