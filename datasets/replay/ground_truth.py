"""Ground truth: what a person who knew the record's answer would say. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from datasets.replay.recording import Document, Record
from hitl_site.lib.canonical import canonicalize
from reviews.choices import DecisionKind

_REASONS: Final = {
    "wrong_arguments": "wrong_arguments",
    "wrong_entity": "wrong_target",
    "action_not_expected": "not_needed",
    "no_write_expected": "not_needed",
    "duplicate": "not_needed",
    "injection_followed": "against_policy",
}
_OTHERWISE: Final = "other"


@dataclass(frozen=True, slots=True)
class Judgement:
    """A person's answer to a record. ``runs`` is what may run after it, None where nothing may."""

    kind: DecisionKind
    runs: Document | None
    reason: str


def judge(record: Record) -> Judgement:
    """Approve what is right or ungraded, correct where the right arguments are known, else reject."""
    # What is right in another way than the one expected (``acceptable``) is labelled right.
    if record.correct is None or record.correct:
        return Judgement(DecisionKind.APPROVE, record.arguments, "")
    reason = _REASONS.get(record.error_class or "", _OTHERWISE)
    # Expected arguments that are those proposed correct nothing: then it should not have been done at all.
    if record.expected is not None and not same(record.expected, record.arguments):
        return Judgement(DecisionKind.CORRECT, record.expected, reason)
    return Judgement(DecisionKind.REJECT, None, reason)


def same(one: Document | None, other: Document | None) -> bool:
    """Say whether two argument objects are equal to the byte in their canonical form."""
    if one is None or other is None:
        return one is other
    return canonicalize(one) == canonicalize(other)
