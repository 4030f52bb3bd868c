"""How much one agent may send, from where, and how much of it may wait for people."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.test import Client
from pytest_django import Settings

from hitl_site.lib.clock import database_now
from policies.choices import AGENT_SCOPES
from policies.models import AgentKey, AgentVersion
from policies.services import agents, rates
from policies.services.ledger import Actor
from reviews.models import ActionRequest
from reviews.tests.api_client import Api, assert_problem, read
from reviews.tests.cast import REFUND, Cast

pytestmark = pytest.mark.django_db


@pytest.fixture
def api(cast: Cast) -> Api:
    return Api(cast.token)


@pytest.fixture(autouse=True)
def fresh_hands() -> Iterator[None]:
    rates.forget()
    yield
    rates.forget()


def limit(cast: Cast, **limits: int) -> None:
    agents.change_agent(
        agent=cast.clerk,
        owner=cast.carol,
        description="",
        limits=agents.Limits(**limits),
        actor=Actor.person(cast.olga),
        now=database_now(),
    )


def test_an_answer_says_what_is_left(cast: Cast, api: Api) -> None:
    limit(cast, rate_per_minute=1, rate_burst=3)
    answer = api.get("/agent")
    assert answer["RateLimit-Policy"] == '"agent";q=1;w=60'
    assert answer["RateLimit"].startswith('"agent";r=2;t=')


@pytest.mark.parametrize("broker", ["there", "away"])
def test_more_than_the_limit_is_refused_and_told_when_to_come_back(
    cast: Cast, api: Api, settings: Settings, broker: str
) -> None:
    """One a minute: whatever the machine is busy with, the next token is not there during this test."""
    if broker == "away":
        settings.REDIS_URL = "redis://127.0.0.1:1/0"
    limit(cast, rate_per_minute=1, rate_burst=1)
    assert api.get("/agent").status_code == 200
    refused = api.propose()
    assert_problem(refused, 429, "rate-limited")
    assert 1 <= int(refused["Retry-After"]) <= 60 * rates._SHARE
    assert refused["RateLimit"].startswith('"agent";r=0;t=')
    assert not ActionRequest.objects.exists()


def test_without_the_broker_the_limit_is_stricter_and_never_open(
    cast: Cast, api: Api, settings: Settings
) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    limit(cast, rate_per_minute=1, rate_burst=4 * rates._SHARE)
    answers = [api.get("/agent").status_code for _ in range(6)]
    assert answers == [200] * 4 + [429] * 2


def test_each_gated_line_of_a_batch_counts_and_reported_ones_do_not(cast: Cast, api: Api) -> None:
    limit(cast, rate_per_minute=1, rate_burst=3)
    said = {"action_type": "refund.issue", "arguments": REFUND, "confidence": 1, "agent_version": "1"}
    gated = [{**said, "idempotency_key": f"g{number}"} for number in range(5)]
    reported = [{**said, "idempotency_key": f"o{number}", "mode": "observed"} for number in range(5)]
    answer = api.post("/actions/batch", [*reported, *gated])
    results = read(answer)["results"]
    assert [result["status"] for result in results] == [202] * 5 + [201] * 3 + [429] * 2
    assert results[-1]["type"].endswith("/rate-limited/")
    assert ActionRequest.objects.count() == 3


def test_the_limit_of_one_agent_is_not_that_of_another(cast: Cast, api: Api) -> None:
    limit(cast, rate_per_minute=1, rate_burst=1)
    other = agents.create_agent(name="other", actor=Actor.person(cast.olga), now=database_now())
    _, token = agents.create_key(
        agent=other, scopes=AGENT_SCOPES, actor=Actor.person(cast.olga), now=database_now()
    )
    assert [api.get("/agent").status_code, api.get("/agent").status_code] == [200, 429]
    assert Api(token).get("/agent").status_code == 200


def test_two_keys_of_one_agent_share_its_limit(cast: Cast, api: Api) -> None:
    limit(cast, rate_per_minute=1, rate_burst=1)
    _, token = agents.rotate_key(
        key=cast.key,
        overlap=agents.LONGEST_OVERLAP,
        actor=Actor.person(cast.olga),
        now=database_now(),
    )
    assert [api.get("/agent").status_code, Api(token).get("/agent").status_code] == [200, 429]


def test_a_flood_of_its_own_keeps_no_agent_from_stopping_itself(cast: Cast, api: Api) -> None:
    limit(cast, rate_per_minute=1, rate_burst=1)
    assert [api.get("/agent").status_code, api.get("/agent").status_code] == [200, 429]
    assert api.post("/stops", {"scope": "agent", "reason": "I loop"}).status_code == 201
    assert api.get("/stops").status_code == 200
    assert api.post("/executions/exe_0/outcome", {"outcome": "failed"}).status_code == 404


def test_another_process_gives_out_of_the_same_bucket(cast: Cast, api: Api) -> None:
    limit(cast, rate_per_minute=1, rate_burst=2)
    assert api.get("/agent").status_code == 200
    rates.forget()  # as another process: its hands are empty, the bucket is not full
    assert [api.get("/agent").status_code, api.get("/agent").status_code] == [200, 429]


def test_what_an_agent_may_have_waiting_is_counted_where_it_is_stored(cast: Cast, api: Api) -> None:
    limit(cast, max_pending=2)
    assert [api.propose(key=f"k-{n}").status_code for n in range(2)] == [201, 201]
    refused = api.propose(key="k-2")
    assert_problem(refused, 429, "too-many-pending")
    assert int(refused["Retry-After"]) > 0
    assert ActionRequest.objects.count() == 2
    # What needs nobody goes on, and so does what is there already.
    assert read(api.propose(key="k-3", confidence=1))["verdict"] == "allow"
    replay = api.propose(key="k-0")
    assert (replay.status_code, replay["Idempotent-Replayed"]) == (200, "true")
    # One that was taken back makes room.
    api.post(f"/actions/{read(replay)['id']}/cancel")
    assert api.propose(key="k-2").status_code == 201


def test_every_line_of_a_batch_counts(cast: Cast, api: Api) -> None:
    limit(cast, max_pending=2)
    lines = [
        {
            "action_type": "refund.issue",
            "arguments": REFUND,
            "confidence": 0.71,
            "agent_version": "1",
            "idempotency_key": f"line-{n}",
        }
        for n in range(4)
    ]
    results = read(api.post("/actions/batch", lines))["results"]
    assert [result["status"] for result in results] == [201, 201, 429, 429]
    assert results[2]["type"] == "/problems/too-many-pending/"
    assert "verdict" not in results[2]
    assert ActionRequest.objects.count() == 2


def test_the_same_proposal_over_and_over_is_one_action(cast: Cast, api: Api) -> None:
    answers = [api.propose(key="the-same") for _ in range(25)]
    assert [answer.status_code for answer in answers] == [201, *[200] * 24]
    assert ActionRequest.objects.count() == 1


@pytest.mark.parametrize(
    ("networks", "status"),
    [
        (["127.0.0.0/8"], 200),
        (["192.0.2.0/24", "127.0.0.1"], 200),
        (["192.0.2.0/24"], 403),
        (["::1/128"], 403),
    ],
)
def test_a_key_is_good_from_its_addresses_alone(cast: Cast, networks: list[str], status: int) -> None:
    _, token = agents.create_key(
        agent=cast.clerk,
        scopes=AGENT_SCOPES,
        addresses=networks,
        actor=Actor.person(cast.olga),
        now=database_now(),
    )
    answer = Api(token).propose()
    if status == 200:
        assert answer.status_code == 201
    else:
        assert_problem(answer, 403, "address")
        assert not ActionRequest.objects.exists()
        assert AgentKey.objects.get(addresses=networks).last_used_at is None


def test_an_address_that_the_caller_writes_itself_counts_behind_a_proxy_alone(
    cast: Cast, settings: Settings
) -> None:
    _, token = agents.create_key(
        agent=cast.clerk,
        scopes=AGENT_SCOPES,
        addresses=["192.0.2.0/24"],
        actor=Actor.person(cast.olga),
        now=database_now(),
    )
    headers = {"authorization": f"Bearer {token}", "x-forwarded-for": "192.0.2.7"}
    assert Client().get("/api/v1/agent", headers=headers).status_code == 403
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    assert Client().get("/api/v1/agent", headers=headers).status_code == 200
    headers["x-forwarded-for"] = "192.0.2.7, 198.51.100.1"  # the proxy wrote the last one
    assert Client().get("/api/v1/agent", headers=headers).status_code == 403


MODEL = {"label": "1", "model": "m-2026", "prompt_sha256": "a" * 64, "tools_sha256": "b" * 64}


def test_the_same_label_with_other_parts_is_another_version_that_nobody_trusts(cast: Cast, api: Api) -> None:
    assert read(api.propose(key="a", confidence=1))["verdict"] == "allow"
    assert read(api.propose(key="b", confidence=1, agent_version={"label": "1"}))["verdict"] == "allow"
    assert read(api.propose(key="c", confidence=1, agent_version=MODEL))["verdict"] == "review"
    changed = {**MODEL, "prompt_sha256": "c" * 64}
    assert read(api.propose(key="d", confidence=1, agent_version=changed))["verdict"] == "review"
    assert read(api.propose(key="e", confidence=1, agent_version=MODEL))["verdict"] == "review"
    versions = AgentVersion.objects.filter(agent=cast.clerk, label="1").order_by("id")
    assert [(version.model, version.prompt_digest) for version in versions] == [
        ("", ""),
        ("m-2026", "sha256:" + "a" * 64),
        ("m-2026", "sha256:" + "c" * 64),
    ]
    assert len({version.fingerprint for version in versions}) == 3


def test_a_dry_run_tells_versions_apart_as_well(api: Api) -> None:
    trusted = api.propose(dry_run=True, confidence=1, agent_version={"label": "1"})
    changed = api.propose(dry_run=True, confidence=1, agent_version=MODEL)
    assert (read(trusted)["verdict"], read(changed)["verdict"]) == ("allow", "review")
    assert AgentVersion.objects.count() == 1


@pytest.mark.parametrize(
    ("said", "pointer"),
    [
        (7, "/agent_version"),
        ("x" * 121, "/agent_version"),
        ({"label": "x" * 121}, "/agent_version/label"),
        ({"label": "1", "prompt_sha256": "A" * 64}, "/agent_version/prompt_sha256"),
        ({"label": "1", "tools_sha256": "a" * 63}, "/agent_version/tools_sha256"),
        ({"label": "1", "vendor": "x"}, "/agent_version/vendor"),
        ({"label": "a\u202eb"}, "/agent_version"),
    ],
)
def test_a_version_that_cannot_be_is_refused_at_its_place(api: Api, said: object, pointer: str) -> None:
    problem = assert_problem(api.propose(agent_version=said), 422, "validation")
    assert [fault["pointer"] for fault in problem["errors"]] == [pointer]
    assert not ActionRequest.objects.exists()
