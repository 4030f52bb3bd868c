"""Where a text still stands in the database: every column that can hold one is searched.

Nothing is taken for granted of the product's own knowledge: the columns are those of the catalogue.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Final

from django.db import connection
from psycopg import sql

# A shorter word stands everywhere by chance.
SHORTEST: Final = 4
# Ended sessions hold signed texts of their own and go by themselves.
_LEFT_OUT: Final = frozenset({"django_session", "django_migrations"})


@dataclass(frozen=True, slots=True)
class Trace:
    """A column that has the text, and in how many rows."""

    table: str
    column: str
    rows: int


def traces(text: str) -> list[Trace]:
    """Return the columns in which the text stands, whatever their type; empty where it stands nowhere."""
    if len(text) < SHORTEST:
        raise ValueError(f"A text of {SHORTEST} characters and more can be searched for.")
    written = json.dumps(text, ensure_ascii=False)[1:-1]
    found = []
    with connection.cursor() as cursor:
        for table, columns in _columns().items():
            conditions, parameters = [], []
            for name, kind in columns:
                condition, needle = _condition(name, kind, text, written)
                conditions.append(sql.SQL("count(*) FILTER (WHERE {})").format(condition))
                parameters.append(needle)
            cursor.execute(
                sql.SQL("SELECT {} FROM {}").format(sql.SQL(", ").join(conditions), sql.Identifier(table)),
                parameters,
            )
            for (name, _), rows in zip(columns, cursor.fetchone(), strict=True):
                if rows:
                    found.append(Trace(table, name, rows))
    return found


def _condition(name: str, kind: str, text: str, written: str) -> tuple[sql.Composed, str | bytes]:
    column = sql.Identifier(name)
    if kind == "bytea":
        # Canonical JSON, which is UTF-8.
        return sql.SQL("position(%s::bytea in {}) > 0").format(column), written.encode()
    if kind == "tsvector":
        return sql.SQL("position(lower(%s) in {}::text) > 0").format(column), text
    if kind in ("json", "jsonb", "ARRAY"):
        return sql.SQL("position(%s in {}::text) > 0").format(column), written
    return sql.SQL("position(%s in {}) > 0").format(column), text


def _columns() -> dict[str, list[tuple[str, str]]]:
    """Return the columns of every table that can hold a text, with their types."""
    found: dict[str, list[tuple[str, str]]] = {}
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT c.table_name, c.column_name, c.data_type
              FROM information_schema.columns c
              JOIN information_schema.tables t USING (table_schema, table_name)
             WHERE c.table_schema = current_schema() AND t.table_type = 'BASE TABLE'
               AND c.data_type IN ('text', 'character varying', 'json', 'jsonb', 'bytea', 'ARRAY', 'tsvector')
             ORDER BY 1, 2
            """
        )
        for table, column, kind in cursor.fetchall():
            if table not in _LEFT_OUT:
                found.setdefault(table, []).append((column, kind))
    return found
