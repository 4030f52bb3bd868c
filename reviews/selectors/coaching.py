"""What a person can learn from: planted errors that they missed, and answers that were settled otherwise."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.contrib.auth.models import User
from django.db.models import F
from django.utils.translation import gettext

from hitl_site.lib.strict_json import JsonValue
from hitl_site.lib.textdiff import Change, json_changes
from policies.models import DoubleReview, DrillResult
from reviews.choices import DecisionKind
from reviews.models import ActionRequest, Decision, Drill

_MOST: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Lesson:
    """One answer beside the right one. ``changes`` is what should have been different; none: do not act."""

    action: ActionRequest
    at: datetime
    error_kind: str
    said: str
    right: str
    changes: tuple[Change, ...]
    note: str


def missed_drills(person: User, *, since: datetime) -> list[Lesson]:
    """Return the planted errors that this person let pass, newest first: the drills themselves."""
    results = {
        result.drill_id: result
        for result in DrillResult.objects.filter(reviewer=person, caught=False, decided_at__gte=since)
        .exclude(error_kind="")
        .order_by("-decided_at")[:_MOST]
    }
    drills = Drill.objects.filter(action__public_id__in=results).select_related("action")
    said = _answers(person, [drill.action_id for drill in drills if drill.action_id])
    found = []
    for drill in drills:
        action = drill.action
        assert action is not None
        result = results[action.public_id]
        proposed = _read(action.arguments_canonical)
        right = _read(drill.expected_canonical)
        kind = DecisionKind.REJECT if drill.expected_canonical is None else DecisionKind.CORRECT
        found.append(
            Lesson(
                action=action,
                at=result.decided_at,
                # Kinds are words of datasets.selectors.failures; one that is not stays as it is.
                error_kind=gettext(result.error_kind.replace("_", " ")),
                said=said.get(action.pk, str(DecisionKind.APPROVE.label)),
                right=str(kind.label),
                changes=() if drill.expected_canonical is None else json_changes(proposed, right),
                note=gettext("One of the drills that began the shift: it counts as a warm-up alone.")
                if result.warm_up
                else "",
            )
        )
    return sorted(found, key=lambda lesson: lesson.at, reverse=True)


def overturned(person: User, *, since: datetime) -> list[Lesson]:
    """Return this person's answers that a second look and whoever settled it found otherwise."""
    reviews = (
        DoubleReview.objects.filter(first_reviewer=person, agreed=False, reviewed_at__gte=since)
        .exclude(settled_kind="")
        .exclude(settled_kind=F("first_kind"))
        .select_related("gate_check__action")
        .order_by("-reviewed_at")[:_MOST]
    )
    return [
        Lesson(
            action=each.gate_check.action,
            at=each.reviewed_at,
            error_kind="",
            said=str(DecisionKind(each.first_kind).label),
            right=str(DecisionKind(each.settled_kind).label),
            changes=(),
            note=gettext("The second person said: {answer}.").format(
                answer=str(DecisionKind(each.second_kind).label).lower()
            ),
        )
        for each in reviews
    ]


def _answers(person: User, actions: Sequence[int]) -> dict[int, str]:
    rows = Decision.objects.filter(reviewer=person, action__in=actions, undone_at=None)
    return {decision.action_id: str(decision.get_kind_display()) for decision in rows}


def _read(canonical: bytes | memoryview | None) -> JsonValue:
    value: JsonValue = None if canonical is None else json.loads(bytes(canonical))
    return value
