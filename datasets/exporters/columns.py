"""A case as one row of a table: the same columns with the same types for CSV, Parquet and Hugging Face.

What has one type in every case is a typed column. What differs between action types (arguments, context) is
JSON text in canonical form: a column of structs would need one shape for all of them, and fill the holes
with nulls.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final, TypeAlias, cast

from datasets.exporters.base import Document
from datasets.exporters.reading import at, compact
from hitl_site.lib.strict_json import JsonValue

Cell: TypeAlias = "bool | int | float | str | datetime | list[str] | None"


class Kind(StrEnum):
    """The type of a column."""

    TEXT = "text"
    TEXTS = "texts"
    JSON = "json"
    FLAG = "flag"
    INTEGER = "integer"
    NUMBER = "number"
    TIME = "time"


@dataclass(frozen=True, slots=True)
class Column:
    """One column: where its value lies in the case, and its type. A missing value is null."""

    name: str
    kind: Kind
    path: tuple[str, ...]


def _column(name: str, kind: Kind, path: str) -> Column:
    return Column(name, kind, tuple(path.split("/")))


COLUMNS: Final = (
    _column("case_id", Kind.TEXT, "id"),
    _column("kind", Kind.TEXT, "kind"),
    _column("label", Kind.TEXT, "label"),
    _column("label_source", Kind.TEXT, "label_source"),
    _column("label_strength", Kind.TEXT, "label_strength"),
    _column("action_type", Kind.TEXT, "action/type"),
    _column("action_id", Kind.TEXT, "action/id"),
    _column("mode", Kind.TEXT, "action/mode"),
    _column("environment", Kind.TEXT, "action/environment"),
    _column("subject", Kind.TEXT, "action/subject"),
    _column("conversation_id", Kind.TEXT, "action/conversation_id"),
    _column("created_at", Kind.TIME, "action/created_at"),
    _column("agent", Kind.TEXT, "agent/name"),
    _column("agent_version", Kind.TEXT, "agent/version"),
    _column("context", Kind.JSON, "input/context"),
    _column("reason", Kind.TEXT, "input/reason"),
    _column("proposed_arguments", Kind.JSON, "proposal/arguments"),
    _column("confidence", Kind.NUMBER, "proposal/confidence"),
    _column("judge_score", Kind.NUMBER, "proposal/judge_score"),
    _column("should_act", Kind.FLAG, "truth/should_act"),
    _column("right_arguments", Kind.JSON, "truth/arguments"),
    _column("changed_fields", Kind.TEXTS, "changed_fields"),
    _column("differences", Kind.JSON, "differences"),
    _column("patch", Kind.JSON, "patch"),
    _column("decision", Kind.TEXT, "decision/kind"),
    _column("reasons", Kind.TEXTS, "decision/reasons"),
    _column("note", Kind.TEXT, "decision/note"),
    _column("reviewer", Kind.TEXT, "decision/reviewer"),
    _column("decided_at", Kind.TIME, "decision/decided_at"),
    _column("considered", Kind.FLAG, "decision/considered"),
    _column("blind", Kind.FLAG, "decision/blind"),
    _column("decision_ms", Kind.INTEGER, "attention/decision_ms"),
    _column("verdict", Kind.TEXT, "gate/verdict"),
    _column("route", Kind.TEXT, "gate/route"),
    _column("autonomy_level", Kind.TEXT, "gate/level"),
    _column("score", Kind.NUMBER, "gate/score"),
    _column("threshold", Kind.NUMBER, "gate/threshold"),
    _column("propensity", Kind.NUMBER, "gate/propensity"),
    _column("audit_selected", Kind.FLAG, "gate/audit_selected"),
    _column("policy_version", Kind.TEXT, "gate/policy_version/id"),
    _column("later", Kind.JSON, "later"),
    _column("group", Kind.TEXT, "group"),
    _column("cluster", Kind.TEXT, "cluster"),
    _column("ledger_seq", Kind.INTEGER, "ledger_seq"),
)
SPLIT: Final = Column("split", Kind.TEXT, ())


def cells(case: Document) -> list[Cell]:
    """Return the values of ``COLUMNS`` for one case."""
    return [_cell(column.kind, at(case, *column.path)) for column in COLUMNS]


def _cell(kind: Kind, value: JsonValue) -> Cell:
    if value is None:
        return None
    match kind:
        case Kind.JSON:
            return compact(value)
        case Kind.TIME:
            return datetime.fromisoformat(str(value))
        case Kind.NUMBER:
            return float(cast(float, value))
        case Kind.TEXTS:
            return [str(each) for each in cast(list[JsonValue], value)]
        case Kind.INTEGER:
            return int(cast(int, value))
        case Kind.FLAG:
            return bool(value)
        case Kind.TEXT:
            return value if isinstance(value, str) else compact(value)
