"""One case as its page shows it: proposal beside truth, field by field."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from datasets.models import LabelledCase
from hitl_site.lib.jsonb import from_jsonb
from hitl_site.lib.strict_json import JsonValue

Document = dict[str, JsonValue]


@dataclass(frozen=True, slots=True)
class FieldRow:
    """One argument on both sides. A side that lacks it says so; ``changed`` covers what lies below it."""

    name: str
    proposed: JsonValue
    truth: JsonValue
    in_proposal: bool
    in_truth: bool
    changed: bool


@dataclass(frozen=True, slots=True)
class CaseView:
    """A case with its document as it was frozen."""

    case: LabelledCase
    document: Document
    fields: tuple[FieldRow, ...]
    should_act: bool
    changed_count: int


def view(case: LabelledCase) -> CaseView:
    """Return what the page of a case shows."""
    document = cast(Document, from_jsonb(case.content))
    truth = cast(Document, document["truth"])
    should_act = bool(truth["should_act"])
    changed = cast(list[str], document["changed_fields"])
    proposed = cast(Document, document["proposal"])["arguments"]
    return CaseView(
        case=case,
        document=document,
        fields=_rows(proposed, truth["arguments"], changed, should_act=should_act),
        should_act=should_act,
        changed_count=len(changed),
    )


def _rows(
    proposed: JsonValue, truth: JsonValue, changed: list[str], *, should_act: bool
) -> tuple[FieldRow, ...]:
    before = proposed if isinstance(proposed, dict) else {"": proposed}
    after = truth if isinstance(truth, dict) else {}
    touched = {_first_token(pointer) for pointer in changed}
    return tuple(
        FieldRow(
            name=name,
            proposed=before.get(name),
            truth=after.get(name),
            in_proposal=name in before,
            in_truth=name in after,
            changed=should_act and ("" in changed or name in touched),
        )
        for name in [*before, *(name for name in after if name not in before)]
    )


def _first_token(pointer: str) -> str:
    return pointer.removeprefix("/").partition("/")[0].replace("~1", "/").replace("~0", "~")
