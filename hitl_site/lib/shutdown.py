"""Knowing that this process is asked to stop, so that what waits here is answered instead of cut off.

The server stops by itself: it takes no new connections and lets the running requests end. Only a wait has to
be told; it gives the answer of the moment, and whoever asked comes back to the next process.
"""

from __future__ import annotations

import signal
import socket
import threading
from collections.abc import Callable
from types import FrameType

_SIGNALS = (signal.SIGTERM, signal.SIGINT)
_asked = threading.Event()


def asked() -> bool:
    """Say whether this process is to stop."""
    return _asked.is_set()


def sleep(seconds: float) -> bool:
    """Sleep, or wake at once when the process is to stop; say whether it is."""
    return _asked.wait(seconds)


def listen() -> None:
    """Hear of a stop in a process whose signal handlers are the server's, which come after us.

    The interpreter writes the number of each signal to the wake-up descriptor, whoever handles it. One that
    somebody else has set stays theirs, and nothing is heard then.
    """
    if threading.current_thread() is not threading.main_thread():
        return
    heard, told = socket.socketpair()
    told.setblocking(False)
    theirs = signal.set_wakeup_fd(told.fileno(), warn_on_full_buffer=False)
    if theirs != -1:
        signal.set_wakeup_fd(theirs)
        heard.close()
        told.close()
        return
    threading.Thread(target=_listen, args=(heard, told), name="shutdown", daemon=True).start()


def tell(on_stop: Callable[[], None]) -> None:
    """Call ``on_stop`` when this process is asked to stop, beside what an event loop does of itself.

    An event loop hears of signals by the wake-up descriptor, so the handler is free for us.
    """
    if threading.current_thread() is not threading.main_thread():
        return

    def handle(number: int, frame: FrameType | None) -> None:
        _asked.set()
        on_stop()

    for number in _SIGNALS:
        signal.signal(number, handle)


def _listen(heard: socket.socket, told: socket.socket) -> None:
    # ``told`` is held here: closing it would take the descriptor from the interpreter.
    while numbers := heard.recv(64):
        if any(number in _SIGNALS for number in numbers):
            _asked.set()
            return
