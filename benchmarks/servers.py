"""What the gate is measured against, served just as the product is: the same server program and settings."""

from __future__ import annotations

import os
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings

from hitl_site.stack import Stack

BASE = Path(__file__).resolve().parent.parent


@contextmanager
def bare_view(*, middleware: bool) -> Iterator[str]:
    """Give the address of a running bare view, with the site's middleware or with none."""
    own = {
        "DJANGO_SETTINGS_MODULE": "benchmarks.bare",
        "HANDRAIL_BENCH_MIDDLEWARE": "1" if middleware else "0",
    }
    with _served(own) as url:
        yield url


@contextmanager
def floor_view(statements: Path) -> Iterator[str]:
    """Give the address of a view that sends the recorded statements of the gate, and does nothing else."""
    own = {"DJANGO_SETTINGS_MODULE": "benchmarks.floor", "HANDRAIL_BENCH_STATEMENTS": str(statements)}
    with _served(own) as url:
        yield url


@contextmanager
def _served(own: dict[str, str]) -> Iterator[str]:
    port = _free_port()
    environment = {**os.environ, **own}
    stack = Stack(
        base=BASE,
        home=Path(settings.HANDRAIL_HOME),
        bind="127.0.0.1",
        port=port,
        stream_port=_free_port(),
        wait_slots=settings.WAIT_SLOTS,
        environment=environment,
    )
    web = next(program for program in stack.programs() if program.name == "web")
    arguments = ["benchmarks.bare_wsgi:application" if ":application" in each else each for each in web.argv]
    server = subprocess.Popen(arguments, env=environment, cwd=BASE)
    url = f"http://localhost:{port}"
    try:
        _await(url)
        yield url
    finally:
        server.terminate()
        server.wait(timeout=20)


def _await(url: str) -> None:
    for _ in range(300):
        try:
            urllib.request.urlopen(f"{url}/insert", data=b"{}")
        except urllib.error.HTTPError as refusal:
            raise SystemExit(f"the bare view answers {refusal.code}") from refusal
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise SystemExit("the bare view does not start")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port
