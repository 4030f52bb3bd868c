"""One child process: started in a group of its own, asked to stop, and killed with all it started.

A child leads its own session, so one signal reaches all that it started and Ctrl-C reaches only us. On
Linux the kernel signals it when we die (``PR_SET_PDEATHSIG``, prctl(2)); elsewhere, and for what a child
started, the next start finds it through the roster.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

_PR_SET_PDEATHSIG = 1


@dataclass(frozen=True)
class Account:
    """The system account that a process runs as."""

    name: str
    uid: int
    gid: int


@dataclass(frozen=True)
class Program:
    """One process to run: what, where, as whom, and how to ask it to stop."""

    name: str
    argv: tuple[str, ...]
    env: Mapping[str, str]
    cwd: Path = Path("/")
    account: Account | None = None  # None: as ourselves
    stop_signal: signal.Signals = signal.SIGTERM
    stop_seconds: float = 5.0
    # When we die without a word: what the child gets then, where that is not its stop signal.
    orphan_signal: signal.Signals | None = None


def spawn(program: Program, *, output: int | IO[bytes] | None = None) -> subprocess.Popen[bytes]:
    """Start ``program``; ``output`` receives both of its streams (default: ours).

    Only for the main thread of a program without other threads: Linux ties the death signal to the thread
    that forked, and ``preexec_fn`` is safe only there.
    """
    account = program.account
    return subprocess.Popen(  # noqa: S603 - argv is made by us, no shell
        program.argv,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT if output is not None else None,
        env=dict(program.env),
        cwd=program.cwd,
        start_new_session=True,
        user=account.uid if account else None,
        group=account.gid if account else None,
        extra_groups=[] if account else None,
        preexec_fn=_die_with_parent(program.orphan_signal or program.stop_signal),
    )


def stop(process: subprocess.Popen[bytes], program: Program) -> None:
    """Ask the process to stop, wait, then kill its whole group. Returns when the group's leader is gone."""
    if process.poll() is None:
        process.send_signal(program.stop_signal)
        with suppress(subprocess.TimeoutExpired):
            process.wait(program.stop_seconds)
    signal_group(process.pid, signal.SIGKILL)
    process.wait()


def signal_group(leader: int, number: int) -> bool:
    """Signal whatever is left of the group that ``leader`` led; return whether anything was."""
    try:
        os.killpg(leader, number)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def wait_until(condition: Callable[[], bool], *, seconds: float, every: float = 0.02) -> bool:
    """Return whether ``condition`` became true within ``seconds``."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(every)
    return True


def _die_with_parent(number: int) -> Callable[[], None] | None:
    """Return what a new child runs so that the kernel sends it this signal when we are gone."""
    if not sys.platform.startswith("linux"):
        return None
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    parent = os.getpid()

    def arrange() -> None:
        # Runs after the change of user, which would have cleared it (prctl(2)).
        prctl(_PR_SET_PDEATHSIG, int(number))
        if os.getppid() != parent:  # we died between fork and prctl: nobody would ever send the signal
            os._exit(1)

    return arrange
