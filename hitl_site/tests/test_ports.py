"""Ports for servers that are about to start: free, and nobody else's meanwhile."""

from __future__ import annotations

import socket
import subprocess
import sys

from hitl_site.lib.supervision.ports import reserved


def test_what_is_reserved_is_free_and_different() -> None:
    with reserved(5) as ports:
        assert len(set(ports)) == 5
        for port in ports:
            with socket.socket() as server:
                server.bind(("127.0.0.1", port))
                server.listen()


def test_nobody_else_gets_a_reserved_port() -> None:
    with reserved(1) as (port,):
        script = (
            "import random, sys\n"
            "from hitl_site.lib.supervision import ports\n"
            "ports._FIRST, ports._LAST = map(int, sys.argv[1:])\n"
            "try:\n"
            "    with ports.reserved(1): print('given')\n"
            "except ports.NoFreePort: print('refused')\n"
        )
        other = subprocess.run(
            [sys.executable, "-c", script, str(port), str(port)], capture_output=True, text=True, check=True
        )
        assert other.stdout == "refused\n"
    with reserved(1):
        pass
