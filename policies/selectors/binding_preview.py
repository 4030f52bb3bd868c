"""Which edits of an example would void an approval, field by field, in words. Nothing is stored."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from django.utils.translation import gettext

from hitl_site.lib.strict_json import JsonValue
from policies.choices import ALWAYS_REVIEWED_RISKS
from policies.engine.binding import FORM_WORDS, Bearing, Binding, Change, changes
from policies.selectors.declaration_words import form_in_words

_DEEPEST: Final = 8


@dataclass(frozen=True)
class Line:
    """One difference: where, from what to what, and what it means."""

    pointer: str
    before: str
    after: str
    voids: bool
    meaning: str


@dataclass(frozen=True)
class Preview:
    """``exact_for_risk`` says that the declaration does not apply, since a person reads every one."""

    lines: tuple[Line, ...]
    exact_for_risk: bool

    @property
    def voids(self) -> bool:
        return any(line.voids for line in self.lines)


def preview(*, decided: JsonValue, edited: JsonValue, binding: Binding, risk: str) -> Preview:
    """Return what the differences between two documents would mean for an approval of the first."""
    exact = risk in ALWAYS_REVIEWED_RISKS
    found = changes(decided, edited, Binding() if exact else binding)
    return Preview(lines=tuple(_line(change) for change in found), exact_for_risk=exact)


def example_of(schema: object) -> JsonValue:
    """Return arguments such as a schema describes: its own examples and defaults where it has some."""
    if not isinstance(schema, Mapping):
        return {}
    made = _example(schema, depth=0)
    return made if isinstance(made, dict) else {}


def written(value: JsonValue) -> str:
    """Return arguments as a person edits them."""
    return json.dumps(value, indent=2, ensure_ascii=False)


def _line(change: Change) -> Line:
    voids = change.bearing is Bearing.VOIDS
    if voids:
        meaning = gettext("Voids the approval: a new decision is needed.")
    elif change.bearing is Bearing.COSMETIC:
        meaning = gettext("Does not matter: declared as cosmetic.")
    else:
        words = ", ".join(dict.fromkeys(form_in_words(FORM_WORDS[form]) for form in change.forms))
        meaning = gettext("The same: compared {words}.").format(words=words)
    return Line(
        pointer=change.pointer or gettext("(everything)"),
        before=gettext("not there") if change.before_missing else _short(change.before),
        after=gettext("not there") if change.after_missing else _short(change.after),
        voids=voids,
        meaning=meaning,
    )


def _short(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def _example(schema: Mapping[str, object], *, depth: int) -> JsonValue:
    for name in ("const", "default"):
        if name in schema:
            return schema[name]  # type: ignore[return-value]  # a schema is JSON
    for name in ("examples", "enum"):
        given = schema.get(name)
        if isinstance(given, list) and given:
            return given[0]  # type: ignore[no-any-return]  # a schema is JSON
    kind = schema.get("type")
    properties = schema.get("properties")
    if depth < _DEEPEST and isinstance(properties, Mapping):
        return {
            str(name): _example(inner, depth=depth + 1) if isinstance(inner, Mapping) else ""
            for name, inner in properties.items()
        }
    items = schema.get("items")
    if kind == "array" and depth < _DEEPEST and isinstance(items, Mapping):
        return [_example(items, depth=depth + 1)]
    made: dict[object, JsonValue] = {
        "object": {}, "array": [], "integer": 1, "number": 1, "boolean": False, "null": None,
    }  # fmt: skip
    return made.get(kind if isinstance(kind, str) else None, "text")
