"""What a redaction profile would do to real cases, before anything is exported with it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from datasets.exporters.composition import compose
from datasets.models import Dataset, RedactionProfile
from datasets.redaction import Profile, Redactor
from datasets.redaction.redactor import Document
from datasets.selectors import taking
from datasets.selectors.redaction import by_kind
from datasets.selectors.selection import Selection
from datasets.services.later import facts_since
from datasets.services.redaction import key_of
from hitl_site.lib.strict_json import MAX_SAFE_INTEGER, JsonValue
from hitl_site.lib.textdiff import Segment, diff_text

CASES: Final = 20


@dataclass(frozen=True, slots=True)
class PreviewedCase:
    """A case before and after, as pieces: what is gone on one side, what came on the other."""

    case_id: str
    before: tuple[Segment, ...]
    after: tuple[Segment, ...]
    replaced: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class Preview:
    """What a profile would do to the newest cases of a dataset, the changed ones first."""

    dataset: Dataset
    cases: tuple[PreviewedCase, ...]
    replaced: tuple[tuple[str, int], ...]


def preview(profile: RedactionProfile, dataset: Dataset) -> Preview:
    """Redact the newest cases that a dataset takes, under a key of its own: its tokens are in no export."""
    redactor = Redactor(Profile.from_document(profile.document), key_of(f"preview:{dataset.public_id}"))
    cases = list(taking.taken(Selection.from_document(dataset.selection)).order_by("-id")[:CASES])
    later = facts_since(cases)
    total: Counter[str] = Counter()
    previewed = []
    for case in cases:
        document = compose(case.content, later[case.pk])
        redacted = redactor.apply(document)
        total.update(redacted.replaced)
        previewed.append(_previewed(case.public_id, document, redacted.document, redacted.replaced))
    previewed.sort(key=lambda one: not one.replaced)
    return Preview(dataset=dataset, cases=tuple(previewed), replaced=by_kind(total))


def _previewed(case_id: str, before: Document, after: Document, replaced: Mapping[str, int]) -> PreviewedCase:
    pieces = diff_text(_written(before), _written(after))
    return PreviewedCase(
        case_id=case_id,
        before=_side(pieces, "insert"),
        after=_side(pieces, "delete"),
        replaced=by_kind(replaced),
    )


def _side(pieces: Iterable[Segment], other: str) -> tuple[Segment, ...]:
    return tuple(piece for piece in pieces if piece.kind != other)


def _written(document: Document) -> str:
    return json.dumps(_plain(document), indent=2, ensure_ascii=False)


def _plain(value: JsonValue) -> JsonValue:
    """Return an equal value in which 1.0 is 1, as redacting writes it: that is no difference."""
    if isinstance(value, dict):
        return {name: _plain(member) for name, member in value.items()}
    if isinstance(value, list):
        return [_plain(member) for member in value]
    if isinstance(value, float) and value.is_integer() and abs(value) <= MAX_SAFE_INTEGER:
        return int(value)
    return value
