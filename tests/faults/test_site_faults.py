"""Faults between an agent and the site, and in the site's own processes (F1, F2, F8, F10, F19 to F24)."""

from __future__ import annotations

import gzip
import json
import os
import random
import signal
import socket
import threading
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial

import pytest

from handrail import Client
from hitl_site.lib.supervision import wait_until
from hitl_site.tests.test_strict_json import REFUSED
from tests.faults.installation import ALONE, HELD, Installation
from tests.faults.proxy import FaultProxy
from tests.faults.stack import send
from tests.faults.wire import JSON, Agent, Answer

pytestmark = pytest.mark.stack

PROBLEM = "application/problem+json"


def test_f01_a_killed_web_process_loses_nothing_it_acknowledged_and_does_nothing_twice(
    site: Installation,
) -> None:
    """F1: either nothing happened or all of it; the same key later gets the same answer."""
    name, agent = site.another_agent()
    keys = [uuid.uuid4().hex for _ in range(200)]
    chance = random.Random(1)
    done = threading.Semaphore(0)

    def propose(number: int) -> Answer:
        action_type = (ALONE, HELD)[number % 2]
        answer = agent.propose(action_type, {"n": number}, key=keys[number], confidence=1)
        done.release()
        return answer

    with ThreadPoolExecutor(8) as threads:
        first = [threads.submit(propose, number) for number in range(len(keys))]
        for _ in range(3):
            for _ in range(45):
                done.acquire()
            if workers := site.stack.below("web"):
                send(chance.choice(workers), signal.SIGKILL)
    answers = [each.result() for each in first]
    assert site.stack.becomes_whole(), site.stack.words()

    for number, before in enumerate(answers):
        again = _insist(partial(propose, number))
        assert again.status in {200, 201}, again
        if before.lost:
            continue
        assert before.status in {201, 503}, before
        if before.status == 201:
            assert again.status == 200
            assert again.headers["idempotent-replayed"] == "true"
            for field in ("id", "verdict", "digest", "state", "expires_at"):
                assert again.document[field] == before.document[field]
    assert _actions_of(site, name) == len(keys)
    judged_otherwise_than_once = site.stack.number(
        "SELECT count(*) FROM (SELECT a.id FROM reviews_actionrequest a"
        " JOIN policies_agent g ON g.id = a.agent_id"
        " LEFT JOIN policies_ledgerentry e ON e.action_id = a.public_id"
        " AND e.verb IN ('action.allowed', 'action.held') WHERE g.name = %s"
        " GROUP BY a.id HAVING count(e.id) <> 1) AS odd",
        name,
    )
    assert judged_otherwise_than_once == 0
    assert site.ledger_is_whole()


def test_f02_an_answer_lost_after_the_commit_is_given_again(site: Installation) -> None:
    """F2: proposing, consuming and reporting are done once, however often their answers are lost."""
    name = f"agent-{uuid.uuid4().hex[:8]}"
    key = site.hands.create_agent(name)
    with FaultProxy(("127.0.0.1", site.stack.port)) as proxy:
        client = Client(f"http://127.0.0.1:{proxy.port}", key, timeout=30, agent=name)
        proxy.lose_answers(2)
        answer = client.submit(ALONE, {"text": "once"}, confidence=1)
        assert proxy.answers_to_lose == 0
        assert answer.permit is not None
        proxy.lose_answers(2)
        execution = client.consume(answer.permit, answer.digest, execution_key="the one run")
        proxy.lose_answers(1)
        client.report(execution, "succeeded")
        assert proxy.answers_to_lose == 0

    agent = Agent(site.stack.port, key)
    again = agent.consume(answer.permit.id, answer.digest, key="the one run")
    assert (again.status, again.headers["idempotent-replayed"]) == (200, "true")
    assert again.document["execution_id"] == execution.id
    assert _actions_of(site, name) == 1
    assert site.stack.ask(
        "SELECT x.public_id, x.outcome FROM reviews_execution x JOIN reviews_actionrequest a"
        " ON a.id = x.action_id WHERE a.public_id = %s",
        answer.id,
    ) == [(execution.id, "succeeded")]


def test_f08_the_version_of_an_action_never_goes_backwards_for_whoever_follows_it(site: Installation) -> None:
    """F8: answers of both ports carry the version, and no later answer carries an earlier one."""
    agent = site.agent
    action_ids = [site.held() for _ in range(3)]

    def follow(port: int, action_id: str) -> list[int]:
        versions = []
        while True:
            answer = agent.through(port).get(action_id, wait=2)
            assert answer.status == 200, answer
            versions.append(int(answer.headers["etag"].strip('"')))
            if answer.document["state"] != "pending_review":
                return versions

    ports = (site.stack.port, site.stack.stream_port)
    with ThreadPoolExecutor(12) as threads:
        followers = [
            threads.submit(follow, ports[n % 2], action_id) for action_id in action_ids for n in range(4)
        ]
        site.hands.decide(action_ids[0], "approve")
        site.hands.decide(action_ids[1], "reject")
        site.hands.decide(action_ids[2], "approve")
        for follower in followers:
            versions = follower.result()
            assert versions == sorted(versions)
            assert versions[-1] > 1


def test_f10_a_thousand_identical_submissions_are_one_action(site: Installation) -> None:
    """F10: a storm of retries makes one action, is told to wait where that is too much, hurts nobody."""
    name, agent = site.another_agent()
    key = uuid.uuid4().hex

    def propose(_: int) -> Answer:
        return agent.propose(ALONE, {"storm": True}, key=key, confidence=1)

    with ThreadPoolExecutor(16) as threads:
        storm = [threads.submit(propose, number) for number in range(1000)]
        others = [site.allowed() for _ in range(5)]
        answers = [each.result() for each in storm]
    assert [answer.why_lost for answer in answers if answer.lost] == []
    assert {answer.status for answer in answers} <= {200, 201, 409, 429}
    assert sum(answer.status == 201 for answer in answers) == 1
    assert len({answer.document["id"] for answer in answers if answer.status in {200, 201}}) == 1
    assert all("retry-after" in answer.headers for answer in answers if answer.status in {409, 429})
    assert len({other.action_id for other in others}) == 5
    assert _actions_of(site, name) == 1


@pytest.mark.parametrize("framing", ["announced", "chunked"])
def test_f19_a_huge_body_is_refused_and_the_site_goes_on(site: Installation, framing: str) -> None:
    """F19: ten megabytes get 413, whether their size is announced or comes piece by piece."""
    piece = b"x" * 65_536
    pieces = [piece] * 160
    length = f"Content-Length: {len(piece) * len(pieces)}"
    if framing == "chunked":
        length = "Transfer-Encoding: chunked"
        pieces = [b"10000\r\n" + piece + b"\r\n"] * 160 + [b"0\r\n\r\n"]
    with _raw(site, length) as connection:
        try:
            for each in pieces:
                connection.sendall(each)
        except OSError:
            pass  # refused before it was all sent
        assert connection.recv(64).startswith(b"HTTP/1.1 413 ")
    assert site.allowed()


def test_f19_slow_bodies_never_take_all_threads(site: Installation) -> None:
    """F19: while many senders drip, whatever has no body is served; bodies are again when the senders go."""
    agent = site.agent
    with ExitStack() as slow:
        for _ in range(64):
            connection = slow.enter_context(_raw(site, "Content-Length: 100"))
            connection.sendall(b"{")
        for _ in range(10):
            assert site.stack.status("/livez") == 200
            assert agent.call("GET", "/agent").status == 200
        # A body finds a place or is refused for the moment; it is never left hanging.
        answer = agent.propose(ALONE, {"text": "beside slow ones"}, confidence=1)
        assert answer.status in {201, 503}, answer
        assert answer.status == 201 or (answer.slug, "retry-after" in answer.headers) == ("unavailable", True)
    assert wait_until(
        lambda: agent.propose(ALONE, {"text": "after them"}, confidence=1).status == 201, seconds=30
    )


def test_f20_f21_hostile_bodies_are_refused_by_name_on_the_wire(site: Installation) -> None:
    """F20, F21: malformed, ambiguous and deep JSON gets its problem from the real server, never a 5xx."""
    agent = site.agent
    before = _actions_of(site, site.agent_name)
    for what, body, status, slug, _ in REFUSED:
        if len(body) > 8 * 1024 * 1024:
            continue
        answer = agent.call("POST", "/actions", body, {"Idempotency-Key": uuid.uuid4().hex})
        assert (answer.status, answer.slug) == (status, slug), what
        assert "verdict" not in answer.document
    deep = b'{"action_type":"note.add","arguments":' + b'{"a":' * 100_000 + b"1" + b"}" * 100_001
    answer = agent.call("POST", "/actions", deep, {"Idempotency-Key": "deep"})
    assert answer.status in {413, 422}
    assert _actions_of(site, site.agent_name) == before


@pytest.mark.parametrize("path", ["/actions", "/actions/batch", "/permits/prm_x/consume"])
def test_f22_compressed_bodies_are_refused_unopened(site: Installation, path: str) -> None:
    """F22: no address unpacks a body, so a bomb is as harmless as any other refused one."""
    honest = gzip.compress(json.dumps({"action_type": ALONE, "arguments": {}}).encode())
    bomb = gzip.compress(b"0" * (8 * 1024 * 1024))
    for body in (honest, bomb):
        for coding in ("gzip", "GZIP", "deflate", "br", "gzip, identity"):
            headers = {"Idempotency-Key": uuid.uuid4().hex, "Content-Encoding": coding, "Content-Type": JSON}
            answer = site.agent.call("POST", path, body, headers)
            assert (answer.status, answer.slug) == (415, "unsupported-media-type"), coding


def test_f24_a_process_that_is_asked_to_stop_answers_those_who_wait(site: Installation) -> None:
    """F24: waits get the answer of the moment, nothing under way is cut, and the stop takes seconds."""
    agent = site.agent
    action_id = site.held()
    before = site.stack.children()
    ports = (site.stack.port, site.stack.stream_port)
    waiting = threading.Barrier(9)

    def wait(port: int) -> tuple[int, Answer, float]:
        waiting.wait(30)
        began = time.monotonic()
        return port, agent.through(port).get(action_id, wait=30), time.monotonic() - began

    with ThreadPoolExecutor(8) as threads:
        waits = [threads.submit(wait, ports[number % 2]) for number in range(8)]
        waiting.wait(30)
        time.sleep(5)  # into the wait, on a slow machine too: one that is not accepted yet is refused
        for name in ("web", "stream"):
            os.kill(before[name], signal.SIGTERM)
        answered = [each.result() for each in waits]
    for port, answer, seconds in answered:
        assert answer.status == 200, (ports.index(port), seconds, answer, site.stack.words())
        assert answer.document["state"] == "pending_review"
        assert seconds < 25  # of the 30 they had asked for
    stopped = wait_until(
        lambda: all(site.stack.children().get(name) != before[name] for name in ("web", "stream")),
        seconds=60,
    )
    assert stopped, site.stack.words()
    assert site.stack.becomes_whole(), site.stack.words()
    assert agent.get(action_id).document["state"] == "pending_review"


def _actions_of(site: Installation, agent_name: str) -> int:
    return site.stack.number(
        "SELECT count(*) FROM reviews_actionrequest a JOIN policies_agent g ON g.id = a.agent_id"
        " WHERE g.name = %s",
        agent_name,
    )


def _insist(ask: Callable[[], Answer], *, seconds: float = 60.0) -> Answer:
    """Ask again, as a client does, until there is an answer that is not "not now"."""
    ends = time.monotonic() + seconds
    while True:
        answer = ask()
        if answer.status not in {0, 429, 503} or time.monotonic() > ends:
            return answer
        time.sleep(0.1)


def _raw(site: Installation, length: str) -> socket.socket:
    """Return a connection on which the head of a submission has been sent."""
    connection = socket.create_connection(("127.0.0.1", site.stack.port), timeout=30)
    head = (
        f"POST /api/v1/actions HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {site.key}\r\n"
        f"Content-Type: {JSON}\r\nIdempotency-Key: {uuid.uuid4().hex}\r\n{length}\r\n\r\n"
    )
    connection.sendall(head.encode())
    return connection
