"""Selections: which cases a dataset takes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from django.utils.translation import gettext

from datasets.choices import CaseKind, Label, LabelSource, LabelStrength
from hitl_site.lib.strict_json import JsonValue

MAX_NAMES: Final = 200
MAX_NAME_LENGTH: Final = 120
MAX_TEXT_LENGTH: Final = 200

# Lists of which a case must have one: the field, and the values it may name (None: any name).
_LISTS: Final[dict[str, list[str] | None]] = {
    "action_types": None,
    "kinds": CaseKind.values,
    "labels": Label.values,
    "strengths": LabelStrength.values,
    "sources": LabelSource.values,
    "agents": None,
    "agent_versions": None,
    "reasons": None,
    "tags": None,
}
_FIELDS: Final = frozenset({*_LISTS, "blind_only", "since", "until", "text"})


class InvalidSelection(ValueError):
    """The document is not a selection."""


class EndsTooSoon(InvalidSelection):
    """The end of its time is not after the beginning."""


@dataclass(frozen=True, slots=True)
class Selection:
    """What a case must be to belong; an empty field asks nothing.

    ``since`` and ``until`` are about the decision's time; ``until`` itself is not in it any more. Labels and
    reasons are those of the newest answer to a case. Of ``tags`` and ``reasons`` one that it has is enough.
    """

    action_types: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    strengths: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    agents: tuple[str, ...] = ()
    agent_versions: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    blind_only: bool = False
    since: datetime | None = None
    until: datetime | None = None
    text: str = ""

    def __post_init__(self) -> None:
        for name, known in _LISTS.items():
            _check_names(name, getattr(self, name), known)
        for name, moment in (("since", self.since), ("until", self.until)):
            if moment is not None and moment.tzinfo is None:
                raise InvalidSelection(f"{name} needs a zone, such as 2026-03-01T00:00:00Z.")
        if self.since is not None and self.until is not None and self.until <= self.since:
            raise EndsTooSoon(gettext("The end of the time is not after its beginning."))
        if len(self.text) > MAX_TEXT_LENGTH:
            said = gettext("The text to look for has at most {most} characters.")
            raise InvalidSelection(said.format(most=MAX_TEXT_LENGTH))
        if "\x00" in self.text:
            raise InvalidSelection(gettext("No text has a null character."))

    @classmethod
    def from_document(cls, document: Mapping[str, JsonValue]) -> Selection:
        """Return the selection that a stored or sent document describes, or raise ``InvalidSelection``."""
        unknown = sorted(set(document) - _FIELDS)
        if unknown:
            raise InvalidSelection(f"A selection has no field {unknown[0]!r}.")
        blind_only, text = document.get("blind_only", False), document.get("text", "")
        if not isinstance(blind_only, bool):
            raise InvalidSelection("blind_only is true or false.")
        if not isinstance(text, str):
            raise InvalidSelection("text is a text.")
        return cls(
            **{name: _names(document, name) for name in _LISTS},
            blind_only=blind_only,
            since=_instant(document, "since"),
            until=_instant(document, "until"),
            text=text,
        )

    def document(self) -> dict[str, JsonValue]:
        """Return the selection as it is stored: equal selections give equal documents."""
        document: dict[str, JsonValue] = {name: [*sorted(set(getattr(self, name)))] for name in _LISTS}
        return {
            **document,
            "blind_only": self.blind_only,
            "since": _written(self.since),
            "until": _written(self.until),
            "text": self.text,
        }


def _names(document: Mapping[str, JsonValue], field: str) -> tuple[str, ...]:
    value = document.get(field, [])
    if not isinstance(value, list):
        raise InvalidSelection(f"{field} is a list of names.")
    names = [name for name in value if isinstance(name, str)]
    if len(names) != len(value):
        raise InvalidSelection(f"{field} is a list of names.")
    return tuple(names)


def _instant(document: Mapping[str, JsonValue], field: str) -> datetime | None:
    value = document.get(field)
    if value is None:
        return None
    try:
        if isinstance(value, str):
            return datetime.fromisoformat(value)
    except ValueError:
        pass
    raise InvalidSelection(f"{field} is a time such as 2026-03-01T00:00:00Z.")


def _written(moment: datetime | None) -> str | None:
    return None if moment is None else moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _check_names(field: str, given: tuple[str, ...], known: Iterable[str] | None) -> None:
    if len(given) > MAX_NAMES:
        raise InvalidSelection(f"A selection may name at most {MAX_NAMES} {field.replace('_', ' ')}.")
    for name in given:
        if not 0 < len(name) <= MAX_NAME_LENGTH or "\x00" in name:
            raise InvalidSelection(
                f"What {field} names has 1 to {MAX_NAME_LENGTH} characters, none of them null."
            )
        if known is not None and name not in known:
            raise InvalidSelection(f"{name!r} is none of the {field} that there are.")
