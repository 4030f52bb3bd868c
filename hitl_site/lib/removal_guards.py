"""Guards that step aside for a removal, and the stricter ones that stand in meanwhile.

Content that must never change may have to go: a person has asked for it, or its time is over. A transaction
that does so names a removal that is under way, in the setting ``handrail.removal``. While it does, a table's
own guard steps aside and another one stands in, which lets nothing happen but this: an UPDATE in which every
column stays as it is or takes its erased form. Without a removal under way nothing is different from before.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from django.db.migrations import RunSQL
from django.db.migrations.operations.base import Operation

from hitl_site.lib.strict_json import JsonValue
from hitl_site.lib.triggers import Guard

# The erased form of a key that groups: any name that begins so, which groups and tells nothing.
ANONYMOUS = "erased:"
_AS_IT_WAS = "to_jsonb(OLD)"

FUNCTIONS = RunSQL(
    sql=[
        """
        CREATE FUNCTION policies_removing() RETURNS boolean LANGUAGE plpgsql STABLE AS $$
        DECLARE named text := coalesce(current_setting('handrail.removal', true), '');
        BEGIN
          IF named = '' THEN RETURN false; END IF;
          RETURN EXISTS (SELECT 1 FROM policies_removal WHERE public_id = named AND state = 'running');
        END
        $$
        """,
        """
        CREATE FUNCTION policies_is_erased_form(before jsonb, after jsonb, erased jsonb) RETURNS boolean
        LANGUAGE sql IMMUTABLE AS $$
          SELECT before - ARRAY(SELECT jsonb_object_keys(erased))
               = after - ARRAY(SELECT jsonb_object_keys(erased))
             AND NOT EXISTS (
               SELECT 1 FROM jsonb_each(erased) AS form
                WHERE after -> form.key IS DISTINCT FROM before -> form.key
                  AND after -> form.key IS DISTINCT FROM form.value
                  AND NOT (form.value = '"erased:"' AND starts_with(after ->> form.key, 'erased:')))
        $$
        """,
        # What a verdict rests on stays: its codes and rules. What was said of this very action goes.
        """
        CREATE FUNCTION policies_erased_reasons(reasons jsonb) RETURNS jsonb LANGUAGE sql IMMUTABLE AS $$
          SELECT coalesce(jsonb_agg(
              CASE WHEN jsonb_typeof(reason) = 'object' AND reason ? 'detail'
                   THEN reason || '{"detail": ""}' ELSE reason END ORDER BY place), '[]')
            FROM jsonb_array_elements(reasons) WITH ORDINALITY AS listed(reason, place)
        $$
        """,
    ],
    reverse_sql=[
        "DROP FUNCTION policies_erased_reasons(jsonb)",
        "DROP FUNCTION policies_is_erased_form(jsonb, jsonb, jsonb)",
        "DROP FUNCTION policies_removing()",
    ],
)


def erasable(
    *,
    table: str,
    guard: str,
    erased: Mapping[str, JsonValue],
    events: str = "UPDATE OR DELETE",
    before: str = _AS_IT_WAS,
) -> list[Operation]:
    """Return the steps that let the guard of a table step aside for a removal.

    ``guard`` is the trigger that stands (its function has the same name), ``events`` what it is for;
    ``erased`` says of each column that may go what its erased form is. ``before`` is SQL for the row as it
    was, where a document's erased form has to be computed from the document.
    """
    stand_in = f"{guard}_in_removal"
    forms = json.dumps(dict(erased), sort_keys=True).replace("'", "''")
    return [
        RunSQL(
            sql=[
                f"DROP TRIGGER {guard} ON {table}",
                f"CREATE TRIGGER {guard} BEFORE {events} ON {table} FOR EACH ROW"
                f" WHEN (NOT policies_removing()) EXECUTE FUNCTION {guard}()",
                f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {guard}",
            ],
            reverse_sql=[
                f"DROP TRIGGER {guard} ON {table}",
                f"CREATE TRIGGER {guard} BEFORE {events} ON {table} FOR EACH ROW EXECUTE FUNCTION {guard}()",
                f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {guard}",
            ],
        ),
        Guard(
            table=table,
            trigger=stand_in,
            sql=[
                f"CREATE FUNCTION {stand_in}() RETURNS trigger LANGUAGE plpgsql AS $guard$\n"
                "BEGIN\n"
                "  IF TG_OP = 'UPDATE'\n"
                f"     AND policies_is_erased_form({before}, to_jsonb(NEW), '{forms}') THEN\n"
                "    RETURN NEW;\n"
                "  END IF;\n"
                f"  RAISE EXCEPTION 'a removal takes away what is in {table} and does nothing else'\n"
                "    USING ERRCODE = 'restrict_violation';\n"
                "END\n$guard$",
                f"CREATE TRIGGER {stand_in} BEFORE {events} ON {table} FOR EACH ROW"
                f" WHEN (policies_removing()) EXECUTE FUNCTION {stand_in}()",
                f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {stand_in}",
            ],
            reverse_sql=[f"DROP TRIGGER {stand_in} ON {table}", f"DROP FUNCTION {stand_in}()"],
        ),
    ]
