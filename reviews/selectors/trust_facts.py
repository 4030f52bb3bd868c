"""What people's work says of agents, for the trust page: deadlines, reasons, fields, incidents, money.

Every function is one query over the period, grouped by the database; drills are left out. The period is that
of the proposal, for every number alike.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Case, Count, F, FloatField, Func, Q, QuerySet, Sum, TextField, Value, When
from django.db.models.functions import Now

from policies.choices import Route
from policies.models import ActionType
from policies.selectors.trust import Key, TrustFilter, during
from reviews.choices import OVERRIDES, DecisionKind, ItemKind, ItemStatus
from reviews.models import ActionRequest, Decision, Incident, ReviewItem

LOOKED_AT = (ItemKind.GATE, ItemKind.AUDIT)
IN_TIME = Q(decided_at__lte=F("item__due_at"))
_MOST_SHOWN = 8


@dataclass(frozen=True, slots=True)
class Counted:
    """Something that was counted: a reason's code, or the pointer of a field."""

    name: str
    count: int


@dataclass(frozen=True, slots=True)
class Stake:
    """What the actions of one type were worth, in what the type declares its value in.

    ``stopped`` is what people rejected. ``counted`` says how many actions named a number at all.
    """

    currency: str
    proposed: float
    alone: float
    stopped: float
    counted: int


class _Unnest(Func):
    function = "UNNEST"
    set_returning = True
    output_field = TextField()


class _Paths(Func):
    """The pointers of a JSON Patch (RFC 6902), one row each."""

    template = "(jsonb_path_query(%(expressions)s, '$[*].path') #>> '{}')"
    set_returning = True
    output_field = TextField()


class _NumberAt(Func):
    """The number at a place, null where there is none or something else."""

    template = "(jsonb_path_query_first(%(expressions)s::jsonpath))::double precision"
    output_field = FloatField()


def decided() -> QuerySet[Decision]:
    """Return what has been decided and left its undo window."""
    return Decision.objects.filter(terminal=True, undone_at=None, released_at__isnull=False)


def decisions(filters: TrustFilter) -> QuerySet[Decision]:
    """Return what was decided about the period's actions."""
    return decided().filter(during(filters, "action__gate_check__"), action__gate_check__drill=False)


def unanswered(*, now: datetime | Now) -> QuerySet[ReviewItem]:
    """Return the held actions whose deadline passed without an answer."""
    return ReviewItem.objects.filter(
        Q(status=ItemStatus.EXPIRED) | Q(status=ItemStatus.OPEN, due_at__lt=now), kind=ItemKind.GATE
    )


def missed(filters: TrustFilter, *, now: datetime) -> dict[Key, int]:
    """Return how many held actions nobody answered before their deadline."""
    groups = (
        unanswered(now=now)
        .filter(during(filters, "action__gate_check__"), action__gate_check__drill=False)
        .values_list("action_type_name", "action__agent_version_id")
        .annotate(number=Count("id"))
        .order_by()
    )
    return {(name, version): number for name, version, number in groups}


def incidents(filters: TrustFilter) -> dict[Key, int]:
    """Return how many actions had an incident."""
    groups = (
        Incident.objects.filter(during(filters, "action__gate_check__"), action__gate_check__drill=False)
        .values_list("action__action_type_name", "action__agent_version_id")
        .annotate(number=Count("action", distinct=True))
        .order_by()
    )
    return {(name, version): number for name, version, number in groups}


def reasons(filters: TrustFilter) -> dict[str, list[Counted]]:
    """Return for each action type the reasons that people gave when they corrected or rejected."""
    groups = (
        _overridden(filters)
        .values_list("action__action_type_name", _Unnest(F("reasons")))
        .annotate(number=Count("action", distinct=True))
        .order_by()
    )
    return _largest(groups)


def fields(filters: TrustFilter) -> dict[str, list[Counted]]:
    """Return for each action type the fields that people corrected."""
    groups = (
        _overridden(filters)
        .filter(kind=DecisionKind.CORRECT)
        .values_list("action__action_type_name", _Paths(F("patch")))
        .annotate(number=Count("action", distinct=True))
        .order_by()
    )
    return _largest(groups)


def stakes(filters: TrustFilter, types: Sequence[ActionType]) -> dict[str, Stake]:
    """Return what was at stake, for the types that declare where their value stands. Two queries."""
    valued = {each.name: each for each in types if each.value_pointer}
    if not valued:
        return {}
    actions = (
        ActionRequest.objects.filter(
            during(filters, "gate_check__"), gate_check__drill=False, action_type_name__in=valued
        )
        .annotate(value=_value(valued.values(), "arguments", "action_type_name"))
        .values_list("action_type_name")
        .annotate(
            proposed=Sum("value"),
            alone=Sum("value", filter=Q(gate_check__route=Route.ALONE)),
            counted=Count("value"),
        )
        .order_by()
    )
    rejected = (
        decisions(filters)
        .filter(kind=DecisionKind.REJECT, item__kind=ItemKind.GATE, action__action_type_name__in=valued)
        .annotate(value=_value(valued.values(), "action__arguments", "action__action_type_name"))
        .values_list("action__action_type_name")
        .annotate(total=Sum("value"))
        .order_by()
    )
    stopped = dict(rejected)
    return {
        name: Stake(valued[name].currency, proposed or 0.0, alone or 0.0, stopped.get(name) or 0.0, counted)
        for name, proposed, alone, counted in actions
    }


def _overridden(filters: TrustFilter) -> QuerySet[Decision]:
    return decisions(filters).filter(kind__in=OVERRIDES, item__kind__in=LOOKED_AT)


def _largest(groups: QuerySet[Decision, tuple[str, str, int]]) -> dict[str, list[Counted]]:
    found: defaultdict[str, list[Counted]] = defaultdict(list)
    for name, value, number in groups:
        found[name].append(Counted(value, number))
    return {
        name: sorted(counted, key=lambda each: (-each.count, each.name))[:_MOST_SHOWN]
        for name, counted in found.items()
    }


def _value(types: Iterable[ActionType], arguments: str, name: str) -> Case:
    whens = [
        When(Q(**{name: each.name}), then=_NumberAt(F(arguments), Value(_json_path(each.value_pointer))))
        for each in types
    ]
    return Case(*whens, output_field=FloatField())


def _json_path(pointer: str) -> str:
    """Return an RFC 6901 pointer as PostgreSQL's SQL/JSON path to a number."""
    parts = [part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:]]
    places = [f"[{each}]" if _is_index(each) else f".{json.dumps(each)}" for each in parts]
    return f'lax ${"".join(places)} ? (@.type() == "number")'


def _is_index(part: str) -> bool:
    return part.isascii() and part.isdecimal()
