"""Certified thresholds: Learn-then-Test over a grid fixed beforehand (Angelopoulos et al. 2021).

Grid points go from strict to permissive. A p-value belongs to "the error rate of what this threshold lets
through is at least alpha": a small one speaks for the threshold.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from scipy import special

# Shares of actions let through at which the fallback rule starts anew; delta is split evenly.
STARTS: Final = (0.25, 0.50)
GRID_SHARES: Final = tuple(share / 100 for share in range(10, 101, 5))


def fixed_n_plan(p1: float, alpha: float, delta: float, power: float) -> tuple[int, int]:
    """Return the smallest (labels, errors allowed) that wrongly accepts alpha at most with delta.

    It accepts a true rate of ``p1`` with at least ``power``. Raises ``ValueError`` where no plan of up to 400
    errors does.
    """
    if not 0 <= p1 < alpha < 1:
        raise ValueError("The hoped-for rate lies under the limit.")
    for allowed in range(400):
        low, high = allowed + 1, 4_000_000
        while low < high:
            middle = (low + high) // 2
            low, high = (low, middle) if special.bdtr(allowed, middle, alpha) <= delta else (middle + 1, high)
        if special.bdtr(allowed, low, p1) >= power:
            return low, allowed
    raise ValueError("No plan of up to 400 errors tells these rates apart.")


def fallback(p_values: Sequence[float], delta: float, starts: Sequence[int]) -> list[bool]:
    """Return what the fallback rule certifies (Wiens 2003): delta split evenly over the starts.

    The level is carried on while tests succeed and lost with a failure, until the next start. It controls the
    chance of any wrong certificate for any dependence, and needs no monotone risk. ``p_values`` may be
    1 / sup e of an e-process: then it holds at every look.
    """
    if not starts:
        raise ValueError("There is at least one start.")
    grants = [0.0] * len(p_values)
    for start in starts:
        grants[start] += delta / len(starts)
    certified, level = [False] * len(p_values), 0.0
    for place, p in enumerate(p_values):
        level += grants[place]
        if level > 0 and p <= level:
            certified[place] = True
        else:
            level = 0.0
    return certified


def starts_of(shares: Sequence[float], wanted: Sequence[float] = STARTS) -> tuple[int, ...]:
    """Return the grid places whose share of actions let through is nearest to each wanted one, in order."""
    places = {min(range(len(shares)), key=lambda place: abs(shares[place] - share)) for share in wanted}
    return tuple(sorted(places))
