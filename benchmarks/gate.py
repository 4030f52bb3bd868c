"""The gate against a bare view with one INSERT, on the same server program and database, in the same run.

Bare view and gate take turns of a few seconds, so that what else the machine does meets both alike. A third
view sends the gate's own two statements without judging anything: no gate that writes this could be faster.
"""

from __future__ import annotations

import json
import os
import tempfile
import uuid
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings

from benchmarks import cost, disk, installation, load, servers, statements

SECONDS = float(os.environ.get("BENCH_SECONDS", "3"))
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "3"))
CLIENTS = (1, 8)


@dataclass(frozen=True)
class Kind:
    """One kind of request: its name, where it goes, and what an answer may be."""

    name: str
    url: str
    make: load.Maker
    expected: tuple[int, ...] = (201,)


def measure(made: installation.Installation) -> None:
    """Print requests a second, two percentiles, and the ratio to the barest view."""
    with ExitStack() as open_servers:
        kinds = _kinds(
            made,
            bare=open_servers.enter_context(servers.bare_view(middleware=False)),
            dressed=open_servers.enter_context(servers.bare_view(middleware=True)),
            floor=open_servers.enter_context(servers.floor_view(_recorded(made, open_servers))),
        )
        for clients in CLIENTS:
            for kind in kinds:  # connections are opened, plans are made
                load.run(kind.url, kind.make, clients=clients, seconds=SECONDS, expected=kind.expected)
            rows = {kind.name: load.Figures() for kind in kinds}
            synced = []
            for _ in range(ROUNDS):
                synced.append(disk.fsyncs_per_second(Path(settings.HANDRAIL_HOME)))
                for kind in kinds:
                    found = load.run(
                        kind.url, kind.make, clients=clients, seconds=SECONDS, expected=kind.expected
                    )
                    rows[kind.name].times += found.times
                    rows[kind.name].seconds += found.seconds
            _print(clients, rows, base=rows[kinds[0].name].per_second, synced=synced)


def _recorded(made: installation.Installation, cleared: ExitStack) -> Path:
    """Return the file with what an allowed action sends to PostgreSQL, once plans and caches are warm."""
    from hitl_site.wsgi import application

    body = json.dumps(_proposal(installation.ALLOWED, 0.99)).encode()
    path = Path(cleared.enter_context(tempfile.TemporaryDirectory())) / "statements.json"
    cost.call(application, "/api/v1/actions", body, made.token, 20)
    statements.record(lambda: cost.call(application, "/api/v1/actions", body, made.token, 1), path)
    return path


def _kinds(made: installation.Installation, *, bare: str, dressed: str, floor: str) -> list[Kind]:
    url = os.environ["HANDRAIL_URL"]
    headers = {"Authorization": f"Bearer {made.token}", "Content-Type": "application/json"}
    alone = json.dumps(_proposal(installation.ALLOWED, 0.99)).encode()

    def insert(client: int, number: int) -> load.Request:
        return "/insert", alone, {"Content-Type": "application/json"}

    def create(client: int, number: int) -> load.Request:
        return "/create", alone, {"Content-Type": "application/json"}

    def propose(name: str, confidence: float, *, key: str = "") -> load.Maker:
        body = json.dumps(_proposal(name, confidence)).encode()

        def make(client: int, number: int) -> load.Request:
            return "/api/v1/actions", body, {**headers, "Idempotency-Key": key or uuid.uuid4().hex}

        return make

    return [
        Kind("bare view, no middleware", bare, insert),
        Kind("bare view, the site's middleware", dressed, insert),
        Kind("the same by Django's ORM", dressed, create),
        Kind("the gate's statements alone", floor, insert),
        Kind("gate: allowed, with a permit", url, propose(installation.ALLOWED, 0.99)),
        Kind("gate: held for a person", url, propose(installation.ALLOWED, 0.1)),
        Kind("gate: denied by a stop", url, propose(installation.STOPPED, 0.99)),
        Kind("gate: replayed", url, propose(installation.ALLOWED, 0.98, key="again"), (200, 201)),
    ]


def _proposal(name: str, confidence: float) -> dict[str, object]:
    return {
        "action_type": name,
        "arguments": installation.ARGUMENTS,
        "confidence": confidence,
        "agent_version": "1",
    }


def _print(clients: int, rows: dict[str, load.Figures], *, base: float, synced: list[float]) -> None:
    rates = ", ".join(f"{rate:.0f}" for rate in synced)
    print(f"\n{clients} client(s); fsync of the disk: {rates} a second")
    print(f"{'':<34}{'requests/s':>11}{'p50 ms':>9}{'p99 ms':>9}{'p99/p50':>9}{'ratio':>8}")
    for name, row in rows.items():
        middle, slow = row.percentile(0.5), row.percentile(0.99)
        print(
            f"{name:<34}{row.per_second:>11.0f}{middle:>9.1f}{slow:>9.1f}{slow / middle:>9.1f}"
            f"{row.per_second / base:>8.2f}"
        )
