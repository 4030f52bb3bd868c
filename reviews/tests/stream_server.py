"""The stream process as ``make run`` starts it, on the test's database, and a reader of its events."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPResponse
from pathlib import Path
from urllib.parse import quote

from django.conf import settings
from django.db import connection

from hitl_site.lib.supervision.ports import reserved

PATIENCE = 20.0
# To load the whole site on a machine that does other things besides.
_START_SECONDS = 90.0


@dataclass(frozen=True)
class StreamServer:
    """A running stream process. ``site_port`` is where it believes the site to be."""

    port: int
    site_port: int

    @property
    def url(self) -> str:
        return f"http://localhost:{self.port}"

    def get(self, path: str, **headers: str) -> HTTPResponse:
        """Ask and return the answer, whatever its status; the body is read by the caller."""
        request = urllib.request.Request(self.url + path, headers=headers)
        try:
            answer = urllib.request.urlopen(request, timeout=PATIENCE)
        except urllib.error.HTTPError as refusal:
            answer = refusal
        assert isinstance(answer, (HTTPResponse, urllib.error.HTTPError))
        return answer  # type: ignore[return-value]  # an HTTPError reads like a response


@contextmanager
def serve_stream(*, site_port: int) -> Iterator[StreamServer]:
    """Run granian with the ASGI application until the block ends."""
    with reserved(1) as (port,):
        server = StreamServer(port=port, site_port=site_port)
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "granian", "hitl_site.asgi:application", "--interface", "asgi"),
                *("--host", "127.0.0.1", "--port", str(server.port), "--workers", "1", "--no-ws"),
                *("--workers-kill-timeout", "1", "--log-level", "error"),
            ],
            cwd=Path(settings.BASE_DIR),
            env={
                **os.environ,
                "DATABASE_URL": _database_url(),
                "HANDRAIL_PORT": str(site_port),
                "HANDRAIL_STREAM_PORT": str(server.port),
            },
        )
        try:
            _wait_for(server, process)
            yield server
        finally:
            process.terminate()
            try:
                process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def next_event(answer: HTTPResponse, name: str) -> None:
    """Read until an event of this name has come whole; comments and others are passed over."""
    while line := answer.readline():
        if line.decode().strip() == f"event: {name}":
            while answer.readline().strip():
                pass
            return
    raise AssertionError(f"the stream ended before {name!r}")


def _database_url() -> str:
    database = connection.settings_dict
    user, password = quote(database["USER"], safe=""), quote(database["PASSWORD"], safe="")
    host, port = quote(database["HOST"], safe=""), database["PORT"]
    account = f"{user}:{password}@" if user else ""
    return f"postgresql://{account}/{database['NAME']}?host={host}" + (f"&port={port}" if port else "")


def _wait_for(server: StreamServer, process: subprocess.Popen[bytes]) -> None:
    ends = time.monotonic() + _START_SECONDS
    while time.monotonic() < ends and process.poll() is None:
        try:
            server.get("/livez").close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError("the stream process did not start")
