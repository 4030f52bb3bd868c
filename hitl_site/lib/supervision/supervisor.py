"""The supervisor: one thread, one loop. It reads what its children write, and starts again those that die."""

from __future__ import annotations

import os
import selectors
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from types import FrameType, TracebackType
from typing import IO, Self

from hitl_site.lib.supervision.console import Console
from hitl_site.lib.supervision.processes import Program, signal_group, spawn
from hitl_site.lib.supervision.roster import Roster

SHORTEST_PAUSE = 0.25
LONGEST_PAUSE = 5.0
STEADY_SECONDS = 20.0  # a child that ran this long starts again at the shortest pause
PATIENCE = 5  # failures in a row that end a start


class Interrupted(Exception):
    """Somebody asked us to stop."""


class KeepsFailing(RuntimeError):
    """A child that the start waits for does not come up."""


@dataclass
class _Child:
    program: Program
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    failures: int = 0
    start_at: float = 0.0


class Supervisor:
    """Keeps programs running until it is told to stop. Use as a context: the signals are ours inside."""

    def __init__(self, *, console: Console, roster: Roster, name: str = "up") -> None:
        self._console = console
        self._roster = roster
        self._name = name
        self._selector = selectors.DefaultSelector()
        self._children: dict[str, _Child] = {}
        self._stop_asked = False
        self._wake_read, self._wake_write = socket.socketpair()
        self._former: dict[int, signal.Handlers | Callable[[int, FrameType | None], object] | int | None] = {}

    def __enter__(self) -> Self:
        self._wake_read.setblocking(False)
        self._wake_write.setblocking(False)
        self._selector.register(self._wake_read, selectors.EVENT_READ)
        signal.set_wakeup_fd(self._wake_write.fileno(), warn_on_full_buffer=False)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            self._former[number] = signal.signal(number, self._ask_to_stop)
        self._former[signal.SIGCHLD] = signal.signal(
            signal.SIGCHLD, lambda *_: None
        )  # it only wakes the loop
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        signal.set_wakeup_fd(-1)
        for number, handler in self._former.items():
            signal.signal(number, handler)
        self._selector.close()
        self._wake_read.close()
        self._wake_write.close()

    def say(self, text: str) -> None:
        """Print a line of our own."""
        self._console.line(self._name, text)

    def announce(self, *lines: str) -> None:
        """Print lines that a person must not miss."""
        self._console.block(*lines)

    def start(self, program: Program) -> None:
        """Start the program and keep it running from now on."""
        child = _Child(program)
        self._children[program.name] = child
        self._launch(child)

    def run(self, program: Program) -> int:
        """Run a program once to its end, and return its exit code."""
        child = _Child(program)
        self._launch(child)
        process = child.process
        assert process is not None
        try:
            while process.poll() is None:
                self.pump()
        except Interrupted:
            self._end([child])
            raise
        self._drain(child)
        signal_group(process.pid, signal.SIGKILL)
        self._roster.strike(program.name)
        return process.returncode

    def wait_for(self, condition: Callable[[], bool], *, name: str, seconds: float) -> None:
        """Return when ``condition`` holds; raise when the child keeps failing or time is up."""
        child = self._children[name]
        deadline = time.monotonic() + seconds
        while not condition():
            if child.failures >= PATIENCE:
                raise KeepsFailing(f"{name} does not start; its own words are above.")
            if time.monotonic() > deadline:
                raise KeepsFailing(f"{name} did not get ready in {seconds:.0f} seconds; its words are above.")
            self.pump(0.03)

    def run_until_stopped(self) -> None:
        """Look after the children until somebody asks us to stop."""
        try:
            while True:
                self.pump(1.0)
        except Interrupted:
            return

    def pump(self, seconds: float = 0.2) -> None:
        """Pass on what was written, start again what died; wait at most ``seconds`` for something to do."""
        if self._stop_asked:
            raise Interrupted
        pauses = [child.start_at - time.monotonic() for child in self._children.values() if not child.process]
        self._read(max(0.0, min([seconds, *pauses])))
        for child in self._children.values():
            if child.process is not None and child.process.poll() is not None:
                self._bury(child)
            if child.process is None and time.monotonic() >= child.start_at:
                self._launch(child)

    def stop(self, waves: Iterable[Iterable[str]]) -> None:
        """Stop all children, one wave after the other; what no wave names goes first."""
        waves = [list(wave) for wave in waves]
        named = {name for wave in waves for name in wave}
        for wave in ([name for name in self._children if name not in named], *waves):
            self._end([self._children[name] for name in wave if name in self._children])

    def _end(self, children: list[_Child]) -> None:
        running = [child for child in children if child.process is not None]
        for child in running:
            assert child.process is not None
            if child.process.poll() is None:
                child.process.send_signal(child.program.stop_signal)
        deadlines = {child.program.name: time.monotonic() + child.program.stop_seconds for child in running}
        while waiting := [child for child in running if child.process and child.process.poll() is None]:
            self._read(0.05)
            for child in waiting:
                if time.monotonic() > deadlines[child.program.name] and child.process:
                    self.say(f"{child.program.name} did not stop in time: killed")
                    signal_group(child.process.pid, signal.SIGKILL)
                    deadlines[child.program.name] = float("inf")
        for child in running:
            assert child.process is not None
            self._drain(child)
            signal_group(child.process.pid, signal.SIGKILL)
            self._roster.strike(child.program.name)
            child.process = None

    def _launch(self, child: _Child) -> None:
        read, write = os.pipe()
        try:
            child.process = spawn(child.program, output=write)
        finally:
            os.close(write)
        child.started = time.monotonic()
        orphaned = child.program.orphan_signal or child.program.stop_signal
        self._roster.enter(name=child.program.name, pid=child.process.pid, stop_signal=orphaned)
        os.set_blocking(read, False)
        self._selector.register(os.fdopen(read, "rb", buffering=0), selectors.EVENT_READ, child)

    def _bury(self, child: _Child) -> None:
        """Clear up after a child that died, and set the time of its next start."""
        process = child.process
        assert process is not None
        self._drain(child)
        # What it had started would hold its port or its queue.
        signal_group(process.pid, signal.SIGKILL)
        child.failures = 1 if time.monotonic() - child.started > STEADY_SECONDS else child.failures + 1
        pause = min(LONGEST_PAUSE, SHORTEST_PAUSE * 2 ** (child.failures - 1))
        child.start_at = time.monotonic() + pause
        child.process = None
        self.say(f"{child.program.name} {_ending(process.returncode)}; starting it again in {pause:g} s")

    def _read(self, seconds: float) -> None:
        for key, _ in self._selector.select(seconds):
            if key.fileobj is self._wake_read:
                self._wake_read.recv(4096)
                continue
            child: _Child = key.data
            stream: IO[bytes] = key.fileobj  # type: ignore[assignment]  # a child is registered with its pipe
            data = stream.read(65_536)
            if data:
                self._console.feed(child.program.name, data)
            elif data == b"":
                self._selector.unregister(stream)
                stream.close()

    def _drain(self, child: _Child) -> None:
        """Print a dead child's last words and close its pipe, which its own children may still hold."""
        for key in [key for key in self._selector.get_map().values() if key.data is child]:
            stream: IO[bytes] = key.fileobj  # type: ignore[assignment]  # a child is registered with its pipe
            while data := stream.read(65_536):
                self._console.feed(child.program.name, data)
            self._selector.unregister(stream)
            stream.close()

    def _ask_to_stop(self, signum: int, frame: FrameType | None) -> None:
        self._stop_asked = True


def _ending(returncode: int) -> str:
    if returncode < 0:
        return f"was killed by {signal.Signals(-returncode).name}"
    return f"ended with exit code {returncode}"
