"""The gate against a bare view with one INSERT, on the same server and database, in the same run."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks import load

SECONDS = float(os.environ.get("BENCH_SECONDS", "10"))
ARGUMENTS = {"order": "SO-48213", "amount": 184.0, "message": "Sorry for the delay. " * 80}


def measure() -> None:
    """Print both, with one client and with eight, and the ratio."""
    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "hitl_site.settings")
    django.setup()
    key = _prepare()
    url = os.environ["HANDRAIL_URL"]
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}

    def allowed(client: int, number: int) -> load.Request:
        return _proposal(headers, confidence=0.99)

    def held(client: int, number: int) -> load.Request:
        return _proposal(headers, confidence=0.1)

    def bare(client: int, number: int) -> load.Request:
        return "/insert", json.dumps({"arguments": ARGUMENTS}).encode(), {"Content-Type": "application/json"}

    with _bare_server() as bare_url:
        for clients in (1, 8):
            rows = {
                "bare view, one INSERT": load.run(bare_url, bare, clients=clients, seconds=SECONDS),
                "gate, allowed with a permit": load.run(url, allowed, clients=clients, seconds=SECONDS),
                "gate, held for a person": load.run(url, held, clients=clients, seconds=SECONDS),
            }
            base = rows["bare view, one INSERT"].per_second
            print(f"\n{clients} client(s)             requests/s     p50 ms     p99 ms   ratio")
            for name, row in rows.items():
                print(
                    f"{name:<28}{row.per_second:>8.0f}{row.p50:>11.1f}{row.p99:>11.1f}"
                    f"{row.per_second / base:>8.2f}"
                )


def _proposal(headers: dict[str, str], *, confidence: float) -> load.Request:
    body = {
        "action_type": "bench.refund",
        "arguments": ARGUMENTS,
        "confidence": confidence,
        "agent_version": "1",
    }
    return (
        "/api/v1/actions",
        json.dumps(body).encode(),
        {**headers, "Idempotency-Key": uuid.uuid4().hex},
    )


def _prepare() -> str:
    """Make an agent, a declared type with a policy and a level that lets it run alone; return the key."""
    from django.contrib.auth.models import User
    from django.db import connection

    from hitl_site.lib.clock import database_now
    from policies.choices import AGENT_SCOPES, AutonomyLevel, Risk
    from policies.services import action_types, agents, autonomy, policies
    from policies.services.ledger import Actor

    now, admin = database_now(), User.objects.get(username="admin")
    agent = agents.create_agent(name="bench", actor=Actor.person(admin), now=now)
    _, token = agents.create_key(agent=agent, scopes=AGENT_SCOPES, actor=Actor.person(admin), now=now)
    refund = action_types.declare(
        name="bench.refund",
        title="Refund",
        title_template="Refund {amount} for {order}",
        risk=Risk.LOW,
        argument_schema={
            "type": "object",
            "properties": {
                "order": {"type": "string"},
                "amount": {"type": "number"},
                "message": {"type": "string"},
            },
            "required": ["order", "amount"],
        },
        actor=Actor.person(admin),
        now=now,
    )
    rules = [
        {
            "code": f"over_{limit}",
            "title": f"Over {limit}",
            "when": f"args.amount > {limit}.0",
            "then": "review",
        }
        for limit in (1000, 5000)
    ]
    policies.put_in_force(
        action_type=refund,
        document={"threshold": 0.5, "rules": rules, "audit_rate": 0.02},
        author=admin,
        reason="benchmark",
        now=now,
    )
    autonomy.grant(
        agent_version=agents.see_version(agent=agent, label="1", now=now),
        action_type=refund,
        level=AutonomyLevel.THRESHOLD,
        reason="benchmark",
        granted_by=admin,
        now=now,
    )
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE bench_row (id bigserial PRIMARY KEY, body jsonb NOT NULL)")
    connection.close()
    return token


@contextmanager
def _bare_server() -> Iterator[str]:
    """Serve the bare view as the product is served: granian, WSGI, as many workers as cores."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = subprocess.Popen(
        [
            *(sys.executable, "-m", "granian", "benchmarks.bare_wsgi:application", "--interface", "wsgi"),
            *("--host", "127.0.0.1", "--port", str(port), "--workers", str(os.cpu_count() or 1)),
            *("--no-ws", "--log-level", "error"),
        ]
    )
    url = f"http://127.0.0.1:{port}"
    try:
        for _ in range(100):
            try:
                urllib.request.urlopen(f"{url}/nothing")
            except urllib.error.HTTPError:
                break
            except OSError:
                time.sleep(0.1)
        yield url
    finally:
        server.terminate()
        server.wait(timeout=10)
