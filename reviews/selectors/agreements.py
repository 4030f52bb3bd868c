"""How far reviewers agree with each other, by action type: a matter of the guideline, not of a person."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.db.models import Exists, OuterRef

from policies.models import ActionType, DoubleReview
from policies.selectors.agreement import Agreement, agreement
from policies.selectors.evidence_limits import settings_of

PERIOD: Final = timedelta(days=90)
ENOUGH: Final = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class TypeAgreement:
    """What second opinions on one action type say. ``least`` is what promotions of it ask for."""

    action_type: ActionType
    found: Agreement
    least: float

    @property
    def is_enough(self) -> bool:
        return self.found.n >= ENOUGH

    @property
    def is_low(self) -> bool:
        """Say whether promotions wait until people agree on what is right."""
        return self.is_enough and (self.found.krippendorff or 0.0) < self.least


def by_type(*, now: datetime) -> list[TypeAgreement]:
    """Return the agreement on each action type that second opinions were drawn of, by name."""
    since = now - PERIOD
    drawn = DoubleReview.objects.filter(
        action_type=OuterRef("pk"), reviewed_at__gte=since, propensity__isnull=False
    )
    return [
        TypeAgreement(
            action_type=each, found=agreement(each, since=since), least=settings_of(each).agreement_min
        )
        for each in ActionType.objects.filter(Exists(drawn)).order_by("name")
    ]
