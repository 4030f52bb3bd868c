"""Agreement between reviewers: what two people said of the same actions, the second blind to the first."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from policies.models import ActionType, DoubleReview
from policies.statistics.agreement import gwet_ac1, krippendorff_alpha
from policies.statistics.agreement_interval import alpha_interval

# In their order: a correction lies between letting pass and refusing.
CODES: Final = {"approve": 0, "correct": 1, "reject": 2}


@dataclass(frozen=True)
class Agreement:
    """How far two people agree. All but the counts are None where there is nothing to compare.

    ``raw`` is the share of the same answer (a correction: to the very same), each weighted by 1 over the
    probability of its draw; ``on_non_approvals`` the same among items that at least one of the two did not
    approve, which nearly everybody approving cannot hide. ``krippendorff`` (ordinal) and ``gwet_ac1`` are of
    verdicts alone; ``low`` and ``high`` bound the former.
    """

    n: int
    raw: float | None
    krippendorff: float | None
    gwet_ac1: float | None
    low: float | None
    high: float | None
    on_non_approvals: float | None
    non_approvals: int


NOTHING: Final = Agreement(0, None, None, None, None, None, None, 0)


def agreement(action_type: ActionType | None, *, since: datetime, delta: float = 0.05) -> Agreement:
    """Return the agreement on an action type, or on all of them, in what was drawn and answered since.

    What was not drawn but asked for, because of a complaint say, tells nothing of reviewers in general.
    """
    found = DoubleReview.objects.filter(reviewed_at__gte=since, propensity__isnull=False)
    if action_type is not None:
        found = found.filter(action_type=action_type)
    rows = list(found.order_by("id").values_list("first_kind", "second_kind", "agreed", "propensity"))
    if not rows:
        return NOTHING
    pairs = [(CODES[first], CODES[second]) for first, second, _, _ in rows]
    table = [[Counter(pair)[code] for code in CODES.values()] for pair in pairs]
    doubted = [row for row, pair in zip(rows, pairs, strict=True) if any(pair)]
    low, high = alpha_interval(pairs, categories=len(CODES), delta=delta)
    return Agreement(
        n=len(rows),
        raw=_share(rows),
        krippendorff=krippendorff_alpha(
            [[float(first) for first, _ in pairs], [float(second) for _, second in pairs]], level="ordinal"
        ),
        gwet_ac1=gwet_ac1(table),
        low=low,
        high=high,
        on_non_approvals=_share(doubted) if doubted else None,
        non_approvals=len(doubted),
    )


def _share(rows: list[tuple[str, str, bool, float | None]]) -> float:
    weights = [1 / (propensity or 1.0) for _, _, _, propensity in rows]
    same = sum(weight for weight, row in zip(weights, rows, strict=True) if row[2])
    return same / sum(weights)
