"""Which parts of a changed declaration loosen it: what decides whether one person alone may change them.

A field loosens where, with nothing else changed, an action could pass that was held, fewer people could stand
behind one, an approval could cover more than it did, or what runs alone could be watched less or trusted
sooner. What cannot be compared, and a field that nobody has taught this module, loosens.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from policies.engine.difference import Effect
from policies.engine.schema_widening import schema_effect

_RISKS: Final = ("low", "medium", "high", "critical")
_LEVELS: Final = ("shadow", "review_all", "threshold", "autonomous")


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One changed field: what it says to people, and its effect."""

    field: str
    sentence: str
    effect: Effect


def changes(before: Mapping[str, object], after: Mapping[str, object]) -> tuple[FieldChange, ...]:
    """Return what every changed field of a declaration does, in the order of ``after``."""
    return tuple(
        _change(field, before.get(field), value)
        for field, value in after.items()
        if field not in before or _differ(before[field], value)
    )


def loosening(before: Mapping[str, object], after: Mapping[str, object]) -> tuple[FieldChange, ...]:
    """Return the changed fields by which something might pass, or stay unwatched, that did not before."""
    return tuple(each for each in changes(before, after) if each.effect is Effect.LOOSENS)


def _differ(before: object, after: object) -> bool:
    # True is 1 to Python, and neither to people. Members of an object may stand in another order.
    return before != after or isinstance(before, bool) != isinstance(after, bool)


def _change(field: str, before: object, after: object) -> FieldChange:
    rule = _RULES.get(field)
    if rule is None:
        told = f"{field.replace('_', ' ').capitalize()}: {_said(before)} → {_said(after)}."
        return FieldChange(field, told, Effect.LOOSENS)
    return FieldChange(field, f"{rule.name}: {rule.told(before, after)}.", rule.effect(before, after))


@dataclass(frozen=True, slots=True)
class _Rule:
    name: str
    effect: Callable[[object, object], Effect]
    told: Callable[[object, object], str]


def _said(value: object) -> str:
    if value is None or value in ("", [], {}):
        return "nothing"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str):
        return value.replace("_", " ")
    if isinstance(value, list | tuple):
        return ", ".join(_said(each) for each in value)
    if isinstance(value, Mapping):
        return "; ".join(f"{key} {_said(each)}" for key, each in value.items())
    return f"{value:g}" if isinstance(value, float) else str(value)


def _plainly(before: object, after: object) -> str:
    return f"{_said(before)} → {_said(after)}"


def _as_changed(_before: object, _after: object) -> str:
    return "changed"


def _neither(_before: object, _after: object) -> Effect:
    return Effect.NEITHER


def _in_doubt(_before: object, _after: object) -> Effect:
    return Effect.LOOSENS


def _falling(*order: object) -> Callable[[object, object], Effect]:
    """Loosen where the value falls in an order, the strictest last."""

    def effect(before: object, after: object) -> Effect:
        places = [
            next((at for at, each in enumerate(order) if each is value or each == str(value)), None)
            for value in (before, after)
        ]
        old, new = places
        return Effect.TIGHTENS if old is not None and new is not None and new > old else Effect.LOOSENS

    return effect


def _number(*, more_is_looser: bool) -> Callable[[object, object], Effect]:
    def effect(before: object, after: object) -> Effect:
        if not isinstance(before, int | float) or not isinstance(after, int | float):
            return Effect.LOOSENS
        return Effect.LOOSENS if (after > before) == more_is_looser else Effect.TIGHTENS

    return effect


def _listed(*, more_is_looser: bool) -> Callable[[object, object], Effect]:
    def effect(before: object, after: object) -> Effect:
        if not isinstance(before, Sequence) or not isinstance(after, Sequence):
            return Effect.LOOSENS
        fewer, more = (before, after) if more_is_looser else (after, before)
        if any(each not in fewer for each in more):
            return Effect.LOOSENS
        return Effect.TIGHTENS if any(each not in more for each in fewer) else Effect.NEITHER

    return effect


def _normalised(before: object, after: object) -> Effect:
    """Fewer fields in a form of their own tighten; another form of a field is another comparison."""
    if not isinstance(before, Mapping) or not isinstance(after, Mapping):
        return Effect.LOOSENS
    kept = all(field in before and before[field] == forms for field, forms in after.items())
    return Effect.TIGHTENS if kept else Effect.LOOSENS


def _cluster(before: object, after: object) -> Effect:
    """Actions that are one event count once; without that, the same event is evidence many times."""
    return Effect.TIGHTENS if not before and after else Effect.LOOSENS


def _material(before: object, after: object) -> Effect:
    """An edit counts as an error where it touches what is material: nothing named is everything."""
    if before and not after:
        return Effect.TIGHTENS
    return _listed(more_is_looser=False)(before, after) if before else Effect.LOOSENS


def _severities(before: object, after: object) -> Effect:
    """A loss that is lower, or left to the usual, makes errors weigh less."""
    if not isinstance(before, Mapping) or not isinstance(after, Mapping) or before.keys() != after.keys():
        return Effect.LOOSENS
    rising = _number(more_is_looser=False)
    effects = {rising(before[code], after[code]) for code in after if before[code] != after[code]}
    return Effect.TIGHTENS if effects == {Effect.TIGHTENS} else Effect.LOOSENS


_YES_TO_NO: Final = _falling("False", "True")

_RULES: Final[Mapping[str, _Rule]] = {
    # What people read; the arguments stand beside it, whole, wherever somebody decides.
    "title": _Rule("Title", _neither, _plainly),
    "title_template": _Rule("Title of one action", _neither, _plainly),
    "icon": _Rule("Icon", _neither, _plainly),
    "reason_codes": _Rule("Reasons a reviewer can give", _neither, _as_changed),
    "risk": _Rule("Risk", _falling(*_RISKS), _plainly),
    "irreversible": _Rule("It cannot be undone", _YES_TO_NO, _plainly),
    "widens_rights": _Rule("It can widen the agent’s own rights", _YES_TO_NO, _plainly),
    "argument_schema": _Rule("Schema of the arguments", schema_effect, _as_changed),
    "checklist": _Rule("Check before you decide", _listed(more_is_looser=False), _plainly),
    "cluster_pointer": _Rule("Actions are one event when they share", _cluster, _plainly),
    "cosmetic_pointers": _Rule(
        "Fields that do not matter to an approval", _listed(more_is_looser=True), _plainly
    ),
    "normalised_fields": _Rule("Texts that are compared in a form", _normalised, _plainly),
    "pause_on_mismatch": _Rule("Stop when something else ran than was decided", _YES_TO_NO, _plainly),
    "second_admin": _Rule(
        "Publishing takes a second admin",
        _falling("False", "None", "True"),
        lambda before, after: " → ".join(
            {True: "always", False: "never"}.get(value, "by its risk")  # type: ignore[call-overload]  # any value
            for value in (before, after)
        ),
    ),
    "autonomy_cap": _Rule("Highest level anybody can be granted", _falling(*reversed(_LEVELS)), _plainly),
    "first_contact_level": _Rule("Level of a new agent version", _falling(*reversed(_LEVELS)), _plainly),
    "reading_floor_ms": _Rule("Reading floor, ms", _number(more_is_looser=False), _plainly),
    "material_pointers": _Rule("Fields in which an edit is an error", _material, _plainly),
    "severities": _Rule("How much an error weighs", _severities, _plainly),
    "evidence_sources": _Rule("Evidence beside an argument", _listed(more_is_looser=False), _as_changed),
    # What an operator says things cost steers what is recommended; nothing runs by it.
    "value_pointer": _Rule("What is at stake", _in_doubt, _plainly),
    "currency": _Rule("What it is counted in", _in_doubt, _plainly),
    "cost_of_error": _Rule("Cost of an error", _number(more_is_looser=False), _plainly),
    "cost_of_review_minute": _Rule("Cost of a minute of review", _number(more_is_looser=True), _plainly),
    "cost_of_delay": _Rule("Cost of a delay", _number(more_is_looser=True), _plainly),
    "error_limit": _Rule("Share of errors that is not to be passed", _number(more_is_looser=True), _plainly),
    "ladder": _Rule("Rules of promotion and demotion", _in_doubt, _as_changed),
    "evals_required": _Rule("Promotion takes an eval", _YES_TO_NO, _plainly),
    "drill_rate": _Rule("Share of drills", _number(more_is_looser=False), _plainly),
    "drill_burst": _Rule("A shift begins with five drills", _YES_TO_NO, _plainly),
    "second_opinion_rate": _Rule("Share of second opinions", _number(more_is_looser=False), _plainly),
    "bulk_cap": _Rule("Items decided at once", _number(more_is_looser=True), _plainly),
}

KNOWN_FIELDS: Final = frozenset(_RULES)


def name_of(field: str) -> str:
    """Return what people call a field of a declaration."""
    rule = _RULES.get(field)
    return rule.name if rule is not None else field.replace("_", " ").capitalize()
