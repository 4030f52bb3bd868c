"""A proposal signs its key in by the statement that asks what the gate needs; nothing else changes by it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import connection

from hitl_site.lib.clock import database_now
from policies.choices import Scope
from policies.models import AgentKey
from policies.services import agents
from policies.services.agents import keys
from policies.services.ledger import Actor
from reviews.models import ActionRequest
from reviews.tests.api_client import Api, assert_problem, read
from reviews.tests.cast import REFUND, Cast

SYSTEM = Actor.system()


@pytest.fixture
def api(cast: Cast) -> Api:
    """Return clerk's way in, with a key that was good here a moment ago."""
    _, token = agents.create_key(
        agent=cast.clerk, scopes=[Scope.ACTIONS_CREATE], actor=SYSTEM, now=database_now()
    )
    api = Api(token)
    assert api.propose(key="before").status_code == 201
    assert agents.name_seen(agents.lookup_in(token)) == cast.clerk.name
    return api


@contextmanager
def _statements() -> Iterator[list[str]]:
    seen: list[str] = []

    def note(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        seen.append(sql)
        return execute(sql, params, many, context)

    with connection.execute_wrapper(note):
        yield seen


def _key(api: Api) -> AgentKey:
    return AgentKey.objects.get(lookup=agents.lookup_in(api.token))


@pytest.mark.django_db(transaction=True)
def test_an_allowed_action_takes_two_statements_with_the_sign_in(api: Api) -> None:
    with _statements() as seen:
        answer = api.propose(key="again", confidence=1, arguments={**REFUND, "order": "SO-2"})
    assert read(answer)["verdict"] == "allow"
    asked = [sql for sql in seen if "policies_agentkey k" in sql]
    facts = [sql for sql in seen if "policies_killswitch k" in sql]
    assert len(asked) == 1
    assert facts == asked
    assert len(seen) == 2
    assert seen[1].startswith("WITH k AS MATERIALIZED")


@pytest.mark.django_db
def test_a_revoked_key_is_refused_at_once_and_nothing_is_kept(api: Api) -> None:
    agents.revoke_key(key=_key(api), actor=SYSTEM, now=database_now())
    before = ActionRequest.objects.count()
    assert_problem(api.propose(key="after"), 401, "unauthenticated")
    assert ActionRequest.objects.count() == before


@pytest.mark.django_db
def test_another_secret_behind_the_same_lookup_is_refused(api: Api) -> None:
    body = api.token.rpartition("_")[0]
    other = body[:-1] + ("a" if body[-1] != "a" else "b")
    forged = Api(f"{other}_{keys._checksum(other)}")
    assert agents.name_seen(agents.lookup_in(forged.token)) is not None
    before = ActionRequest.objects.count()
    assert_problem(forged.propose(key="after"), 401, "unauthenticated")
    assert ActionRequest.objects.count() == before


@pytest.mark.django_db
def test_a_body_with_faults_tells_nothing_to_a_key_that_is_not_good(api: Api) -> None:
    assert_problem(api.post("/actions", {"nonsense": 1}, idempotency_key="bad"), 422, "validation")
    agents.revoke_key(key=_key(api), actor=SYSTEM, now=database_now())
    assert_problem(api.post("/actions", {"nonsense": 1}, idempotency_key="bad"), 401, "unauthenticated")
    assert_problem(api.propose(key=""), 401, "unauthenticated")


@pytest.mark.django_db
def test_a_key_that_lost_its_scope_is_refused_by_what_the_database_says_now(cast: Cast, api: Api) -> None:
    AgentKey.objects.filter(pk=_key(api).pk).update(scopes=[Scope.ACTIONS_READ.value])
    before = ActionRequest.objects.count()
    assert_problem(api.propose(key="after"), 403, "scope")
    assert ActionRequest.objects.count() == before


@pytest.mark.django_db
def test_a_name_that_was_seen_is_a_guess_and_what_was_asked_with_a_wrong_one_is_asked_again(
    cast: Cast, api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(keys._names, agents.lookup_in(api.token), "somebody-else")
    answer = api.propose(key="after")
    assert answer.status_code == 201
    stored = ActionRequest.objects.get(public_id=read(answer)["id"])
    other = ActionRequest.objects.get(agent=cast.clerk, idempotency_key="before")
    assert stored.agent == cast.clerk
    assert (stored.digest, stored.likeness) == (other.digest, other.likeness)


@pytest.mark.django_db
def test_the_same_key_and_body_again_are_answered_by_the_action_that_exists(api: Api) -> None:
    first, second = api.propose(key="twice"), api.propose(key="twice")
    assert (first.status_code, second.status_code) == (201, 200)
    assert read(first)["id"] == read(second)["id"]
    assert_problem(api.propose(key="twice", confidence=0.5), 422, "idempotency-key-reused")
