"""``manage.py up`` in a folder of its own, seen from outside: started, hurt in every part, stopped.

Processes are found through the roster that this very stack writes, and from there downwards, never by name:
other stacks run on the same machine.
"""

from __future__ import annotations

import http.client
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import psycopg
import pytest

from hitl_site.lib.embedded import places
from hitl_site.lib.supervision import Account, wait_until
from hitl_site.lib.supervision.ports import reserved
from hitl_site.lib.supervision.roster import start_time

ROOT = Path(__file__).resolve().parents[2]
CHILDREN = ("postgres", "valkey", "web", "stream", "worker", "beat")
START_SECONDS = 120.0
# All its children may take the time that they are given, one wave of them after the other.
STOP_SECONDS = 90.0
WEB_WORKERS = os.cpu_count() or 1
IN_A_ROW = 12

Row = tuple[object, ...]


class Stack:
    """One stack. ``settings`` are variables of its environment beside those that place it."""

    def __init__(
        self, home: Path, account: Account | None = None, settings: Mapping[str, str] | None = None
    ) -> None:
        self.home = home
        self.account = account
        self.settings = dict(settings or {})
        self.log = home.parent / "up.log"
        self.process: subprocess.Popen[bytes] | None = None
        self.failed = False
        self._reserved = ExitStack()
        self.port, self.stream_port = self._reserved.enter_context(reserved(2))

    @property
    def url(self) -> str:
        """Where the site answers."""
        return f"http://localhost:{self.port}"

    @property
    def stream_url(self) -> str:
        """Where long waits are held."""
        return f"http://localhost:{self.stream_port}"

    def environment(self) -> dict[str, str]:
        """Return the environment of a command about this stack."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("HANDRAIL_")}
        for name in ("DATABASE_URL", "REDIS_URL", "DJANGO_SETTINGS_MODULE"):
            kept.pop(name, None)
        return (
            kept
            | {
                "HANDRAIL_HOME": str(self.home),
                "HANDRAIL_PORT": str(self.port),
                "HANDRAIL_STREAM_PORT": str(self.stream_port),
                "HANDRAIL_PUBLIC_URL": self.url,
                "HANDRAIL_DEMO": "0",
            }
            | self.settings
        )

    def start(self) -> None:
        """Start it and return when it is ready."""
        account = self.account
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "manage.py", "up"],
                cwd=ROOT,
                env=self.environment(),
                stdout=log,
                stderr=log,
                start_new_session=True,
                user=account.uid if account else None,
                group=account.gid if account else None,
                extra_groups=[] if account else None,
            )
        started = self.process
        wait_until(
            lambda: self.status("/readyz") == 200 or started.poll() is not None,
            seconds=START_SECONDS,
            every=0.1,
        )
        # Ready is said after the web answers; what it says is part of what tests look at.
        wait_until(lambda: b"is ready at" in self.log.read_bytes(), seconds=5)
        if self.status("/readyz") != 200:
            self.failed = True
            self.stop()
            pytest.fail(f"The stack does not get ready:\n{self.words()}")

    def ensure_started(self) -> None:
        """Start it where it does not run, and wait until it is whole."""
        if self.failed:
            pytest.fail("The stack did not get ready in an earlier test.")
        if self.process is None or self.process.poll() is not None:
            self.start()
        assert self.becomes_whole(), self.words()

    def becomes_whole(self, seconds: float = 60.0) -> bool:
        """Wait until the stack is whole; say whether it came to that."""
        return wait_until(self.is_whole, seconds=seconds, every=0.1)

    def is_whole(self) -> bool:
        """Say whether every child lives with all it starts, and all of it answers.

        A granian that gives up (its workers died too quickly) lives on for seconds, without the workers. Each
        of them has a queue of its own for those who come, also while it loads, and the kernel draws one: that
        many answers in a row are not those of one worker.
        """
        return (
            set(self.children()) == set(CHILDREN)
            and len(self.below("web")) >= WEB_WORKERS
            and len(self.below("stream")) >= 1
            and all(self.status("/livez") == 200 for _ in range(IN_A_ROW))
            and self.status("/readyz") == 200
        )

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Ask it to stop (or kill it) and return the exit code."""
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(STOP_SECONDS)

    def forget(self) -> None:
        """Stop it where it still runs, and remove what lies outside its folder."""
        if self.process is not None and self.process.poll() is None:
            self.stop()
        self._reserved.close()
        servers = self.home / "run" / "servers.json"
        if servers.exists():  # the short folder of the sockets may be outside of ours
            address = json.loads(servers.read_text())["REDIS_URL"]
            shutil.rmtree(Path(address.removeprefix("unix://")).parent, ignore_errors=True)

    def words(self) -> str:
        """Return the last of what the stack wrote."""
        return self.log.read_text(errors="replace")[-6000:]

    def status(self, path: str) -> int | None:
        """Return the status of the answer to a GET, None without an answer."""
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)) as client:
            try:
                client.request("GET", path)
                return client.getresponse().status
            except (OSError, http.client.HTTPException):
                return None

    def readiness(self) -> dict[str, object]:
        """Return what ``/readyz`` says."""
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)) as client:
            client.request("GET", "/readyz")
            said = json.loads(client.getresponse().read())
        assert isinstance(said, dict)
        return said

    def parts(self) -> dict[str, dict[str, object]]:
        """Return the parts that ``/readyz`` names."""
        parts = self.readiness()["parts"]
        assert isinstance(parts, dict)
        return parts

    def children(self) -> dict[str, int]:
        """Return the children that are written down and alive."""
        try:
            rows = json.loads((self.home / "run" / "processes.json").read_text())
        except FileNotFoundError:
            return {}
        return {row["name"]: row["pid"] for row in rows if start_time(row["pid"]) == row["started"]}

    def below(self, name: str) -> list[int]:
        """Return the processes that a child has started and that live: granian's workers, Celery's pool."""
        leader = self.children().get(name)
        if leader is None:
            return []
        found: list[int] = []
        for task in Path(f"/proc/{leader}/task").glob("*/children"):
            try:
                found += [int(pid) for pid in task.read_text().split()]
            except OSError:
                continue
        return sorted(pid for pid in found if start_time(pid) is not None)

    def kill(self, name: str) -> None:
        """Kill -9 a child; the supervisor clears up what it had started, and starts it again."""
        pid = self.children().get(name)
        if pid is not None:
            send(pid, signal.SIGKILL)

    @contextmanager
    def database(self) -> Iterator[psycopg.Connection[Row]]:
        """Give a connection to this stack's database, each statement a transaction of its own."""
        with psycopg.connect(self.server("DATABASE_URL"), autocommit=True, connect_timeout=10) as connection:
            yield connection

    def ask(self, sql: str, *values: object) -> list[Row]:
        """Return the rows of one statement."""
        with self.database() as connection:
            return connection.execute(sql.encode(), values).fetchall()

    def number(self, sql: str, *values: object) -> int:
        """Return the one number that a statement answers with."""
        ((found,),) = self.ask(sql, *values)
        assert isinstance(found, int)
        return found

    def change(self, sql: str, *values: object) -> int:
        """Run a statement that changes rows; return how many it changed."""
        with self.database() as connection:
            return connection.execute(sql.encode(), values).rowcount

    def server(self, variable: str) -> str:
        """Return the address of one of its servers, as the supervisor wrote it down."""
        addresses = json.loads((self.home / "run" / "servers.json").read_text())
        return str(addresses[variable])

    def everything_left(self) -> list[str]:
        """Return the command lines of all processes that name this home, or carry it in their environment."""
        if not Path("/proc/self/environ").exists():
            return []
        needle = os.fsencode(self.home)
        found = []
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                argv = (folder / "cmdline").read_bytes()
                told = argv + (folder / "environ").read_bytes()
            except OSError:
                continue
            if needle in told and int(folder.name) != os.getpid():
                found.append(argv.replace(b"\0", b" ").decode(errors="replace"))
        return found


def send(pid: int, number: signal.Signals) -> bool:
    """Signal a process; say whether it was there."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return False
    return True


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """Give a folder that the account of the servers can pass through, and remove it afterwards."""
    made = Path(tempfile.mkdtemp(prefix="handrail-stack-", dir=places.temporary_parent()))
    made.chmod(0o755)
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)


@contextmanager
def running(settings: Mapping[str, str] | None = None) -> Iterator[Stack]:
    """Give a stack that runs, and leave nothing of it behind."""
    with temporary_folder() as folder:
        stack = Stack(folder / "home", settings=settings)
        try:
            stack.start()
            yield stack
        finally:
            stack.forget()
