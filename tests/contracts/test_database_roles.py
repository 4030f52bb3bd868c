"""The application's role of the database: it can do what the product does, and undo no record."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from django.conf import LazySettings
from django.core.management import CommandError, call_command
from django.db import ProgrammingError, connection, transaction
from psycopg import sql

from hitl_site import database_roles
from policies.models import LedgerEntry
from policies.services import ledger
from reviews.tests.cast import make_cast
from tests.contracts import changes, tour

pytestmark = pytest.mark.django_db(transaction=True)

GOLDEN = Path(__file__).with_name("database_rights.txt")
ROLE = "handrail_app_of_a_test"


@pytest.fixture
def application(transactional_db: None, settings: LazySettings, tmp_path: Path) -> Iterator[dict[str, str]]:
    """Make the application's role in the throwaway server, with its rights; take it away afterwards."""
    settings.CHECKPOINT_FILE = tmp_path / "checkpoints.txt"
    settings.CHECKPOINT_KEY_DIR = tmp_path / "keys"
    settings.EXPORT_DIR = tmp_path / "exports"
    with connection.cursor() as cursor:
        cursor.execute("SELECT rolcreaterole FROM pg_roles WHERE rolname = current_user")
        if not cursor.fetchone()[0]:
            pytest.skip("This needs a role that may create roles, as the throwaway servers have.")
        password = secrets.token_urlsafe(16)
        cursor.execute(
            sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(sql.Identifier(ROLE), sql.Literal(password))
        )
    database_roles.grant(ROLE)
    try:
        yield {"USER": ROLE, "PASSWORD": password}
    finally:
        with connection.cursor() as cursor:
            for statement in (
                "REVOKE ALL ON ALL TABLES IN SCHEMA public FROM {role}",
                "REVOKE ALL ON ALL SEQUENCES IN SCHEMA public FROM {role}",
                "REVOKE ALL ON SCHEMA public FROM {role}",
                "REVOKE ALL ON DATABASE {database} FROM {role}",
                "DROP ROLE {role}",
            ):
                database = sql.Identifier(connection.settings_dict["NAME"])
                cursor.execute(sql.SQL(statement).format(role=sql.Identifier(ROLE), database=database))


@pytest.fixture
def as_application(application: dict[str, str]) -> Iterator[None]:
    """Speak to the database as the application for the length of a test."""
    owner = {part: connection.settings_dict[part] for part in application}
    connection.close()
    connection.settings_dict.update(application)
    try:
        yield
    finally:
        connection.close()
        connection.settings_dict.update(owner)


def granted() -> str:
    """Return what the role may do with each table, as PostgreSQL tells it."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT table_name, string_agg(privilege_type, ' ' ORDER BY privilege_type)"
            " FROM information_schema.role_table_grants WHERE grantee = %s GROUP BY table_name",
            [ROLE],
        )
        tables = dict(cursor.fetchall())
        cursor.execute(
            "SELECT table_name, string_agg(column_name, ' ' ORDER BY column_name)"
            " FROM information_schema.column_privileges"
            " WHERE grantee = %s AND privilege_type = 'UPDATE' GROUP BY table_name",
            [ROLE],
        )
        columns = {table: names for table, names in cursor.fetchall() if "UPDATE" not in tables[table]}
    lines = [f"{table}: {rights}" for table, rights in sorted(tables.items())]
    lines += [f"{table}: UPDATE of {names}" for table, names in sorted(columns.items())]
    return "\n".join(lines) + "\n"


def test_the_rights_are_those_that_were_agreed(application: dict[str, str]) -> None:
    """A new table needs a line in database_rights.txt: what may the application do with it, and no more?"""
    assert granted() == GOLDEN.read_text()
    database_roles.grant(ROLE)
    assert granted() == GOLDEN.read_text()


def test_what_is_append_only_can_only_be_added_to(application: dict[str, str]) -> None:
    lines = dict(line.split(": ") for line in granted().splitlines() if " of " not in line)
    for table in ("ledgerentry", "ledgerlink", "ledgercheckpoint", "gatecheck"):
        assert lines[f"policies_{table}"] == "INSERT SELECT"
    assert not any({"TRUNCATE", "TRIGGER", "REFERENCES"} & set(rights.split()) for rights in lines.values())


FORBIDDEN = (
    "UPDATE policies_ledgerentry SET verb = 'x'",
    "DELETE FROM policies_ledgerentry",
    "TRUNCATE policies_ledgerentry CASCADE",
    "UPDATE policies_ledgerlink SET hash = 'x'",
    "DELETE FROM policies_ledgerlink",
    "UPDATE policies_ledgerpayload SET entry_id = 0",
    "DELETE FROM policies_ledgerpayload",
    "UPDATE policies_ledgercheckpoint SET note = 'x'",
    "DELETE FROM policies_gatecheck",
    "DELETE FROM reviews_decision",
    "DELETE FROM reviews_permit",
    "DELETE FROM auth_user",
    "TRUNCATE reviews_draft",
    "ALTER TABLE policies_ledgerentry DISABLE TRIGGER ALL",
    "ALTER TABLE policies_ledgerentry DISABLE TRIGGER ledger_entry_never_changes",
    "DROP TRIGGER ledger_entry_never_changes ON policies_ledgerentry",
    "CREATE OR REPLACE FUNCTION ledger_entry_never_changes() RETURNS trigger LANGUAGE plpgsql"
    " AS 'BEGIN RETURN NEW; END'",
    "SET session_replication_role = replica",
    "DROP TABLE reviews_draft",
    "ALTER TABLE reviews_draft ADD COLUMN x int",
    "CREATE TABLE mine (x int)",
    "CREATE TEMPORARY TABLE mine (x int)",
    "CREATE SCHEMA mine",
    "CREATE FUNCTION mine() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    "INSERT INTO django_migrations (app, name, applied) VALUES ('x', 'y', now())",
    "CREATE ROLE mine",
    "COPY policies_ledgerentry TO PROGRAM 'cat'",
    "SELECT pg_read_file('PG_VERSION')",
)


@pytest.mark.usefixtures("as_application")
def test_what_would_undo_the_record_is_refused() -> None:
    passed = []
    for statement in FORBIDDEN:
        try:
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute(statement)
        except ProgrammingError as refused:
            if isinstance(refused.__cause__, psycopg.errors.InsufficientPrivilege):
                continue
            raise
        passed.append(statement)
    assert passed == []


def test_everything_that_the_product_does_works_as_the_application(application: dict[str, str]) -> None:
    cast = make_cast()
    owner = {part: connection.settings_dict[part] for part in application}
    with changes.watch() as watched:
        connection.close()
        connection.settings_dict.update(application)
        try:
            tour.everything(cast)
        finally:
            connection.close()
            connection.settings_dict.update(owner)
        assert watched.unrecorded() == []
    assert ledger.verify().is_intact
    assert LedgerEntry.objects.filter(verb="ledger.payload_erased").exists()


def test_the_owner_grants_and_the_application_cannot(
    application: dict[str, str], settings: LazySettings
) -> None:
    with pytest.raises(CommandError, match="owns the schema"):
        call_command("grant_rights")
    owner = {part: connection.settings_dict[part] for part in application}
    host, name = connection.settings_dict["HOST"], connection.settings_dict["NAME"]
    settings.MIGRATION_DATABASE_URL = f"postgresql://{owner['USER']}:{owner['PASSWORD']}@/{name}?host={host}"
    if connection.settings_dict["PORT"]:
        settings.MIGRATION_DATABASE_URL += f"&port={connection.settings_dict['PORT']}"
    connection.close()
    connection.settings_dict.update(application)
    try:
        call_command("grant_rights")
        call_command("migrate", verbosity=0)
        with connection.cursor() as cursor:
            cursor.execute("SELECT current_user")
            assert cursor.fetchone() == (ROLE,)
    finally:
        connection.close()
        connection.settings_dict.update(owner)
    assert granted() == GOLDEN.read_text()
