"""What the page of drills shows: the seeds, and how often reviewers saw what was planted."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import Count, Exists, OuterRef, Q

from policies.models import ActionType, DrillResult
from policies.selectors.catch_rate import CatchRate, by_kind, catch_rate, warm_up_rate
from reviews.choices import SeedState
from reviews.models import DrillSeed
from reviews.selectors.drill_bursts import is_ready
from reviews.selectors.drills import kind_in_words


@dataclass(frozen=True)
class KindRow:
    """One kind of planted error, and how often it was seen."""

    words: str
    planted: bool
    rate: CatchRate


@dataclass(frozen=True)
class TypeRow:
    """One action type: how often drills come, what they showed, and what they are made from.

    With each seed stands what is wrong with it, in words. ``begins_shifts`` says that five begin a shift,
    which takes enough in use; ``warm_up`` is what those showed, which is no part of ``rate``.
    """

    action_type: ActionType
    approved: int
    right: int
    waiting: int
    rate: CatchRate
    warm_up: CatchRate
    begins_shifts: bool
    kinds: tuple[KindRow, ...]
    seeds: tuple[tuple[DrillSeed, str], ...]

    @property
    def runs(self) -> bool:
        """Say whether anything is mixed in."""
        return self.action_type.drill_rate > 0 and self.approved > 0


def rows() -> list[TypeRow]:
    """Return every action type that has seeds, results or a rate, by name."""
    seeds = DrillSeed.objects.filter(action_type=OuterRef("pk"))
    results = DrillResult.objects.filter(action_type=OuterRef("pk"))
    declared = Q(drill_rate__gt=0) | Q(drill_burst=True)
    types = ActionType.objects.filter(Exists(seeds) | Exists(results) | declared)
    return [_row(action_type) for action_type in types.order_by("name")]


def _row(action_type: ActionType) -> TypeRow:
    seeds = tuple(
        DrillSeed.objects.filter(action_type=action_type)
        .select_related("source__action", "action_type")
        .annotate(used=Count("drills"))
        .order_by("state", "-id")
    )
    approved = [seed for seed in seeds if seed.state == SeedState.APPROVED]
    return TypeRow(
        action_type=action_type,
        approved=len(approved),
        right=sum(not seed.planted for seed in approved),
        waiting=sum(seed.state == SeedState.WAITING for seed in seeds),
        rate=catch_rate(action_type, delta=0.025),
        warm_up=warm_up_rate(action_type, delta=0.025),
        begins_shifts=action_type.drill_burst and is_ready(action_type),
        kinds=tuple(
            KindRow(kind_in_words(found.kind, action_type), found.kind != "", found.rate)
            for found in by_kind(action_type, delta=0.025)
        ),
        seeds=tuple((seed, kind_in_words(seed.error_kind, action_type)) for seed in seeds),
    )
