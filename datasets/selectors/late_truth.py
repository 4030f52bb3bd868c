"""Questions about ground truth and disputes: counted by themselves, never among the labels."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import Count, Q

from datasets.models import CaseCuration, GroundTruth


@dataclass(frozen=True, slots=True)
class LateTruth:
    """What the world said of all actions, and how many cases wait for somebody to look again."""

    reports: int
    wrong: int
    against_people: int
    disputed: int


def late_truth() -> LateTruth:
    """Return the counts, each report once."""
    counted = GroundTruth.objects.aggregate(
        reports=Count("id"),
        wrong=Count("id", filter=Q(correct=False)),
        against_people=Count("id", filter=Q(contradicts=True)),
    )
    disputed = CaseCuration.objects.filter(disputed_at__isnull=False, case__erased_at=None).count()
    return LateTruth(**counted, disputed=disputed)
