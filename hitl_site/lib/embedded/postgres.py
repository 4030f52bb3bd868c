"""The embedded PostgreSQL: made once, reached through a socket of our own only, always with a password."""

from __future__ import annotations

import os
import secrets as random
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

import psycopg
from psycopg import sql

from hitl_site.lib import secrets
from hitl_site.lib.embedded.errors import CannotServe
from hitl_site.lib.embedded.places import Place, make_private
from hitl_site.lib.supervision import Program, wait_until

DATABASE = "handrail"
ROLE = "handrail"
_ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}
# Written into postgresql.conf when the data is made, where an operator may change them.
_SETTINGS = {
    "max_connections": "100",
    "wal_level": "replica",  # so that pg_basebackup works
    "timezone": "UTC",
    "log_timezone": "UTC",
    "password_encryption": "scram-sha-256",
    "log_checkpoints": "off",
}
# For throwaway data alone: a power cut would lose it, and nobody would miss it.
_THROWAWAY_SETTINGS = {"fsync": "off", "full_page_writes": "off", "max_wal_size": "256MB"}


class Postgres:
    """One PostgreSQL server in one place."""

    name = "postgres"

    def __init__(self, place: Place, *, throwaway: bool = False) -> None:
        self.place = place
        self.throwaway = throwaway
        self.data = place.data / "postgres"

    @property
    def url(self) -> str:
        """The address for ``DATABASE_URL``, password included."""
        password = secrets.load_or_create(self.place.secrets / "database-password")
        return f"postgresql://{ROLE}:{quote(password)}@/{DATABASE}?host={quote(str(self.place.sockets), safe='')}"

    def prepare(self) -> None:
        """Make the data folder on the first start; refuse one that another major version made."""
        version = self.data / "PG_VERSION"
        if not version.exists():
            self._initialise()
        found, ours = version.read_text(encoding="ascii").strip(), self._major()
        if found != ours:
            raise CannotServe(
                f"The database in {self.data} was made by PostgreSQL {found}; the installed package brings {ours}.\n"
                f"Move the data: install the former requirements.txt again, dump with pg_dump -Fc, set {self.data}"
                " aside, start this version once, stop, and load with pg_restore. Nothing was changed."
            )

    def program(self) -> Program:
        """Return the server as a process of ours: a direct child, asked to stop by SIGINT (fast shutdown)."""
        argv = [str(self.place.binaries.postgres), "-D", str(self.data), "-k", str(self.place.sockets)]
        for setting in ("listen_addresses=", "unix_socket_permissions=0700", "logging_collector=off"):
            argv += ["-c", setting]
        return Program(
            name=self.name,
            argv=tuple(argv),
            env=_ENVIRONMENT,
            account=self.place.account,
            stop_signal=signal.SIGINT,
            stop_seconds=8.0,
        )

    def wait_ready(self, *, alive: Callable[[], bool], seconds: float = 60.0) -> None:
        """Return when the server answers and holds our role and database; raise when it does not come up."""
        answered = False

        def ask() -> bool:
            nonlocal answered
            answered = self._answers()
            return answered or not alive()

        wait_until(ask, seconds=seconds, every=0.02)
        if not answered:
            raise CannotServe("PostgreSQL did not come up; its own words are above.")
        self._ensure_role_and_database()

    def _answers(self) -> bool:
        with suppress(psycopg.OperationalError):
            self._connect().close()
            return True
        # A wrong password is an answer too, and the next step explains it.
        return False

    def _connect(self) -> psycopg.Connection[tuple[object, ...]]:
        return psycopg.connect(
            host=str(self.place.sockets),
            user="postgres",
            password=secrets.load_or_create(self.place.secrets / "postgres-password"),
            dbname="postgres",
            connect_timeout=2,
            autocommit=True,
        )

    def _ensure_role_and_database(self) -> None:
        """Make what a first start needs. Runs at every start: an interrupted first start may have left half of it."""
        password = secrets.load_or_create(self.place.secrets / "database-password")
        role = sql.Identifier(ROLE)
        with self._connect() as connection:
            if not connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [ROLE]).fetchone():
                connection.execute(sql.SQL("CREATE ROLE {} LOGIN").format(role))
            # CREATEDB only where tests make databases of their own.
            rights = sql.SQL("CREATEDB" if self.throwaway else "NOCREATEDB")
            connection.execute(
                sql.SQL("ALTER ROLE {} {} PASSWORD {}").format(role, rights, sql.Literal(password))
            )
            if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone():
                connection.execute(
                    sql.SQL("CREATE DATABASE {} OWNER {}").format(sql.Identifier(DATABASE), role)
                )
                connection.execute(
                    sql.SQL("REVOKE CONNECT ON DATABASE {} FROM PUBLIC").format(sql.Identifier(DATABASE))
                )

    def _initialise(self) -> None:
        """Run initdb beside the final place and move it there: the data folder is absent or complete."""
        place, account = self.place, self.place.account
        for leftover in place.data.glob(".postgres-*"):
            shutil.rmtree(leftover, ignore_errors=True)
        staging = Path(tempfile.mkdtemp(prefix=".postgres-", dir=place.data))
        make_private(staging, account)
        passwords = staging / f"password-{random.token_hex(4)}"
        passwords.write_text(secrets.load_or_create(place.secrets / "postgres-password"), encoding="ascii")
        passwords.chmod(0o600)
        if account is not None:
            os.chown(passwords, account.uid, account.gid)
        argv = [str(place.binaries.initdb), "-D", str(staging / "data"), "-U", "postgres"]
        argv += ["-A", "scram-sha-256", f"--pwfile={passwords}", "--data-checksums", "-E", "UTF8"]
        argv += ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        for name, value in (_SETTINGS | (_THROWAWAY_SETTINGS if self.throwaway else {})).items():
            argv += ["-c", f"{name}={value}"]
        if self.throwaway:
            argv.append("--no-sync")
        done = subprocess.run(  # noqa: S603 - argv is made by us, no shell
            argv,
            env=_ENVIRONMENT,
            cwd="/",
            user=account.uid if account else None,
            group=account.gid if account else None,
            extra_groups=[] if account else None,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )
        passwords.unlink()
        if done.returncode != 0:
            shutil.rmtree(staging, ignore_errors=True)
            raise CannotServe(f"initdb failed:\n{done.stdout.decode(errors='replace').strip()}")
        (staging / "data").rename(self.data)
        staging.rmdir()

    def _major(self) -> str:
        done = subprocess.run(  # noqa: S603 - argv is made by us, no shell
            [str(self.place.binaries.postgres), "--version"],
            capture_output=True,
            text=True,
            check=True,
            env=_ENVIRONMENT,
        )
        return done.stdout.rsplit(maxsplit=1)[-1].split(".")[0]
