"""Faults of the worker, the broker, the database and the clock (F3 to F6, F9, F12, F13, F29, F30)."""

from __future__ import annotations

import json
import os
import pwd
import secrets
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime, timedelta
from pathlib import Path

import psycopg
import pytest
import redis

from hitl_site.lib.supervision import wait_until
from tests.faults.installation import ALONE, HELD, Installation
from tests.faults.side import SKEW, broker_proxy, database_proxy, side_web
from tests.faults.stack import ROOT, send
from tests.faults.wire import Agent, Answer

pytestmark = pytest.mark.stack

# Generous on a busy machine; the promise is seconds, and what is asserted is that it is no hang.
BOUNDED = 20.0


def test_f03_killed_workers_lose_no_line_of_a_batch_and_do_none_twice(site: Installation) -> None:
    """F3: kill -9 of a pool process, then of the whole worker: all lines are worked off, each once."""
    name, agent = site.another_agent()
    lines = 300
    _report(agent, lines)
    for pid in site.stack.below("worker"):
        send(pid, signal.SIGKILL)
    _report(agent, lines, first=lines)
    worker = site.stack.children()["worker"]
    os.killpg(worker, signal.SIGKILL)
    assert wait_until(lambda: _rows(site, name) == {"done": 2 * lines}, seconds=90, every=0.2), _rows(
        site, name
    )
    assert (
        site.stack.number(
            "SELECT count(*) FROM reviews_actionrequest a JOIN policies_agent g ON g.id = a.agent_id"
            " WHERE g.name = %s AND a.state = 'observed'",
            name,
        )
        == 2 * lines
    )
    assert (
        site.stack.number(
            "SELECT count(*) FROM policies_ledgerentry e"
            " JOIN reviews_actionrequest a ON a.public_id = e.action_id"
            " JOIN policies_agent g ON g.id = a.agent_id WHERE g.name = %s AND e.verb = 'action.observed'",
            name,
        )
        == 2 * lines
    )
    assert site.stack.children()["worker"] != worker


@pytest.mark.parametrize("how", ["dead", "emptied", "silent"])
def test_f04_without_its_broker_the_site_goes_on(site: Installation, how: str) -> None:
    """F4: gate, inbox, decision and consume work without a broker; readiness is degraded, not lost."""
    valkey = site.stack.children()["valkey"]
    name, agent = site.another_agent()
    reviewer = site.browser(site.people["rosa"])
    with ExitStack() as after:
        if how == "silent":
            after.callback(send, valkey, signal.SIGCONT)
            send(valkey, signal.SIGSTOP)
        elif how == "dead":
            send(valkey, signal.SIGKILL)
        else:
            with redis.Redis.from_url(site.stack.server("REDIS_URL")) as client:
                client.flushall()
        began = time.monotonic()
        allowed = site.allowed(agent)
        assert agent.consume(allowed.permit_id, allowed.digest, key="k").status == 200
        _report(agent, 20)
        assert time.monotonic() - began < BOUNDED
        assert reviewer.get("/inbox/").status == 200
        approved = site.approved(agent)
        assert agent.consume(approved.permit_id, approved.digest, key="k").status == 200
        if how == "silent":
            said = site.stack.readiness()
            assert said["status"] == "degraded"
            assert site.stack.status("/readyz") == 200
    # The lines were stored; whatever hint was lost, somebody finds them.
    assert wait_until(lambda: _rows(site, name) == {"done": 20}, seconds=60, every=0.2)


def test_f04_a_batch_does_not_wait_for_a_broker_that_says_nothing(site: Installation) -> None:
    """F4: a hint that cannot be sent costs a moment once, and after that nothing."""
    with broker_proxy(site.stack) as (proxy, address), side_web(site.stack, {"REDIS_URL": address}) as port:
        name, agent = site.another_agent()
        agent = agent.through(port)
        proxy.black_hole()
        began = time.monotonic()
        for number in range(10):
            _report(agent, 1, first=number)
        assert time.monotonic() - began < BOUNDED
        proxy.heal()
    assert wait_until(lambda: _rows(site, name) == {"done": 10}, seconds=60, every=0.2)


def test_f05_without_its_database_the_site_refuses_and_comes_back_by_itself(site: Installation) -> None:
    """F5: kill -9 of the postmaster: 503 with Retry-After meanwhile, never an allow, no restart of ours."""
    agent = site.agent
    before = site.stack.children()
    known = site.allowed()
    refused: list[Answer] = []
    for _ in range(5):
        site.stack.kill("postgres")
        ends = time.monotonic() + 60
        while (answer := agent.propose(ALONE, {"text": uuid.uuid4().hex}, confidence=1)).status != 201:
            refused.append(answer)
            assert time.monotonic() < ends, answer
        if refused:
            break
    assert refused
    for answer in refused:
        assert (answer.status, answer.slug) == (503, "database-unavailable"), answer
        assert int(answer.headers["retry-after"]) > 0
        assert "verdict" not in answer.document
        assert "permit" not in answer.document
    assert agent.consume(known.permit_id, known.digest, key="k").status == 200
    assert site.approved()
    after = site.stack.children()
    assert {name for name in before if after[name] != before[name]} == {"postgres"}
    assert site.ledger_is_whole()


def test_f06_a_database_that_says_nothing_is_a_bounded_503(site: Installation) -> None:
    """F6: what is under way and what comes is refused in seconds, and allowed again when the way is open."""
    with (
        database_proxy(site.stack) as (proxy, address),
        side_web(site.stack, {"DATABASE_URL": address}) as port,
    ):
        agent = site.agent.through(port)
        known = site.allowed(agent)
        proxy.black_hole()
        for number in range(4):  # on connections that are open, then on those that cannot be opened
            began = time.monotonic()
            if number % 2:
                answer = agent.consume(known.permit_id, known.digest, key="k")
            else:
                answer = agent.propose(ALONE, {"text": "into the void"}, confidence=1)
            assert time.monotonic() - began < BOUNDED
            assert (answer.status, answer.slug) == (503, "database-unavailable"), answer
            assert "retry-after" in answer.headers
            assert "verdict" not in answer.document
        proxy.heal()
        assert wait_until(
            lambda: agent.consume(known.permit_id, known.digest, key="k").status == 200, seconds=30
        )
        assert site.allowed(agent)


def test_f09_only_the_clock_of_the_database_decides(site: Installation) -> None:
    """F9: a web process an hour ahead gives the same deadlines, permits and refusals as any other."""
    ahead = {"PYTHONPATH": f"{SKEW}:{ROOT}", "HANDRAIL_TEST_CLOCK_AHEAD": "3600"}
    with side_web(site.stack, ahead) as port:
        agent = site.agent.through(port)
        there, here = (
            each.propose(HELD, {"order": uuid.uuid4().hex, "amount": 1}, timeout="10m").document
            for each in (agent, site.agent)
        )
        off = _moment(there["expires_at"]) - _moment(here["expires_at"])
        assert abs(off) < timedelta(minutes=5)
        assert agent.get(here["id"]).document["state"] == "pending_review"
        # A permit that the others issued is live there, and one issued there is live here.
        allowed = site.allowed()
        assert agent.consume(allowed.permit_id, allowed.digest, key="k").status == 200
        allowed = site.allowed(agent)
        assert site.agent.consume(allowed.permit_id, allowed.digest, key="k").status == 200
        moments = site.stack.ask(
            "SELECT created_at, clock_timestamp() FROM reviews_actionrequest WHERE public_id = %s",
            there["id"],
        )
        ((created, now),) = moments
        assert isinstance(created, datetime)
        assert isinstance(now, datetime)
        assert abs(now - created) < timedelta(minutes=5)


def test_f12_a_poisoned_line_is_parked_and_the_others_keep_moving(site: Installation) -> None:
    """F12: five attempts, then it is set aside with its error; the lines around it are worked off."""
    name, agent = site.another_agent()
    _report(agent, 3)
    # One that cannot be read, and one that the database refuses: both as no door would let them in.
    unreadable = "this is no JSON"
    refused = json.dumps(
        {"action_type": ALONE, "arguments": {"nul": "\0"}, "mode": "observed", "idempotency_key": "nul"}
    )
    poisons = [_poison(site, name, canonical) for canonical in (unreadable, refused)]
    _report(agent, 3, first=3)
    assert wait_until(lambda: _rows(site, name) == {"done": 6, "parked": 2}, seconds=90, every=0.2), _rows(
        site, name
    )
    for row in poisons:
        ((attempts, error),) = site.stack.ask(
            "SELECT attempts, last_error FROM reviews_ingestrow WHERE public_id = %s", row
        )
        assert attempts == 5
        assert error
    _report(agent, 1, first=6)
    assert wait_until(lambda: _rows(site, name) == {"done": 7, "parked": 2}, seconds=60, every=0.2)


def test_f13_a_full_disk_refuses_what_is_new_and_keeps_what_there_is(site: Installation) -> None:
    """F13: writes get 503 storage-full and no verdict, reads go on, and with space again all is as before."""
    with _small_disk(site) as fill:
        known = site.held()
        fill()
        agent = site.agent
        refused = None
        for _ in range(200):
            # Not to be compressed: a few small ones fit into pages that the table has already.
            context = {"input": secrets.token_hex(16_000)}
            answer = agent.propose(HELD, {"order": uuid.uuid4().hex, "amount": 1}, context=context)
            if answer.status != 201:
                refused = answer
                break
        assert refused is not None
        assert (refused.status, refused.slug) == (503, "storage-full"), refused
        assert "retry-after" in refused.headers
        assert "verdict" not in refused.document
        assert agent.get(known).document["state"] == "pending_review"
        assert site.browser(site.people["rosa"]).get("/inbox/").status == 200
        fill(empty=True)
        context = {"input": secrets.token_hex(16_000)}
        assert wait_until(
            lambda: agent.propose(ALONE, {"text": "space"}, confidence=1, context=context).status == 201,
            seconds=30,
        )
        assert site.state(known) == "pending_review"
    assert site.ledger_is_whole()


def test_f29_a_transaction_that_hangs_elsewhere_does_not_hold_up_the_gate(site: Installation) -> None:
    """F29: while somebody else's write stays open, actions are judged, decided and consumed as ever."""
    with site.stack.database() as elsewhere, elsewhere.transaction(force_rollback=True):
        elsewhere.execute(
            "INSERT INTO policies_looptick (name, ticked_at) VALUES ('a test that hangs', clock_timestamp())"
        )
        began = time.monotonic()
        for _ in range(20):
            allowed = site.allowed()
            assert site.agent.consume(allowed.permit_id, allowed.digest, key="k").status == 200
        assert site.approved()
        assert time.monotonic() - began < 2 * BOUNDED
    assert site.ledger_is_whole()


def test_f30_three_sweepers_do_everything_once(site: Installation) -> None:
    """F30: any number of workers may sweep; what falls due is done, and done once."""
    more = f"sweeper-{uuid.uuid4().hex[:8]}"
    environment = site.stack.environment() | {
        "DATABASE_URL": site.stack.server("DATABASE_URL"),
        "REDIS_URL": site.stack.server("REDIS_URL"),
        "PGAPPNAME": more,
    }
    argv = [sys.executable, "-m", "celery", "--quiet", "-A", "hitl_site", "worker", "-P", "solo"]
    argv += ["-Q", f"nothing-{uuid.uuid4().hex}", "--without-gossip", "--without-mingle"]
    with ExitStack() as after:
        for _ in range(2):
            worker = subprocess.Popen(argv, cwd=ROOT, env=environment, start_new_session=True)
            after.callback(worker.wait, 10)
            after.callback(os.killpg, worker.pid, signal.SIGKILL)
        # The two loops of each worker have a connection of their own.
        assert wait_until(
            lambda: (
                site.stack.number("SELECT count(*) FROM pg_stat_activity WHERE application_name = %s", more)
                >= 4
            ),
            seconds=60,
        )
        short = [site.held(timeout="1s") for _ in range(30)]
        assert all(site.becomes(action_id, "expired") for action_id in short)
        approved = [site.approved() for _ in range(3)]
    assert site.stack.ask(
        "SELECT count(*), count(DISTINCT action_id) FROM policies_ledgerentry"
        " WHERE verb = 'action.expired' AND action_id = ANY(%s)",
        short,
    ) == [(30, 30)]
    assert site.stack.ask(
        "SELECT count(*), count(DISTINCT action_id) FROM policies_ledgerentry"
        " WHERE verb = 'permit.issued' AND action_id = ANY(%s)",
        [each.action_id for each in approved],
    ) == [(3, 3)]


def test_f30_no_sweeper_at_all_is_said_by_readiness(site: Installation) -> None:
    """F30: loops that have not come round for half a minute make readiness warn, without taking it away."""
    stopped = [site.stack.children()[name] for name in ("worker", "beat")]
    with ExitStack() as after:
        for pid in stopped:
            after.callback(os.killpg, pid, signal.SIGCONT)
            os.killpg(pid, signal.SIGSTOP)
        assert wait_until(
            lambda: (
                site.stack.change(
                    "UPDATE policies_looptick SET ticked_at = clock_timestamp() - interval '1 minute'"
                )
                > 0
                and site.stack.readiness()["status"] == "degraded"
            ),
            seconds=20,
            every=0.2,
        )
        assert site.stack.status("/readyz") == 200
    assert wait_until(lambda: site.stack.readiness()["status"] == "ok", seconds=30, every=0.2)


def _report(agent: Agent, count: int, *, first: int = 0) -> None:
    """Send a batch of observed actions; each line is accepted."""
    lines = [
        {
            "action_type": ALONE,
            "arguments": {"n": first + number},
            "mode": "observed",
            "idempotency_key": f"line-{first + number}",
            "outcome": {"status": "done"},
        }
        for number in range(count)
    ]
    body = "\n".join(json.dumps(line) for line in lines).encode()
    answer = agent.call("POST", "/actions/batch", body, {"Content-Type": "application/x-ndjson"})
    assert answer.status == 200, answer
    assert {result["status"] for result in answer.document["results"]} == {202}


def _poison(site: Installation, agent_name: str, canonical: str) -> str:
    """Put a line among those to be worked off; return its id."""
    row = f"act_{uuid.uuid4().hex}"
    made = site.stack.change(
        "INSERT INTO reviews_ingestrow (public_id, batch_id, agent_id, agent_key_id, idempotency_key,"
        " body_digest, body, request_id, state, attempts, last_error, accepted_at)"
        " SELECT %s, batch_id, agent_id, agent_key_id, %s, body_digest, %s::jsonb, '', 'accepted', 0, '',"
        " clock_timestamp() FROM reviews_ingestrow r JOIN policies_agent g ON g.id = r.agent_id"
        " WHERE g.name = %s LIMIT 1",
        row,
        row,
        json.dumps({"canonical": canonical}),
        agent_name,
    )
    assert made == 1
    return row


def _rows(site: Installation, agent_name: str) -> dict[object, object]:
    counted = site.stack.ask(
        "SELECT r.state, count(*) FROM reviews_ingestrow r JOIN policies_agent g ON g.id = r.agent_id"
        " WHERE g.name = %s GROUP BY r.state",
        agent_name,
    )
    return {state: count for state, count in counted}  # noqa: C416 - rows are tuples of any length


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


class _Ballast:
    """Fills a small disk to the last page, and empties it."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "ballast"

    def __call__(self, *, empty: bool = False) -> None:
        if empty:
            self._file.unlink(missing_ok=True)
            return
        with self._file.open("wb", buffering=0) as file:
            try:
                while True:
                    file.write(b"\0" * 4096)
            except OSError:
                return


@contextmanager
def _small_disk(site: Installation) -> Iterator[_Ballast]:
    """Keep what agents say around their actions on a disk of a few megabytes; give what fills it."""
    if os.geteuid() != 0:
        pytest.skip("F13 NOT TESTED: only root can mount a small disk")
    server = pwd.getpwuid((site.stack.home / "postgres").stat().st_uid)
    folder = site.stack.home.parent / f"disk-{uuid.uuid4().hex[:6]}"
    folder.mkdir(mode=0o711)
    mounted = subprocess.run(
        ["/bin/mount", "-t", "tmpfs", "-o", "size=64m,mode=0711", "tmpfs", str(folder)],
        check=False,
        capture_output=True,
        text=True,
    )
    if mounted.returncode != 0:
        pytest.skip(f"F13 NOT TESTED: no tmpfs here ({mounted.stderr.strip()})")
    try:
        space = folder / "space"
        space.mkdir(mode=0o700)
        os.chown(space, server.pw_uid, server.pw_gid)
        with _superuser(site) as connection:
            connection.execute(f"CREATE TABLESPACE small LOCATION '{space}'".encode())
            connection.execute("GRANT CREATE ON TABLESPACE small TO PUBLIC")
            connection.execute("ALTER TABLE reviews_actioncontext SET TABLESPACE small")
        ballast = _Ballast(folder)
        try:
            yield ballast
        finally:
            ballast(empty=True)
            with _superuser(site) as connection:
                connection.execute("ALTER TABLE reviews_actioncontext SET TABLESPACE pg_default")
                connection.execute("DROP TABLESPACE small")
    finally:
        subprocess.run(["/bin/umount", "-l", str(folder)], check=True)


@contextmanager
def _superuser(site: Installation) -> Iterator[psycopg.Connection[tuple[object, ...]]]:
    password = (site.stack.home / "secrets" / "postgres-password").read_text().strip()
    with psycopg.connect(
        site.stack.server("DATABASE_URL"), user="postgres", password=password, autocommit=True
    ) as connection:
        yield connection
