"""What-if: what each threshold would have done, from counts kept per score bin (statistics.md 1.1).

History is collapsed once into bins; a window is a sum of bins; suffix sums answer every threshold together.
Weights are 1 / the probability with which a person looked, logged when the choice was made.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import special

from policies.statistics.columns import BINS

# With fewer labels above a threshold than this, the curve says nothing there.
FEWEST_LABELS: Final = 30

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class ScoreBins:
    """Counts per score bin; bin j holds scores from j/bins up to but not at (j+1)/bins, the last one holds 1.

    ``n`` actions, ``labelled`` of them, ``errors`` among those, and sums of weights w, w^2, w*error.
    """

    n: Floats
    labelled: Floats
    errors: Floats
    w: Floats
    w2: Floats
    wy: Floats

    def __add__(self, other: ScoreBins) -> ScoreBins:
        return ScoreBins(
            n=self.n + other.n,
            labelled=self.labelled + other.labelled,
            errors=self.errors + other.errors,
            w=self.w + other.w,
            w2=self.w2 + other.w2,
            wy=self.wy + other.wy,
        )


@dataclass(frozen=True, kw_only=True)
class Prices:
    """What an hour of review, a wrong action and a held action cost, in one currency; and how reviews go."""

    minutes_per_review: float = 3.0
    hourly: float = 0.0
    error: float = 0.0
    delay: float = 0.0
    audit_rate: float = 0.05
    # The share of wrong actions that reviewers let through.
    miss_rate: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Curves:
    """One value for each threshold j/bins, "let through when the score is at least this"."""

    threshold: Floats
    escalation: Floats
    risk: Floats
    risk_low: Floats
    risk_high: Floats
    labelled: Floats
    n_eff: Floats
    shipped: Floats
    reviewer_hours: Floats
    cost: Floats

    @property
    def has_evidence(self) -> NDArray[np.bool_]:
        """Say for each threshold whether enough labels lie above it to show a rate at all."""
        return np.asarray(self.labelled >= FEWEST_LABELS)


def bin_scores(
    scores: Sequence[float],
    errors: Sequence[float | None],
    propensities: Sequence[float],
    *,
    bins: int = BINS,
) -> ScoreBins:
    """Return the counts of a history. An error of None is an action that nobody labelled."""
    if not len(scores) == len(errors) == len(propensities):
        raise ValueError("There is one score, one error and one propensity for each action.")
    values = np.asarray(scores, dtype=np.float64)
    if values.size and not (np.all(values >= 0) and np.all(values <= 1)):
        raise ValueError("A score is a number from 0 to 1.")
    places = np.minimum((values * bins + 1e-9).astype(np.int64), bins - 1)
    labelled = np.array([error is not None for error in errors], dtype=bool)
    losses = np.array([error or 0.0 for error in errors], dtype=np.float64)
    shares = np.asarray(propensities, dtype=np.float64)
    if np.any(shares[labelled] <= 0) or np.any(shares[labelled] > 1):
        raise ValueError("A labelled action was looked at with a probability above 0.")
    weights = np.zeros(len(values))
    weights[labelled] = 1.0 / shares[labelled]

    def count(each: Floats) -> Floats:
        return np.bincount(places, weights=each, minlength=bins).astype(np.float64)

    return ScoreBins(
        n=count(np.ones(len(values))),
        labelled=count(labelled.astype(np.float64)),
        errors=count(losses * labelled),
        w=count(weights),
        w2=count(weights * weights),
        wy=count(weights * losses),
    )


def curves(
    bins: ScoreBins, *, delta: float = 0.05, volume: float | None = None, prices: Prices | None = None
) -> Curves:
    """Return what every threshold would have done. ``volume`` is the number of actions to scale to.

    Escalation is counted, not estimated. The risk is Hájek's; its limits are Clopper and Pearson's at Kish's
    effective number, one-sided, approximate. An audit after the fact does not un-ship an error, so it is not
    taken off. Without any action everything is NaN, and nothing is extrapolated below what ever ran.
    """
    prices = prices or Prices()
    total = float(bins.n.sum())
    scale = total if volume is None else volume
    with np.errstate(divide="ignore", invalid="ignore"):
        alone = _tail(bins.n) / total
        w, w2, wy = _tail(bins.w), _tail(bins.w2), _tail(bins.wy)
        risk = wy / w
        n_eff = w * w / w2
        overall = np.float64(bins.wy.sum()) / np.float64(bins.w.sum())
    seen_risk, seen_n = np.nan_to_num(risk), np.nan_to_num(n_eff)
    held = 1 - alone
    wrong_held = np.maximum(overall - alone * seen_risk, 0)
    shipped = alone * seen_risk + wrong_held * prices.miss_rate
    hours = scale * (held + alone * prices.audit_rate) * prices.minutes_per_review / 60
    return Curves(
        threshold=np.arange(len(alone)) / len(alone),
        escalation=held,
        risk=risk,
        risk_low=_lower(seen_risk * seen_n, seen_n, delta),
        risk_high=_upper(seen_risk * seen_n, seen_n, delta),
        labelled=_tail(bins.labelled),
        n_eff=n_eff,
        shipped=shipped,
        reviewer_hours=hours,
        cost=hours * prices.hourly + scale * shipped * prices.error + scale * held * prices.delay,
    )


def _tail(values: Floats) -> Floats:
    """Return the sum over each bin and all above it."""
    return np.asarray(np.cumsum(values[::-1])[::-1])


def _upper(k: Floats, n: Floats, delta: float) -> Floats:
    found = special.betaincinv(k + 1.0, np.maximum(n - k, 1e-12), 1.0 - delta)
    return np.where((n <= 0) | (k >= n), 1.0, found)


def _lower(k: Floats, n: Floats, delta: float) -> Floats:
    found = special.betaincinv(np.maximum(k, 1e-12), np.maximum(n - k, 0) + 1.0, delta)
    return np.where((n <= 0) | (k <= 0), 0.0, found)
