"""``/permits`` and ``/executions`` over HTTP: running once, and saying what came of it."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from django.http.response import HttpResponseBase
from django.test import Client
from joserfc import jws
from joserfc.jwk import OKPKey

from hitl_site.lib.canonical import action_digest
from hitl_site.lib.clock import database_now
from policies.choices import KillSwitchScope
from policies.models import LedgerEntry
from policies.services import agents, kill_switch, policies
from policies.services.ledger import Actor
from reviews.choices import DecisionKind
from reviews.models import Execution, Permit
from reviews.services import deadlines
from reviews.tests.api_client import Api, assert_problem, content_of, pointers, read
from reviews.tests.cast import REFUND, Cast, decide_as, held, propose

OTHER = "sha256:" + "0" * 64


@pytest.fixture
def api(cast: Cast) -> Api:
    return Api(cast.token)


@pytest.fixture
def permit(cast: Cast) -> Permit:
    return propose(cast, confidence=0.95).permits.get()


def consume(api: Api, permit: Permit, *, key: str = "run-1", **change: Any) -> HttpResponseBase:
    return api.post(
        f"/permits/{permit.public_id}/consume",
        {"digest": permit.digest, "execution_key": key, **change},
    )


def test_a_permit_gives_the_very_arguments_that_were_decided(cast: Cast, api: Api) -> None:
    item = held(cast)
    now = database_now()
    corrected = {**REFUND, "amount": 148}
    decide_as(cast.alice, item, DecisionKind.CORRECT, arguments=corrected, now=now)
    deadlines.release_due(now=now + timedelta(seconds=6))
    permit = Permit.objects.get()

    answer = read(consume(api, permit))

    assert answer["arguments"] == corrected
    assert answer["digest"] == action_digest(
        agent="clerk",
        subject=None,
        action_type="refund.issue",
        environment="production",
        arguments=answer["arguments"],
    )
    assert answer["action_id"] == item.action.public_id
    assert answer["execution_id"] == Execution.objects.get().public_id
    assert answer["lease_until"] > answer["started_at"]
    # Those first proposed are not what was decided, and do not run.
    assert consume(api, permit, key="other", digest=item.action.digest).status_code == 409


def test_the_same_key_replays_the_answer_and_another_is_too_late(api: Api, permit: Permit) -> None:
    first, again, other = consume(api, permit), consume(api, permit), consume(api, permit, key="run-2")
    assert (first.status_code, again.status_code) == (200, 200)
    assert "Idempotent-Replayed" not in first
    assert again["Idempotent-Replayed"] == "true"
    assert read(first) == read(again)
    assert_problem(other, 409, "already-consumed")
    assert Execution.objects.count() == LedgerEntry.objects.filter(verb="permit.consumed").count() == 1


def test_the_key_may_come_in_the_header(api: Api, permit: Permit) -> None:
    path, body = f"/permits/{permit.public_id}/consume", {"digest": permit.digest}
    assert_problem(api.post(path, body), 400, "missing-idempotency-key")
    assert_problem(api.post(path, body, idempotency_key="a b"), 400, "bad-request")
    assert Permit.objects.get().consumed_at is None
    assert api.post(path, body, idempotency_key='"run-1"').status_code == 200
    assert consume(api, permit)["Idempotent-Replayed"] == "true"


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/digest"),
        ({"digest": "x"}, "/digest"),
        ({"digest": OTHER.upper()}, "/digest"),
        ({"digest": OTHER + "\n"}, "/digest"),
        ({"digest": 7}, "/digest"),
        ({"digest": OTHER, "execution_key": "x" * 256}, "/execution_key"),
        ({"digest": OTHER, "force": True}, "/force"),
        ([], ""),
    ],
)
def test_a_wrong_shape_uses_nothing_up(api: Api, permit: Permit, body: object, pointer: str) -> None:
    response = api.post(f"/permits/{permit.public_id}/consume", body, idempotency_key="k")
    assert pointers(assert_problem(response, 422, "validation")) == [pointer]
    assert Permit.objects.get().consumed_at is None


def test_every_way_of_not_being_allowed_is_told_apart(cast: Cast, api: Api, permit: Permit) -> None:
    assert_problem(consume(api, permit, digest=OTHER), 409, "digest-mismatch")

    now = database_now()
    stop = kill_switch.engage(
        scope=KillSwitchScope.ACTION_TYPE, action_type=cast.refund, reason="x", engaged_by=cast.olga, now=now
    )
    assert_problem(consume(api, permit), 409, "kill-switch-active")
    kill_switch.lift(kill_switch=stop, reason="x", lifted_by=cast.olga, now=now)

    agents.pause_agent(agent=cast.clerk, reason="x", actor=Actor.person(cast.olga), now=now)
    assert_problem(consume(api, permit), 409, "kill-switch-active")
    agents.resume_agent(agent=cast.clerk, reason="x", actor=Actor.person(cast.olga), now=now)

    policies.put_in_force(
        action_type=cast.refund, document={"threshold": 0.99}, author=cast.olga, reason="x", now=now
    )
    assert_problem(consume(api, permit), 409, "policy-stricter")
    policies.put_in_force(
        action_type=cast.refund, document={"threshold": 0.9}, author=cast.olga, reason="x", now=now
    )

    old = propose(cast, confidence=0.95, now=now - timedelta(days=2)).permits.get()
    assert_problem(consume(api, old), 409, "permit-expired")

    revoked = propose(cast, confidence=0.95).permits.get()
    Permit.objects.filter(pk=revoked.pk).update(revoked_at=now)
    assert_problem(consume(api, revoked), 409, "permit-revoked")

    assert Execution.objects.count() == 0
    assert Permit.objects.exclude(consumed_at=None).count() == 0
    assert consume(api, permit).status_code == 200


@pytest.mark.parametrize("outcome", ["succeeded", "failed", "partial", "unknown"])
def test_an_outcome_is_reported_once(api: Api, permit: Permit, outcome: str) -> None:
    execution_id = read(consume(api, permit))["execution_id"]
    path = f"/executions/{execution_id}/outcome"
    body = {"outcome": outcome, "detail": {"refund": "R-1"}, "executed_digest": permit.digest}

    first, again = api.post(path, body), api.post(path, body)
    assert (first.status_code, again.status_code) == (200, 200)
    assert read(first) == read(again)
    assert read(first)["outcome"] == outcome
    for other in (
        {**body, "outcome": "failed" if outcome != "failed" else "succeeded"},
        {**body, "detail": {}},
        {"outcome": outcome},
    ):
        assert_problem(api.post(path, other), 409, "outcome-conflict")
    execution = Execution.objects.get()
    assert (execution.outcome, execution.detail) == (outcome, {"refund": "R-1"})
    assert LedgerEntry.objects.filter(verb="execution.outcome").count() == 1


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/outcome"),
        ({"outcome": "great"}, "/outcome"),
        ({"outcome": "failed", "detail": "text"}, "/detail"),
        ({"outcome": "failed", "executed_digest": "md5:0"}, "/executed_digest"),
        ({"outcome": "failed", "verdict": "allow"}, "/verdict"),
    ],
)
def test_a_wrong_outcome_is_refused_where_it_is_wrong(
    api: Api, permit: Permit, body: object, pointer: str
) -> None:
    execution_id = read(consume(api, permit))["execution_id"]
    response = api.post(f"/executions/{execution_id}/outcome", body)
    assert pointers(assert_problem(response, 422, "validation")) == [pointer]
    assert Execution.objects.get().outcome == ""


def test_a_heartbeat_prolongs_the_lease_until_there_is_an_outcome(api: Api, permit: Permit) -> None:
    execution_id = read(consume(api, permit))["execution_id"]
    before = Execution.objects.get().lease_until
    answer = read(api.post(f"/executions/{execution_id}/heartbeat"))
    assert (answer["outcome"], answer["execution_id"]) == (None, execution_id)
    assert Execution.objects.get().lease_until > before
    api.post(f"/executions/{execution_id}/outcome", {"outcome": "failed"})
    final = Execution.objects.get().lease_until
    assert api.post(f"/executions/{execution_id}/heartbeat").status_code == 200
    assert Execution.objects.get().lease_until == final


def test_anyone_can_verify_a_permit_with_the_published_keys(cast: Cast, api: Api) -> None:
    token = read(api.propose(confidence=1))["permit"]["token"]
    response = Client().get("/.well-known/jwks.json")
    assert response["Content-Type"] == "application/jwk-set+json"
    keys = json.loads(content_of(response))["keys"]
    assert all(set(key) == {"kty", "crv", "x", "kid", "alg", "use"} for key in keys)
    claims = json.loads(
        jws.deserialize_compact(token, OKPKey.import_key(keys[0]), algorithms=["Ed25519"]).payload
    )
    assert (claims["iss"], claims["aud"], claims["sub"]) == ("handrail", "handrail-executor", "clerk")
