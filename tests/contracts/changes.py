"""Watches, inside PostgreSQL, which transactions changed state without an entry in the ledger.

A trigger on every table with state notes the number of the transaction; an entry of the ledger carries the
number of its own. A committed change whose number no entry has is a change without a record, whoever made it
and however: the watch sees rows, not calls.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from django.apps import apps
from django.db import connection

# Tables that need no entry, and why. Every other table of every model is watched.
EXEMPT: Final = {
    "policies_ledgerentry": "the record itself",
    "policies_ledgerpayload": "the record itself",
    "policies_ledgerlink": "the record's own order, made of what is recorded",
    "policies_ledgercursor": "how far a reader of the record has come",
    "policies_ledgercheckpoint": "a signed copy of the record's last hash",
    "policies_looptick": "a sign of life of the worker",
    "policies_evidencesample": "made of the record alone, and can be made again",
    "policies_evidencetrack": "made of the record alone, and can be made again",
    "datasets_caseindex": "made of the cases alone, and can be made again",
    "policies_scorebin": "made of the record alone, and can be made again",
    "policies_pastchunk": "made of the record alone, and can be made again",
    "policies_conditionmatch": "what a condition says of the past: can be asked again",
    "policies_whatifrun": "a question to the past, which changes nothing",
    "datasets_labelledcase": "made of the record alone, entry by entry, and can be made again",
    "reviews_precedent": "made of the record alone, decision by decision, and can be made again",
    "reviews_itemview": "how long a page was open; the decision's entry says what of it counts",
    "reviews_draft": "what somebody has typed and not sent",
    "reviews_notice": "what a person is told of; what it tells of is recorded",
    "reviews_delivery": "messages on their way; what they tell of is recorded",
    "reviews_preferences": "how the console looks to one person, which changes nothing for others",
    "django_session": "who is signed in; signing in and out are recorded",
    "django_admin_log": "the admin's own list of what the record has as well",
    "django_content_type": "made by migrations",
    "auth_permission": "made by migrations",
    "auth_group_permissions": "the rights of groups: of Handrail's by migrations, of others by the admin",
}
# Columns that may change without an entry, and why: they lapse by the clock, count, or tell progress.
SILENT: Final = {
    "policies_agent": {"last_seen_at"},
    "policies_agentkey": {"last_used_at"},
    "policies_killswitch": {"pending_closed"},  # progress; its end has an entry
    "policies_ledgerverification": {"verified", "total", "last_hash", "attempts", "heartbeat_at", "state"},
    "reviews_reviewitem": {"claimed_by_id", "lease_expires_at"},  # a courtesy: it grants nothing and lapses
    "reviews_execution": {"heartbeat_at", "lease_until"},
    "reviews_ingestrow": {"attempts", "last_error"},
    "policies_removal": {"attempts", "total"},  # progress; each batch has an entry
    "datasets_freezing": {"cases_done", "attempts"},  # progress
    "datasets_export": {
        "rows_done", "bytes_done", "sha256", "checkpoint", "attempts", "epoch", "lease_expires_at",
        "started_at", "error",
    },
}  # fmt: skip
# Rows that may be added without an entry.
ADDED_SILENTLY: Final = {
    "reviews_ingestrow": "a line that waits at the door; what becomes of it is recorded",
}


@dataclass(frozen=True, order=True)
class Change:
    """A change that the ledger knows nothing of, and the statement that made it."""

    table: str
    operation: str
    statement: str


class Watch:
    """What was changed since the watch began."""

    def unrecorded(self) -> list[Change]:
        """Return the committed changes of transactions without an entry."""
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT DISTINCT place, operation, statement FROM watched_change c WHERE NOT EXISTS"
                " (SELECT 1 FROM policies_ledgerentry e WHERE e.transaction_id = c.transaction_id)"
            )
            return sorted(Change(*row) for row in cursor.fetchall())

    def tables(self) -> set[str]:
        """Return the tables in which anything changed."""
        with connection.cursor() as cursor:
            cursor.execute("SELECT DISTINCT place FROM watched_change")
            return {place for (place,) in cursor.fetchall()}


def state_tables() -> set[str]:
    """Return the tables of all models and of what is between them, without the exempt ones."""
    return {model._meta.db_table for model in apps.get_models(include_auto_created=True)} - set(EXEMPT)


@contextmanager
def watch() -> Iterator[Watch]:
    """Watch every table with state for as long as the block runs, from every connection."""
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE TABLE watched_change (transaction_id xid8, place text, operation text, statement text)"
        )
        # It runs as whoever made it, so that a role with few rights is watched as well.
        cursor.execute(
            """
            CREATE FUNCTION watched_change() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
            BEGIN
              IF TG_OP = 'UPDATE'
                 AND to_jsonb(NEW) - TG_ARGV[0]::text[] = to_jsonb(OLD) - TG_ARGV[0]::text[]
              THEN RETURN NULL; END IF;
              INSERT INTO watched_change
                VALUES (pg_current_xact_id(), TG_TABLE_NAME, TG_OP, left(current_query(), 300));
              RETURN NULL;
            END $$
            """
        )
        for table in sorted(state_tables()):
            events = "UPDATE OR DELETE" if table in ADDED_SILENTLY else "INSERT OR UPDATE OR DELETE"
            silent = "{" + ",".join(sorted(SILENT.get(table, ()))) + "}"
            cursor.execute(
                f"CREATE TRIGGER watched_change AFTER {events} ON {table}"
                f" FOR EACH ROW EXECUTE FUNCTION watched_change('{silent}')"
            )
    try:
        yield Watch()
    finally:
        with connection.cursor() as cursor:
            cursor.execute("DROP FUNCTION watched_change CASCADE")
            cursor.execute("DROP TABLE watched_change")
