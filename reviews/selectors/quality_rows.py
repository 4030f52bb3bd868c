"""What reviewers did, as quality is told from: their decisions, drills and second opinions, by person."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, TypedDict

from django.contrib.auth.models import User
from django.db.models import Aggregate, Count, F, FloatField, Q, Window
from django.db.models.functions import RowNumber

from policies.models import DoubleReview, DrillResult
from reviews.choices import DecisionKind, ItemKind
from reviews.models import Decision

# So many of the last decisions tell of runs and times.
LAST: Final = 500
_LOOKS: Final = (ItemKind.GATE, ItemKind.AUDIT, ItemKind.SECOND_OPINION)


class _Percentile(Aggregate):
    function = "PERCENTILE_CONT"
    template = "%(function)s(%(share)s) WITHIN GROUP (ORDER BY %(expressions)s)"
    output_field = FloatField()


@dataclass(frozen=True, slots=True)
class Drills:
    """Whether each planted error was caught, in order, and the time it took; whether what was right passed.

    Apart, the planted errors of the drills that began a shift.
    """

    caught: list[bool] = field(default_factory=list)
    took: list[int] = field(default_factory=list)
    clean: list[bool] = field(default_factory=list)
    warm_up: list[bool] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Lately:
    """The last decisions of one person on held items, oldest first: whether approved, and the time taken."""

    approved: list[bool] = field(default_factory=list)
    took: list[int] = field(default_factory=list)


class Counts(TypedDict):
    reviewer_id: int
    decisions: int
    timed: int
    median: float | None
    quarter: float | None
    three_quarters: float | None
    approvals: int
    too_fast: int
    shown: int
    shown_approved: int
    hidden: int
    hidden_approved: int


def counts(since: datetime, floors: Mapping[int, int], person: User | None = None) -> list[Counts]:
    """Count released decisions on real items: drills are apart, and what was undone is none.

    ``floors`` are the milliseconds that right approvals of an action type take at least, where that is known.
    An approval is too fast under them, and under the reading floor that held when it was given.
    """
    found = Decision.objects.filter(
        undone_at=None, decided_at__gte=since, item__kind__in=_LOOKS, action__drill=False
    )
    if person is not None:
        found = found.filter(reviewer=person)
    approve = Q(kind=DecisionKind.APPROVE)
    single = Q(bulk=False)
    # Held items are shown or hidden by lot; routine checks are always blind and would be compared unfairly.
    gate = Q(item__kind=ItemKind.GATE)
    timed = single & Q(decision_ms__isnull=False)
    too_fast = Q(considered=False)
    for action_type, milliseconds in floors.items():
        too_fast |= Q(action__action_type=action_type, decision_ms__lt=milliseconds)
    rows = (
        found.order_by()
        .values("reviewer_id")
        .annotate(
            decisions=Count("pk"),
            timed=Count("pk", filter=timed),
            median=_Percentile(F("decision_ms"), share=0.5, filter=timed),
            quarter=_Percentile(F("decision_ms"), share=0.25, filter=timed),
            three_quarters=_Percentile(F("decision_ms"), share=0.75, filter=timed),
            approvals=Count("pk", filter=approve & single),
            too_fast=Count("pk", filter=approve & single & too_fast),
            shown=Count("pk", filter=gate & single & Q(blind=False)),
            shown_approved=Count("pk", filter=gate & single & approve & Q(blind=False)),
            hidden=Count("pk", filter=gate & single & Q(blind=True)),
            hidden_approved=Count("pk", filter=gate & single & approve & Q(blind=True)),
        )
    )
    return [Counts(**row) for row in rows]


def lately(since: datetime, person: User | None = None) -> defaultdict[int, Lately]:
    """Return the last decisions of each person that they gave one at a time on held items."""
    rows = Decision.objects.filter(
        undone_at=None, decided_at__gte=since, item__kind=ItemKind.GATE, action__drill=False, bulk=False
    )
    if person is not None:
        rows = rows.filter(reviewer=person)
    place = Window(RowNumber(), partition_by=F("reviewer"), order_by=(F("decided_at").desc(), F("pk").desc()))
    last = rows.annotate(place=place).filter(place__lte=LAST).order_by("reviewer_id", "-place")
    found: defaultdict[int, Lately] = defaultdict(Lately)
    for reviewer, kind, took in last.values_list("reviewer_id", "kind", "decision_ms"):
        found[reviewer].approved.append(kind == DecisionKind.APPROVE)
        if took is not None:
            found[reviewer].took.append(took)
    return found


def drills(since: datetime, person: User | None = None) -> defaultdict[int, Drills]:
    """Return for each person what came of their drills, in the order of their answers."""
    rows = DrillResult.objects.filter(decided_at__gte=since)
    if person is not None:
        rows = rows.filter(reviewer=person)
    found: defaultdict[int, Drills] = defaultdict(Drills)
    named = rows.order_by("decided_at", "pk")
    for reviewer, planted, caught, warm_up, took in named.values_list(
        "reviewer_id", "error_kind", "caught", "warm_up", "decision_ms"
    ):
        of = found[reviewer]
        if warm_up:
            of.warm_up.extend([caught] if planted else [])
            continue
        (of.caught if planted else of.clean).append(caught)
        if planted and took is not None:
            of.took.append(took)
    return found


def doubles(since: datetime, person: User | None = None) -> defaultdict[int, list[DoubleReview]]:
    rows = DoubleReview.objects.filter(reviewed_at__gte=since, propensity__isnull=False)
    if person is not None:
        rows = rows.filter(Q(first_reviewer=person) | Q(second_reviewer=person))
    found: defaultdict[int, list[DoubleReview]] = defaultdict(list)
    for each in rows.order_by("pk"):
        found[each.first_reviewer_id].append(each)
        found[each.second_reviewer_id].append(each)
    return found
