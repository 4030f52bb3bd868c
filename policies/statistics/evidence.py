"""Anytime-valid evidence that an error rate is below a limit: it may be looked at after every label.

Two forms of one idea, the e-process (statistics.md 1.2; Howard et al. 2021, Waudby-Smith and Ramdas 2023).
Under "the rate is at least alpha" its expectation never exceeds 1, so the chance that it ever passes 1/delta
is at most delta, however often one looks and whenever one stops.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import special

# Shares of alpha on which the betting form bets, evenly mixed.
FRACTIONS: Final = (0.0, 0.02, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)


def beta_log_e(k: int, n: int, alpha: float, *, a: float = 0.5, b: float = 0.5) -> float:
    """Return log e against "the rate is at least alpha", from k errors in n labels of equal weight.

    The mixture of likelihood ratios p : alpha over a Beta(a, b) prior cut to (0, alpha). It depends on k and
    n alone, not on their order.
    """
    _check_counts(k, n)
    _check_share(alpha, "alpha")
    posterior = special.betainc(a + k, b + n - k, alpha)
    if posterior <= 0:
        return -math.inf
    return float(
        special.betaln(a + k, b + n - k)
        + math.log(posterior)
        - special.betaln(a, b)
        - math.log(special.betainc(a, b, alpha))
        - k * math.log(alpha)
        - (n - k) * math.log1p(-alpha)
    )


def anytime_upper(k: int, n: int, delta: float = 0.05) -> float:
    """Return the largest rate that `beta_log_e` does not refute: a limit that holds at every n at once."""
    _check_counts(k, n)
    _check_share(delta, "delta")
    if n == 0:
        return 1.0
    low, high = max(k / n, 1e-9), 1 - 1e-12

    def surplus(rate: float) -> float:
        return beta_log_e(k, n, rate) + math.log(delta)

    if surplus(high) < 0:
        return 1.0
    if surplus(low) > 0:
        return low
    # Half a second and 20 MB for each process that imports it; only pages and tasks that bound a rate do.
    from scipy import optimize

    return float(optimize.brentq(surplus, low, high, xtol=1e-12))


def anytime_lower(k: int, n: int, delta: float = 0.05) -> float:
    """Return a lower limit of the rate that holds at every n at once: the upper one, of being right."""
    return 1.0 - anytime_upper(n - k, n, delta)


@dataclass
class BettingEvidence:
    """A betting e-process for graded losses and unequal propensities (statistics.md 1.2, b).

    A loss lies in [0, 1]; a weight in (0, 1] is the lowest propensity that the policy could have used then,
    divided by the one it used. Memory and work per label do not grow.
    """

    alpha: float
    fractions: tuple[float, ...] = FRACTIONS
    log_wealth: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    n: int = 0
    highest_log_e: float = 0.0

    def __post_init__(self) -> None:
        _check_share(self.alpha, "alpha")
        if not len(self.log_wealth):
            self.log_wealth = np.zeros(len(self.fractions))
        self._stakes = (1 - np.asarray(self.fractions)) / (1 - self.alpha)

    def observe(self, loss: float, weight: float = 1.0) -> float:
        """Take one label in; return log e."""
        if not 0 <= loss <= 1:
            raise ValueError("A loss is a number from 0 to 1.")
        if not 0 < weight <= 1:
            raise ValueError("A weight is a number above 0 and at most 1.")
        with np.errstate(divide="ignore"):
            self.log_wealth = self.log_wealth + np.log1p(self._stakes * weight * (self.alpha - loss))
        self.n += 1
        now = self.log_e
        self.highest_log_e = max(self.highest_log_e, now)
        return now

    @property
    def log_e(self) -> float:
        """Return the log of the mean wealth over all bets."""
        highest = float(self.log_wealth.max())
        if highest == -math.inf:
            return highest
        # By the largest, so that nothing overflows.
        return highest + math.log(float(np.exp(self.log_wealth - highest).mean()))


def betting_log_e(
    losses: Sequence[float],
    weights: Sequence[float],
    alpha: float,
    *,
    fractions: Sequence[float] = FRACTIONS,
) -> list[float]:
    """Return log e after each label, in their order."""
    evidence = BettingEvidence(alpha=alpha, fractions=tuple(fractions))
    return [evidence.observe(loss, weight) for loss, weight in zip(losses, weights, strict=True)]


def retry_delta(delta: float, attempt: int) -> float:
    """Return the error budget of the attempt-th try (1, 2, ...); over all tries they sum to delta."""
    _check_share(delta, "delta")
    if attempt < 1:
        raise ValueError("Attempts are counted from 1.")
    return delta / (attempt * (attempt + 1))


def is_enough(log_e: float, highest_log_e: float, *, delta: float) -> bool:
    """Say whether the evidence certifies: it reached 1/delta once, and does not speak against it now."""
    return highest_log_e >= math.log(1 / delta) and log_e >= 0


def clean_labels_needed(alpha: float, delta: float, *, k: int = 0, n: int = 0) -> int:
    """Return how many more labels without an error would certify, from k errors in n labels so far."""
    goal = math.log(1 / delta)
    if beta_log_e(k, n, alpha) >= goal:
        return 0
    more = 1
    while beta_log_e(k, n + more, alpha) < goal:
        more *= 2
    low, high = more // 2, more
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if beta_log_e(k, n + middle, alpha) >= goal else (middle, high)
    return high


def one_loss_per_cluster(losses: Iterable[tuple[str, float]]) -> list[float]:
    """Return one loss for each cluster, their mean, in the order in which the clusters began.

    One mistake repeated five hundred times is one event (statistics.md 0, assumption 5). A label without a
    cluster ("") stands for itself.
    """
    grouped: dict[str, list[float]] = {}
    for number, (cluster, loss) in enumerate(losses):
        grouped.setdefault(cluster or f"\0{number}", []).append(loss)
    return [math.fsum(group) / len(group) for group in grouped.values()]


def _check_counts(k: int, n: int) -> None:
    if not 0 <= k <= n:
        raise ValueError(f"{k} errors in {n} labels cannot be.")


def _check_share(value: float, name: str) -> None:
    if not 0 < value < 1:
        raise ValueError(f"{name} lies between 0 and 1.")
