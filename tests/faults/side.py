"""One more web process of a stack: with a breakable way to its servers, or with a clock of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from hitl_site.lib.supervision import wait_until
from hitl_site.lib.supervision.ports import reserved
from tests.faults.proxy import FaultProxy
from tests.faults.stack import ROOT, Stack
from tests.faults.wire import Agent

SKEW = Path(__file__).parent / "skew"


@contextmanager
def side_web(stack: Stack, settings: Mapping[str, str]) -> Iterator[int]:
    """Give the port of a web process that is the stack's in all but these settings."""
    with reserved(1) as (port,):
        environment = stack.environment() | {
            "DATABASE_URL": stack.server("DATABASE_URL"),
            "REDIS_URL": stack.server("REDIS_URL"),
            **settings,
        }
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "granian", "hitl_site.wsgi:application", "--interface", "wsgi"),
                *("--host", "127.0.0.1", "--port", str(port), "--workers", "1", "--blocking-threads", "12"),
                *("--no-ws", "--log-level", "error"),
            ],
            cwd=ROOT,
            env=environment,
            start_new_session=True,
        )
        try:
            agent = Agent(port, "")
            assert wait_until(
                lambda: agent.call("GET", "/agent").status == 401 or process.poll() is not None,
                seconds=60,
                every=0.1,
            )
            yield port
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(10)


@contextmanager
def database_proxy(stack: Stack) -> Iterator[tuple[FaultProxy, str]]:
    """Give a proxy in front of the stack's database, and the address through it."""
    parts = urlsplit(stack.server("DATABASE_URL"))
    folder = Path(parse_qs(parts.query)["host"][0])
    with FaultProxy(folder / ".s.PGSQL.5432") as proxy:
        yield (
            proxy,
            f"postgresql://{parts.username}:{parts.password}@127.0.0.1:{proxy.port}{parts.path}",
        )


@contextmanager
def broker_proxy(stack: Stack) -> Iterator[tuple[FaultProxy, str]]:
    """Give a proxy in front of the stack's broker, and the address through it."""
    with FaultProxy(Path(stack.server("REDIS_URL").removeprefix("unix://"))) as proxy:
        yield proxy, f"redis://127.0.0.1:{proxy.port}/0"
