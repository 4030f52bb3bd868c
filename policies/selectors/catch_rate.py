"""How often reviewers see an error that was planted, with exact limits (statistics.md 1.5)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from django.db.models import Count, Q, QuerySet

from policies.models import ActionType, DrillResult
from policies.statistics.intervals import lower_limit, upper_limit

if TYPE_CHECKING:
    from django.contrib.auth.models import User


@dataclass(frozen=True, slots=True)
class CatchRate:
    """How many planted errors were seen, with the exact one-sided limits of the rate (Clopper and Pearson).

    Each limit holds with probability 1 - delta. Without a drill nothing is known: (0, 1).
    """

    planted: int
    caught: int
    lower: float
    upper: float

    @property
    def rate(self) -> float | None:
        """Return the share that was seen, None without a drill."""
        return self.caught / self.planted if self.planted else None


@dataclass(frozen=True, slots=True)
class KindOfError:
    """The catch rate of one kind of planted error; kind "" is what was right and let pass."""

    kind: str
    rate: CatchRate


def catch_rate(
    action_type: ActionType | None,
    *,
    since: datetime | None = None,
    reviewer: User | None = None,
    delta: float = 0.05,
) -> CatchRate:
    """Return how many planted errors were caught: of one action type or all, of one person or everybody.

    Items that were right as they stood are no part of it, nor are those that began a shift: whoever meets
    several in a row expects errors and catches more than usual.
    """
    return _planted(_results(action_type, since, reviewer), delta)


def warm_up_rate(
    action_type: ActionType | None,
    *,
    since: datetime | None = None,
    reviewer: User | None = None,
    delta: float = 0.05,
) -> CatchRate:
    """Return the same of the drills that began shifts. To be shown beside the catch rate, never within it."""
    return _planted(_results(action_type, since, reviewer, warm_up=True), delta)


def by_kind(
    action_type: ActionType | None,
    *,
    since: datetime | None = None,
    reviewer: User | None = None,
    delta: float = 0.05,
) -> list[KindOfError]:
    """Return the rates per kind of error, the most planted first; those that were right come last."""
    rows = (
        _results(action_type, since, reviewer)
        .values("error_kind")
        .annotate(planted=Count("pk"), seen=Count("pk", filter=Q(caught=True)))
        .order_by("-planted", "error_kind")
    )
    kinds = [KindOfError(row["error_kind"], _rate(row["planted"], row["seen"], delta)) for row in rows]
    return sorted(kinds, key=lambda found: found.kind == "")


def _planted(results: QuerySet[DrillResult], delta: float) -> CatchRate:
    row = results.exclude(error_kind="").aggregate(
        planted=Count("pk"), seen=Count("pk", filter=Q(caught=True))
    )
    return _rate(row["planted"], row["seen"], delta)


def _results(
    action_type: ActionType | None, since: datetime | None, reviewer: User | None, *, warm_up: bool = False
) -> QuerySet[DrillResult]:
    results = DrillResult.objects.filter(warm_up=warm_up)
    if action_type is not None:
        results = results.filter(action_type=action_type)
    if reviewer is not None:
        results = results.filter(reviewer=reviewer)
    return results if since is None else results.filter(decided_at__gte=since)


def _rate(planted: int, caught: int, delta: float) -> CatchRate:
    return CatchRate(
        planted, caught, lower_limit(caught, planted, delta), upper_limit(caught, planted, delta)
    )
