"""SQL for guards that PostgreSQL keeps by itself: triggers that refuse what must never happen.

They are ENABLE ALWAYS, so that they hold in every session, replication role included.
"""

from __future__ import annotations

from django.db.migrations import RunSQL


class Guard(RunSQL):
    """A step that makes one trigger: operators are told when it is missing or switched off."""

    def __init__(self, *, table: str, trigger: str, sql: list[str], reverse_sql: list[str]) -> None:
        super().__init__(sql=[*sql], reverse_sql=[*reverse_sql])
        self.table = table
        self.trigger = trigger


def guard(*, table: str, name: str, events: str, body: str) -> Guard:
    """Return the migration step that makes a BEFORE ROW trigger ``name`` on ``table``.

    ``events`` is SQL such as ``UPDATE OR DELETE``; ``body`` is PL/pgSQL between BEGIN and END, which raises
    to refuse and otherwise returns the row.
    """
    code = f"$guard$\nBEGIN\n{body}\nEND\n$guard$"
    return Guard(
        table=table,
        trigger=name,
        sql=[
            f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS {code}",
            f"CREATE TRIGGER {name} BEFORE {events} ON {table} FOR EACH ROW EXECUTE FUNCTION {name}()",
            f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {name}",
        ],
        reverse_sql=[f"DROP TRIGGER {name} ON {table}", f"DROP FUNCTION {name}()"],
    )


def append_only(*, table: str, name: str) -> list[Guard]:
    """Return the steps that refuse UPDATE, DELETE and TRUNCATE on ``table``."""
    refusal = f"  RAISE EXCEPTION '{table} is append-only' USING ERRCODE = 'restrict_violation';"
    return [
        guard(table=table, name=name, events="UPDATE OR DELETE", body=refusal),
        Guard(
            table=table,
            trigger=f"{name}_truncate",
            sql=[
                f"CREATE TRIGGER {name}_truncate BEFORE TRUNCATE ON {table} EXECUTE FUNCTION {name}()",
                f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {name}_truncate",
            ],
            reverse_sql=[f"DROP TRIGGER {name}_truncate ON {table}"],
        ),
    ]
