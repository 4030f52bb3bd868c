"""How many cases there are of each kind, for whoever chooses among them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from django.db import connection

from policies.models import ActionType

# What stands inside of the cases' documents is counted among the newest alone: reading all takes too long.
READ_AT_MOST: Final = 20_000

_COLUMNS: Final = ("action_type", "kind", "label", "strength", "source", "agent", "agent_version")

_BY_COLUMN: Final = """
    SELECT {names}, grouping({names}), count(*) FROM (
        SELECT c.action_type, c.kind, coalesce(r.label, c.label) AS label, c.strength, c.source, c.agent,
               c.agent_version
        FROM datasets_labelledcase c LEFT JOIN (
            SELECT DISTINCT ON (case_id) case_id, label FROM datasets_labelrevision
            ORDER BY case_id, number DESC
        ) r ON r.case_id = c.id
    ) cases GROUP BY GROUPING SETS ({sets})
""".format(names=", ".join(_COLUMNS), sets=", ".join(f"({name})" for name in _COLUMNS))  # noqa: S608 - the columns named above, nothing given

_TAGS: Final = "SELECT tag, count(*) FROM datasets_casecuration, unnest(tags) AS tag GROUP BY tag"

_REASONS: Final = """
    WITH newest AS (
        SELECT c.id, c.content, r.reasons AS later FROM datasets_labelledcase c LEFT JOIN (
            SELECT DISTINCT ON (case_id) case_id, reasons FROM datasets_labelrevision
            ORDER BY case_id, number DESC
        ) r ON r.case_id = c.id
        ORDER BY c.id DESC LIMIT %s
    ), given AS (
        SELECT unnest(later) AS reason FROM newest WHERE later IS NOT NULL
        UNION ALL
        SELECT jsonb_array_elements_text(content #> '{decision,reasons}') FROM newest
        WHERE later IS NULL AND jsonb_typeof(content #> '{decision,reasons}') = 'array'
    )
    SELECT reason, count(*) FROM given GROUP BY reason
"""

_BLIND: Final = """
    SELECT count(*) FROM (SELECT content FROM datasets_labelledcase ORDER BY id DESC LIMIT %s) AS newest
    WHERE content #> '{decision,blind}' = 'true'
"""


@dataclass(frozen=True, slots=True)
class Facets:
    """The values that cases have, with their numbers: the field of a selection to value to number."""

    by_field: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    blind: int = 0

    def of(self, name: str) -> Mapping[str, int]:
        """Return the values of a field of a selection."""
        return self.by_field.get(name, {})


def tag_counts() -> Mapping[str, int]:
    """Return how many cases have each tag, the most used first."""
    with connection.cursor() as cursor:
        cursor.execute(f"{_TAGS} ORDER BY count(*) DESC, tag")
        return {str(tag): int(count) for tag, count in cursor.fetchall()}


def facets() -> Facets:
    """Count the cases by everything a selection can name. Labels are those of the newest answers."""
    found: dict[str, dict[str, int]] = {f"{name}s": {} for name in _COLUMNS}
    # What is declared can be chosen before its first case.
    found["action_types"].update(dict.fromkeys(ActionType.objects.values_list("name", flat=True), 0))
    with connection.cursor() as cursor:
        cursor.execute(_BY_COLUMN)
        for *values, missing, count in cursor.fetchall():
            # One bit a column, the first column's the highest: 0 where the row is about it.
            place = next(
                index for index in range(len(_COLUMNS)) if not missing >> (len(_COLUMNS) - 1 - index) & 1
            )
            found[f"{_COLUMNS[place]}s"][str(values[place])] = int(count)
        found["tags"] = dict(tag_counts())
        cursor.execute(_REASONS, [READ_AT_MOST])
        found["reasons"] = {str(reason): int(count) for reason, count in cursor.fetchall()}
        cursor.execute(_BLIND, [READ_AT_MOST])
        (blind,) = cursor.fetchone()
    return Facets(by_field=found, blind=int(blind))
