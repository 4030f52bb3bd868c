"""Drills out of labelled cases: which past decisions have an answer that is known, and what was wrong."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.contrib.auth.models import User
from django.db.models import Exists, OuterRef, Q

from datasets.choices import CaseKind, Label, LabelSource, LabelStrength
from datasets.models import LabelledCase
from policies.models import ActionType
from reviews.models import Decision, DrillSeed
from reviews.services import drills

_MOST_LOOKED_AT = 200


@dataclass(frozen=True)
class Made:
    """What came of asking for seeds: the new ones, and why others cannot be any."""

    seeds: tuple[DrillSeed, ...]
    problems: tuple[str, ...]


def error_kind(case: LabelledCase) -> str:
    """Return what was wrong with a proposal: the kind of its first difference, or why it should not have run.

    "" where it was right.
    """
    if case.label == Label.APPROVED:
        return ""
    content = case.content if isinstance(case.content, dict) else {}
    if case.label == Label.CORRECTED:
        found = content.get("differences") or [{}]
        return str(found[0].get("kind", "")) or "wrong_value"
    reasons = content.get("decision", {}).get("reasons") or []
    return str(reasons[0])[:40] if reasons else "should_not_run"


def make_seeds(*, action_type: ActionType, wrong: int, right: int, made_by: User, now: datetime) -> Made:
    """Make up to so many seeds with an error and without one, of the newest cases that can be made fresh.

    Left out: weak labels, what is disputed, left out or erased, and what is a seed already. An admin approves
    each before anything comes of it. Raises ``NotAllowed``.
    """
    seeds: list[DrillSeed] = []
    problems: list[str] = []
    for labels, wanted in (((Label.CORRECTED, Label.REJECTED), wrong), ((Label.APPROVED,), right)):
        made = 0
        for case in _cases(action_type, labels):
            if made >= wanted:
                break
            decision = Decision.objects.select_related("action__action_type", "item").get(
                public_id=case.decision_id
            )
            try:
                seeds.append(
                    drills.make_seed(decision=decision, error_kind=error_kind(case), made_by=made_by, now=now)
                )
                made += 1
            except drills.UnableToUse as problem:
                problems.append(f"{case.public_id}: {problem}")
    return Made(tuple(seeds), tuple(problems))


def _cases(action_type: ActionType, labels: tuple[Label, ...]) -> list[LabelledCase]:
    seeds = DrillSeed.objects.filter(source__public_id=OuterRef("decision_id"))
    return list(
        LabelledCase.objects.filter(
            Q(curation=None) | Q(curation__excluded_at=None, curation__disputed_at=None),
            ~Exists(seeds),
            kind=CaseKind.PROPOSAL,
            action_type=action_type.name,
            label__in=labels,
            source=LabelSource.REVIEW,
            strength=LabelStrength.STRONG,
            erased_at=None,
        ).order_by("-id")[:_MOST_LOOKED_AT]
    )
