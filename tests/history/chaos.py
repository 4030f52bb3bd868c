"""The scheduler of faults: kills, pauses and cut wires, drawn from a seed."""

from __future__ import annotations

import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable

from hitl_site.lib.supervision import wait_until
from tests.faults.proxy import FaultProxy
from tests.faults.stack import Stack, send


class Chaos(threading.Thread):
    """Hurts a stack in one way after the other. Each round has every kind of fault once, in a drawn order."""

    def __init__(self, stack: Stack, proxy: FaultProxy, over: threading.Event, seed: int) -> None:
        super().__init__(name="chaos", daemon=True)
        self._stack, self._proxy, self._over = stack, proxy, over
        self._die = random.Random(seed)
        self._paused: set[int] = set()
        self.faults: Counter[str] = Counter()

    def run(self) -> None:
        kinds = self._kinds()
        while not self._over.is_set():
            for name in self._die.sample(sorted(kinds), len(kinds)):
                self._over.wait(0.8 + self._die.random() * 1.6)
                # Mostly one after the other: a site that never stands shows little.
                if self._die.random() < 0.7:
                    wait_until(self._stands, seconds=8, every=0.2)
                if self._over.is_set():
                    return
                kinds[name]()
                self.faults[name] += 1

    def end(self) -> None:
        """Let everything go on that was paused or cut."""
        self.join(30)
        for pid in self._paused:
            send(pid, signal.SIGCONT)
        self._proxy.heal()

    def _stands(self) -> bool:
        return self._over.is_set() or self._stack.status("/livez") == 200

    def _kinds(self) -> dict[str, Callable[[], None]]:
        return {
            "kill -9 of a web process": lambda: self._kill_one_below("web"),
            "kill -9 of the web server": lambda: self._stack.kill("web"),
            "kill -9 of the stream process": lambda: self._stack.kill("stream"),
            "kill -9 of a pool process": lambda: self._kill_one_below("worker"),
            "kill -9 of the worker": lambda: self._stack.kill("worker"),
            "kill -9 of the broker": lambda: self._stack.kill("valkey"),
            "kill -9 of the database": lambda: self._stack.kill("postgres"),
            "pause of a web process": lambda: self._pause_one_below("web"),
            "pause of the worker": lambda: self._pause(self._stack.children().get("worker")),
            "pause of the broker": lambda: self._pause(self._stack.children().get("valkey")),
            "pause of a database process": lambda: self._pause_one_below("postgres"),
            "lost answers": lambda: self._proxy.lose_answers(self._die.randint(1, 4)),
            "broken connections": self._proxy.reset,
            "black hole": lambda: self._for_a_while(self._proxy.black_hole),
            "slow line": lambda: self._for_a_while(lambda: self._proxy.slow_down(0.2)),
        }

    def _kill_one_below(self, name: str) -> None:
        if pids := self._stack.below(name):
            send(self._die.choice(pids), signal.SIGKILL)

    def _pause_one_below(self, name: str) -> None:
        pids = self._stack.below(name)
        self._pause(self._die.choice(pids) if pids else None)

    def _pause(self, pid: int | None) -> None:
        if pid is None:
            return
        self._paused.add(pid)
        send(pid, signal.SIGSTOP)
        time.sleep(0.3 + self._die.random())
        send(pid, signal.SIGCONT)
        self._paused.discard(pid)

    def _for_a_while(self, fault: Callable[[], None]) -> None:
        fault()
        self._over.wait(0.5 + self._die.random())
        self._proxy.heal()
