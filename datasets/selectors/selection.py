"""Selections: which cases a dataset takes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from datasets.choices import Label, LabelStrength
from hitl_site.lib.strict_json import JsonValue

MAX_ACTION_TYPES = 200
_FIELDS = frozenset({"action_types", "labels", "strengths", "since"})


class InvalidSelection(ValueError):
    """The document is not a selection."""


@dataclass(frozen=True, slots=True)
class Selection:
    """What a case must be to belong; an empty field asks nothing. ``since`` is about the decision's time."""

    action_types: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    strengths: tuple[str, ...] = ()
    since: datetime | None = None

    def __post_init__(self) -> None:
        _refuse_unknown("label", self.labels, Label.values)
        _refuse_unknown("strength", self.strengths, LabelStrength.values)
        if len(self.action_types) > MAX_ACTION_TYPES:
            raise InvalidSelection(f"A selection may name at most {MAX_ACTION_TYPES} action types.")
        if any(not 0 < len(name) <= 120 for name in self.action_types):
            raise InvalidSelection("The name of an action type has 1 to 120 characters.")
        if self.since is not None and self.since.tzinfo is None:
            raise InvalidSelection("The time needs a zone, such as 2026-03-01T00:00:00Z.")

    @classmethod
    def from_document(cls, document: Mapping[str, JsonValue]) -> Selection:
        """Return the selection that a stored or sent document describes, or raise ``InvalidSelection``."""
        unknown = sorted(set(document) - _FIELDS)
        if unknown:
            raise InvalidSelection(f"A selection has no field {unknown[0]!r}.")
        return cls(
            action_types=_names(document, "action_types"),
            labels=_names(document, "labels"),
            strengths=_names(document, "strengths"),
            since=_instant(document.get("since")),
        )

    def document(self) -> dict[str, JsonValue]:
        """Return the selection as it is stored: equal selections give equal documents."""
        return {
            "action_types": [*sorted(set(self.action_types))],
            "labels": [*sorted(set(self.labels))],
            "strengths": [*sorted(set(self.strengths))],
            "since": None
            if self.since is None
            else self.since.astimezone(UTC).isoformat().replace("+00:00", "Z"),
        }


def _names(document: Mapping[str, JsonValue], field: str) -> tuple[str, ...]:
    value = document.get(field, [])
    if not isinstance(value, list):
        raise InvalidSelection(f"{field} is a list of names.")
    names = [name for name in value if isinstance(name, str)]
    if len(names) != len(value):
        raise InvalidSelection(f"{field} is a list of names.")
    return tuple(names)


def _instant(value: JsonValue) -> datetime | None:
    if value is None:
        return None
    try:
        return datetime.fromisoformat(value) if isinstance(value, str) else _refuse_instant()
    except ValueError:
        return _refuse_instant()


def _refuse_instant() -> datetime:
    raise InvalidSelection("since is a time such as 2026-03-01T00:00:00Z.")


def _refuse_unknown(what: str, given: Iterable[str], known: Iterable[str]) -> None:
    for name in given:
        if name not in known:
            raise InvalidSelection(f"There is no {what} {name!r}; there are {', '.join(known)}.")
