"""Two roles of the database: the owner changes the schema, the application can only do what it has to.

The application's role can add to what is append-only and nothing else, so that whoever speaks through it (an
injected statement, a mistake in this code) can neither rewrite the ledger nor switch its guards off. What the
application may do is written out here, table by table, and granted anew after every migration.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final

from django.apps import apps
from django.conf import settings
from django.db import connection, transaction
from psycopg import sql

from hitl_site.health import expected_guards

READ: Final = ("SELECT",)
ADD: Final = ("SELECT", "INSERT")
CHANGE: Final = ("SELECT", "INSERT", "UPDATE")
REMOVE: Final = ("SELECT", "INSERT", "UPDATE", "DELETE")

# What migrations alone write.
_READ_ONLY: Final = frozenset({"django_migrations", "django_content_type", "auth_permission"})
# Where rows go away: typed drafts, skips, ended sessions, and what people take back in the administration.
_REMOVABLE: Final = frozenset(
    {
        "auth_group",
        "auth_group_permissions",
        "auth_user_groups",
        "auth_user_user_permissions",
        "django_session",
        # Made of the ledger, and made again from its start.
        "policies_conditionmatch",
        "policies_pastchunk",
        "policies_scorebin",
        "reviews_draft",
        "reviews_queuemember",
        "reviews_savedview",
        "reviews_shift",
        "reviews_skill",
        "reviews_skip",
    }
)
_ADDED_ONLY: Final = frozenset({"django_admin_log", "policies_ledgerpayload"})
# A payload is erased, and nothing else of it ever changes; of the others content goes while a removal is
# under way, which the guards see to (lib.removal_guards).
_COLUMNS: Final = {
    "policies_ledgerpayload": ("body", "salt", "erased_at"),
    "policies_gatecheck": ("cluster_key", "nearest_miss", "reasons"),
    "policies_observation": ("cluster_key",),
    "policies_shadowcheck": ("reasons",),
    "reviews_actioncontext": ("context", "judge", "samples", "reason", "reported_outcome"),
    "reviews_escalation": ("note",),
    "datasets_labelledcase": ("content", "group_key", "likeness", "similarity", "erased_at"),
    "datasets_labelrevision": ("arguments_canonical", "note"),
    "datasets_groundtruth": ("arguments_canonical", "detail"),
    "datasets_datasetmember": ("later",),
    "datasets_conversation": ("messages", "subject", "conversation_id"),
    "datasets_omission": ("arguments_canonical", "note"),
}


class SameRole(Exception):
    """The application would be its own owner: then nothing could be kept from it."""


def rights() -> dict[str, tuple[str, ...]]:
    """Return what the application may do with each table."""
    append_only = {table for table, trigger in expected_guards() if trigger.endswith("_truncate")}
    tables = {model._meta.db_table for model in apps.get_models(include_auto_created=True)}
    granted: dict[str, tuple[str, ...]] = {}
    for table in sorted(tables | {"django_migrations"}):
        if table in _READ_ONLY:
            granted[table] = READ
        elif table in append_only or table in _ADDED_ONLY:
            granted[table] = ADD
        elif table in _REMOVABLE:
            granted[table] = REMOVE
        else:
            granted[table] = CHANGE
    return granted


def columns() -> Mapping[str, tuple[str, ...]]:
    """Return the columns that may be updated in tables that may not."""
    return _COLUMNS


def grant(role: str) -> None:
    """Give the role exactly these rights, as the schema's owner; whatever else it had is taken away.

    One transaction, so that a running application never finds itself without them. Safe to repeat.
    """
    name = sql.Identifier(role)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT current_user, current_database(), current_schema()")
        owner, database, schema = cursor.fetchone()
        if owner == role:
            raise SameRole(f"{role} owns the schema: the application needs a role of its own.")
        place = {"role": name, "schema": sql.Identifier(schema), "database": sql.Identifier(database)}
        for statement in (
            "REVOKE ALL ON ALL TABLES IN SCHEMA {schema} FROM {role}",
            "REVOKE ALL ON ALL SEQUENCES IN SCHEMA {schema} FROM {role}",
            "REVOKE CREATE ON SCHEMA {schema} FROM PUBLIC, {role}",
            "REVOKE CREATE, TEMPORARY ON DATABASE {database} FROM PUBLIC, {role}",
            "GRANT CONNECT ON DATABASE {database} TO {role}",
            "GRANT USAGE ON SCHEMA {schema} TO {role}",
            # Numbers come from sequences; reading them is for pg_dump.
            "GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA {schema} TO {role}",
        ):
            cursor.execute(sql.SQL(statement).format(**place))
        for table, allowed in rights().items():
            verbs = sql.SQL(", ").join(sql.SQL(each) for each in allowed)
            given = sql.SQL("GRANT {verbs} ON {table} TO {role}")
            cursor.execute(given.format(verbs=verbs, table=sql.Identifier(table), role=name))
        for table, names in columns().items():
            listed = sql.SQL(", ").join(map(sql.Identifier, names))
            given = sql.SQL("GRANT UPDATE ({columns}) ON {table} TO {role}")
            cursor.execute(given.format(columns=listed, table=sql.Identifier(table), role=name))


def application_role() -> str:
    """Return the role that the application signs in as."""
    return str(settings.DATABASES["default"]["USER"])


@contextmanager
def as_owner() -> Iterator[None]:
    """Speak to the database as the schema's owner, where there is such a role; else as always."""
    if not settings.MIGRATION_DATABASE_URL:
        yield
        return
    from hitl_site.settings import database_settings

    ours = {part: connection.settings_dict[part] for part in ("USER", "PASSWORD", "HOST", "PORT")}
    owners = database_settings(settings.MIGRATION_DATABASE_URL)
    connection.close()
    connection.settings_dict.update({part: owners[part] for part in ours})
    try:
        yield
    finally:
        connection.close()
        connection.settings_dict.update(ours)
