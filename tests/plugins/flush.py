"""Lets Django empty the tables between transactional tests, past the guards that refuse TRUNCATE.

Only the test database's owner does this, for the one statement, and the guards stand again right after:
the tests that prove them run against the very triggers that the migrations made.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pytest
from django.db import connection

if TYPE_CHECKING:
    from django.db.backends.postgresql.operations import DatabaseOperations

_GUARDS = """
    SELECT quote_ident(relname), quote_ident(tgname) FROM pg_trigger JOIN pg_class ON pg_class.oid = tgrelid
    WHERE NOT tgisinternal AND tgname LIKE '%_truncate'
"""


@pytest.fixture(scope="session", autouse=True)
def _flush_past_the_guards() -> None:
    # Not above: pytest loads this file before Django's models, and this import goes in a circle without them.
    from django.db.backends.postgresql.operations import DatabaseOperations

    sql_flush = DatabaseOperations.sql_flush

    def guarded(self: DatabaseOperations, *args: object, **kwargs: object) -> Sequence[str]:
        with connection.cursor() as cursor:
            cursor.execute(_GUARDS)
            guards = cursor.fetchall()
        off = [f"ALTER TABLE {table} DISABLE TRIGGER {name}" for table, name in guards]
        on = [f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {name}" for table, name in guards]
        return [*off, *sql_flush(self, *args, **kwargs), *on]  # type: ignore[arg-type]  # passed through

    DatabaseOperations.sql_flush = guarded  # type: ignore[method-assign, assignment]  # for this test run
