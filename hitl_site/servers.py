"""Throwaway servers, or a whole throwaway stack, for one command.

    python -m hitl_site.servers --ephemeral -- pytest -n 0 policies
    python -m hitl_site.servers --stack -- sh -c 'curl "$HANDRAIL_URL/readyz"'

``--ephemeral`` runs PostgreSQL and Valkey in a temporary folder and gives the command ``DATABASE_URL``,
``REDIS_URL`` and (unless set) ``HANDRAIL_HOME``; a URL already in the environment replaces that server.
``--stack`` runs all of ``manage.py up`` there, on free ports, with demo data only for ``HANDRAIL_DEMO=1``,
and adds ``HANDRAIL_URL``, ``HANDRAIL_STREAM_URL`` and ``HANDRAIL_ADMIN_PASSWORD``. Both exit with the
command's own code and leave nothing behind.
"""

from __future__ import annotations

import argparse
import http
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FrameType

from hitl_site.lib import embedded, env, supervision
from hitl_site.lib.embedded import places
from hitl_site.lib.supervision import ports

BASE = Path(__file__).resolve().parent.parent
STACK_SECONDS = 300.0


# Set for the command when its servers are ours: then there may be more of them.
THROWAWAY = "HANDRAIL_THROWAWAY_SERVERS"


def main() -> int:
    """Parse the command line, run the command, return its exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m hitl_site.servers",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    kind = parser.add_mutually_exclusive_group(required=True)
    kind.add_argument("--ephemeral", action="store_true", help="PostgreSQL and Valkey")
    kind.add_argument("--stack", action="store_true", help="everything that `make run` starts")
    parser.add_argument("command", nargs=argparse.REMAINDER, metavar="-- COMMAND ...")
    options = parser.parse_args()
    command = options.command[1:] if options.command[:1] == ["--"] else options.command
    if not command:
        parser.error("give a command after --")
    # As an exception, so that the servers and the folder go whatever stops us.
    signal.signal(signal.SIGTERM, _terminated)
    try:
        with stack() if options.stack else ephemeral() as environment:
            return _run(command, environment)
    except embedded.CannotServe as problem:
        print(problem, file=sys.stderr)  # noqa: T201 - a command line's own output
        return 1


@contextmanager
def ephemeral() -> Iterator[dict[str, str]]:
    """Give the environment in which a command finds throwaway servers, and remove them afterwards."""
    with _temporary_folder() as folder, ExitStack() as undo:
        place = embedded.temporary(folder)
        undo.callback(shutil.rmtree, place.sockets, ignore_errors=True)
        servers: dict[str, embedded.Postgres | embedded.Valkey] = {}
        if not env.text("DATABASE_URL"):
            servers["DATABASE_URL"] = embedded.Postgres(place, throwaway=True)
        if not env.text("REDIS_URL"):
            servers["REDIS_URL"] = embedded.Valkey(place)
        environment = dict(os.environ)
        environment[THROWAWAY] = "1"
        log = folder / "servers.log"
        for variable, server in servers.items():
            server.prepare()
            process = _start(server.program(), log, undo)
            _await(server, process, log)
            environment[variable] = server.url
        if not env.text("HANDRAIL_HOME"):
            (folder / "home" / "static").mkdir(parents=True)  # else each test client warns that it is missing
            (folder / "home").chmod(0o700)
            environment["HANDRAIL_HOME"] = str(folder / "home")
        yield environment


@contextmanager
def stack() -> Iterator[dict[str, str]]:
    """Give the environment in which a command finds a whole throwaway stack, and remove it afterwards."""
    with _temporary_folder() as folder, ExitStack() as undo:
        home = folder / "home"
        port, stream_port = undo.enter_context(ports.reserved(2))
        environment = {
            **os.environ,
            "HANDRAIL_HOME": str(home),
            "HANDRAIL_BIND": "127.0.0.1",
            "HANDRAIL_PORT": str(port),
            "HANDRAIL_STREAM_PORT": str(stream_port),
            "HANDRAIL_PUBLIC_URL": f"http://localhost:{port}",
            "HANDRAIL_DEMO": env.text("HANDRAIL_DEMO", "0"),
            "HANDRAIL_ADMIN_PASSWORD": env.text("HANDRAIL_ADMIN_PASSWORD") or secrets.token_urlsafe(12),
        }
        log = folder / "up.log"
        program = supervision.Program(
            name="up",
            argv=(sys.executable, str(BASE / "manage.py"), "up"),
            env=environment,
            cwd=BASE,
            stop_seconds=20,
        )
        process = _start(program, log, undo)
        url = f"http://localhost:{port}"
        supervision.wait_until(
            lambda: _answers(f"{url}/readyz") or process.poll() is not None, seconds=STACK_SECONDS, every=0.2
        )
        if not _answers(f"{url}/readyz"):
            _fail("The stack does not get ready; its own words are above.", log)
        environment.update(json.loads((home / "run" / "servers.json").read_text(encoding="utf-8")))
        environment["HANDRAIL_URL"] = url
        environment["HANDRAIL_STREAM_URL"] = f"http://localhost:{stream_port}"
        yield environment


@contextmanager
def _temporary_folder() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="handrail-", dir=places.temporary_parent()))
    try:
        if os.geteuid() == 0:
            folder.chmod(0o711)  # the servers' account passes through
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _start(program: supervision.Program, log: Path, undo: ExitStack) -> subprocess.Popen[bytes]:
    with log.open("ab") as output:
        process = supervision.spawn(program, output=output)
    undo.callback(supervision.stop, process, program)
    return process


def _await(server: embedded.Postgres | embedded.Valkey, process: subprocess.Popen[bytes], log: Path) -> None:
    supervision.wait_until(lambda: server.answers() or process.poll() is not None, seconds=60)
    if not server.answers():
        _fail(f"{server.name} does not start; its own words are above.", log)
    server.furnish()


def _fail(sentence: str, log: Path) -> None:
    sys.stderr.write(log.read_text(encoding="utf-8", errors="replace")[-8000:])
    raise embedded.CannotServe(sentence)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=3) as response:  # noqa: S310 - our own http address
            return int(response.status) == http.HTTPStatus.OK
    except OSError:
        return False


def _run(command: list[str], environment: dict[str, str]) -> int:
    """Run the command in our own process group (Ctrl-C reaches it too) and wait for it, whatever comes."""
    process = subprocess.Popen(command, env=environment)  # noqa: S603 - running a given command is the purpose
    try:
        while True:
            try:
                returned = process.wait()
            except KeyboardInterrupt:
                continue  # the command got it as well, and decides when it is done
            return returned if returned >= 0 else 128 - returned
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait()


def _terminated(signum: int, frame: FrameType | None) -> None:
    raise SystemExit(128 + signum)


if __name__ == "__main__":
    sys.exit(main())
