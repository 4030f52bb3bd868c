"""The embedded PostgreSQL: made once, reached through a socket of our own only, always with a password."""

from __future__ import annotations

import os
import secrets as random
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path
from typing import LiteralString
from urllib.parse import quote

import psycopg
from psycopg import sql

from hitl_site.lib import secrets
from hitl_site.lib.embedded.errors import CannotServe
from hitl_site.lib.embedded.places import Place, make_private
from hitl_site.lib.supervision import Program

DATABASE = "handrail"
ROLE = "handrail"
# What the application signs in as: it owns nothing, see hitl_site.database_roles.
APPLICATION_ROLE = "handrail_app"
_ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}
# Written into postgresql.conf when the data is made, where an operator may change them.
_SETTINGS = {
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

    def __init__(self, place: Place, *, connections: int = 100, throwaway: bool = False) -> None:
        self.place = place
        self.connections = connections
        self.throwaway = throwaway
        self.data = place.data / "postgres"

    @property
    def url(self) -> str:
        """The address for the owner of the database, password included."""
        return self._address(ROLE, "database-password")

    @property
    def application_url(self) -> str:
        """The address for ``DATABASE_URL``, password included."""
        return self._address(APPLICATION_ROLE, "database-app-password")

    def _address(self, role: str, secret: str) -> str:
        password = secrets.load_or_create(self.place.secrets / secret)
        sockets = quote(str(self.place.sockets), safe="")
        return f"postgresql://{role}:{quote(password)}@/{DATABASE}?host={sockets}"

    def prepare(self) -> None:
        """Make the data folder on the first start; refuse one that another major version made."""
        version = self.data / "PG_VERSION"
        if not version.exists():
            self._initialise()
        found, ours = version.read_text(encoding="ascii").strip(), self._major()
        if found != ours:
            raise CannotServe(
                f"The database in {self.data} was made by PostgreSQL {found}; the package brings {ours}.\n"
                "Move the data: install the former requirements.txt again, dump with pg_dump -Fc,"
                f" set {self.data} aside, start this version once, stop, and load with pg_restore."
                " Nothing was changed."
            )

    def program(self) -> Program:
        """Return the server as a process of ours: a direct child, asked to stop by SIGINT (fast shutdown)."""
        argv = [str(self.place.binaries.postgres), "-D", str(self.data), "-k", str(self.place.sockets)]
        fixed = ("listen_addresses=", "unix_socket_permissions=0700", "logging_collector=off")
        for setting in (*fixed, f"max_connections={self.connections}"):
            argv += ["-c", setting]
        return Program(
            name=self.name,
            argv=tuple(argv),
            env=_ENVIRONMENT,
            account=self.place.account,
            stop_signal=signal.SIGINT,
            stop_seconds=8.0,
        )

    def answers(self) -> bool:
        """Return whether the server takes connections."""
        try:
            # The eighth line of the lock file is the server's own word (pg_ctl waits for it too).
            status = (self.data / "postmaster.pid").read_text(encoding="utf-8").splitlines()[7]
        except (OSError, IndexError):
            return False
        if status.strip() != "ready":
            return False
        try:
            self._connect().close()
        except psycopg.OperationalError as refusal:
            if "password authentication failed" in str(refusal):
                raise CannotServe(
                    f"The database in {self.data} does not know the password in {self.place.secrets}."
                    " Both belong together: restore the secrets, or set HANDRAIL_HOME to another folder,"
                    f" or remove {self.data} to begin anew without that data."
                ) from refusal
            return False
        return True

    def furnish(self) -> None:
        """Make our roles and database. Runs at every start: an interrupted one may have left half of it."""
        role, database = sql.Identifier(ROLE), sql.Identifier(DATABASE)
        with self._connect() as connection:
            # Only where tests make databases and roles of their own.
            owners = "CREATEDB CREATEROLE" if self.throwaway else "NOCREATEDB NOCREATEROLE"
            self._furnish_role(connection, ROLE, "database-password", rights=owners)
            self._furnish_role(connection, APPLICATION_ROLE, "database-app-password", rights="NOCREATEDB")
            if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone():
                connection.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(database, role))
            connection.execute(sql.SQL("REVOKE CONNECT ON DATABASE {} FROM PUBLIC").format(database))
            application = sql.Identifier(APPLICATION_ROLE)
            connection.execute(sql.SQL("GRANT CONNECT ON DATABASE {} TO {}").format(database, application))

    def _furnish_role(
        self,
        connection: psycopg.Connection[tuple[object, ...]],
        name: str,
        secret: str,
        *,
        rights: LiteralString,
    ) -> None:
        role = sql.Identifier(name)
        if not connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [name]).fetchone():
            connection.execute(sql.SQL("CREATE ROLE {} LOGIN").format(role))
        password = sql.Literal(secrets.load_or_create(self.place.secrets / secret))
        change = sql.SQL("ALTER ROLE {} {} PASSWORD {}")
        connection.execute(change.format(role, sql.SQL(rights), password))

    def _connect(self) -> psycopg.Connection[tuple[object, ...]]:
        return psycopg.connect(
            host=str(self.place.sockets),
            user="postgres",
            password=secrets.load_or_create(self.place.secrets / "postgres-password"),
            dbname="postgres",
            connect_timeout=2,
            autocommit=True,
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
