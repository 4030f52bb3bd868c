"""The embedded Valkey: a socket only, and an append-only file, so that a kill loses no message."""

from __future__ import annotations

import socket
from contextlib import suppress
from urllib.parse import quote

from hitl_site.lib.embedded.places import Place, make_private
from hitl_site.lib.supervision import Program


class Valkey:
    """One Valkey server in one place."""

    name = "valkey"

    def __init__(self, place: Place) -> None:
        self.place = place
        self.data = place.data / "valkey"
        self.socket = place.sockets / "valkey.sock"

    @property
    def url(self) -> str:
        """The address for ``REDIS_URL``."""
        return f"unix://{quote(str(self.socket))}"

    def prepare(self) -> None:
        """Make the data folder on the first start."""
        make_private(self.data, self.place.account)

    def program(self) -> Program:
        """Return the server as a process of ours. Full memory refuses new messages, drops none."""
        options = {
            "port": "0",
            "unixsocket": str(self.socket),
            "unixsocketperm": "700",
            "dir": str(self.data),
            "save": "",
            "appendonly": "yes",
            "appendfsync": "everysec",
            "maxmemory": "256mb",
            "maxmemory-policy": "noeviction",
            "loglevel": "warning",
        }
        argv = [str(self.place.binaries.valkey)]
        for name, value in options.items():
            argv += [f"--{name}", value]
        return Program(
            name=self.name,
            argv=tuple(argv),
            env={"PATH": "/usr/bin:/bin", "LC_ALL": "C"},
            account=self.place.account,
        )

    def answers(self) -> bool:
        """Return whether the server answers PING."""
        with suppress(OSError), socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(1.0)
            connection.connect(str(self.socket))
            connection.sendall(b"PING\r\n")
            return connection.recv(16).startswith(b"+PONG")
        return False

    def furnish(self) -> None:
        """Do nothing: a broker is ready as it comes."""
