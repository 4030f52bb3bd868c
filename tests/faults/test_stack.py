"""The stack of one machine from outside: started, killed in every part, killed as a whole, stopped."""

from __future__ import annotations

import http.client
import json
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from hitl_site.lib.embedded import binaries, places
from hitl_site.lib.supervision import Account, wait_until
from hitl_site.lib.supervision.roster import start_time

pytestmark = pytest.mark.stack

ROOT = Path(__file__).resolve().parents[2]
CHILDREN = ("postgres", "valkey", "web", "stream", "worker", "beat")


class Stack:
    """``manage.py up`` in a folder of its own."""

    def __init__(self, home: Path, account: Account | None = None) -> None:
        self.home = home
        self.account = account
        self.port, self.stream_port = free_port(), free_port()
        self.log = home.parent / "up.log"
        self.process: subprocess.Popen[bytes] | None = None
        self.failed = False

    def environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("HANDRAIL_")}
        for name in ("DATABASE_URL", "REDIS_URL", "DJANGO_SETTINGS_MODULE"):
            kept.pop(name, None)
        return kept | {
            "HANDRAIL_HOME": str(self.home),
            "HANDRAIL_PORT": str(self.port),
            "HANDRAIL_STREAM_PORT": str(self.stream_port),
            "HANDRAIL_DEMO": "0",
        }

    def start(self) -> None:
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
        wait_until(lambda: self.status("/readyz") == 200 or started.poll() is not None, seconds=60, every=0.1)
        # Ready is said after the web answers; what it says is part of what these tests look at.
        wait_until(lambda: b"is ready at" in self.log.read_bytes(), seconds=5)
        if self.status("/readyz") != 200:
            self.failed = True
            self.stop()
            pytest.fail(f"The stack does not get ready:\n{self.log.read_text(errors='replace')[-4000:]}")

    def ensure_started(self) -> None:
        if self.failed:
            pytest.fail("The stack did not get ready in an earlier test.")
        if self.process is None or self.process.poll() is not None:
            self.start()
        wait_until(lambda: set(self.children()) == set(CHILDREN), seconds=15)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(20)

    def status(self, path: str) -> int | None:
        client = http.client.HTTPConnection("127.0.0.1", self.port, timeout=3)
        try:
            client.request("GET", path)
            return client.getresponse().status
        except (OSError, http.client.HTTPException):
            return None
        finally:
            client.close()

    def parts(self) -> dict[str, dict[str, object]]:
        client = http.client.HTTPConnection("127.0.0.1", self.port, timeout=3)
        client.request("GET", "/readyz")
        parts = json.loads(client.getresponse().read())["parts"]
        assert isinstance(parts, dict)
        return parts

    def children(self) -> dict[str, int]:
        """Return the children that are written down and alive."""
        rows = json.loads((self.home / "run" / "processes.json").read_text())
        return {row["name"]: row["pid"] for row in rows if start_time(row["pid"]) == row["started"]}

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


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        assert isinstance(port, int)
        return port


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    made = Path(tempfile.mkdtemp(prefix="handrail-stack-", dir=places.temporary_parent()))
    made.chmod(0o755)
    yield made
    shutil.rmtree(made, ignore_errors=True)


@pytest.fixture(scope="module")
def one_stack(folder: Path) -> Iterator[Stack]:
    """One stack for the whole file. Its home is too long for a socket's address, as a deep clone would be."""
    stack = Stack(folder / ("a-folder-with-a-long-name-" * 5) / "home")
    stack.home.mkdir(parents=True)
    yield stack
    if stack.process is not None and stack.process.poll() is None:
        stack.stop()
    servers = stack.home / "run" / "servers.json"
    if servers.exists():  # the short folder outside of ours
        shutil.rmtree(Path(json.loads(servers.read_text())["REDIS_URL"].removeprefix("unix://")).parent)


@pytest.fixture
def stack(one_stack: Stack) -> Stack:
    one_stack.ensure_started()
    return one_stack


def test_it_is_alive_ready_and_durable(stack: Stack) -> None:
    assert stack.status("/livez") == 200
    assert {name: part["ok"] for name, part in stack.parts().items()} == {
        "database": True,
        "migrations": True,
        "durability": True,
        "broker": True,
    }


def test_plain_commands_find_the_running_servers(stack: Stack) -> None:
    argv = [sys.executable, "manage.py", "migrate", "--check"]
    assert subprocess.run(argv, cwd=ROOT, env=stack.environment(), check=False).returncode == 0


def test_secrets_and_sockets_are_for_their_owner_alone(stack: Stack) -> None:
    servers = json.loads((stack.home / "run" / "servers.json").read_text())
    sockets = Path(servers["REDIS_URL"].removeprefix("unix://")).parent
    assert sockets.stat().st_mode & 0o077 == 0
    assert len(os.fsencode(sockets)) <= places.LONGEST_SOCKET_FOLDER
    files = [stack.home / "run" / "servers.json", *(stack.home / "secrets").iterdir()]
    assert [path.name for path in files if path.stat().st_mode & 0o077] == []


def test_the_first_password_is_printed_exactly_once(stack: Stack) -> None:
    assert stack.log.read_text().count("(shown only now)") == 1


def test_a_second_start_on_the_same_folder_is_refused(stack: Stack) -> None:
    before = stack.children()
    second = subprocess.run(
        [sys.executable, "manage.py", "up"],
        cwd=ROOT,
        env=stack.environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert second.returncode == 1
    assert "already runs" in second.stderr
    assert stack.children() == before


def test_a_taken_port_is_named(stack: Stack, tmp_path: Path) -> None:
    environment = stack.environment() | {"HANDRAIL_HOME": str(tmp_path / "other")}
    other = subprocess.run(
        [sys.executable, "manage.py", "up"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert other.returncode == 1
    assert f"port {stack.port}" in other.stderr
    assert "HANDRAIL_PORT" in other.stderr
    assert not (tmp_path / "other" / "postgres").exists()


@pytest.mark.parametrize("name", CHILDREN)
def test_a_killed_child_comes_back(stack: Stack, name: str) -> None:
    before = stack.children()
    os.kill(before[name], signal.SIGKILL)
    came_back = wait_until(
        lambda: stack.children().get(name, before[name]) != before[name] and stack.status("/readyz") == 200,
        seconds=20,
        every=0.1,
    )
    assert came_back, stack.log.read_text(errors="replace")[-4000:]
    after = stack.children()
    assert {other for other in CHILDREN if after[other] != before[other]} == {name}
    assert stack.parts()["broker"]["ok"]


def test_a_killed_supervisor_blocks_no_next_start(stack: Stack) -> None:
    left = stack.children()
    stack.stop(signal.SIGKILL)
    stack.start()
    assert not set(left.values()) & set(stack.children().values())
    for pid in left.values():
        assert start_time(pid) is None


def test_asked_to_stop_it_leaves_nothing(stack: Stack) -> None:
    assert stack.stop(signal.SIGTERM) == 0
    assert stack.everything_left() == []
    assert stack.status("/livez") is None


def test_an_ordinary_user_keeps_everything_in_the_home_folder(folder: Path) -> None:
    account = Account(name="me", uid=os.geteuid(), gid=os.getegid())
    if account.uid == 0:
        entry = pwd.getpwnam("nobody")
        account = Account(name=entry.pw_name, uid=entry.pw_uid, gid=entry.pw_gid)
        if not binaries.runs_as(account, [sys.executable, "-c", f"open({str(ROOT / 'manage.py')!r})"]):
            pytest.skip("no ordinary user can run this Python")
    mine = folder / "mine"
    mine.mkdir()
    if os.geteuid() == 0:
        os.chown(mine, account.uid, account.gid)
    stack = Stack(mine / "home", account if os.geteuid() == 0 else None)
    stack.start()
    try:
        assert (stack.home / "postgres" / "PG_VERSION").stat().st_uid == account.uid
        assert stack.status("/livez") == 200
    finally:
        assert stack.stop(signal.SIGINT) == 0
    assert stack.everything_left() == []
