"""A composed case as the exporters read it: typed, with what an omission or an older case does not have."""

from __future__ import annotations

from dataclasses import dataclass

from datasets.exporters.base import Document
from hitl_site.lib.canonical import canonicalize
from hitl_site.lib.strict_json import JsonValue


@dataclass(frozen=True, slots=True)
class Difference:
    """One place that was wrong, what kind of error it was, and both values."""

    pointer: str
    kind: str
    before: JsonValue
    after: JsonValue


@dataclass(frozen=True, slots=True)
class Facts:
    """What an exporter may want of a case. ``document`` is the case whole.

    ``proposed`` is None for an omission, ``truth`` is None where nothing should have been done.
    """

    document: Document
    id: str
    kind: str
    action_type: str
    agent: str
    agent_version: str
    label: str
    context: JsonValue
    reason: str
    proposed: Document | None
    truth: Document | None
    differences: tuple[Difference, ...]
    schema: Document | None

    @property
    def is_omission(self) -> bool:
        return self.kind == "omission"

    @property
    def is_whole(self) -> bool:
        """Whether both calls are there that the label speaks of: an erasure may have taken them.

        A truth that was erased must not pass for one that says to do nothing.
        """
        return (self.truth is None) == (self.label == "rejected") and (
            self.proposed is None
        ) == self.is_omission

    @property
    def is_corrected(self) -> bool:
        """Whether there is an answer of the agent's and a better one."""
        return self.proposed is not None and self.truth is not None and not self.agrees

    @property
    def agrees(self) -> bool:
        """Whether proposal and truth are the same call, by their canonical bytes."""
        return canonicalize(self.proposed) == canonicalize(self.truth)


def read(case: Document) -> Facts:
    """Return the facts of a composed case."""
    proposal = _object(case.get("proposal"))
    return Facts(
        document=case,
        id=_text(case["id"]),
        kind=_text(case.get("kind")) or "proposal",
        action_type=_text(at(case, "action", "type")),
        agent=_text(at(case, "agent", "name")),
        agent_version=_text(at(case, "agent", "version")),
        label=_text(case["label"]),
        context=at(case, "input", "context"),
        reason=_text(at(case, "input", "reason")),
        proposed=None if proposal is None else _object(proposal.get("arguments")),
        truth=_object(at(case, "truth", "arguments")),
        differences=_differences(case.get("differences")),
        schema=_object(at(case, "action_type", "argument_schema")),
    )


def at(case: JsonValue, *names: str) -> JsonValue:
    """Return the member at the end of these names, None where one of them is missing."""
    for name in names:
        if not isinstance(case, dict):
            return None
        case = case.get(name)
    return case


def compact(value: JsonValue) -> str:
    """Return the RFC 8785 text of a value: equal values always have equal texts."""
    return canonicalize(value).decode()


def metadata(facts: Facts, split: str) -> Document:
    """Return what every evaluation format keeps beside a row: where it is from and what was wrong."""
    return {
        "case_id": facts.id,
        "kind": facts.kind,
        "action_type": facts.action_type,
        "label": facts.label,
        "label_source": at(facts.document, "label_source"),
        "label_strength": at(facts.document, "label_strength"),
        "agent": facts.agent,
        "agent_version": facts.agent_version,
        "changed_fields": [difference.pointer for difference in facts.differences],
        "error_kinds": [*sorted({difference.kind for difference in facts.differences})],
        "reasons": at(facts.document, "decision", "reasons") or [],
        "decided_at": at(facts.document, "decision", "decided_at"),
        "split": split,
    }


def _differences(value: JsonValue) -> tuple[Difference, ...]:
    found = value if isinstance(value, list) else []
    return tuple(
        Difference(
            pointer=_text(each["pointer"]),
            kind=_text(each["kind"]),
            before=each.get("before"),
            after=each.get("after"),
        )
        for each in found
        if isinstance(each, dict)
    )


def _object(value: JsonValue) -> Document | None:
    return value if isinstance(value, dict) else None


def _text(value: JsonValue) -> str:
    return value if isinstance(value, str) else ""
