"""How good a score is: what it promised beside what came true, everything weighted by 1 / propensity."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any, Final

import numpy as np
from django.db.models import Sum
from django.utils.translation import gettext
from numpy.typing import NDArray

from hitl_site.lib import wording
from policies.engine.calibration import Calibration
from policies.engine.facts import ScoreSource
from policies.engine.policy import PolicyDocument
from policies.models import ActionType, ScoreBin
from policies.selectors import past
from policies.statistics import confidence
from policies.statistics.columns import Flag, Label
from policies.statistics.counterfactual import Question, score_of
from policies.statistics.intervals import wilson

Array = NDArray[Any]
FEWEST_IN_A_BAR: Final = 30
FEWEST_TO_FIT: Final = 100
MOSTLY: Final = 0.8
_DAYS: Final = 90
_WEEKS: Final = 13
_SIMULATED: Final = 200
# Labels that the simulation of a perfect score draws: more say nothing new.
_MOST_SIMULATED: Final = 5000
_MOST_POINTS: Final = 20
# The share of the labels, earliest first, that a new map is fitted on; it is shown on the rest.
_FITTED: Final = 0.7


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """Actions that were scored alike: how many were right, with the range."""

    score: float
    right: float
    low: float
    high: float
    n: int

    @property
    def is_doubtful(self) -> bool:
        return self.n < FEWEST_IN_A_BAR

    @property
    def sentence(self) -> str:
        """Return the bar as frequencies, which people read better than probabilities."""
        return gettext("In 100 actions scored about {score}, {right} were right ({low} to {high}).").format(
            score=wording.share_of(self.score),
            right=f"{100 * self.right:.0f}",
            low=f"{100 * self.low:.0f}",
            high=f"{100 * self.high:.0f}",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Week:
    """One week's calibration error, and what a perfect score of as many labels would show."""

    begins: date
    labels: int
    error: float
    expected: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Labels:
    """Labels in the order of sampling."""

    score: Array
    right: Array
    weight: Array
    held: Array

    def __len__(self) -> int:
        return len(self.score)

    def part(self, start: int, end: int) -> Labels:
        cut = slice(start, end)
        return Labels(
            score=self.score[cut], right=self.right[cut], weight=self.weight[cut], held=self.held[cut]
        )

    def mapped(self, calibration: Calibration) -> Labels:
        return replace(self, score=np.array([calibration.apply(float(each)) for each in self.score]))


@dataclass(frozen=True, slots=True, kw_only=True)
class Quality:
    """The measures of a score. ``None`` where there are no labels, or all of one kind."""

    bars: tuple[Bar, ...]
    error: float
    expected_error: float
    brier: float
    auroc: float | None
    risk_coverage: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Everything that the calibration page says."""

    source: ScoreSource
    labels: int
    held_labels: int
    raw: Quality | None
    calibrated: Quality | None
    weeks: tuple[Week, ...]

    @property
    def mostly_held(self) -> bool:
        """Say whether nearly all labels are of held items, which are not like those that run alone."""
        return self.labels > 0 and self.held_labels / self.labels > MOSTLY


@dataclass(frozen=True, slots=True, kw_only=True)
class Refit:
    """A new map, fitted on the earlier labels and shown on the later ones."""

    calibration: Calibration
    fitted_on: int
    shown_on: int
    before: Quality
    after: Quality


def page(*, action_type: ActionType, live: PolicyDocument | None, now: datetime) -> Page:
    """Return how good the type's score is over the last ninety days."""
    source = source_of(live)
    labels = labels_of(action_type, source=source, today=now.date())
    calibration = live.calibration if live is not None else None
    return Page(
        source=source,
        labels=len(labels),
        held_labels=int(labels.held.sum()),
        raw=quality(labels),
        calibrated=quality(labels.mapped(calibration)) if calibration is not None else None,
        weeks=weeks(action_type, today=now.date()),
    )


def refit(*, action_type: ActionType, live: PolicyDocument | None, now: datetime) -> Refit | None:
    """Return an isotonic map of the raw score, None where too little is known to fit one."""
    source = source_of(live)
    labels = labels_of(action_type, source=source, today=now.date())
    if len(labels) < FEWEST_TO_FIT:
        return None
    cut = int(len(labels) * _FITTED)
    earlier, later = labels.part(0, cut), labels.part(cut, len(labels))
    points = _points(confidence.isotonic(*_lists(earlier)))
    if len(points) < 2:
        return None
    calibration = Calibration(of=source, points=points)
    current = live.calibration if live is not None else None
    before = quality(later if current is None else later.mapped(current))
    after = quality(later.mapped(calibration))
    if before is None or after is None:
        return None
    return Refit(
        calibration=calibration, fitted_on=len(earlier), shown_on=len(later), before=before, after=after
    )


def with_calibration(document: PolicyDocument, calibration: Calibration) -> PolicyDocument:
    """Return a policy that goes by the calibrated score."""
    return replace(document, score=ScoreSource.CALIBRATED, calibration=calibration)


def source_of(live: PolicyDocument | None) -> ScoreSource:
    """Return the raw score that the policy asks for."""
    if live is None:
        return ScoreSource.AGENT
    return live.score if live.calibration is None else ScoreSource(live.calibration.of)


def labels_of(action_type: ActionType, *, source: ScoreSource, today: date) -> Labels:
    """Return the labels of the newest agent versions, as people were asked; an event is one label."""
    asked = Question(threshold=None, source=source.value)
    parts: list[tuple[Array, ...]] = []
    window = past.window(action_type, days=_DAYS, today=today)
    repeats = past.repeats(window)
    for _, chunk, inside in window.chunks():
        score = score_of(chunk, asked)
        known = (chunk.label == Label.RIGHT) | (chunk.label == Label.WRONG)
        places = np.flatnonzero(inside & known & (chunk.propensity > 0) & ~np.isnan(score))
        places = places[~np.isin(chunk.check[places], repeats)]
        parts.append(
            (
                chunk.check[places],
                score[places].astype(np.float64),
                (chunk.label[places] == Label.RIGHT).astype(np.float64),
                1.0 / chunk.propensity[places].astype(np.float64),
                (chunk.flags[places] & Flag.ALONE) == 0,
            )
        )
    kinds = ("i8", "f8", "f8", "f8", "?")
    check, score, right, weight, held = (
        np.concatenate([np.zeros(0, dtype=kind), *(part[number] for part in parts)])
        for number, kind in enumerate(kinds)
    )
    order = np.argsort(check, kind="stable")
    return Labels(score=score[order], right=right[order], weight=weight[order], held=held[order])


def quality(labels: Labels) -> Quality | None:
    """Return the measures of a score, None without a label."""
    if not len(labels):
        return None
    score, right, weight = _lists(labels)
    curve = confidence.weighted_risk_coverage(score, (1 - labels.right).tolist(), weight)
    step = max(1, len(curve) // 100)
    return Quality(
        bars=_bars(labels),
        error=confidence.calibration_error(score, right, weights=weight),
        expected_error=expected_error(labels.score, labels.weight),
        brier=confidence.brier(score, right, weight),
        auroc=confidence.auroc(score, right, weight),
        risk_coverage=tuple(dict.fromkeys((*curve[::step], curve[-1]))),
    )


def expected_error(score: Array, weight: Array) -> float:
    """Return the calibration error that a perfectly calibrated score of these values shows by chance."""
    if len(score) > _MOST_SIMULATED:
        score, weight = score[-_MOST_SIMULATED:], weight[-_MOST_SIMULATED:]
    # A fixed seed: the same labels say the same on every look.
    random = np.random.default_rng(20240501)
    right = random.random((_SIMULATED, len(score))) < score
    places = np.clip(np.ceil(score * 10 - 1e-12).astype(int) - 1, 0, 9)
    total = np.zeros(_SIMULATED)
    for place in range(10):
        inside = places == place
        if inside.any():
            total += np.abs(((right[:, inside] - score[inside]) * weight[inside]).sum(axis=1))
    return float(total.mean() / weight.sum())


def weeks(action_type: ActionType, *, today: date) -> tuple[Week, ...]:
    """Return the calibration error of each week by the counts of its bins, of the score as it was asked."""
    first = today - timedelta(weeks=_WEEKS)
    first -= timedelta(days=first.weekday())
    rows = (
        ScoreBin.objects.filter(action_type=action_type, day__gte=first, labelled__gt=0, bin__gte=0)
        .values("day", "bin")
        .annotate(labels=Sum("labelled"), weight=Sum("w"), wrong=Sum("wy"))
    )
    found: dict[date, list[tuple[float, int, float, float]]] = {}
    for row in rows:
        begins = row["day"] - timedelta(days=row["day"].weekday())
        middle = (row["bin"] + 0.5) / 1000
        found.setdefault(begins, []).append((middle, row["labels"], row["weight"], row["wrong"]))
    return tuple(_week(begins, bins) for begins, bins in sorted(found.items()))


def _week(begins: date, bins: Sequence[tuple[float, int, float, float]]) -> Week:
    score, count, weight, wrong = (np.array(each, dtype=np.float64) for each in zip(*bins, strict=True))
    places = np.clip(np.ceil(score * 10 - 1e-12).astype(int) - 1, 0, 9)
    off = sum(
        abs(float((weight[places == place] * (1 - score[places == place]) - wrong[places == place]).sum()))
        for place in range(10)
    )
    times = count.astype(int)
    return Week(
        begins=begins,
        labels=int(times.sum()),
        error=off / float(weight.sum()),
        expected=expected_error(np.repeat(score, times), np.repeat(weight / count, times)),
    )


def _bars(labels: Labels) -> tuple[Bar, ...]:
    bars = []
    for bar in confidence.reliability(*_lists(labels)[:2], weights=labels.weight.tolist()):
        inside = (labels.score > bar.low) & (labels.score <= bar.high)
        if bar.low == 0:
            inside |= labels.score == 0
        weight = labels.weight[inside]
        # Kish's effective number: labels of unequal weight say less than their count.
        n = max(1, round(float(weight.sum() ** 2 / np.square(weight).sum())))
        low, high = wilson(round(bar.accuracy * n), n)
        bars.append(
            Bar(
                score=bar.confidence,
                right=bar.accuracy,
                low=min(low, bar.accuracy),
                high=max(high, bar.accuracy),
                n=bar.n,
            )
        )
    return tuple(bars)


def _points(steps: Sequence[tuple[float, float]]) -> tuple[tuple[float, float], ...]:
    """Return the steps of a fit as points of a policy's map: few, rounded, growing."""
    step = -(-len(steps) // _MOST_POINTS)
    chosen = [*steps[::step], *steps[-1:]]
    points: list[tuple[float, float]] = []
    for raw, right in chosen:
        point = (round(raw, 4), round(min(max(right, 0.0), 1.0), 4))
        if not points or point[0] > points[-1][0]:
            points.append(point)
    return tuple(points)


def _lists(labels: Labels) -> tuple[list[float], list[float], list[float]]:
    return labels.score.tolist(), labels.right.tolist(), labels.weight.tolist()
