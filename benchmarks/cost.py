"""Processor time of one request, in this very process: what it costs, whatever else the machine does.

Requests a second depend on who else wants the processor at that moment; the time that a request itself uses
hardly does. The application is called as the server calls it (WSGI), one request after the other, against
the same database with durable commits. Beside it, the bare view of ``benchmarks.gate``.
"""

from __future__ import annotations

import io
import json
import os
import statistics
import time
import uuid
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from django.db import connection
from django.test import override_settings

from benchmarks import installation

REQUESTS = int(os.environ.get("BENCH_REQUESTS", "300"))
ROUNDS = 5
_TICK = os.sysconf("SC_CLK_TCK")

Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


def measure(made: installation.Installation) -> None:
    """Print milliseconds of this process and of its backend in PostgreSQL for each kind of request."""
    from hitl_site.wsgi import application

    body = json.dumps(
        {
            "action_type": installation.ALLOWED,
            "arguments": installation.ARGUMENTS,
            "confidence": 0.99,
            "agent_version": "1",
        }
    ).encode()
    held = body.replace(b"0.99", b"0.1")
    rows: list[tuple[str, Application, str, bytes, str]] = [
        ("bare view, no middleware", bare(), "/insert", body, ""),
        ("gate: allowed, with a permit", application, "/api/v1/actions", body, made.token),
        ("gate: held for a person", application, "/api/v1/actions", held, made.token),
    ]
    print(f"\nprocessor time of one request; median of {ROUNDS} rounds of {REQUESTS}")
    print(f"{'':<34}{'this process':>14}{'PostgreSQL':>13}")
    for name, served, path, sent, token in rows:
        call(served, path, sent, token, 50)
        own, backend = zip(*(_round(served, path, sent, token) for _ in range(ROUNDS)), strict=True)
        print(f"{name:<34}{statistics.median(own):>11.2f} ms{statistics.median(backend):>10.2f} ms")


def bare() -> Application:
    """Return the view with one INSERT, without middleware."""
    from django.core.handlers.wsgi import WSGIHandler

    with override_settings(MIDDLEWARE=[]):
        handler = WSGIHandler()

    def serve(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        with override_settings(ROOT_URLCONF="benchmarks.bare_urls"):
            return handler(environ, start_response)

    return serve


def call(application: Application, path: str, body: bytes, token: str, times: int) -> None:
    """Send so many requests, one after the other; each is answered with 201."""
    for _ in range(times):
        said: list[str] = []
        environ = {
            "REQUEST_METHOD": "POST",
            "PATH_INFO": path,
            "SERVER_NAME": "localhost",
            "SERVER_PORT": "8000",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "HTTP_HOST": "localhost:8000",
            "REMOTE_ADDR": "127.0.0.1",
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(body),
            "CONTENT_TYPE": "application/json",
            "CONTENT_LENGTH": str(len(body)),
            "HTTP_AUTHORIZATION": f"Bearer {token}",
            "HTTP_IDEMPOTENCY_KEY": uuid.uuid4().hex,
        }
        answer = application(environ, lambda status, headers, said=said: said.append(status))
        text = b"".join(answer)
        close = getattr(answer, "close", None)
        if close is not None:
            close()
        if not said[0].startswith("201"):
            raise SystemExit(f"the benchmark got {said[0]}: {text[:300]!r}")


def _round(application: Application, path: str, body: bytes, token: str) -> tuple[float, float]:
    connection.ensure_connection()
    backend = connection.connection.info.backend_pid
    own, theirs = time.process_time(), _backend_seconds(backend)
    call(application, path, body, token, REQUESTS)
    scale = 1000 / REQUESTS
    return (time.process_time() - own) * scale, (_backend_seconds(backend) - theirs) * scale


def _backend_seconds(pid: int) -> float:
    """Return the processor time of a process of this machine, 0 where that cannot be read."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / _TICK
