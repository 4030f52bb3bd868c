"""The evidence of one agent version and action type, kept label by label (statistics.md 1.2, 1.4 and 2).

A tally takes labels in twice: in the order of sampling, up to the first that is not answered yet, which is
what a promotion rests on; and in the order in which they came, for drift, which must warn early. The same
labels in the same order give the same tally, to the last bit, and so does its document.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, cast

import numpy as np
from numpy.typing import NDArray

from policies.statistics import evidence
from policies.statistics.drift import DriftDetector
from policies.statistics.evidence import BettingEvidence
from policies.statistics.thresholds import GRID_SHARES, STARTS, fallback, starts_of

# So many scores fix the grid of thresholds; their labels are not used for it, nor do they count on it.
SCORES_FOR_A_GRID: Final = 50

Document = dict[str, object]


@dataclass(frozen=True, kw_only=True, slots=True)
class Label:
    """What a person said of one action, as evidence reads it.

    ``weight`` is the lowest propensity that the policy could have used then, divided by the one it used.
    ``unhindered``: nothing but the level of trust and the threshold held it, so that with more trust it would
    run alone. ``alone``: it did.
    """

    error: bool
    loss: float
    weight: float
    score: float | None
    unhindered: bool
    alone: bool


@dataclass(slots=True)
class Point:
    """One threshold of the grid: the errors ``k`` of ``n`` labels that it would have let through."""

    threshold: float
    share: float
    k: int = 0
    n: int = 0
    highest_log_e: float = 0.0

    def observe(self, error: bool, alpha: float) -> None:
        self.n += 1
        self.k += error
        self.highest_log_e = max(self.highest_log_e, self.log_e(alpha))

    def log_e(self, alpha: float) -> float:
        """Return the evidence as it stands now."""
        return evidence.beta_log_e(self.k, self.n, alpha)

    @property
    def p_value(self) -> float:
        """Return 1 / the highest e: it holds at every look."""
        return math.exp(-max(0.0, self.highest_log_e))


@dataclass
class Tally:
    """Everything that the ladder asks of the labels. ``alpha`` is the error rate tested against."""

    alpha: float
    points: list[Point] = field(default_factory=list)
    warm_up: list[float] = field(default_factory=list)
    k: int = 0
    n: int = 0
    highest_log_e: float = 0.0
    passed_over: int = 0
    blind: int = 0
    # What would run alone with more trust, and what does: by bets, since their propensities differ.
    unhindered: BettingEvidence = field(default_factory=lambda: BettingEvidence(alpha=0.5))
    alone: BettingEvidence = field(default_factory=lambda: BettingEvidence(alpha=0.5))
    alone_k: int = 0
    # In the order in which they came, of what ran alone.
    drift: DriftDetector = field(default_factory=lambda: DriftDetector(tolerated=0.5))
    arrived_k: int = 0
    arrived_n: int = 0

    @classmethod
    def begin(cls, *, alpha: float, scores: Sequence[float] = ()) -> Tally:
        """Return a tally of nothing. ``scores`` of an earlier window fix the grid, if there are enough."""
        tally = cls(
            alpha=alpha,
            unhindered=BettingEvidence(alpha=alpha),
            alone=BettingEvidence(alpha=alpha),
            drift=DriftDetector(tolerated=alpha / 2),
        )
        if len(scores) >= SCORES_FOR_A_GRID:
            tally.points = grid_of(scores)
        return tally

    def see(self, score: float | None) -> None:
        """Take note of a score, whatever people say of its action; the first ones fix the grid."""
        if score is None or self.points:
            return
        self.warm_up.append(score)
        if len(self.warm_up) >= SCORES_FOR_A_GRID:
            self.points, self.warm_up = grid_of(self.warm_up), []

    def take(self, label: Label, *, blind: bool = False) -> None:
        """Take in the next label in the order of sampling."""
        self.n += 1
        self.k += label.error
        self.blind += blind
        self.highest_log_e = max(self.highest_log_e, evidence.beta_log_e(self.k, self.n, self.alpha))
        if label.alone:
            self.alone.observe(label.loss, label.weight)
            self.alone_k += label.error
        if not label.unhindered:
            return
        self.unhindered.observe(label.loss, label.weight)
        # Counts of equal weight: what ran alone is looked at by chance, and counts elsewhere.
        if label.score is not None and label.weight == 1.0 and not label.alone:
            for point in self.points:
                if label.score >= point.threshold:
                    point.observe(label.error, self.alpha)

    def pass_over(self) -> None:
        """Go past an action that will never have a label, or one that does not count."""
        self.passed_over += 1

    def arrive(self, label: Label) -> None:
        """Take in the next label in the order in which they came."""
        if not label.alone:
            return
        self.drift.observe(label.loss)
        self.arrived_k += label.error
        self.arrived_n += 1

    @property
    def log_e(self) -> float:
        """Return the evidence over all labels, each counted alike, as it stands now."""
        return evidence.beta_log_e(self.k, self.n, self.alpha)

    def certified(self, delta: float) -> list[bool]:
        """Say of each point of the grid whether it is certified at this level, by the fallback rule."""
        if not self.points:
            return []
        starts = starts_of([point.share for point in self.points], STARTS)
        found = fallback([point.p_value for point in self.points], delta, starts)
        return [sure and point.log_e(self.alpha) >= 0 for sure, point in zip(found, self.points, strict=True)]

    def share_through(self, point: Point) -> float:
        """Return which share of all that people looked at this threshold would have let through."""
        return point.n / self.n if self.n else 0.0

    def to_document(self) -> Document:
        """Return the tally as JSON values; ``from_document`` gives an equal one back."""
        return {
            "alpha": self.alpha,
            "points": [
                [point.threshold, point.share, point.k, point.n, point.highest_log_e] for point in self.points
            ],
            "warm_up": list(self.warm_up),
            "counts": [
                self.k, self.n, self.passed_over, self.blind, self.alone_k, self.arrived_k, self.arrived_n,
            ],
            "highest_log_e": self.highest_log_e,
            "unhindered": _bets(self.unhindered),
            "alone": _bets(self.alone),
            "drift": {
                "statistics": [float(value) for value in self.drift.statistics],
                "n": self.drift.n,
                "highest": self.drift.highest,
            },
        }  # fmt: skip

    @classmethod
    def from_document(cls, document: Mapping[str, object]) -> Tally:
        """Return the tally that a document spells out."""
        alpha = cast(float, document["alpha"])
        counts = cast(list[int], document["counts"])
        drift = cast(dict[str, object], document["drift"])
        return cls(
            alpha=alpha,
            points=[Point(*each) for each in cast(list[list[float]], document["points"])],  # type: ignore[arg-type]  # a Point is written as its members in order
            warm_up=list(cast(list[float], document["warm_up"])),
            k=counts[0],
            n=counts[1],
            passed_over=counts[2],
            blind=counts[3],
            alone_k=counts[4],
            arrived_k=counts[5],
            arrived_n=counts[6],
            highest_log_e=cast(float, document["highest_log_e"]),
            unhindered=_bets_of(cast(dict[str, object], document["unhindered"]), alpha),
            alone=_bets_of(cast(dict[str, object], document["alone"]), alpha),
            drift=DriftDetector(
                tolerated=alpha / 2,
                statistics=np.asarray(drift["statistics"], dtype=np.float64),
                n=cast(int, drift["n"]),
                highest=cast(float, drift.get("highest", 0.0)),
            ),
        )


def grid_of(scores: Sequence[float]) -> list[Point]:
    """Return the thresholds that let 10, 15, … 100 % of these scores through, strictest first."""
    ordered = np.sort(np.asarray(scores, dtype=np.float64))[::-1]
    return [
        Point(float(ordered[max(0, math.ceil(share * len(ordered)) - 1)]), share) for share in GRID_SHARES
    ]


def clean_labels_for(bets: BettingEvidence, *, goal: float, weight: float = 1.0) -> int | None:
    """Return how many more labels without an error bring these bets to the log of e ``goal``.

    None where not even 100,000 would.
    """
    gain = np.log1p((1 - np.asarray(bets.fractions)) / (1 - bets.alpha) * weight * bets.alpha)

    def reached(more: int) -> bool:
        wealth: NDArray[np.float64] = bets.log_wealth + more * gain
        highest = float(wealth.max())
        return highest > -math.inf and highest + math.log(float(np.exp(wealth - highest).mean())) >= goal

    if bets.highest_log_e >= goal and bets.log_e >= 0:
        return 0
    if not reached(100_000):
        return None
    low, high = -1, 100_000
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if reached(middle) else (middle, high)
    return high


def _bets(bets: BettingEvidence) -> Document:
    # JSON has no infinity: a bet that is lost for good is null.
    return {
        "log_wealth": [float(value) if value > -math.inf else None for value in bets.log_wealth],
        "n": bets.n,
        "highest_log_e": bets.highest_log_e,
    }


def _bets_of(document: Mapping[str, object], alpha: float) -> BettingEvidence:
    wealth = cast(list[float | None], document["log_wealth"])
    return BettingEvidence(
        alpha=alpha,
        log_wealth=np.asarray([-math.inf if value is None else value for value in wealth], dtype=np.float64),
        n=cast(int, document["n"]),
        highest_log_e=cast(float, document["highest_log_e"]),
    )
