"""How the cases that an export takes are spread: labels, strengths, action types, agents."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from django.db.models import Count, QuerySet

from datasets.choices import Label, LabelStrength
from datasets.models import DatasetMember

_MOST: Final = 50


@dataclass(frozen=True, slots=True)
class Balance:
    """Counts by name, the largest first; labels and strengths in their own order, also those at 0."""

    cases: int
    labels: Mapping[str, int]
    strengths: Mapping[str, int]
    action_types: Mapping[str, int]
    agents: Mapping[str, int]


def balance(members: QuerySet[DatasetMember]) -> Balance:
    """Return how these members are spread.

    A label that was given later counts in place of the first one.
    """
    labels, cases = dict.fromkeys(Label.values, 0), 0
    relabelled = members.filter(revision__isnull=False)
    for name, n in _by(members.filter(revision=None), "case__label") + _by(relabelled, "revision__label"):
        labels[name] += n
        cases += n
    strengths = dict.fromkeys(LabelStrength.values, 0) | dict(_by(members, "case__strength"))
    return Balance(
        cases=cases,
        labels=labels,
        strengths=strengths,
        action_types=dict(_by(members, "case__action_type")[:_MOST]),
        agents=dict(_by(members, "case__agent")[:_MOST]),
    )


def _by(members: QuerySet[DatasetMember], name: str) -> list[tuple[str, int]]:
    counted = members.order_by().values(name).annotate(n=Count("pk"))
    return sorted(((row[name], row["n"]) for row in counted), key=lambda pair: (-pair[1], pair[0]))
