"""Questions about drills: what a person is told of one after the answer, and what nobody is told before."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.contrib.auth.models import User
from django.utils.translation import gettext, gettext_lazy, pgettext

from hitl_site.lib import wording
from hitl_site.lib.strict_json import JsonValue
from hitl_site.lib.textdiff import Change, json_changes
from policies.engine.materiality import is_material
from policies.models import ActionType, DrillResult
from reviews.choices import DecisionKind, ItemStatus
from reviews.models import ActionRequest, Decision, Drill, ReviewItem
from reviews.selectors.actions import decided_arguments, proposed_arguments
from reviews.selectors.difference import Difference, difference
from reviews.selectors.reasons import reason_codes

# How long the page goes on telling of the last answer when nothing else was decided since.
TOLD_FOR: Final = timedelta(minutes=10)
_LONGEST_VALUE: Final = 60
_WORDS: Final = {
    "wrong_value": gettext_lazy("a wrong value"),
    "missing": gettext_lazy("something left out"),
    "extra": gettext_lazy("something too much"),
    "wrong_target": gettext_lazy("the wrong person or thing"),
    "wrong_wording": gettext_lazy("wrong words"),
}


@dataclass(frozen=True)
class Told:
    """What a drill was about, and what came of it. ``right`` is how it should have been."""

    decision: Decision
    planted: bool
    caught: bool
    kind: str
    sentence: str
    right: Difference | None


def kind_in_words(kind: str, action_type: ActionType | None) -> str:
    """Return a kind of planted error as people say it; "" is what was right."""
    if not kind:
        return gettext("nothing was wrong")
    labels = {reason.code: reason.words for reason in reason_codes(action_type)}
    return str(_WORDS.get(kind, "")) or labels.get(kind) or kind.replace("_", " ")


def told(decision: Decision) -> Told | None:
    """Return what the person who gave this answer is told of it, None where it was a real item."""
    action = decision.action
    result = (
        DrillResult.objects.filter(drill_id=action.public_id, reviewer_id=decision.reviewer_id).first()
        if action.drill
        else None
    )
    if result is None:
        return None
    drill = Drill.objects.select_related("seed").get(action=action)
    proposed, expected = proposed_arguments(action), expected_of(drill)
    planted = bool(result.error_kind)
    return Told(
        decision=decision,
        planted=planted,
        caught=result.caught,
        kind=kind_in_words(result.error_kind, action.action_type),
        sentence=_sentence(action, proposed, expected, planted=planted, result=result, decision=decision),
        right=difference(dict(proposed), dict(expected)) if planted and expected is not None else None,
    )


def latest(person: User, *, now: datetime) -> Told | None:
    """Return what to tell of the person's last answer, where that was to a drill and has just been given."""
    decision = (
        Decision.objects.filter(reviewer=person, undone_at=None)
        .select_related("action__action_type", "item")
        .order_by("-id")
        .first()
    )
    if decision is None or not decision.action.drill or decision.decided_at <= now - TOLD_FOR:
        return None
    return told(decision)


def is_known(action: ActionRequest, viewer: User) -> bool:
    """Say whether this person may know that it is a drill: they answered, or nobody can any more."""
    if not action.drill:
        return False
    undecided = ReviewItem.objects.filter(
        action=action, status__in=[ItemStatus.OPEN, ItemStatus.RECORDED]
    ).exists()
    return not undecided or action.decisions.filter(reviewer=viewer, undone_at=None).exists()


def sentence_for(action: ActionRequest, viewer: User) -> str | None:
    """Return what this person is told on the page of a drill; None while they may not know that it is one."""
    if not is_known(action, viewer):
        return None
    mine = action.decisions.filter(reviewer=viewer, undone_at=None)
    own = mine.select_related("action__action_type").first()
    said = told(own) if own is not None else None
    return said.sentence if said is not None else gettext("Nobody proposed it, and nothing of it ran.")


def expected_of(drill: Drill) -> dict[str, JsonValue] | None:
    """Return the arguments that would have been right, None where nothing should have run."""
    if drill.expected_canonical is None:
        return None
    read: dict[str, JsonValue] = json.loads(bytes(drill.expected_canonical))
    return read


def is_caught(decision: Decision, drill: Drill) -> bool:
    """Say whether the answer is the right one.

    An error is caught by a rejection, or by a correction that touches what was wrong. What was right is let
    pass by an approval, or by a correction of nothing that the action type holds to be material.
    """
    assert drill.seed is not None
    if decision.kind == DecisionKind.APPROVE:
        return not drill.seed.planted
    if decision.kind == DecisionKind.REJECT:
        return drill.seed.planted
    action, expected = decision.action, expected_of(drill)
    proposed, mine = proposed_arguments(action), decided_arguments(decision)
    if not drill.seed.planted:
        material = action.action_type.material_pointers if action.action_type is not None else []
        return not is_material(material, before=proposed, after=mine)
    if expected is None:
        return False  # no version of it was right: it should not have run
    wrong = [change.pointer for change in json_changes(dict(proposed), dict(expected))]
    touched = [change.pointer for change in json_changes(dict(proposed), dict(mine))]
    return any(_meets(pointer, wrong) for pointer in touched)


def source_of(action: ActionRequest) -> int | None:
    """Return the key of the action that a drill was made from, for pages that must not show it beside it."""
    if not action.drill:
        return None
    return Drill.objects.filter(action=action).values_list("seed__source__action_id", flat=True).first()


def _meets(pointer: str, others: list[str]) -> bool:
    return any(
        pointer == other or pointer.startswith(f"{other}/") or other.startswith(f"{pointer}/")
        for other in others
    )


def _sentence(
    action: ActionRequest,
    proposed: dict[str, JsonValue],
    expected: dict[str, JsonValue] | None,
    *,
    planted: bool,
    result: DrillResult,
    decision: Decision,
) -> str:
    if not planted:
        found = gettext("Nothing was wrong with it.")
        end = gettext("You let it pass.") if result.caught else gettext("You objected.")
        return f"{found} {end}"
    if expected is None:
        found = gettext("It should not have run: {why}.").format(
            why=kind_in_words(result.error_kind, action.action_type)
        )
    else:
        changes = json_changes(dict(proposed), dict(expected))
        found = " ".join(_wrong(change, action.action_type) for change in changes[:3])
    if result.caught:
        end = gettext("You caught it.")
        return f"{found} {end}"
    end = (
        gettext("You approved it.")
        if decision.kind == DecisionKind.APPROVE
        else gettext("You changed something else.")
    )
    return f"{found} {end}"


def _wrong(change: Change, action_type: ActionType | None) -> str:
    place = _title(change.pointer, action_type)
    if change.kind == "added":
        return gettext("{field} was left out on purpose.").format(field=place)
    if change.kind == "removed":
        return gettext("{field} was put in on purpose and does not belong there.").format(field=place)
    right = _short(change.after)
    if not right:
        return gettext("{field} was made wrong on purpose.").format(field=place)
    return gettext("{field} was made wrong on purpose: {value} is right.").format(field=place, value=right)


def _title(pointer: str, action_type: ActionType | None) -> str:
    """Return what the form calls a place: its title in the schema, else its name."""
    name = next((part for part in reversed(pointer.split("/")) if part and not part.isdigit()), "")
    name = name.replace("~1", "/").replace("~0", "~")
    schema: JsonValue = action_type.argument_schema if action_type is not None else None
    properties = schema.get("properties") if isinstance(schema, dict) else None
    declared = properties.get(name) if isinstance(properties, dict) else None
    title = declared.get("title") if isinstance(declared, dict) else None
    if isinstance(title, str) and title.strip():
        return title
    return name.replace("_", " ").capitalize() or pgettext("a field", "It")


def _short(value: JsonValue) -> str:
    if isinstance(value, bool) or value is None:
        return str(value).lower() if value is not None else pgettext("a value", "nothing")
    if isinstance(value, int | float):
        return wording.number(value) if isinstance(value, int) else wording.number(value, 2)
    text = value if isinstance(value, str) else ""
    return text if 0 < len(text) <= _LONGEST_VALUE and "\n" not in text else ""
