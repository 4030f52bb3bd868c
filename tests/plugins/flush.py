"""Lets Django empty the tables between transactional tests, past the guards that refuse TRUNCATE.

Only the test database's owner does this, for the one statement, and the guards stand again right after:
the tests that prove them run against the very triggers that the migrations made.

A page that a browser test closed may have sent one request more (it lets its claim go), which holds locks
for a moment: emptying waits for it, also where it meets a deadlock or the time that a lock is waited for.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pytest
from django.db import OperationalError, connection

if TYPE_CHECKING:
    from django.db.backends.postgresql.operations import DatabaseOperations

_TRIES = 6
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

    execute_sql_flush = DatabaseOperations.execute_sql_flush

    def patient(self: DatabaseOperations, sql_list: Sequence[str]) -> None:
        for left in reversed(range(_TRIES)):
            try:
                # One transaction: a try that fails has changed nothing.
                execute_sql_flush(self, sql_list)
            except OperationalError:
                if not left:
                    raise
            else:
                return

    DatabaseOperations.execute_sql_flush = patient  # type: ignore[method-assign, assignment]  # for this test run
    DatabaseOperations.sql_flush = guarded  # type: ignore[method-assign, assignment]  # for this test run
