"""One case as its page shows it: proposal beside truth, field by field, and what came later."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final, cast

from django.utils.translation import gettext, gettext_noop

from datasets.models import CaseCuration, LabelledCase
from datasets.selectors import words
from hitl_site.lib.strict_json import JsonValue
from hitl_site.lib.textdiff import Kind, Segment, diff_text
from policies.models import ActionType
from reviews.models import ActionRequest
from reviews.schema_form.document import pretty
from reviews.selectors.reasons import reason_codes

Document = dict[str, JsonValue]

_KIND_WORDS: Final = {
    "wrong_value": gettext_noop("Wrong value"),
    "missing": gettext_noop("Missing"),
    "extra": gettext_noop("Should not be there"),
    "wrong_target": gettext_noop("Wrong target"),
    "wrong_wording": gettext_noop("Wrong wording"),
}
_REVISION_WORDS: Final = {
    "first": gettext_noop("First answer"),
    "edit": gettext_noop("Edited"),
    "adjudication": gettext_noop("Adjudicated"),
}


@dataclass(frozen=True, slots=True)
class FieldRow:
    """One argument on both sides. A side that lacks it says so; ``errors`` cover what lies below it."""

    name: str
    proposed: JsonValue
    truth: JsonValue
    in_proposal: bool
    in_truth: bool
    changed: bool
    errors: tuple[str, ...]

    @property
    def proposed_text(self) -> str:
        """Return the proposal's side as people read it: a text as it is, anything else as JSON."""
        return self._text(self.proposed)

    @property
    def truth_text(self) -> str:
        """Return the right side as people read it."""
        return self._text(self.truth)

    @property
    def proposed_pieces(self) -> tuple[Segment, ...]:
        """Return the proposal's side of a changed argument: what is equal, and what is gone."""
        return self._pieces(other="insert")

    @property
    def truth_pieces(self) -> tuple[Segment, ...]:
        """Return the right side of a changed argument: what is equal, and what came."""
        return self._pieces(other="delete")

    def _pieces(self, *, other: str) -> tuple[Segment, ...]:
        if not (isinstance(self.proposed, str) and isinstance(self.truth, str)):
            # Of a number nothing is told by its digits: the whole of it is gone and came.
            kind: Kind = "insert" if other == "delete" else "delete"
            return (Segment(kind, self.truth_text if kind == "insert" else self.proposed_text),)
        pieces = diff_text(self.proposed_text, self.truth_text)
        return tuple(piece for piece in pieces if piece.kind != other)

    def _text(self, value: JsonValue) -> str:
        # Beside a number, the text of the same digits is told apart by its quotes.
        sides = [self.proposed] * self.in_proposal + [self.truth] * self.in_truth
        texts = all(isinstance(side, str) and side.strip() for side in sides)
        return value if texts and isinstance(value, str) else pretty(value)


@dataclass(frozen=True, slots=True)
class TruthRow:
    """One report of ground truth."""

    source: str
    correct: bool
    contradicts: bool
    arguments: JsonValue
    detail: JsonValue
    received_at: datetime


@dataclass(frozen=True, slots=True)
class AnswerRow:
    """One answer to the case, the first included."""

    label: str
    kind: str
    author: str
    note: str
    arguments: JsonValue
    at: datetime


@dataclass(frozen=True, slots=True)
class CaseView:
    """A case with its document as it stands now: what was stored, composed with what came later."""

    case: LabelledCase
    # What the action is called where people meet it; an omission has none.
    title: str
    document: Document
    fields: tuple[FieldRow, ...]
    should_act: bool
    changed_count: int
    ground_truth: tuple[TruthRow, ...]
    revisions: tuple[AnswerRow, ...]
    disputed_because: str
    left_out_because: str
    left_out_by: str
    left_out_at: datetime | None
    tags: tuple[str, ...]

    @property
    def proposed_text(self) -> str:
        """Return the proposal as a person begins to correct it."""
        proposal = self.document["proposal"]
        proposed = {} if proposal is None else cast(Document, proposal)["arguments"]
        return pretty(proposed)

    @property
    def truth_text(self) -> str:
        """Return what was right as a person begins to edit it; the proposal where nothing should be done."""
        truth = cast(Document, self.document["truth"])["arguments"]
        return self.proposed_text if truth is None else pretty(truth)

    @property
    def answers_since(self) -> int:
        """Return how many answers came after the first."""
        return max(0, len(self.revisions) - 1)


def view(case: LabelledCase, document: Document) -> CaseView:
    """Return what the page of a case shows; ``document`` is the composed case."""
    truth, later = cast(Document, document["truth"]), cast(Document, document["later"])
    should_act = bool(truth["should_act"])
    changed = cast(list[str], document["changed_fields"])
    proposal = document["proposal"]
    curation = CaseCuration.objects.filter(case=case).first() or CaseCuration(case=case)
    return CaseView(
        case=case,
        title=titles_of([case.action_id]).get(case.action_id, ""),
        document=document,
        fields=_rows(
            None if proposal is None else cast(Document, proposal)["arguments"],
            truth["arguments"],
            changed,
            cast(list[Document], document["differences"]),
            should_act=should_act,
        ),
        should_act=should_act,
        changed_count=len(changed),
        ground_truth=tuple(_truth_row(each) for each in cast(list[Document], later["ground_truth"])),
        revisions=tuple(_answer_row(each) for each in cast(list[Document], later["revisions"])),
        disputed_because=words.why_disputed(curation.disputed_because),
        left_out_because=curation.excluded_because,
        left_out_by=curation.excluded_by_name,
        left_out_at=curation.excluded_at,
        tags=tuple(sorted(curation.tags)),
    )


def titles_of(action_ids: Iterable[str]) -> dict[str, str]:
    """Return the titles of actions by their ids; what was erased has none."""
    rows = ActionRequest.objects.filter(public_id__in=set(action_ids)).exclude(title="")
    return dict(rows.values_list("public_id", "title"))


def reason_choices(case: LabelledCase) -> list[tuple[str, str]]:
    """Return the reasons that an answer to this case can give: those of its action type as it is now."""
    declared = ActionType.objects.filter(name=case.action_type).first()
    return [(reason.code, reason.words) for reason in reason_codes(declared)]


def _truth_row(truth: Document) -> TruthRow:
    return TruthRow(
        source=str(truth["source"]),
        correct=bool(truth["correct"]),
        contradicts=bool(truth["contradicts"]),
        arguments=truth["arguments"],
        detail=truth["detail"],
        received_at=datetime.fromisoformat(str(truth["received_at"])),
    )


def _answer_row(revision: Document) -> AnswerRow:
    return AnswerRow(
        label=str(revision["label"]),
        kind=gettext(_REVISION_WORDS[str(revision["kind"])]),
        author=str(revision["author"] or ""),
        note=str(revision["note"]),
        arguments=revision["arguments"],
        at=datetime.fromisoformat(str(revision["at"])),
    )


def _rows(
    proposed: JsonValue,
    truth: JsonValue,
    changed: list[str],
    differences: list[Document],
    *,
    should_act: bool,
) -> tuple[FieldRow, ...]:
    before = proposed if isinstance(proposed, dict) else {}
    after = truth if isinstance(truth, dict) else {}
    touched = {_first_token(pointer) for pointer in changed}
    errors: dict[str, dict[str, None]] = {}
    for difference in differences:
        kinds = errors.setdefault(_first_token(str(difference["pointer"])), {})
        kinds[gettext(_KIND_WORDS[str(difference["kind"])])] = None
    return tuple(
        FieldRow(
            name=name,
            proposed=before.get(name),
            truth=after.get(name),
            in_proposal=name in before,
            in_truth=name in after,
            changed=should_act and ("" in changed or name in touched),
            errors=tuple(errors.get("" if "" in changed else name, ())),
        )
        for name in [*before, *(name for name in after if name not in before)]
    )


def _first_token(pointer: str) -> str:
    return pointer.removeprefix("/").partition("/")[0].replace("~1", "/").replace("~0", "~")
