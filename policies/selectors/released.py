"""How many wrong actions went out: an estimate from the routine checks, with its range (statistics.md 1.3).

What ran alone is not looked at but for the checks, each drawn with a probability that was stored with it.
Weighted by 1 / that probability they stand for all that ran alone; held actions are no part of it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from policies.statistics.intervals import hajek_rate

if TYPE_CHECKING:
    from policies.selectors.trust import TrustRow

# Below this many checks a rate says more of chance than of the agent.
ENOUGH_CHECKS: Final = 30
_ONE_SIDED: Final = 0.025


@dataclass(frozen=True, slots=True, kw_only=True)
class Released:
    """Of ``alone`` actions that ran without a person, ``checks`` were checked: what that says of them all.

    ``rate`` is Hájek's estimate of the share that was wrong, ``low`` and ``high`` its approximate 95% limits;
    ``found`` is how many the checks found. Checks of one action type and version say nothing of another: of
    what no check was made of, none or all may be wrong, and the limits say so.
    """

    alone: int
    checks: int
    found: int
    rate: float | None
    low: float
    high: float

    @property
    def is_known(self) -> bool:
        """Say whether there are enough checks for a number."""
        return self.checks >= ENOUGH_CHECKS and self.rate is not None

    @property
    def wrong(self) -> int:
        """Return about how many were wrong: never fewer than were found."""
        return max(self.found, round((self.rate or 0.0) * self.alone))

    @property
    def wrong_low(self) -> int:
        return max(self.found, round(self.low * self.alone))

    @property
    def wrong_high(self) -> int:
        return max(self.wrong, round(self.high * self.alone))


def released(rows: Iterable[TrustRow]) -> Released:
    """Return the estimate over these rows together: each check stands for 1 / its propensity."""
    found = list(rows)
    weights: list[float] = []
    errors: list[float] = []
    for row in found:
        for propensity, error, count in row.checks:
            weights += [1 / propensity] * count
            errors += [float(error)] * count
    rate = hajek_rate(weights, errors, delta=_ONE_SIDED)
    alone = sum(row.alone for row in found)
    unseen = sum(row.alone for row in found if not row.checks) / alone if alone else 0.0
    return Released(
        alone=alone,
        checks=rate.n,
        found=round(sum(errors)),
        rate=rate.rate,
        low=rate.low * (1 - unseen),
        high=rate.high * (1 - unseen) + unseen,
    )
