"""Whether one JSON Schema lets more through than another: what decides whether a new schema loosens.

The promise: where the answer is `Effect.TIGHTENS` or `Effect.NEITHER`, every value that the later schema
takes was taken by the earlier one. The reverse does not hold: what is not understood here counts as wider.
Keywords are those of JSON Schema 2020-12.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from policies.engine.difference import Effect

# What a schema says to people alone. https://json-schema.org/draft/2020-12/json-schema-validation#section-9
_WORDS: Final = frozenset({"title", "description", "examples", "default", "$comment", "deprecated"})
# A lower number takes less; without the keyword there is no limit.
_UPPER: Final = frozenset({"maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties"})
_LOWER: Final = frozenset({"minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties"})
# Each stands for itself: to add one can only refuse more.
_PLAIN: Final = frozenset({"type", "enum", "const", "pattern", "multipleOf", "required", "uniqueItems"})
_ALONE: Final = _UPPER | _LOWER | _PLAIN
# What else decides which members ``properties`` leaves to somebody else.
_BESIDE: Final = frozenset({"additionalProperties", "patternProperties", "unevaluatedProperties"})


def schema_effect(before: object, after: object) -> Effect:
    """Return what the change of a schema does; None is the schema that takes everything."""
    found = _effect(before, after)
    # A part that is referred to may stand behind a "not": narrower there is wider.
    if found is Effect.TIGHTENS and _refers(before):
        return Effect.LOOSENS
    return found


def _refers(schema: object) -> bool:
    if isinstance(schema, Mapping):
        return any(key in {"$ref", "$dynamicRef"} or _refers(part) for key, part in schema.items())
    return isinstance(schema, list) and any(_refers(part) for part in schema)


def _effect(before: object, after: object) -> Effect:
    if before == after and _same_kinds(before, after):
        return Effect.NEITHER
    if after is None:
        return Effect.LOOSENS
    if before is None or before is True or before == {}:
        return Effect.TIGHTENS
    if not isinstance(before, Mapping) or not isinstance(after, Mapping):
        return Effect.TIGHTENS if after is False else Effect.LOOSENS
    return _strongest({_member(key, before, after) for key in {*before, *after}})


def _same_kinds(before: object, after: object) -> bool:
    """Say whether two equal values are alike in kind too: to Python, 1 is True and 1.0."""
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        return all(_same_kinds(before[key], after[key]) for key in before)
    if isinstance(before, list) and isinstance(after, list):
        return all(_same_kinds(old, new) for old, new in zip(before, after, strict=True))
    return isinstance(before, bool) == isinstance(after, bool)


def _member(key: str, before: Mapping[str, object], after: Mapping[str, object]) -> Effect:
    if key in _WORDS:
        return Effect.NEITHER
    if key not in after:
        return Effect.LOOSENS
    if key not in before:
        return _added(key, before, after)
    old, new = before[key], after[key]
    if old == new and _same_kinds(old, new):
        return Effect.NEITHER
    if key in _UPPER | _LOWER:
        return _limit(old, new, lower_is_less=key in _UPPER)
    if key == "required":
        return _sets(old, new, more_is_tighter=True)
    if key in {"enum", "type"}:
        return _sets(old if isinstance(old, list) else [old], new if isinstance(new, list) else [new])
    if key == "properties":
        return _properties(before, after)
    if key == "items":
        return _effect(old, new)
    if key == "additionalProperties" and new is False:
        return Effect.TIGHTENS
    return Effect.LOOSENS


def _added(key: str, before: Mapping[str, object], after: Mapping[str, object]) -> Effect:
    if key == "properties":
        return _properties({**before, "properties": {}}, after)
    if key in _ALONE:
        return Effect.TIGHTENS
    # With ``prefixItems`` it says something of the later members alone, but nothing it says lets more in.
    # What it names is not among those any more that ``unevaluatedItems`` refuses.
    if key == "items" and not {"prefixItems", "unevaluatedItems"} & {*before, *after}:
        return Effect.TIGHTENS
    return Effect.TIGHTENS if key == "additionalProperties" and after[key] is False else Effect.LOOSENS


def _limit(old: object, new: object, *, lower_is_less: bool) -> Effect:
    if not _is_number(old) or not _is_number(new):
        return Effect.LOOSENS
    assert isinstance(old, int | float)
    assert isinstance(new, int | float)
    return Effect.TIGHTENS if (new < old) == lower_is_less else Effect.LOOSENS


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _sets(old: object, new: object, *, more_is_tighter: bool = False) -> Effect:
    if not isinstance(old, list) or not isinstance(new, list):
        return Effect.LOOSENS
    fewer, more = (old, new) if more_is_tighter else (new, old)
    if any(not _among(each, more) for each in fewer):
        return Effect.LOOSENS
    return Effect.TIGHTENS if len(fewer) < len(more) else Effect.NEITHER


def _among(value: object, values: list[object]) -> bool:
    return any(value == each and _same_kinds(value, each) for each in values)


def _properties(before: Mapping[str, object], after: Mapping[str, object]) -> Effect:
    old, new = before["properties"], after["properties"]
    if not isinstance(old, Mapping) or not isinstance(new, Mapping):
        return Effect.LOOSENS
    # A member that is named now is none of the others any more, for which another rule may have stood.
    if old.keys() - new.keys() or (new.keys() - old.keys() and _BESIDE & before.keys()):
        return Effect.LOOSENS
    return _strongest({_effect(old.get(name, True), new[name]) for name in new})


def _strongest(effects: set[Effect]) -> Effect:
    found = (effect for effect in (Effect.LOOSENS, Effect.TIGHTENS) if effect in effects)
    return next(found, Effect.NEITHER)
