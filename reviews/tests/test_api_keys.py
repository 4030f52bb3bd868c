"""Who may do what over HTTP: keys, scopes, and the wall between agents."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

import pytest
from django.http.response import HttpResponseBase

from hitl_site.lib.clock import database_now
from policies.choices import AGENT_SCOPES, Scope
from policies.services import agents
from policies.services.ledger import Actor
from reviews.choices import DecisionKind
from reviews.models import ActionRequest, Execution, Permit
from reviews.services import deadlines, permits
from reviews.tests.api_client import Api, assert_problem, content_of, read, stranger, with_scopes
from reviews.tests.cast import REFUND, Cast, decide_as, held, propose

DIGEST = "sha256:" + "0" * 64
OUTCOME = {"outcome": "succeeded"}


@dataclass(frozen=True)
class Things:
    """One of everything, all clerk's."""

    pending: str
    decided: str
    permit: Permit
    execution: Execution


@pytest.fixture
def things(cast: Cast) -> Things:
    now = database_now()
    # Another order: what was refused once is held when it comes again.
    decided = held(cast, idempotency_key="decided", arguments={**REFUND, "order": "SO-1"})
    decide_as(cast.alice, decided, DecisionKind.REJECT, now=now)
    deadlines.release_due(now=now + timedelta(seconds=6))
    used = propose(cast, idempotency_key="used", confidence=1).permits.get()
    consumed = permits.consume(
        permit_id=used.public_id, agent=cast.clerk, digest=used.digest, consume_key="k", now=now
    )
    return Things(
        pending=propose(cast, idempotency_key="pending").public_id,
        decided=decided.action.public_id,
        permit=propose(cast, idempotency_key="free", confidence=1).permits.get(),
        execution=consumed.execution,
    )


# Every address, the scope it needs, and a call that works for the owner.
Call = Callable[[Api, Things], HttpResponseBase]
OWN: dict[str, tuple[Scope, Call]] = {
    "show": (Scope.ACTIONS_READ, lambda api, t: api.get(f"/actions/{t.pending}")),
    "wait": (Scope.ACTIONS_READ, lambda api, t: api.get(f"/actions/{t.decided}?wait=5")),
    "decision": (Scope.ACTIONS_READ, lambda api, t: api.get(f"/actions/{t.decided}/decision")),
    "cancel": (Scope.ACTIONS_CREATE, lambda api, t: api.post(f"/actions/{t.pending}/cancel")),
    "consume": (
        Scope.PERMITS_CONSUME,
        lambda api, t: api.post(
            f"/permits/{t.permit.public_id}/consume", {"digest": t.permit.digest, "execution_key": "k"}
        ),
    ),
    "outcome": (
        Scope.OUTCOMES_WRITE,
        lambda api, t: api.post(f"/executions/{t.execution.public_id}/outcome", OUTCOME),
    ),
    "heartbeat": (
        Scope.OUTCOMES_WRITE,
        lambda api, t: api.post(f"/executions/{t.execution.public_id}/heartbeat"),
    ),
}
COMMON: dict[str, tuple[Scope, Call]] = {
    "propose": (Scope.ACTIONS_CREATE, lambda api, t: api.propose()),
    "batch": (
        Scope.ACTIONS_CREATE,
        lambda api, t: api.post(
            "/actions/batch", [{"action_type": "note.add", "arguments": {}, "idempotency_key": "b"}]
        ),
    ),
    "list": (Scope.ACTIONS_READ, lambda api, t: api.get("/actions")),
}
ALL = {**OWN, **COMMON}


def _facts() -> tuple[object, ...]:
    """Return everything that a call by somebody else must leave as it is."""
    return (
        list(ActionRequest.objects.order_by("pk").values_list("public_id", "state", "version")),
        list(Permit.objects.order_by("pk").values_list("public_id", "consumed_at", "revoked_at")),
        list(Execution.objects.order_by("pk").values_list("public_id", "outcome", "lease_until")),
    )


@pytest.mark.parametrize("name", ALL)
def test_the_owner_with_the_one_scope_gets_an_answer(cast: Cast, things: Things, name: str) -> None:
    scope, call = ALL[name]
    response = call(with_scopes(cast, scope), things)
    assert response.status_code in {200, 201}, content_of(response)


@pytest.mark.parametrize("name", ALL)
def test_a_key_without_the_scope_is_told_which_one_it_lacks(cast: Cast, things: Things, name: str) -> None:
    scope, call = ALL[name]
    before = _facts()
    api = with_scopes(cast, *(other for other in Scope if other != scope))
    assert scope.value in assert_problem(call(api, things), 403, "scope")["detail"]
    assert _facts() == before


@pytest.mark.parametrize("name", OWN)
def test_what_belongs_to_another_agent_does_not_exist(cast: Cast, things: Things, name: str) -> None:
    before = _facts()
    other = stranger(cast)
    response = OWN[name][1](other, things)
    document = assert_problem(response, 404, "not-found")
    assert _facts() == before
    # The answer is the same as for what never was, so that nothing is learned from it.
    path = document["instance"].rsplit("_", 1)[0]
    nothing = OWN[name][1](
        other,
        Things(
            pending="act_" + "0" * 32,
            decided="act_" + "0" * 32,
            permit=Permit(public_id="prm_" + "0" * 32, digest=things.permit.digest),
            execution=Execution(public_id="exe_" + "0" * 32),
        ),
    )
    same = assert_problem(nothing, 404, "not-found")
    assert (document["detail"], path) == (same["detail"], same["instance"].rsplit("_", 1)[0])


def test_a_list_holds_no_other_agents_actions(cast: Cast, things: Things) -> None:
    assert read(stranger(cast).get("/actions"))["items"] == []
    assert len(read(Api(cast.token).get("/actions"))["items"]) == ActionRequest.objects.count()


def test_two_agents_may_use_the_same_idempotency_key(cast: Cast) -> None:
    one, other = Api(cast.token).propose(), stranger(cast).propose()
    assert (one.status_code, other.status_code) == (201, 201)
    assert read(one)["id"] != read(other)["id"]
    assert read(one)["digest"] != read(other)["digest"]


def _changed(token: str, place: int) -> str:
    return token[:place] + ("A" if token[place] != "A" else "B") + token[place + 1 :]


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Bearer",
        "Bearer ",
        "Basic {token}",
        "{token}",
        "Bearer {token}x",
        "Bearer x{token}",
        "Bearer {token} {token}",
        "Bearer hr_live_00000000_" + "x" * 43 + "_000000",
        "Bearer " + "x" * 10_000,
        "Bearer клюк",
        "Bearer ' OR 1=1 --",
    ],
)
@pytest.mark.parametrize("name", ALL)
def test_without_a_live_key_nothing_is_told(cast: Cast, things: Things, name: str, header: str) -> None:
    before = _facts()

    class Other(Api):
        def _headers(self, more: dict[str, str]) -> dict[str, str]:
            return {**more, **({"authorization": header.format(token=cast.token)} if header else {})}

    response = ALL[name][1](Other(""), things)
    assert_problem(response, 401, "unauthenticated")
    assert response["WWW-Authenticate"].startswith("Bearer")
    assert _facts() == before


def test_a_key_with_one_letter_changed_opens_nothing(cast: Cast) -> None:
    for place in (10, 20, 40, len(cast.token) - 1):
        assert_problem(Api(_changed(cast.token, place)).get("/agent"), 401, "unauthenticated")


def test_a_revoked_key_opens_nothing_from_then_on(cast: Cast) -> None:
    api = Api(cast.token)
    assert api.get("/agent").status_code == 200
    agents.revoke_key(key=cast.key, actor=Actor.person(cast.olga), now=database_now())
    assert_problem(api.get("/agent"), 401, "unauthenticated")
    assert_problem(api.propose(), 401, "unauthenticated")
    assert ActionRequest.objects.count() == 0


def test_a_key_that_ran_out_opens_nothing(cast: Cast) -> None:
    now = database_now()
    _, token = agents.create_key(
        agent=cast.clerk,
        scopes=AGENT_SCOPES,
        expires_at=now + timedelta(hours=1),
        actor=Actor.person(cast.olga),
        now=now - timedelta(hours=2),
    )
    assert Api(token).get("/agent").status_code == 200
    _, token = agents.create_key(
        agent=cast.clerk,
        scopes=AGENT_SCOPES,
        expires_at=now - timedelta(hours=1),
        actor=Actor.person(cast.olga),
        now=now - timedelta(hours=2),
    )
    assert_problem(Api(token).get("/agent"), 401, "unauthenticated")


def test_a_retired_agents_keys_open_nothing_and_a_paused_ones_deny(cast: Cast) -> None:
    api, actor = Api(cast.token), Actor.person(cast.olga)
    agents.pause_agent(agent=cast.clerk, reason="odd", actor=actor, now=database_now())
    answer = read(api.propose(confidence=1))
    assert (answer["verdict"], answer["permit"]) == ("deny", None)
    agents.retire_agent(agent=cast.clerk, reason="done", actor=actor, now=database_now())
    assert_problem(api.propose(key="k-2"), 401, "unauthenticated")
    assert ActionRequest.objects.count() == 1


def test_a_client_learns_the_name_that_its_digests_hold(cast: Cast) -> None:
    response = Api(cast.token).get("/agent")
    assert read(response) == {
        "id": cast.clerk.public_id,
        "name": "clerk",
        "state": "active",
        "environments": [],
        "scopes": sorted(AGENT_SCOPES),
    }


@pytest.mark.parametrize(
    "path",
    [
        "/actions/act_'",
        "/actions/act_%00",
        "/actions/%F0%9F%99%82",
        "/actions/" + "x" * 2000,
        "/actions/act_%ff%fe",
        "/actions/..%2f..%2fadmin",
        "/permits/prm_%00/consume",
        "/executions/exe_%00/outcome",
        "/executions/exe_%00/heartbeat",
        "/actions/act_%00/cancel",
        "/actions/act_%00/decision",
    ],
)
def test_an_id_that_cannot_be_one_is_not_found(cast: Cast, path: str) -> None:
    api = Api(cast.token)
    body = {"digest": DIGEST, "execution_key": "k"} if "permits" in path else OUTCOME
    ask = api.post(path, body) if path.count("/") == 3 and "decision" not in path else api.get(path)
    assert_problem(ask, 404, "not-found")


def test_a_refund_of_the_cast_is_what_the_tests_say(cast: Cast) -> None:
    assert read(Api(cast.token).propose())["digest"] == propose(cast, arguments=REFUND).digest
