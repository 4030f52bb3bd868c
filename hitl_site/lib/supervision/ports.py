"""Ports that nobody else gets between the choice and the start of the server that listens there."""

from __future__ import annotations

import random
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Final

# Below the ports that the kernel gives to outgoing connections (Linux 32768, elsewhere 49152 and up): one of
# those could take a port that we found free.
_FIRST: Final = 20_000
_LAST: Final = 32_000
_TRIES: Final = 500
_LOOPBACK: Final = "127.0.0.1"


class NoFreePort(OSError):
    """Nothing is free where we look."""


@contextmanager
def reserved(count: int) -> Iterator[tuple[int, ...]]:
    """Give free TCP ports on the loopback address that no other caller of this gets meanwhile.

    What we hold of each is the UDP port of the same number: TCP ports are others, so a server can listen
    there, and the kernel gives it back however we end.
    """
    with ExitStack() as held:
        ports: list[int] = []
        for _ in range(_TRIES):
            if len(ports) == count:
                break
            port = random.SystemRandom().randint(_FIRST, _LAST)
            token = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            try:
                token.bind((_LOOPBACK, port))
            except OSError:
                token.close()
                continue
            held.callback(token.close)
            if _is_free(port):
                ports.append(port)
        if len(ports) < count:
            raise NoFreePort(f"no {count} free ports between {_FIRST} and {_LAST}")
        yield tuple(ports)


def _is_free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((_LOOPBACK, port))
        except OSError:
            return False
    return True
