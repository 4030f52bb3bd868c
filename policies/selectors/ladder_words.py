"""What evidence comes to, in the words of statistics.md 1.1, and how it grew, as a chart."""

from __future__ import annotations

import math
from collections.abc import Iterable
from datetime import datetime
from typing import Final

from django.utils import dateformat
from django.utils.translation import gettext, ngettext, pgettext

from hitl_site.lib import wording
from hitl_site.lib.charts import Axis, Line, Plot, Point, Rule
from policies.choices import AutonomyLevel
from policies.selectors import evidence as questions
from policies.selectors import evidence_samples as samples
from policies.selectors.evidence import Evidence
from policies.statistics import evidence as e_values
from policies.statistics.evidence import BettingEvidence
from policies.statistics.tracking import SCORES_FOR_A_GRID

# Drawing more labels than these takes longer than a page may.
_MOST_LABELS: Final = 4000
_ALONE: Final = frozenset({AutonomyLevel.THRESHOLD, AutonomyLevel.AUTONOMOUS})


def sentences(found: Evidence, now: datetime) -> Iterable[str]:
    """Say what is certified, in the words of statistics.md 1.1: never "safe", never a rate without its n."""
    tally, limits = found.tally, found.limits
    sure = _rate(1 - found.settings.delta)
    name, limit = found.track.action_type.name, _rate(limits.limit)
    point = questions.certified_point(found)
    begun = dateformat.format(found.track.started_at, pgettext("date", "d M"))
    today = dateformat.format(now, pgettext("date", "d M Y"))
    if point is not None:
        upper = e_values.anytime_upper(point.k, point.n, found.delta)
        share = tally.share_through(point)
        yield gettext(
            "Letting {name} run alone from {threshold} on handles {share}. Estimated wrong {rate} of those,"
            " upper limit {upper}, from {n} reviewed. Certified under {limit} at {sure} confidence, if"
            " traffic stays like {begun} to {today}."
        ).format(
            name=name,
            threshold=wording.number(point.threshold, 2),
            share=_rate(share),
            rate=_rate(point.k / point.n),
            upper=_rate(upper),
            n=wording.number(point.n),
            limit=limit,
            sure=sure,
            begun=begun,
            today=today,
        )
        yield gettext(
            "{tenths} in 10 need no person. We are confident that at most 1 in {times} of those is wrong."
            # Rounded so that neither says more than is certified.
        ).format(tenths=math.floor(10 * share), times=math.floor(1 / limits.limit + 1e-9))
    elif tally.n:
        yield gettext(
            "{k} of {n} reviewed actions were wrong: {rate}, upper limit {upper}. Nothing is certified yet."
        ).format(
            k=wording.number(tally.k),
            n=wording.number(tally.n),
            rate=_rate(tally.k / tally.n),
            upper=_rate(found.upper),
        )
    if tally.arrived_n:
        yield gettext(
            "Of what ran alone, {k} of {n} checked were wrong; the true rate is at least {lower}."
        ).format(
            k=wording.number(tally.arrived_k),
            n=wording.number(tally.arrived_n),
            lower=_rate(found.alone_lower),
        )


def time_to_go(days: float) -> str:
    """Return how long something takes as people say it: an estimate is not counted in single days."""
    if days < 1:
        return gettext("less than a day")
    if days < 60:
        number = round(days)
        return ngettext("about {number} day", "about {number} days", number).format(number=number)
    if days < 730:
        number = round(days / 30)
        return ngettext("about {number} month", "about {number} months", number).format(number=number)
    if days < 3650:
        number = round(days / 365)
        return ngettext("about {number} year", "about {number} years", number).format(number=number)
    return gettext("more than ten years")


def _rate(value: float) -> str:
    return wording.share_of(value, 0 if f"{value:.1%}".endswith(".0%") else 1)


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
        title=gettext("Evidence, label by label"),
        description=gettext(
            "Evidence after each of {n} labels that count, on a logarithmic scale. It certifies where it"
            " reaches {goal}."
        ).format(n=len(heights), goal=wording.number(10**goal, 0)),
        x=Axis(label=gettext("Labels that count"), low=0),
        left=Axis(
            label=gettext("Evidence"),
            low=min(-1.0, *(point.y or 0.0 for point in points)),
            high=goal * 1.15,
            words=_as_e,
        ),
        series=(Line(label=gettext("Evidence"), points=points),),
        rules=(Rule(at=goal, label=gettext("Needed"), kind="limit", across=True),),
    )


def _as_e(value: float) -> str:
    e = 10**value
    return wording.figures(f"{e:,.0f}" if e >= 10 else f"{e:.2g}")


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
    seen = len(samples.scores_before(found.track))
    if seen < SCORES_FOR_A_GRID:
        seen = 0
    for sample in samples.every(found.track):
        if not sample.answered or sample.seq > found.track.watermark_seq:
            break
        # A label never counts on a grid that its score helped to fix.
        is_on_grid = bool(starts) and seen >= SCORES_FOR_A_GRID
        seen += sample.score is not None
        label = sample.label
        if label is None or sample.repeated or not label.unhindered:
            continue
        if found.level in _ALONE:
            heights.append(bets.observe(label.loss, label.weight))
        elif not starts or (is_on_grid and label.score is not None and label.score >= threshold):
            k, n = k + label.error, n + 1
            heights.append(e_values.beta_log_e(k, n, tally.alpha))
    return heights
