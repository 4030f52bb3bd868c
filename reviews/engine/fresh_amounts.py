"""Fresh amounts: other numbers that stand to each other as the old ones did.

All amounts of a case are scaled by one factor and rounded to what each was written with. A factor is taken
only where no two amounts become one, their order stays, none keeps its value, and what added up (a + b = c)
or was a multiple (2 a = b) still does: a sum that is a cent off would be an error that nobody planted.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from itertools import pairwise
from typing import Final

from reviews.engine.fresh_draws import Draws

_MOST_CHECKED: Final = 60
_MULTIPLES: Final = tuple(range(2, 13))
# 0.60 to 1.59 without what is too close to 1 to be fresh. Whole factors keep every sum; they come last.
_FACTORS: Final = tuple(Decimal(n) / 100 for n in range(60, 160) if abs(n - 100) >= 6)
_EXACT: Final = tuple(Decimal(n) for n in ("2", "0.5", "3", "4", "5", "10"))


class NoFreshAmounts(ValueError):
    """No factor leaves what the amounts have to do with each other."""


@dataclass(frozen=True, slots=True)
class Written:
    """An amount, and with how many decimals it is written where it is written with the fewest."""

    value: Decimal
    decimals: int


def fresh_amounts(written: Iterable[Written], draws: Draws) -> Mapping[Decimal, Decimal]:
    """Return the new amount of each old one, all of them above 0. Raises ``NoFreshAmounts``."""
    coarsest: dict[Decimal, int] = {}
    for each in written:
        coarsest[each.value] = min(each.decimals, coarsest.get(each.value, each.decimals))
    values = sorted(coarsest)
    if not values:
        return {}
    relations = _relations(values[:_MOST_CHECKED])
    for factor in [*draws.shuffled("factor", _FACTORS), *_EXACT]:
        fresh = {value: _rounded(value * factor, coarsest[value]) for value in values}
        if _stands(values, fresh, relations):
            return fresh
    raise NoFreshAmounts("No other amounts stand to each other as these do.")


def _rounded(value: Decimal, decimals: int) -> Decimal:
    return value.quantize(Decimal(1).scaleb(-decimals), rounding=ROUND_HALF_UP)


def _stands(values: list[Decimal], fresh: Mapping[Decimal, Decimal], relations: list[_Relation]) -> bool:
    new = [fresh[value] for value in values]
    if new[0] <= 0 or any(after <= before for before, after in pairwise(new)):
        return False
    if set(new) & set(values):
        return False  # one of the old amounts would be recognised
    return all(fresh[each.a] * each.times + each.plus(fresh) == fresh[each.total] for each in relations)


@dataclass(frozen=True, slots=True)
class _Relation:
    """``times`` a, and b where there is one, come to ``total``."""

    a: Decimal
    times: int
    b: Decimal | None
    total: Decimal

    def plus(self, fresh: Mapping[Decimal, Decimal]) -> Decimal:
        return fresh[self.b] if self.b is not None else Decimal(0)


def _relations(values: list[Decimal]) -> list[_Relation]:
    there = set(values)
    sums = [
        _Relation(a, 1, b, a + b) for at, a in enumerate(values) for b in values[at + 1 :] if a + b in there
    ]
    return [*sums, *(_Relation(a, n, None, a * n) for a in values for n in _MULTIPLES if a * n in there)]
