"""``manage.py up``: the stack of one machine, from nothing to an address that answers."""

from __future__ import annotations

import http.client
import json
import os
import socket
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import connections

from hitl_site import preparation
from hitl_site.lib import embedded, env
from hitl_site.lib.supervision import AlreadyRunning, Console, Interrupted, KeepsFailing, Roster, Supervisor
from hitl_site.settings import database_settings
from hitl_site.stack import Stack

READY_SECONDS = 90.0
_LETTING_GO_SECONDS = 5.0
OWNER = "HANDRAIL_MIGRATION_DATABASE_URL"


class Command(BaseCommand):
    help = (
        "Run everything on this machine: PostgreSQL, Valkey, web, stream, worker and beat."
        " Ctrl-C stops all. See .env.example for the settings."
    )
    requires_system_checks = ()  # the database is not up yet

    def handle(self, *args: object, **options: object) -> None:
        roster = Roster(Path(settings.HANDRAIL_HOME) / "run")
        try:
            roster.acquire()
        except AlreadyRunning as other:
            raise CommandError(
                f"Handrail already runs on {settings.HANDRAIL_HOME} (process {other.pid})."
                " Stop it first, or give a second one its own HANDRAIL_HOME and HANDRAIL_PORT."
            ) from None
        try:
            ended = roster.end_leftovers()
            bind = env.text("HANDRAIL_BIND", "127.0.0.1")
            # Those who were killed this moment may be a moment in letting go of theirs.
            _check_ports(bind, seconds=_LETTING_GO_SECONDS if ended else 0.0)
            with Supervisor(console=Console(), roster=roster) as supervisor:
                if ended:
                    supervisor.say(f"stopped what a killed start had left: {', '.join(ended)}")
                _Machine(supervisor, bind=bind).run()
        except (embedded.CannotServe, KeepsFailing) as problem:
            raise CommandError(str(problem)) from problem
        finally:
            roster.release()


class _Machine:
    """One run of the stack: servers, database, programs, then watch."""

    def __init__(self, supervisor: Supervisor, *, bind: str) -> None:
        self._began = time.monotonic()
        self._supervisor = supervisor
        self._home = Path(settings.HANDRAIL_HOME)
        self._stack = Stack(
            base=Path(settings.BASE_DIR),
            home=self._home,
            bind=bind,
            port=settings.HANDRAIL_PORT,
            stream_port=settings.HANDRAIL_STREAM_PORT,
            wait_slots=settings.WAIT_SLOTS,
            environment={
                **os.environ,
                "PYTHONUNBUFFERED": "1",
                "HANDRAIL_HOME": str(self._home),
                "HANDRAIL_PORT": str(settings.HANDRAIL_PORT),
                "HANDRAIL_STREAM_PORT": str(settings.HANDRAIL_STREAM_PORT),
            },
        )
        self._password: str | None = None

    def run(self) -> None:
        """Start everything, say where it is, watch until asked to stop, stop everything."""
        try:
            if os.geteuid() == 0:
                self._supervisor.say("running as root, which nothing here needs: an ordinary user is enough")
            self._start_servers()
            self._prepare()
            for program in self._stack.programs():
                self._supervisor.start(program)
            self._supervisor.wait_for(self._is_ready, name="web", seconds=READY_SECONDS)
            self._announce(f"Handrail is ready at {settings.PUBLIC_URL}/ ({self._seconds()} s)")
            self._supervisor.run_until_stopped()
        except Interrupted:
            pass
        finally:
            self._announce()  # a password that was made and never shown would be lost
            self._supervisor.say("stopping")
            self._supervisor.stop([("postgres", "valkey")])
            self._supervisor.say("stopped")

    def _start_servers(self) -> None:
        """Start the servers that the environment does not name, and write down the addresses of both."""
        urls = {name: env.text(name) for name in ("DATABASE_URL", "REDIS_URL")}
        owner = env.text(OWNER)
        servers: list[embedded.Postgres | embedded.Valkey] = []
        if not all(urls.values()):
            place = embedded.choose(self._home)
            if place.data != self._home and place.account:
                self._supervisor.say(f"the account {place.account.name} keeps the database in {place.data}")
            if not urls["DATABASE_URL"]:
                postgres = embedded.Postgres(place, connections=self._stack.connections)
                urls["DATABASE_URL"] = postgres.application_url
                owner = postgres.url
                servers.append(postgres)
            if not urls["REDIS_URL"]:
                valkey = embedded.Valkey(place)
                urls["REDIS_URL"] = valkey.url
                servers.append(valkey)
        for server in servers:
            server.prepare()
            self._supervisor.start(server.program())
        for server in servers:
            self._supervisor.wait_for(server.answers, name=server.name, seconds=60)
            server.furnish()
        # The programs do not learn how to sign in as the owner.
        self._stack.environment.update(urls)
        self._stack.environment.pop(OWNER, None)
        _write_private(
            self._home / "run" / "servers.json", json.dumps(urls | ({OWNER: owner} if owner else {}))
        )
        # Settings were read before the servers had an address; no connection was opened since.
        settings.DATABASES["default"].update(database_settings(urls["DATABASE_URL"]))
        settings.MIGRATION_DATABASE_URL = owner

    def _prepare(self) -> None:
        """Bring database and static files up to this code; a first start also makes admin and demo."""
        path = self._home / "installation.json"
        known = preparation.load(path)
        with closing(connections["default"]):
            if preparation.is_new():
                wanted = env.flag("HANDRAIL_DEMO", True)
                known = preparation.Installation(demo="wanted" if wanted else "declined")
                preparation.save(path, known)
            if applied := preparation.migrate():
                self._supervisor.say(f"applied {applied} migrations")
            preparation.ensure_keys()
            self._password = preparation.ensure_admin(env.text("HANDRAIL_ADMIN_PASSWORD"))
        if problem := preparation.compile_catalogs():
            self._supervisor.say(
                f"pages may be in English alone: the catalogues were not compiled ({problem})"
            )
        known = preparation.collect_static(known)
        preparation.save(path, known)
        self._supervisor.pump(0)
        if known.demo == "wanted":
            self._supervisor.say("making demo data (a first start with HANDRAIL_DEMO=0 has none)")
            if self._supervisor.run(self._stack.command("seed_demo")) == 0:
                preparation.save(path, replace(known, demo="done"))
            else:
                self._supervisor.say("the demo data could not be made; the next start tries again")

    def _announce(self, *lines: str) -> None:
        """Print what a person must not miss; a generated password is among it once."""
        if self._password is not None:
            given = self._password == env.text("HANDRAIL_ADMIN_PASSWORD")
            shown = "the one in HANDRAIL_ADMIN_PASSWORD" if given else f"{self._password}   (shown only now)"
            lines += (f"sign in as {preparation.ADMIN}, password: {shown}",)
            self._password = None
        if lines:
            self._supervisor.announce(*lines)

    def _is_ready(self) -> bool:
        address = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self._stack.bind, self._stack.bind)  # noqa: S104 - asked, not bound
        host = next((name for name in settings.ALLOWED_HOSTS if not name.startswith(("*", "."))), "localhost")
        client = http.client.HTTPConnection(address, self._stack.port, timeout=3)
        try:
            client.request("GET", "/readyz", headers={"Host": host})
            return client.getresponse().status == http.HTTPStatus.OK
        except (OSError, http.client.HTTPException):
            return False
        finally:
            client.close()

    def _seconds(self) -> str:
        return f"{time.monotonic() - self._began:.1f}"


def _check_ports(bind: str, *, seconds: float) -> None:
    """Refuse a port that is still taken after ``seconds``, before anything starts."""
    for variable, port in (
        ("HANDRAIL_PORT", settings.HANDRAIL_PORT),
        ("HANDRAIL_STREAM_PORT", settings.HANDRAIL_STREAM_PORT),
    ):
        deadline = time.monotonic() + seconds
        while (refusal := _refusal(bind, port)) and time.monotonic() < deadline:
            time.sleep(0.05)
        if refusal:
            raise CommandError(
                f"Cannot listen on {bind} port {port}: {refusal}."
                f" Set {variable} to a free port, or stop the program that has it."
            )


def _refusal(bind: str, port: int) -> str:
    """Return why nobody can listen there, "" where somebody can."""
    with socket.socket(socket.AF_INET6 if ":" in bind else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((bind, port))
        except OSError as refusal:
            return refusal.strerror or str(refusal)
    return ""


def _write_private(path: Path, text: str) -> None:
    part = path.with_suffix(".part")
    part.unlink(missing_ok=True)
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
    part.replace(path)
