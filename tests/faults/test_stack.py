"""The stack of one machine from outside: started, killed in every part, killed as a whole, stopped."""

from __future__ import annotations

import json
import os
import pwd
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from hitl_site.lib.embedded import binaries, places
from hitl_site.lib.supervision import Account, wait_until
from hitl_site.lib.supervision.roster import start_time
from tests.faults.stack import CHILDREN, ROOT, Stack, temporary_folder

pytestmark = pytest.mark.stack


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with temporary_folder() as made:
        yield made


@pytest.fixture(scope="module")
def one_stack(folder: Path) -> Iterator[Stack]:
    """One stack for the whole file. Its home is too long for a socket's address, as a deep clone would be."""
    stack = Stack(folder / ("a-folder-with-a-long-name-" * 5) / "home")
    stack.home.mkdir(parents=True)
    yield stack
    stack.forget()


@pytest.fixture
def stack(one_stack: Stack) -> Stack:
    one_stack.ensure_started()
    return one_stack


def test_it_is_alive_ready_and_durable(stack: Stack) -> None:
    assert stack.status("/livez") == 200
    # The loops of the worker come round a moment after the site is ready.
    assert wait_until(lambda: all(part["ok"] for part in stack.parts().values()), seconds=60, every=0.2), (
        stack.parts()
    )
    assert {"database", "migrations", "durability", "broker"} <= set(stack.parts())


def test_tasks_let_those_who_wait_for_an_answer_pass(stack: Stack) -> None:
    def niceness(pids: list[int]) -> set[int]:
        return {os.getpriority(os.PRIO_PROCESS, pid) for pid in pids}

    own = os.getpriority(os.PRIO_PROCESS, 0)
    worker = stack.children()["worker"]
    assert wait_until(lambda: niceness(stack.below("worker")) == {min(own + 5, 19)}, seconds=60)
    assert niceness([worker, *stack.below("web")]) == {own}


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
        seconds=60,
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
