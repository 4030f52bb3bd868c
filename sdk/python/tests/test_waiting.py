"""The flows without a network: how often, how long, and where to."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import pytest
from gate_server import AGENT_NAME, problem

from handrail import GateUnavailable, NotApproved, Retries, StillPending
from handrail.endpoints import Endpoints, checked_base_url
from handrail.exchange import Clock, Flow, Pause
from handrail.flows import Flows
from handrail.waiting import wait
from handrail.wire import Lost, Request, Response, read_retry_after

T = TypeVar("T")
ACT = "act_1"
Server = Callable[["World", Request], Response | Lost]


class World:
    """A clock that only moves when the client sends or pauses."""

    def __init__(self, server: Server) -> None:
        self.now = 1000.0
        self.server = server
        self.requests: list[Request] = []
        self.pauses: list[float] = []
        self.flows = Flows(
            Endpoints("https://gate.test", timeout=10),
            "production",
            Retries(attempts=3, first_pause=1.0, longest_pause=30.0),
            Clock(monotonic=lambda: self.now, wall=lambda: self.now, jitter=lambda: 1.0),
            agent_name=AGENT_NAME,
        )

    def drive(self, flow: Flow[T]) -> T:
        try:
            step = next(flow)
            while True:
                if isinstance(step, Pause):
                    self.pauses.append(step.seconds)
                    self.now += step.seconds
                    step = flow.send(None)
                else:
                    self.requests.append(step.request)
                    step = flow.send(self.server(self, step.request))
        except StopIteration as done:
            result: T = done.value
            return result


def answer(state: str, *, wait_link: str | None = None, **headers: str) -> Response:
    document: dict[str, Any] = {"id": ACT, "verdict": "review", "state": state, "digest": "sha256:x"}
    if wait_link is not None:
        document["links"] = {"wait": wait_link}
    fields = {"content-type": "application/json", **{n.replace("_", "-"): v for n, v in headers.items()}}
    return Response(200, fields, json.dumps(document).encode())


def holding(world: World, request: Request) -> Response | Lost:
    """A server that holds every long-poll as long as it is asked to."""
    world.now += int(request.url.rpartition("=")[2])
    return answer("pending_review", retry_after="0")


@pytest.mark.parametrize("timeout", [0.0, 0.4, 1.0, 24.9, 25.0, 60.0, 3601.5])
def test_a_wait_never_outlasts_its_timeout(timeout: float) -> None:
    world = World(holding)
    with pytest.raises(StillPending):
        world.drive(wait(world.flows, ACT, timeout=timeout))
    assert world.now <= 1000.0 + timeout + 1e-6
    assert world.requests


def test_a_long_wait_is_made_of_holds_of_25_seconds() -> None:
    world = World(holding)
    with pytest.raises(StillPending):
        world.drive(wait(world.flows, ACT, timeout=60))
    assert [request.url.rpartition("=")[2] for request in world.requests] == ["25", "25", "10"]
    assert [request.timeout for request in world.requests] == [35, 35, 10]


def test_a_server_that_does_not_hold_is_left_alone_as_long_as_it_asks() -> None:
    world = World(lambda world, request: answer("pending_review", retry_after="7"))
    with pytest.raises(StillPending):
        world.drive(wait(world.flows, ACT, timeout=20))
    assert world.pauses == [7, 7, 6]


def test_a_server_that_says_nothing_is_not_asked_in_a_hurry() -> None:
    world = World(lambda world, request: answer("pending_review"))
    with pytest.raises(StillPending):
        world.drive(wait(world.flows, ACT, timeout=2))
    assert world.pauses == [0.5, 0.5, 0.5, 0.5]


def test_an_outage_shorter_than_the_wait_is_waited_out() -> None:
    replies: Iterator[Response | Lost] = iter(
        [Lost("down"), Lost("down"), Lost("down"), Lost("down"), answer("approved")]
    )
    world = World(lambda world, request: next(replies))
    assert world.drive(wait(world.flows, ACT, timeout=3600)).state == "approved"
    assert world.pauses == [1, 2, 4, 8]


def test_an_outage_longer_than_the_wait_is_told_as_one() -> None:
    world = World(lambda world, request: Lost("down"))
    with pytest.raises(GateUnavailable):
        world.drive(wait(world.flows, ACT, timeout=10))
    assert world.now <= 1010


def test_the_wait_link_is_followed_on_the_same_host_and_left_when_it_fails() -> None:
    link = "https://gate.test:8443/wait/act_1"
    replies: Iterator[Response | Lost] = iter(
        [answer("pending_review", wait_link=link, retry_after="0"), Lost("down"), answer("approved")]
    )
    world = World(lambda world, request: next(replies))
    world.drive(wait(world.flows, ACT, timeout=60))
    assert [request.url.partition("?")[0] for request in world.requests] == [
        "https://gate.test/api/v1/actions/act_1",
        link,
        "https://gate.test/api/v1/actions/act_1",
    ]


@pytest.mark.parametrize(
    "link",
    [
        "https://evil.test/wait",
        "http://gate.test/wait",
        "//evil.test/wait",
        "https://gate.test@evil.test/wait",
        "https://evil@gate.test/wait",
        "https://gate.test.evil.test/",
        "https://[gate.test/",
        "file:///etc/passwd",
        "https://gate.test:99999/",
    ],
)
def test_the_key_goes_nowhere_else(link: str) -> None:
    assert Endpoints("https://gate.test", timeout=10).trusted(link) is None


def test_a_proposal_is_tried_a_bounded_number_of_times_with_one_key() -> None:
    world = World(lambda world, request: Lost("down"))
    with pytest.raises(GateUnavailable) as caught:
        world.drive(world.flows.submit("refund.issue", {}))
    assert world.pauses == [1, 2]
    assert len({request.headers["Idempotency-Key"] for request in world.requests}) == 1
    assert len({request.body for request in world.requests}) == 1
    assert caught.value.idempotency_key == world.requests[0].headers["Idempotency-Key"]


@pytest.mark.parametrize("status", [400, 404, 422, 500, 502, 504])
def test_what_was_refused_is_not_sent_again(status: int) -> None:
    reply = problem(status, "x", **{"retry-after": "1"})
    wire = Response(status, {"content-type": reply.media_type, **reply.headers}, reply.encoded())
    world = World(lambda world, request: wire)
    with pytest.raises(NotApproved):
        world.drive(world.flows.submit("refund.issue", {}))
    assert len(world.requests) == 1


@pytest.mark.parametrize(
    ("given", "seconds"),
    [
        ("5", 5.0),
        ("0", 0.0),
        ("Thu, 01 Jan 1970 00:17:10 GMT", 30.0),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0.0),
        ("9" * 500, 10.0**9),
        ("-5", None),
        ("1e3", None),
        ("٣", None),
        ("soon", None),
        ("", None),
    ],
)
def test_retry_after_is_a_number_of_seconds_or_a_date(given: str, seconds: float | None) -> None:
    assert read_retry_after(Response(429, {"retry-after": given}, b""), now=1000.0) == seconds


@pytest.mark.parametrize(
    "url", ["gate.test", "ftp://gate.test", "https://", "https://me:pw@gate.test", "https://gate.test/?a=1"]
)
def test_a_base_url_that_cannot_be_one_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="base_url"):
        checked_base_url(url)


def test_the_address_of_the_api_is_taken_for_that_of_its_site() -> None:
    for url in (
        "https://gate.test",
        "https://gate.test/",
        "https://gate.test/api/v1",
        "https://gate.test/api/v1/",
    ):
        assert checked_base_url(url) == "https://gate.test"


def test_a_key_in_clear_over_the_network_is_warned_of() -> None:
    with pytest.warns(UserWarning, match="use https"):
        checked_base_url("http://gate.example")
    assert checked_base_url("http://127.0.0.1:8000/") == "http://127.0.0.1:8000"
