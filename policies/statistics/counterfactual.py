"""What another policy would have done with past actions: asked of columns, a chunk at a time.

The answer is the engine's (docs/algorithms/gate.md) for everything that a policy's text decides: the score
against the threshold, rules, what gives no answer holds. What no text decides stays as it was. All actions
are judged as at the level "threshold".
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from policies.statistics.columns import BINS, Columns, Flag, Label, bins_of
from policies.statistics.what_if import ScoreBins

Mask = NDArray[np.bool_]
Array = NDArray[Any]
RELEASED, HELD, DENIED = 0, 1, 2
# Actions of each direction that are named, the worst, where nobody asks for more.
NAMED: Final = 12
_WITH_SCORES: Final = ("confidence", "judge", "samples")


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberRule:
    """A rule that compares one number: "/amount" of the arguments, or one of the scores."""

    place: str
    operator: str
    limit: float
    denies: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class OtherRule:
    """Any other rule, by the digest of its condition: what it is true of must be known."""

    sha256: str
    denies: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A policy, as far as the past can be asked about it."""

    threshold: float | None
    source: str = "agent"
    points: tuple[tuple[float, float], ...] = ()
    numbers: tuple[NumberRule, ...] = ()
    others: tuple[OtherRule, ...] = ()


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of one condition in one chunk: where it is true, and of which actions that is known."""

    true: Mask
    known: Mask


@dataclass(frozen=True, slots=True)
class Answers:
    """What a policy says of each action of a chunk."""

    state: Array
    score: Array
    # Held or denied by something else than the score.
    stopped: Mask
    unknown: Mask
    # Where the score lies among the bins.
    bins: Array


def answers(chunk: Columns, question: Question, known: Mapping[str, Known]) -> Answers:
    """Return the policy's answer to each action; a condition of which nothing is known counts as false."""
    size = len(chunk)
    fixed_deny = (chunk.flags & Flag.FIXED_DENY) > 0
    held = (chunk.flags & Flag.FIXED_HOLD) > 0
    denied = fixed_deny.copy()
    unknown = np.zeros(size, dtype=bool)
    for rule in question.numbers:
        missing, true = _compared(chunk, rule)
        held = held | missing
        denied, held = (denied | true, held) if rule.denies else (denied, held | true)
    for other in question.others:
        found = known.get(other.sha256)
        if found is None:
            unknown[:] = True
            continue
        unknown |= ~found.known
        denied, held = (denied | found.true, held) if other.denies else (denied, held | found.true)
    stopped = held | denied
    score = score_of(chunk, question)
    if question.threshold is None:
        held = np.ones(size, dtype=bool)
    else:
        # Asked this way round, a score that is no number is held.
        held = held | ~(score >= np.float32(question.threshold))
    state = np.where(denied, DENIED, np.where(held, HELD, RELEASED)).astype(np.uint8)
    bins = chunk.bins if score is chunk.confidence else bins_of(score)
    return Answers(state=state, score=score, stopped=stopped, unknown=unknown, bins=bins)


def score_of(chunk: Columns, question: Question) -> Array:
    """Return the score that the policy asks for, not a number where there is none."""
    given = {"agent": chunk.confidence, "judge": chunk.judge, "samples": chunk.samples}
    if question.source == "lowest":
        raw = np.fmin(np.fmin(chunk.confidence, chunk.judge), chunk.samples)
    else:
        raw = given[question.source]
    if not question.points:
        return raw
    points = question.points if question.points[0][0] <= 0 else ((0.0, 0.0), *question.points)
    xs, ys = zip(*points, strict=True)
    calibrated: Array = np.interp(raw, xs, ys).astype(np.float32)
    return calibrated


def _compared(chunk: Columns, rule: NumberRule) -> tuple[Mask, Mask]:
    """Return where there is nothing to compare, and where the comparison is true."""
    values, limit = _values(chunk, rule)
    missing = np.isnan(values)
    with np.errstate(invalid="ignore"):
        match rule.operator:
            case ">":
                true = values > limit
            case ">=":
                true = values >= limit
            case "<":
                true = values < limit
            case _:
                true = values <= limit
    return missing, true


def _values(chunk: Columns, rule: NumberRule) -> tuple[Array, float | np.float32]:
    if rule.place in _WITH_SCORES:
        values: Array = getattr(chunk, rule.place)
        return values, np.float32(rule.limit)
    empty = np.full(len(chunk), np.nan)
    return chunk.numbers.get(rule.place, empty), rule.limit


@dataclass(frozen=True, slots=True, kw_only=True)
class Flip:
    """A past action that would change side."""

    check: int
    score: float | None
    label: Label
    # Released by the new policy, or by the one in force alone.
    released: bool


@dataclass(kw_only=True)
class Sums:
    """What one policy comes to over a window."""

    n: int = 0
    released: int = 0
    held: int = 0
    denied: int = 0
    labelled: int = 0
    errors: int = 0
    w: float = 0.0
    w2: float = 0.0
    wy: float = 0.0

    @property
    def risk(self) -> float | None:
        """Return the error rate of what is released (Hájek), None without a label."""
        return self.wy / self.w if self.w > 0 else None

    @property
    def n_eff(self) -> float:
        """Return Kish's effective number of labels."""
        return self.w * self.w / self.w2 if self.w2 > 0 else 0.0

    def add(self, state: Array, labelled: Array, weights: Array, wrong: Array, inside: Mask) -> None:
        self.n += int(np.count_nonzero(inside))
        self.released += int(np.count_nonzero((state == RELEASED) & inside))
        self.denied += int(np.count_nonzero((state == DENIED) & inside))
        self.held = self.n - self.released - self.denied
        counted = state[labelled] == RELEASED
        self.labelled += int(np.count_nonzero(counted))
        self.errors += int(np.count_nonzero(counted & wrong))
        self.w += float(weights[counted].sum())
        self.w2 += float(np.square(weights[counted]).sum())
        self.wy += float(weights[counted & wrong].sum())


@dataclass(kw_only=True)
class Comparison:
    """Two policies over the same past actions, with the curve of the new one over all thresholds.

    ``named`` actions of each direction are named, the worst; with ``names_wrong`` also those that the new one
    releases and that a person found wrong.
    """

    new: Sums = field(default_factory=Sums)
    now: Sums = field(default_factory=Sums)
    every: Sums = field(default_factory=Sums)
    bins: list[Array] = field(default_factory=lambda: [np.zeros(BINS) for _ in range(6)])
    low_level: int = 0
    unknown: int = 0
    unlocked: int = 0
    locked: int = 0
    flips: list[Flip] = field(default_factory=list)
    named: int = NAMED
    names_wrong: bool = False
    released_wrong: list[Flip] = field(default_factory=list)

    def add(
        self,
        chunk: Columns,
        *,
        new: Answers,
        now: Answers | None,
        inside: Mask | None = None,
        repeats: Array | None = None,
    ) -> None:
        """Take in a chunk, or those of its actions that are ``inside`` the window.

        ``repeats`` are checks whose label says again what an earlier one of the same event said: they are
        actions like all others, and no labels.
        """
        inside = np.ones(len(chunk), dtype=bool) if inside is None else inside
        labelled, weights, wrong = chunk.judged, chunk.weights, chunk.wrong
        counted = inside[labelled]
        if repeats is not None:
            counted &= ~np.isin(chunk.check[labelled], repeats)
        if not counted.all():
            labelled, weights, wrong = labelled[counted], weights[counted], wrong[counted]
        self.new.add(new.state, labelled, weights, wrong, inside)
        everything = np.zeros(len(chunk), dtype=np.uint8)
        self.every.add(everything, labelled, weights, wrong, inside)
        self.low_level += int(np.count_nonzero(inside & ((chunk.flags & Flag.LOW_LEVEL) > 0)))
        self.unknown += int(np.count_nonzero(inside & new.unknown))
        self._count_scores(new, inside, labelled, weights, wrong)
        if now is not None:
            self.now.add(now.state, labelled, weights, wrong, inside)
            self._note_flips(chunk, new, now, inside)
        if self.names_wrong:
            places = labelled[wrong & (new.state[labelled] == RELEASED)]
            self.released_wrong += _named(chunk, new, places, released=True)
            self.released_wrong = sorted(self.released_wrong, key=_badness)[: self.named]

    @property
    def score_bins(self) -> ScoreBins:
        """Return counts by score of what the score alone decides; all else lies in the lowest bin."""
        n, labelled, errors, w, w2, wy = (each.copy() for each in self.bins)
        return ScoreBins(n=n, labelled=labelled, errors=errors, w=w, w2=w2, wy=wy)

    def worst(self, count: int, *, released: bool) -> list[Flip]:
        """Return the actions that change to this side, worst first: known mistakes, then the least sure."""
        found = [each for each in self.flips if each.released == released]
        return sorted(found, key=_badness)[:count]

    def _count_scores(
        self, new: Answers, inside: Mask, labelled: Array, weights: Array, wrong: Array
    ) -> None:
        places = new.bins
        # What is stopped by something else, or has no score, no threshold above 0 lets through.
        places = np.where(new.stopped | (places < 0), np.int16(0), places)
        self.bins[0] += np.bincount(places if inside.all() else places[inside], minlength=BINS)
        at = places[labelled]
        for number, each in enumerate(
            (np.ones(len(at)), wrong, weights, np.square(weights), weights * wrong)
        ):
            self.bins[number + 1] += np.bincount(at, weights=each, minlength=BINS)

    def _note_flips(self, chunk: Columns, new: Answers, now: Answers, inside: Mask) -> None:
        for released in (True, False):
            gains, loses = (new, now) if released else (now, new)
            places = np.flatnonzero(inside & (gains.state == RELEASED) & (loses.state != RELEASED))
            if released:
                self.unlocked += len(places)
            else:
                self.locked += len(places)
            if len(places) > self.named:
                places = places[_worst_of(chunk.label[places], new.score[places], self.named)]
            self.flips += _named(chunk, new, places, released=released)
        if len(self.flips) > 8 * self.named:
            self.flips = self.worst(self.named, released=True) + self.worst(self.named, released=False)


def _named(chunk: Columns, new: Answers, places: Array, *, released: bool) -> list[Flip]:
    return [
        Flip(
            check=int(chunk.check[place]),
            score=None if math.isnan(new.score[place]) else float(new.score[place]),
            label=Label(int(chunk.label[place])),
            released=released,
        )
        for place in places
    ]


def _worst_of(label: Array, score: Array, count: int) -> Array:
    """Return the places of the worst, as ``_badness`` says: known mistakes, the least sure, the newest."""
    sure = score.astype(np.float64)
    sure[np.isnan(score)] = -1.0
    # Far less than what two different scores differ by.
    badness = np.where(label == Label.WRONG, 0.0, 2.0) + sure - np.arange(len(sure)) * 1e-12
    return np.argpartition(badness, count)[:count]


def _badness(flip: Flip) -> tuple[bool, float, int]:
    return (flip.label != Label.WRONG, -1.0 if flip.score is None else flip.score, -flip.check)
