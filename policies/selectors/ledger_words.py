"""What an entry says, as fields a person can read: what changed from what to what, and the rest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from django.utils.translation import gettext_noop as _
from django.utils.translation import pgettext

from hitl_site.lib.sentences import Sentences
from hitl_site.lib.strict_json import JsonValue

_NOTHING = "—"
# Deeper than any payload of ours; hostile JSON inside one stays a text.
_DEPTH = 4
# Of the chain and of its checkpoints: they are stored with a run, and stand in the answer of a command.
_PROBLEMS: Final = Sentences(
    _("Link {seq} is missing."),
    _("The link does not follow from the one before it."),
    _("The entry is not the one that was linked."),
    _("The payload is gone without a trace of an erasure."),
    _("The payload is incomplete."),
    _("The payload is not the one that was recorded."),
    _("The chain ends at {end}; a checkpoint was signed at {seq}."),
    _("Between {start} and {end} it is not the chain that was signed."),
    _("The worker died {count} times while verifying."),
    places=dict.fromkeys(("seq", "start", "end", "count"), (r"\d+", None)),
)


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One field before and after."""

    field: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Fact:
    """One field and what it is."""

    field: str
    value: str


@dataclass(frozen=True, slots=True)
class Told:
    """A payload in fields: ``changes`` are those that differ, ``facts`` all that is not before or after."""

    changes: tuple[FieldChange, ...]
    facts: tuple[Fact, ...]


def told(payload: Mapping[str, JsonValue] | None) -> Told:
    """Read a payload. One that was erased says nothing."""
    if payload is None:
        return Told((), ())
    before = _flat(payload.get("before"))
    after = _flat(payload.get("after"))
    names = list(dict.fromkeys([*before, *after]))
    changes = tuple(
        FieldChange(name, before.get(name, _NOTHING), after.get(name, _NOTHING))
        for name in names
        if before.get(name, _NOTHING) != after.get(name, _NOTHING)
    )
    rest = {name: value for name, value in payload.items() if name not in ("before", "after")}
    return Told(changes, tuple(Fact(name, value) for name, value in _flat(rest).items()))


def problem_in_words(problem: str) -> str:
    """Return what is wrong with the chain, to be shown; "" stays ""."""
    return _PROBLEMS(problem)


def _flat(value: JsonValue, prefix: str = "", depth: int = _DEPTH) -> dict[str, str]:
    """Return nested objects as one level: ``{"a": {"b": 1}}`` is ``{"a b": "1"}``."""
    if isinstance(value, dict) and value and depth:
        flat: dict[str, str] = {}
        for name, member in value.items():
            flat |= _flat(member, f"{prefix} {_words(name)}".strip(), depth - 1)
        return flat
    if value is None and not prefix:
        return {}
    return {prefix or "value": _text(value)}


def _words(name: str) -> str:
    return name.replace("_", " ")


def _text(value: JsonValue) -> str:
    if value is None or value in ("", [], {}):
        return _NOTHING
    if isinstance(value, bool):
        return pgettext("ledger", "yes") if value else pgettext("ledger", "no")
    if isinstance(value, list):
        return ", ".join(_text(each) for each in value)
    if isinstance(value, dict):
        return "; ".join(f"{_words(name)}: {_text(member)}" for name, member in value.items())
    return str(value)
