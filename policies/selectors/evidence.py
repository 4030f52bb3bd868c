"""Evidence as the ladder and its pages read it: how far one agent version has come with one action type."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.db.models import Count, Q

from policies.choices import AutonomyLevel, Route
from policies.engine.facts import Level
from policies.engine.ladder import Evals, Situation
from policies.engine.ladder_settings import LadderSettings
from policies.models import (
    ActionType,
    AgentVersion,
    AutonomyGrant,
    DoubleReview,
    EvalStanding,
    EvidenceSample,
    EvidenceTrack,
    GateCheck,
)
from policies.selectors import autonomy
from policies.selectors import evidence_samples as samples
from policies.selectors.evidence_limits import (
    Limits,
    delta_of,
    error_limit_of,
    is_costly,
    limits_of,
    settings_of,
)
from policies.statistics import evidence as e_values
from policies.statistics.agreement import krippendorff_alpha
from policies.statistics.drift import population_stability
from policies.statistics.intervals import upper_limit
from policies.statistics.thresholds import STARTS, starts_of
from policies.statistics.tracking import Point, Tally, clean_labels_for

__all__ = [
    "Evidence",
    "Limits",
    "delta_of",
    "error_limit_of",
    "evidence_of",
    "is_costly",
    "limits_of",
    "settings_of",
    "situation_of",
]

# The share of checks that are overdue is that of the last weeks: old ones that were done prove nothing now.
_WINDOW: Final = timedelta(days=30)
_BINS: Final = 10
_ENOUGH_SCORES: Final = 100
_ENOUGH_PAIRS: Final = 30
_MOST_PAIRS: Final = 1000
_RANKS: Final = {"approve": 0, "correct": 1, "reject": 2}


@dataclass(frozen=True, kw_only=True, slots=True)
class Evidence:
    """What is known of one agent version and action type since its level last changed.

    ``k`` of ``n`` considered labels up to the watermark were errors; ``upper`` and ``lower`` are limits of
    the rate that hold however often one looks. ``waiting`` actions are drawn and not answered yet,
    ``overdue`` of the checks among them for too long.
    """

    track: EvidenceTrack
    tally: Tally
    limits: Limits
    settings: LadderSettings
    level: AutonomyLevel
    attempt: int
    delta: float
    upper: float
    waiting: int
    overdue: int
    overdue_share: float
    missing_share: float
    labels_a_day: float
    now: datetime

    @property
    def k(self) -> int:
        return self.tally.k

    @property
    def n(self) -> int:
        return self.tally.n

    @property
    def e_value(self) -> float:
        """Return the highest evidence so far against "the rate is at the limit", over all labels alike."""
        return math.exp(min(self.tally.highest_log_e, 700.0))

    @property
    def days(self) -> float:
        return max(0.0, (self.now - self.track.started_at).total_seconds() / 86_400)

    @property
    def alone_lower(self) -> float:
        """Return the lower limit of the error rate of what ran alone, which holds at every look."""
        return e_values.anytime_lower(self.tally.arrived_k, self.tally.arrived_n, self.delta)

    @property
    def has_alarm(self) -> bool:
        return self.tally.drift.highest >= self.settings.drift_run

    @property
    def days_to_go(self) -> float | None:
        """Return how long the missing labels take at the present volume, None where nobody can say."""
        more = labels_to_go(self)
        return more / self.labels_a_day if more is not None and self.labels_a_day > 0 else None


def track_of(agent_version: AgentVersion, action_type: ActionType) -> EvidenceTrack | None:
    """Return how far the evidence has been taken in, None where nobody was ever asked to look."""
    return (
        EvidenceTrack.objects.select_related("agent_version__agent", "action_type")
        .filter(agent_version=agent_version, action_type=action_type)
        .first()
    )


def evidence_of(agent_version: AgentVersion, action_type: ActionType, now: datetime) -> Evidence | None:
    """Return the evidence as it was last taken in, None where nobody was ever asked to look."""
    track = track_of(agent_version, action_type)
    if track is None:
        return None
    limits = limits_of(action_type)
    tally = Tally.from_document(track.state) if track.state else Tally.begin(alpha=limits.alpha)
    return of_track(track, tally, limits=limits, now=now)


def of_track(track: EvidenceTrack, tally: Tally, *, limits: Limits, now: datetime) -> Evidence:
    """Return the evidence of a track with this tally."""
    settings = settings_of(track.action_type)
    overdue, drawn = _overdue(track, settings, now)
    delta = limits.delta_of(track.attempt)
    recent = EvidenceSample.objects.filter(
        agent_version=track.agent_version_id,
        action_type=track.action_type_id,
        gate_check__observation__considered=True,
        gate_check__observation__observed_at__gte=now - timedelta(days=14),
    ).count()
    span = min(14.0, max(1.0, (now - track.agent_version.first_seen_at).total_seconds() / 86_400))
    seen = tally.n + tally.passed_over
    return Evidence(
        track=track,
        tally=tally,
        limits=limits,
        settings=settings,
        level=AutonomyLevel(track.level),
        attempt=track.attempt,
        delta=delta,
        upper=e_values.anytime_upper(tally.k, tally.n, delta),
        waiting=samples.waiting(track).count(),
        overdue=overdue,
        overdue_share=overdue / drawn if drawn else 0.0,
        missing_share=tally.passed_over / seen if seen else 0.0,
        labels_a_day=recent / span,
        now=now,
    )


def situation_of(
    found: Evidence, *, grant: AutonomyGrant | None, renewing: bool = False, with_scores: bool = True
) -> Situation:
    """Return what the rules of the ladder ask for, at the level in force. ``renewing`` asks for its own."""
    action_type, tally = found.track.action_type, found.tally
    log_e, goal, enough = _progress(found, renewing=renewing)
    point = certified_point(found)
    standing = EvalStanding.objects.filter(agent_version=found.track.agent_version_id).first()
    return Situation(
        level=Level(str(found.level)),
        cap=Level(str(autonomy.cap_of(action_type))),
        days=found.days,
        comparisons=tally.n,
        errors=tally.k,
        upper=found.upper,
        e=math.exp(min(log_e, 700.0)),
        e_wanted=math.exp(goal),
        enough=enough,
        labels_to_go=labels_to_go(found, renewing=renewing),
        threshold=point.threshold if point is not None else None,
        share=tally.share_through(point) if point is not None else 0.0,
        scored=bool(tally.points or tally.warm_up) or tally.n == 0,
        checks_alone=tally.alone.n,
        alarm=found.has_alarm,
        overdue=found.overdue,
        overdue_share=found.overdue_share,
        missing_share=found.missing_share,
        catch_lower=found.limits.catch.lower if found.limits.catch is not None else None,
        agreement=_agreement(action_type),
        psi=_shift(found) if with_scores else None,
        blind_share=tally.blind / tally.n if tally.n else None,
        blind_upper=upper_limit(tally.blind, tally.n),
        certificate_days=_age(grant, found.now),
        evals=Evals(
            required=action_type.evals_required,
            failed_corrections=standing.failed_corrections if standing is not None else None,
        ),
    )


def certified_point(found: Evidence) -> Point | None:
    """Return the most permissive certified threshold that lets enough through, None where there is none."""
    certified = _certified_points(found)
    return certified[-1] if certified else None


def certifies(found: Evidence, threshold: float | None) -> bool:
    """Say whether this very threshold is certified by now and lets enough through."""
    return any(point.threshold == threshold for point in _certified_points(found))


def _certified_points(found: Evidence) -> list[Point]:
    tally = found.tally
    return [
        point
        for point, sure in zip(tally.points, tally.certified(found.delta), strict=False)
        if sure and tally.share_through(point) >= found.settings.threshold_share
    ]


def labels_to_go(found: Evidence, *, renewing: bool = False) -> int | None:
    """Return about how many more labels without an error the next rung takes; None where none would do."""
    tally = found.tally
    if found.level == AutonomyLevel.SHADOW:
        return max(0, found.settings.shadow_comparisons - tally.n)
    _, goal, enough = _progress(found, renewing=renewing)
    if enough:
        return 0
    if found.level == AutonomyLevel.REVIEW_ALL:
        delta = math.exp(-goal)
        if not tally.points:
            fresh = e_values.clean_labels_needed(tally.alpha, delta)
            return math.ceil(fresh / max(STARTS))
        # What a start needs, by the share of all that would pass it.
        return min(
            math.ceil(
                e_values.clean_labels_needed(tally.alpha, delta, k=point.k, n=point.n)
                / (tally.share_through(point) or point.share)
            )
            for point in starting_points(tally)
        )
    return clean_labels_for(tally.alone if renewing else tally.unhindered, goal=goal)


def _progress(found: Evidence, *, renewing: bool) -> tuple[float, float, bool]:
    """Return (log e, the log of e that is needed, whether that is enough) for the next rung."""
    tally, goal = found.tally, math.log(1 / found.delta)
    if found.level == AutonomyLevel.SHADOW:
        return tally.highest_log_e, goal, tally.n >= found.settings.shadow_comparisons
    if found.level == AutonomyLevel.REVIEW_ALL:
        # Each start of the fallback rule has its part of the budget.
        goal += math.log(len(STARTS))
        best = max((point.highest_log_e for point in starting_points(tally)), default=0.0)
        return best, goal, certified_point(found) is not None
    bets = tally.alone if renewing or found.level == AutonomyLevel.AUTONOMOUS else tally.unhindered
    return bets.highest_log_e, goal, e_values.is_enough(bets.log_e, bets.highest_log_e, delta=found.delta)


def starting_points(tally: Tally) -> list[Point]:
    """Return the points at which the fallback rule starts anew."""
    if not tally.points:
        return []
    return [tally.points[place] for place in starts_of([point.share for point in tally.points])]


def _overdue(track: EvidenceTrack, settings: LadderSettings, now: datetime) -> tuple[int, int]:
    """Return (overdue, drawn) of the checks of the last weeks, and of those that wait for longer still."""
    due = now - timedelta(hours=settings.audit_due_hours)
    late = Q(gate_check__observation=None, gate_check__missing_label=None, gate_check__evaluated_at__lt=due)
    # Time alone answers nothing: what nobody looked at is overdue until somebody does.
    counted = EvidenceSample.objects.filter(
        Q(gate_check__evaluated_at__gte=now - _WINDOW) | late,
        agent_version=track.agent_version_id,
        action_type=track.action_type_id,
        drawn=True,
        seq__gt=track.started_seq,
    ).aggregate(drawn=Count("pk"), overdue=Count("pk", filter=late))
    return counted["overdue"], counted["drawn"]


def _age(grant: AutonomyGrant | None, now: datetime) -> float | None:
    if grant is None or not grant.certified or grant.level not in ("threshold", "autonomous"):
        return None
    return (now - grant.granted_at).total_seconds() / 86_400


def _agreement(action_type: ActionType) -> float | None:
    """Return Krippendorff's alpha over the second opinions that were drawn; None under 30 of them."""
    pairs = DoubleReview.objects.filter(action_type=action_type, propensity__isnull=False)
    kinds = list(pairs.order_by("-id").values_list("first_kind", "second_kind")[:_MOST_PAIRS])
    rated = [(_RANKS[one], _RANKS[two]) for one, two in kinds if one in _RANKS and two in _RANKS]
    if len(rated) < _ENOUGH_PAIRS:
        return None
    return krippendorff_alpha([[one for one, _ in rated], [two for _, two in rated]], level="ordinal")


def _shift(found: Evidence) -> float | None:
    """Return how far the scores of the last two weeks are from those before; None where they are too few."""
    then = found.now - timedelta(days=14)
    rows = (
        GateCheck.objects.filter(
            action_type=found.track.action_type_id,
            agent_version=found.track.agent_version_id,
            evaluated_at__gte=found.now - timedelta(days=90),
            score__isnull=False,
            drill=False,
        )
        .exclude(route=Route.DENIED)
        .values_list("score", "evaluated_at")
        .order_by("-id")[:20_000]
    )
    before, after = [0] * _BINS, [0] * _BINS
    for score, at in rows:
        if score is not None:
            (after if at >= then else before)[min(_BINS - 1, int(score * _BINS))] += 1
    if sum(before) < _ENOUGH_SCORES or sum(after) < _ENOUGH_SCORES:
        return None
    return population_stability(before, after)
