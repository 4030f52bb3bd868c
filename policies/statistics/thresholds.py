"""Certified thresholds: Learn-then-Test over a grid fixed beforehand (Angelopoulos et al. 2021).

Grid points go from strict to permissive. A p-value belongs to "the error rate of what this threshold lets
through is at least alpha": a small one speaks for the threshold.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from scipy import special

# Shares of actions let through at which the fallback rule starts anew; delta is split evenly.
STARTS: Final = (0.25, 0.50)
GRID_SHARES: Final = tuple(share / 100 for share in range(10, 101, 5))


def binom_pvalue(k: int, n: int, alpha: float) -> float:
    """Return P(at most k errors in n labels) at the rate alpha; 1 without a label."""
    if not 0 <= k <= n:
        raise ValueError(f"{k} errors in {n} labels cannot be.")
    return float(special.bdtr(k, n, alpha)) if n else 1.0


def hb_pvalue(mean_loss: float, n: int, alpha: float) -> float:
    """Return the Hoeffding-Bentkus p-value for graded losses in [0, 1] (Bates et al. 2021)."""
    if n == 0:
        return 1.0
    if not 0 <= mean_loss <= 1:
        raise ValueError("A mean loss is a number from 0 to 1.")
    hoeffding = math.exp(-n * _divergence(min(mean_loss, alpha), alpha))
    # Floats make 100 * 0.07 a little more than 7: without the margin the count would be one too high.
    count = math.ceil(n * mean_loss - 1e-9)
    bentkus = math.e * float(special.bdtr(count, n, alpha))
    return min(1.0, hoeffding, bentkus)


def n_zero_errors(alpha: float, delta: float) -> int:
    """Return the fewest labels, all without an error, that show at level delta a rate under alpha."""
    return math.ceil(math.log(delta) / math.log1p(-alpha))


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


def fixed_sequence(p_values: Sequence[float], delta: float, *, start: int = 0) -> list[bool]:
    """Return what a chain of tests certifies that begins at ``start`` and ends with the first failure."""
    certified = [False] * len(p_values)
    for place in range(start, len(p_values)):
        if p_values[place] > delta:
            break
        certified[place] = True
    return certified


def bonferroni(p_values: Sequence[float], delta: float) -> list[bool]:
    """Return what holds with delta split evenly over the grid."""
    return [p <= delta / len(p_values) for p in p_values]


def holm(p_values: Sequence[float], delta: float) -> list[bool]:
    """Return what Holm's step-down rule certifies (Holm 1979)."""
    certified = [False] * len(p_values)
    order = sorted(range(len(p_values)), key=lambda place: p_values[place])
    for rank, place in enumerate(order):
        if p_values[place] > delta / (len(p_values) - rank):
            break
        certified[place] = True
    return certified


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


def _divergence(p: float, q: float) -> float:
    """Return the Kullback-Leibler divergence of two Bernoulli laws, in nats."""
    return float(special.rel_entr(p, q) + special.rel_entr(1 - p, 1 - q))
