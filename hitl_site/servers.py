"""Throwaway servers for one command: ``python -m hitl_site.servers --ephemeral -- pytest -n 0 policies``.

PostgreSQL and Valkey run in a temporary folder while the command runs, with ``DATABASE_URL``, ``REDIS_URL``
and (unless set) ``HANDRAIL_HOME`` pointing at them. Exits with the command's own code. ``DATABASE_URL`` or
``REDIS_URL`` already in the environment replaces the server in question.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from hitl_site.lib import embedded, env, supervision
from hitl_site.lib.embedded import places


def main() -> int:
    """Parse the command line, run the command, return its exit code."""
    parser = argparse.ArgumentParser(prog="python -m hitl_site.servers", description=__doc__)
    parser.add_argument(
        "--ephemeral", action="store_true", required=True, help="servers that leave nothing (the only kind)"
    )
    parser.add_argument("command", nargs=argparse.REMAINDER, metavar="-- COMMAND ...")
    command = parser.parse_args().command
    command = command[1:] if command[:1] == ["--"] else command
    if not command:
        parser.error("give a command after --")
    # As an exception, so that the servers and the folder go whatever stops us.
    signal.signal(signal.SIGTERM, _terminated)
    try:
        with ephemeral() as environment:
            return _run(command, environment)
    except embedded.CannotServe as problem:
        print(problem, file=sys.stderr)  # noqa: T201 - a command line's own output
        return 1


@contextmanager
def ephemeral() -> Iterator[dict[str, str]]:
    """Give the environment in which a command finds throwaway servers, and remove them afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="handrail-", dir=places.temporary_parent()))
    running: list[tuple[subprocess.Popen[bytes], supervision.Program]] = []
    environment = dict(os.environ)
    sockets: Path | None = None
    try:
        place = embedded.temporary(folder)
        sockets = place.sockets
        servers: list[tuple[str, embedded.Postgres | embedded.Valkey]] = []
        if not env.text("DATABASE_URL"):
            servers.append(("DATABASE_URL", embedded.Postgres(place, throwaway=True)))
        if not env.text("REDIS_URL"):
            servers.append(("REDIS_URL", embedded.Valkey(place)))
        with (folder / "servers.log").open("ab") as log:
            for variable, server in servers:
                server.prepare()
                program = server.program()
                process = supervision.spawn(program, output=log)
                running.append((process, program))
                environment[variable] = server.url
            for (_, server), (process, _) in zip(servers, running, strict=True):
                _await(server, process)
        if not env.text("HANDRAIL_HOME"):
            (folder / "home").mkdir(mode=0o700)
            environment["HANDRAIL_HOME"] = str(folder / "home")
        yield environment
    except embedded.CannotServe:
        sys.stderr.write((folder / "servers.log").read_text(encoding="utf-8", errors="replace")[-4000:])
        raise
    finally:
        for process, program in reversed(running):
            supervision.stop(process, program)
        shutil.rmtree(folder, ignore_errors=True)
        if sockets is not None:
            shutil.rmtree(sockets, ignore_errors=True)


def _await(server: embedded.Postgres | embedded.Valkey, process: subprocess.Popen[bytes]) -> None:
    supervision.wait_until(lambda: server.answers() or process.poll() is not None, seconds=60)
    if not server.answers():
        raise embedded.CannotServe(f"{server.name} does not start; its own words are above.")
    server.furnish()


def _run(command: list[str], environment: dict[str, str]) -> int:
    """Run the command in our own process group (Ctrl-C reaches it too) and wait for it, whatever comes."""
    process = subprocess.Popen(command, env=environment)  # noqa: S603 - running a given command is the purpose
    try:
        while True:
            try:
                return _exit_code(process.wait())
            except KeyboardInterrupt:
                continue  # the command got it as well, and decides when it is done
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait()


def _exit_code(returned: int) -> int:
    return returned if returned >= 0 else 128 - returned


def _terminated(signum: int, frame: FrameType | None) -> None:
    raise SystemExit(128 + signum)


if __name__ == "__main__":
    sys.exit(main())
