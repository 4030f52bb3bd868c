"""What evidence comes to, in the words of statistics.md 1.1, and how it grew, as a chart."""

from __future__ import annotations

import math
from collections.abc import Iterable
from datetime import datetime
from typing import Final

from hitl_site.lib.charts import Axis, Line, Plot, Point, Rule
from policies.choices import AutonomyLevel
from policies.selectors import evidence as questions
from policies.selectors import evidence_samples as samples
from policies.selectors.evidence import Evidence
from policies.statistics import evidence as e_values
from policies.statistics.evidence import BettingEvidence

# Drawing more labels than these takes longer than a page may.
_MOST_LABELS: Final = 4000
_ALONE: Final = frozenset({AutonomyLevel.THRESHOLD, AutonomyLevel.AUTONOMOUS})


def sentences(found: Evidence, now: datetime) -> Iterable[str]:
    """Say what is certified, in the words of statistics.md 1.1: never "safe", never a rate without its n."""
    tally, limits = found.tally, found.limits
    sure = _rate(1 - found.settings.delta)
    name, limit = found.track.action_type.name, _rate(limits.limit)
    point = questions.certified_point(found)
    since = f"{found.track.started_at:%d %b} to {now:%d %b %Y}"
    if point is not None:
        upper = e_values.anytime_upper(point.k, point.n, found.delta)
        share = tally.share_through(point)
        yield (
            f"Letting {name} run alone from {point.threshold:.2f} on handles {_rate(share)}. Estimated wrong"
            f" {_rate(point.k / point.n)} of those, upper limit {_rate(upper)}, from {point.n:,} reviewed."
            f" Certified under {limit} at {sure} confidence, if traffic stays like {since}."
        )
        yield (
            f"{round(10 * share)} in 10 need no person. We are confident that at most 1 in"
            f" {round(1 / limits.limit)} of those is wrong."
        )
    elif tally.n:
        yield (
            f"{tally.k:,} of {tally.n:,} reviewed actions were wrong: {_rate(tally.k / tally.n)}, upper limit"
            f" {_rate(found.upper)}. Nothing is certified yet."
        )
    if tally.arrived_n:
        yield (
            f"Of what ran alone, {tally.arrived_k:,} of {tally.arrived_n:,} checked were wrong; the true rate"
            f" is at least {_rate(found.alone_lower)}."
        )


def time_to_go(days: float) -> str:
    """Return how long something takes as people say it: an estimate is not counted in single days."""
    if days < 1:
        return "less than a day"
    for length, longest, noun in ((1, 60, "day"), (30, 730, "month"), (365, 3650, "year")):
        if days < longest:
            number = round(days / length)
            return f"about {number} {noun}{'' if number == 1 else 's'}"
    return "more than ten years"


def _rate(value: float) -> str:
    return f"{100 * value:.1f}%".replace(".0%", "%")


def trajectory(found: Evidence) -> Plot | None:
    """Return the evidence after each label, on a log scale, with what is needed."""
    if not 0 < found.tally.n <= _MOST_LABELS:
        return None
    heights = _heights(found)
    if not heights:
        return None
    goal = math.log10(math.exp(1)) * _goal(found)
    every = max(1, len(heights) // 200)
    kept = [place for place in range(len(heights)) if place % every == 0 or place == len(heights) - 1]
    points = tuple(
        Point(x=place + 1, y=max(-2.0, heights[place] / math.log(10)), n=place + 1) for place in kept
    )
    return Plot(
        name="evidence",
        title="Evidence, label by label",
        description=(
            f"Evidence after each of {len(heights)} labels that count, on a logarithmic scale. It certifies"
            f" where it reaches {10**goal:,.0f}."
        ),
        x=Axis(label="Labels that count", low=0),
        left=Axis(
            label="Evidence",
            low=min(-1.0, *(point.y or 0.0 for point in points)),
            high=goal * 1.15,
            words=_as_e,
        ),
        series=(Line(label="Evidence", points=points),),
        rules=(Rule(at=goal, label="Needed", kind="limit", across=True),),
    )


def _as_e(value: float) -> str:
    e = 10**value
    return f"{e:,.0f}" if e >= 10 else f"{e:.2g}"


def _goal(found: Evidence) -> float:
    goal = math.log(1 / found.delta)
    return goal + math.log(2) if found.level == AutonomyLevel.REVIEW_ALL else goal


def _heights(found: Evidence) -> list[float]:
    """Return log e after each label that counts for the next rung."""
    tally, heights = found.tally, []
    k = n = 0
    bets = BettingEvidence(alpha=tally.alpha)
    starts = questions.starting_points(tally)
    threshold = max(starts, key=lambda point: point.highest_log_e).threshold if starts else 0.0
    for sample in samples.every(found.track):
        if not sample.answered or sample.seq > found.track.watermark_seq:
            break
        label = sample.label
        if label is None or sample.repeated or not label.unhindered:
            continue
        if found.level in _ALONE:
            heights.append(bets.observe(label.loss, label.weight))
        elif not starts or (label.score is not None and label.score >= threshold):
            k, n = k + label.error, n + 1
            heights.append(e_values.beta_log_e(k, n, tally.alpha))
    return heights
