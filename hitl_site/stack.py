"""The programs of one machine beside its servers: web, stream, worker and beat."""

from __future__ import annotations

import os
import signal
import sys
from dataclasses import dataclass
from pathlib import Path

from hitl_site.lib.supervision import Program

# Beside the threads that may hold a waiting agent (HANDRAIL_WAIT_SLOTS), each web process keeps these.
THREADS_BESIDE_WAITERS = 8
MOST_WORKERS = 4
# A program that is asked to stop has this long to finish what it has begun.
FINISH_SECONDS = 10


@dataclass(frozen=True)
class Stack:
    """What one machine runs, and where it listens."""

    base: Path
    home: Path
    bind: str
    port: int
    stream_port: int
    wait_slots: int
    environment: dict[str, str]

    @property
    def processes(self) -> int:
        return os.cpu_count() or 1

    @property
    def threads(self) -> int:
        return self.wait_slots + THREADS_BESIDE_WAITERS

    @property
    def connections(self) -> int:
        """How many database connections all programs may hold at once, with room for a person's psql."""
        return max(100, self.processes * self.threads + 2 * MOST_WORKERS + 40)

    def programs(self) -> tuple[Program, ...]:
        """Return the programs in the order of their start."""
        return (self._web(), self._stream(), self._worker(), self._beat())

    def command(self, *arguments: str) -> Program:
        """Return ``manage.py`` with these arguments, as a program."""
        return self._python(arguments[0], str(self.base / "manage.py"), *arguments)

    def _web(self) -> Program:
        return self._granian(
            "web",
            "hitl_site.wsgi:application",
            *("--interface", "wsgi", "--port", str(self.port), "--workers", str(self.processes)),
            *("--blocking-threads", str(self.threads)),
        )

    def _stream(self) -> Program:
        return self._granian(
            "stream",
            "hitl_site.asgi:application",
            *("--interface", "asgi", "--port", str(self.stream_port), "--workers", "1"),
        )

    def _granian(self, name: str, target: str, *options: str) -> Program:
        return self._python(
            name,
            *("-m", "granian", target, "--host", self.bind, *options),
            # Whoever waits is answered at once (lib.shutdown); this is for what really runs.
            *("--respawn-failed-workers", "--workers-kill-timeout", str(FINISH_SECONDS)),
            *("--no-ws", "--log-level", "error"),
        )

    def _worker(self) -> Program:
        concurrency = min(self.processes, MOST_WORKERS)
        return self._celery(
            "worker", "--concurrency", str(concurrency), "--without-gossip", "--without-mingle"
        )

    def _beat(self) -> Program:
        schedule = self.home / "run" / "beat-schedule"
        return self._celery("beat", "--schedule", str(schedule), "--pidfile", "")

    def _celery(self, name: str, *arguments: str) -> Program:
        return self._python(
            name,
            # The command "up" says once, in one line, what it means to be root.
            *("-W", "ignore:You're running the worker with superuser privileges"),
            *("-m", "celery", "--quiet", "-A", "hitl_site", name, "--loglevel", "WARNING", *arguments),
            # Without us there is no broker either, and a polite end would only wait for it.
            orphan_signal=signal.SIGKILL,
        )

    def _python(self, name: str, *arguments: str, orphan_signal: signal.Signals | None = None) -> Program:
        return Program(
            name=name,
            argv=(sys.executable, *arguments),
            env=self.environment,
            cwd=self.base,
            stop_seconds=FINISH_SECONDS + 2,
            orphan_signal=orphan_signal,
        )
