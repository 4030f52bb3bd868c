"""What a draft would have done with the past, beside the policy in force: every number of the page.

No actions are read here but their columns and counts (`selectors.past`); nothing is computed on the hot path.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from hashlib import sha256
from threading import Lock
from typing import TYPE_CHECKING, Final

import numpy as np
from django.db.models import Sum

from policies.engine.facts import ScoreSource, Verdict
from policies.engine.number_rules import compared
from policies.engine.policy import PolicyDocument
from policies.models import ActionType, ScoreBin
from policies.selectors import past
from policies.selectors.catch_rate import catch_rate
from policies.selectors.certificates import Population, certified_by
from policies.selectors.evidence_limits import Limits, limits_of
from policies.statistics.certificate import Certificate
from policies.statistics.counterfactual import (
    NAMED,
    Answers,
    Comparison,
    NumberRule,
    OtherRule,
    Question,
    Sums,
    answers,
)
from policies.statistics.intervals import lower_limit, upper_limit
from policies.statistics.what_if import FEWEST_LABELS, Curves, Prices, curves

if TYPE_CHECKING:
    from policies.selectors.past import Window

DAYS: Final = (30, 90)
USUAL_DAYS: Final = 90
# What a review takes where nobody's time is known yet.
USUAL_MINUTES: Final = 3.0
FEWEST_DRILLS: Final = 10
# Answers of policies in force that are kept in memory: some ten bytes for each action.
_MOST_LIVE: Final = 4
_live: OrderedDict[tuple[object, Question], list[Answers | None]] = OrderedDict()
_live_lock = Lock()


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """A policy as the past is asked about it, with the conditions that take more than a number."""

    question: Question
    conditions: tuple[str, ...]
    audit_rate: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """What one policy comes to. ``wrong`` is estimated, with its range; None under thirty labels."""

    n: int
    held_share: float
    denied: int
    released: int
    labels: int
    risk: float | None
    risk_low: float | None
    risk_high: float | None
    hours_a_week: float
    cost_a_week: float | None

    @property
    def wrong(self) -> float | None:
        """Return about how many wrong actions were released."""
        return None if self.risk is None else self.risk * self.released

    @property
    def wrong_low(self) -> float | None:
        return None if self.risk_low is None else self.risk_low * self.released

    @property
    def wrong_high(self) -> float | None:
        return None if self.risk_high is None else self.risk_high * self.released

    @property
    def released_share(self) -> float:
        """Return the share that runs without a person."""
        return self.released / self.n if self.n else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Costs:
    """What the action type declares, in one currency."""

    currency: str
    error: float
    review_minute: float
    delay: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """The cheapest certified threshold, and what it comes to a week."""

    threshold: float
    cost: float
    minutes: float


@dataclass(frozen=True, slots=True, kw_only=True)
class WhatIf:
    """Everything that the page says of a draft."""

    window: Window
    draft: Effect
    live: Effect | None
    draft_question: Question
    live_question: Question | None
    comparison: Comparison
    curves: Curves
    certificate: Certificate
    limits: Limits
    minutes: float
    minutes_known: bool
    misses_known: bool
    costs: Costs | None
    proposal: Proposal | None
    unknown: int

    @property
    def n(self) -> int:
        return self.comparison.new.n


def reading_of(document: PolicyDocument, kept: Iterable[str]) -> Reading:
    """Return a policy as questions to the columns; ``kept`` names the arguments that are there as numbers."""
    numbers: list[NumberRule] = []
    others: list[OtherRule] = []
    conditions: list[str] = []
    places = frozenset(kept) | {"confidence", "judge", "samples"}
    for rule in document.rules:
        found, denies = compared(rule.when), rule.then is Verdict.DENY
        if found is not None and found.place in places:
            numbers.append(
                NumberRule(
                    place=found.place, operator=found.operator, limit=float(found.limit), denies=denies
                )
            )
        else:
            conditions.append(rule.when)
            others.append(OtherRule(sha256=past.digest_of(rule.when), denies=denies))
    calibration = document.calibration
    source = document.score if calibration is None else calibration.of
    return Reading(
        question=Question(
            threshold=document.threshold,
            source=ScoreSource(source).value,
            points=() if calibration is None else calibration.points,
            numbers=tuple(numbers),
            others=tuple(others),
        ),
        conditions=tuple(conditions),
        audit_rate=document.audit_rate,
    )


def ask(
    *,
    action_type: ActionType,
    draft: PolicyDocument,
    live: PolicyDocument | None,
    now: datetime,
    days: int = USUAL_DAYS,
    named: int = NAMED,
    names_wrong: bool = False,
) -> WhatIf:
    """Return what the draft would have done, beside the policy in force, over the last ``days``."""
    window = past.window(action_type, days=days, today=now.date())
    kept = fields_of(window)
    new = reading_of(draft, kept)
    old = None if live is None else reading_of(live, kept)
    conditions = [*new.conditions, *(old.conditions if old is not None else ())]
    book = past.rule_book(action_type, conditions)
    asked = past.asked_before(window.heads, conditions)
    found = Comparison(named=named, names_wrong=names_wrong)
    repeats = past.repeats(window)
    earlier = _kept_answers(window, old.question) if old is not None else None
    asked_of: list[Population] = []
    population = sha256()
    for number, (head, chunk, inside) in enumerate(window.chunks()):
        known = book.known(chunk, head, asked) if conditions else {}
        said = answers(chunk, new.question, known)
        before = None
        if old is not None and earlier is not None:
            before = earlier[number]
            # The copy of a chunk may be newer than its head, and longer.
            if before is None or len(before.state) != len(chunk):
                before = earlier[number] = answers(chunk, old.question, known)
        found.add(chunk, new=said, now=before, inside=inside, repeats=repeats)
        asked_of.append(Population(chunk, said.score, said.stopped))
        population.update(np.packbits(said.stopped).tobytes())
    minutes = minutes_of(action_type, since=window.since)
    missed = misses(action_type)
    costs = costs_of(action_type)
    limits = limits_of(action_type)
    prices = _prices(costs, minutes=minutes, audit_rate=new.audit_rate, misses=missed or 0.0)
    volume = found.new.n / window.days * 7
    # Half of five percent on each side: the band is called a 95% range.
    drawn = curves(found.score_bins, delta=0.025, volume=volume, prices=prices)
    scored_by = (window.heads, new.question.source, new.question.points)
    certified = certified_by(
        asked_of,
        repeats=repeats,
        limits=limits,
        of=(scored_by, population.digest(), repeats.tobytes()),
    )
    return WhatIf(
        window=window,
        draft=_effect(found.new, found.every, prices=prices, volume=volume, priced=costs is not None),
        live=None
        if old is None
        else _effect(
            found.now,
            found.every,
            prices=_prices(costs, minutes=minutes, audit_rate=old.audit_rate, misses=missed or 0.0),
            volume=volume,
            priced=costs is not None,
        ),
        draft_question=new.question,
        live_question=None if old is None else old.question,
        comparison=found,
        curves=drawn,
        certificate=certified,
        limits=limits,
        minutes=minutes or USUAL_MINUTES,
        minutes_known=minutes is not None,
        misses_known=missed is not None,
        costs=costs,
        proposal=_cheapest(certified, drawn, costs),
        unknown=found.unknown,
    )


def _kept_answers(window: Window, question: Question) -> list[Answers | None]:
    """Return where the answers of the policy in force are kept, chunk by chunk, from one step to the next.

    They depend on nothing but the chunks as they are, where no condition has to be asked of the past.
    """
    kept: list[Answers | None] = [None] * len(window.heads)
    if question.others:
        return kept
    with _live_lock:
        kept = _live.setdefault((window.heads, question), kept)
        _live.move_to_end((window.heads, question))
        if len(_live) > _MOST_LIVE:
            _live.popitem(last=False)
    return kept


def fields_of(window: Window) -> frozenset[str]:
    """Return the arguments that the window's actions have as numbers."""
    from policies.models import PastChunk

    rows = PastChunk.objects.filter(pk__in=[head.pk for head in window.heads])
    return frozenset(name for fields in rows.values_list("fields", flat=True).distinct() for name in fields)


def minutes_of(action_type: ActionType, *, since: date) -> float | None:
    """Return how long a look took on average, None where nobody looked yet."""
    row = ScoreBin.objects.filter(action_type=action_type, day__gte=since, handled__gt=0).aggregate(
        ms=Sum("handling_ms"), looks=Sum("handled")
    )
    return row["ms"] / row["looks"] / 60_000 if row["looks"] else None


def misses(action_type: ActionType) -> float | None:
    """Return the share of planted errors that reviewers let through, None where too few were planted."""
    found = catch_rate(action_type)
    if found.planted < FEWEST_DRILLS or found.rate is None:
        return None
    return 1 - found.rate


def costs_of(action_type: ActionType) -> Costs | None:
    """Return the declared costs, None where the type declares none."""
    declared = (action_type.cost_of_error, action_type.cost_of_review_minute, action_type.cost_of_delay)
    if all(each is None for each in declared):
        return None
    error, minute, delay = (float(each or 0) for each in declared)
    return Costs(currency=action_type.currency or "EUR", error=error, review_minute=minute, delay=delay)


def _prices(costs: Costs | None, *, minutes: float | None, audit_rate: float, misses: float) -> Prices:
    return Prices(
        minutes_per_review=min(minutes or USUAL_MINUTES, 30.0),
        hourly=60 * costs.review_minute if costs else 0.0,
        error=costs.error if costs else 0.0,
        delay=costs.delay if costs else 0.0,
        audit_rate=audit_rate,
        miss_rate=misses,
    )


def _effect(sums: Sums, every: Sums, *, prices: Prices, volume: float, priced: bool) -> Effect:
    """Return what one policy comes to; the range is Clopper and Pearson's at Kish's effective number."""
    released = sums.released / sums.n if sums.n else 0.0
    held = sums.held / sums.n if sums.n else 0.0
    hours = volume * (held + released * prices.audit_rate) * prices.minutes_per_review / 60
    risk = sums.risk if sums.labelled >= FEWEST_LABELS or not sums.released else None
    low = high = None
    cost = None
    if risk is not None:
        n_eff = sums.n_eff
        # Half of five percent on each side: the range that people read is two-sided.
        low, high = _limits(risk, n_eff)
        held_wrong = max(0.0, (every.risk or 0.0) - released * risk)
        shipped = released * risk + held_wrong * prices.miss_rate
        if priced:
            cost = hours * prices.hourly + volume * (shipped * prices.error + held * prices.delay)
    return Effect(
        n=sums.n,
        held_share=held,
        denied=sums.denied,
        released=sums.released,
        labels=sums.labelled,
        risk=0.0 if not sums.released else risk,
        risk_low=low,
        risk_high=high,
        hours_a_week=hours,
        cost_a_week=cost,
    )


def _limits(risk: float, n_eff: float) -> tuple[float, float]:
    n = max(1, int(n_eff))
    k = risk * n_eff
    # Whole counts, each rounded to the cautious side.
    return lower_limit(min(n, int(k)), n, 0.025), upper_limit(min(n, -int(-k // 1)), n, 0.025)


def _cheapest(found: Certificate, drawn: Curves, costs: Costs | None) -> Proposal | None:
    """Return the certified threshold that costs least; the most permissive among equals."""
    if costs is None:
        return None
    best: Proposal | None = None
    for point in found.certified:
        place = min(int(point.threshold * 1000 + 1e-4), 999)
        cost = float(drawn.cost[place])
        if np.isfinite(cost) and (best is None or cost <= best.cost):
            minutes = float(drawn.reviewer_hours[place]) * 60
            best = Proposal(threshold=point.threshold, cost=cost, minutes=minutes)
    return best
