"""The roster of a running stack: a lock that one supervisor holds, and the list of its children.

The kernel gives the lock back however the supervisor ends. The list lets the next start find what a killed
supervisor left: a process is the one meant only when its number *and* its start time are those written down.
"""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from hitl_site.lib.supervision.processes import signal_group, wait_until


class AlreadyRunning(RuntimeError):
    """Another supervisor holds this roster; ``pid`` is its number where it is known."""

    def __init__(self, pid: str) -> None:
        super().__init__(f"held by process {pid}")
        self.pid = pid


@dataclass(frozen=True)
class Child:
    """A child as written down."""

    name: str
    pid: int
    started: str
    stop_signal: int


class Roster:
    """The lock and the list of one stack, in one folder."""

    def __init__(self, folder: Path) -> None:
        self._lock_path = folder / "lock"
        self._list_path = folder / "processes.json"
        self._lock: int | None = None
        self._children: dict[str, Child] = {}

    def acquire(self) -> None:
        """Take the lock, or raise :class:`AlreadyRunning`."""
        self._lock_path.parent.mkdir(parents=True, exist_ok=True)
        # Python's descriptors are not inherited, so no child can hold the lock for us after our end.
        descriptor = os.open(self._lock_path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pid = os.read(descriptor, 32).decode("ascii", errors="replace").strip()
            os.close(descriptor)
            raise AlreadyRunning(pid) from None
        os.ftruncate(descriptor, 0)
        os.write(descriptor, str(os.getpid()).encode())
        self._lock = descriptor

    def release(self) -> None:
        """Give the lock back. The files stay: removing a lock file lets two take it at once."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def enter(self, *, name: str, pid: int, stop_signal: int) -> None:
        """Write a child down, in place of an earlier one of that name."""
        self._children[name] = Child(
            name=name, pid=pid, started=start_time(pid) or "", stop_signal=int(stop_signal)
        )
        self._write()

    def strike(self, name: str) -> None:
        """Forget a child that is gone with all it started."""
        if self._children.pop(name, None) is not None:
            self._write()

    def end_leftovers(self, *, seconds: float = 8.0) -> list[str]:
        """Stop what an earlier supervisor left: ask, and kill after ``seconds``. Return the names."""
        left = [child for child in self._read() if _anything_left(child)]
        for child in left:
            signal_group(child.pid, child.stop_signal)
        wait_until(lambda: not any(_anything_left(child) for child in left), seconds=seconds, every=0.05)
        for child in left:
            if _anything_left(child):
                signal_group(child.pid, signal.SIGKILL)
        wait_until(lambda: not any(_anything_left(child) for child in left), seconds=2.0)
        self._write()
        return [child.name for child in left]

    def _read(self) -> list[Child]:
        try:
            rows = json.loads(self._list_path.read_text(encoding="utf-8"))
            return [Child(**row) for row in rows]
        except (FileNotFoundError, ValueError, TypeError):
            return []

    def _write(self) -> None:
        temporary = self._list_path.with_suffix(".part")
        temporary.write_text(
            json.dumps([asdict(child) for child in self._children.values()]), encoding="utf-8"
        )
        temporary.replace(self._list_path)


def start_time(pid: int) -> str | None:
    """Return when the process started, as text that no other of that number shares; None: no process."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return _start_time_by_ps(pid) if not Path("/proc/self/stat").exists() else None
    # After the name in brackets: field 3 is the state, field 22 the start in ticks since boot (proc(5)).
    fields = stat.rpartition(")")[2].split()
    return f"{boot} {fields[19]}" if fields[0] != "Z" or _has_running_thread(pid) else None


def _start_time_by_ps(pid: int) -> str | None:
    done = subprocess.run(  # noqa: S603 - a number
        ["/bin/ps", "-o", "lstart=,stat=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    started, _, state = done.stdout.strip().rpartition(" ")
    return None if done.returncode != 0 or state.startswith("Z") else started.strip()


def _anything_left(child: Child) -> bool:
    """Return whether the child, or the group it led, still runs.

    While any member of a group lives its number is given to no new process, so a number taken by a process
    with another start time means that nothing of ours is left.
    """
    now = start_time(child.pid)
    if now is not None:
        return now == child.started
    if child.started.partition(" ")[0] != _boot():
        return False
    return signal_group(child.pid, 0) and _has_running_member(child.pid)


def _has_running_member(group: int) -> bool:
    """Return whether the group has more than zombies, which hold nothing and wait for init."""
    if not Path("/proc/self/stat").exists():
        return True
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            state, _, member_of = stat.read_text(errors="replace").rpartition(")")[2].split()[:3]
            if member_of == str(group) and (state != "Z" or _has_running_thread(int(stat.parent.name))):
                return True
    return False


def _has_running_thread(pid: int) -> bool:
    """Return whether a process whose first thread has ended has others: they hold its files and its ports."""
    for stat in Path(f"/proc/{pid}/task").glob("[0-9]*/stat"):
        with suppress(OSError):
            if stat.read_text(errors="replace").rpartition(")")[2].split()[0] not in "ZX":
                return True
    return False


def _boot() -> str:
    with suppress(OSError):
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    return time.strftime("%a")  # what ps begins with: a leaderless group of another day is left alone
