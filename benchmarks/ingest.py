"""Batches of observed actions over HTTP against COPY of the same rows, in the same run.

The answer to a batch comes after its rows are committed. COPY writes the same documents as jsonb into a plain
table with an index on a text, in batches of the same size, each committed. Then: how fast the gate works off
what was stored, in one process.
"""

from __future__ import annotations

import http.client
import json
import os
import time
import uuid
from urllib.parse import urlsplit

import psycopg
from django.conf import settings

from benchmarks import installation
from hitl_site.lib.clock import database_now
from reviews.models import IngestRow
from reviews.services import working_off

LINES = 1000
BATCHES = int(os.environ.get("BENCH_BATCHES", "6"))
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "5"))


def measure(made: installation.Installation) -> None:
    """Print rows a second of both, and the ratio; and of the work afterwards."""
    installation.make_table(
        "bench_copied", "id bigserial PRIMARY KEY, key text NOT NULL UNIQUE, body jsonb NOT NULL"
    )
    copied = sent = 0.0
    warm = [_lines()]  # caches are filled, files begun
    _copy(warm), _send(made.token, warm)
    for _ in range(ROUNDS):
        batches = [_lines() for _ in range(BATCHES)]
        copied += _copy(batches)
        sent += _send(made.token, batches)
    rows = ROUNDS * BATCHES * LINES
    print(f"\nbatches of {LINES} observed actions, one client")
    print(f"{'COPY, jsonb with two indexes':<34}{rows / copied:>11.0f} rows/s")
    print(f"{'POST /actions/batch':<34}{rows / sent:>11.0f} rows/s{copied / sent:>8.2f} of COPY")
    print(f"{'worked off through the gate':<34}{_work_off():>11.0f} rows/s, one process beside the worker")


def _lines() -> list[tuple[str, str]]:
    keys = [uuid.uuid4().hex for _ in range(LINES)]
    return [
        (
            key,
            json.dumps(
                {
                    "action_type": installation.ALLOWED,
                    "arguments": installation.ARGUMENTS,
                    "mode": "observed",
                    "confidence": 0.99,
                    "agent_version": "1",
                    "idempotency_key": key,
                }
            ),
        )
        for key in keys
    ]


def _copy(batches: list[list[tuple[str, str]]]) -> float:
    with psycopg.connect(settings.DATABASE_URL, options="-c synchronous_commit=on") as line:
        started = time.perf_counter()
        for batch in batches:
            with line.cursor().copy("COPY bench_copied (key, body) FROM STDIN") as writer:
                for row in batch:
                    writer.write_row(row)
            line.commit()
        return time.perf_counter() - started


def _send(token: str, batches: list[list[tuple[str, str]]]) -> float:
    bodies = ["\n".join(text for _, text in batch).encode() for batch in batches]
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/x-ndjson"}
    line = http.client.HTTPConnection(urlsplit(os.environ["HANDRAIL_URL"]).netloc, timeout=60)
    started = time.perf_counter()
    for body in bodies:
        line.request("POST", "/api/v1/actions/batch", body, headers)
        answer = line.getresponse()
        results = json.loads(answer.read())["results"]
        if answer.status != 200 or any(result["status"] != 202 for result in results):
            raise SystemExit(f"a batch got {answer.status}: {results[:1]}")
    took = time.perf_counter() - started
    line.close()
    return took


def _work_off(seconds: float = 5.0) -> float:
    """Return how many rows leave the queue in a second, by this process and the stack's worker together."""
    waiting = IngestRow.objects.filter(state="accepted")
    before, started = waiting.count(), time.perf_counter()
    while time.perf_counter() - started < seconds:
        if not working_off.work_off_waiting(clock=database_now, limit=100):
            break
    return (before - waiting.count()) / (time.perf_counter() - started)
