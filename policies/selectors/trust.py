"""The read model of the trust page: what agents proposed, and what people made of it.

Counts are of gate checks and observations, drills left out. How held actions were decided is known to the
reviewing app, which puts its own counts beside these rows (``TrustRow.key``).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypedDict, cast

from django.db.models import Count, Q

from policies.choices import AutonomyLevel, Route, Trigger
from policies.models import ActionType, Agent, AgentVersion, AutonomyGrant, GateCheck, Observation
from policies.selectors import autonomy
from policies.statistics.intervals import WeightedRate, clopper_pearson, hajek_rate

# The name of the action type and the key of the agent version: what a row is about.
Key = tuple[str, int]
_HOLDING = (Trigger.HIGH_RISK, Trigger.LOW_CONFIDENCE, Trigger.POLICY_EDGE)


@dataclass(frozen=True, kw_only=True, slots=True)
class TrustFilter:
    """Whose actions, of which type, evaluated from ``since`` and before ``until``."""

    agent: Agent | None = None
    agent_version: AgentVersion | None = None
    action_type_name: str = ""
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class TrustRow:
    """One action type and agent version.

    ``error_interval`` is Clopper and Pearson's exact 95 % interval of the error rate among what ran alone,
    from the considered audits alone: (0, 1) without any. ``overall`` is Hájek's estimate over all considered
    observations, held ones included, each weighted by 1 / propensity; its limits are approximate.
    """

    action_type_name: str
    action_type: ActionType | None
    agent_version: AgentVersion
    proposed: int
    alone: int
    denied: int
    held_by_trigger: dict[Trigger, int]
    drawn: int
    observed: int
    errors: int
    audited: int
    audited_errors: int
    error_interval: tuple[float, float]
    overall: WeightedRate
    level: AutonomyLevel
    grant: AutonomyGrant | None
    # The considered audits, equal ones together: propensity, error, count.
    checks: tuple[tuple[float, bool, int], ...] = ()

    @property
    def key(self) -> Key:
        return self.action_type_name, self.agent_version.pk

    @property
    def held(self) -> int:
        return sum(self.held_by_trigger.values())

    @property
    def share_alone(self) -> float:
        """Return which share of what was proposed needed nobody."""
        return self.alone / self.proposed if self.proposed else 0.0

    @property
    def audited_error_rate(self) -> float | None:
        """Return the share of errors among the considered audits, None without any."""
        return self.audited_errors / self.audited if self.audited else None


class _Counts(TypedDict):
    action_type_name: str
    agent_version_id: int
    proposed: int
    alone: int
    denied: int
    drawn: int
    high_risk: int
    low_confidence: int
    policy_edge: int


@dataclass(slots=True)
class _Seen:
    """The considered observations of one key, equal ones together: (propensity, audited, error) -> count."""

    counts: dict[tuple[float, bool, bool], int] = field(default_factory=dict)

    def number(self, *, audited: bool | None = None, error: bool | None = None) -> int:
        return sum(
            count
            for (_, was_audited, was_error), count in self.counts.items()
            if audited in (None, was_audited) and error in (None, was_error)
        )

    def overall(self) -> WeightedRate:
        weights: list[float] = []
        errors: list[float] = []
        for (propensity, _, error), count in self.counts.items():
            weights += [1 / propensity] * count
            errors += [float(error)] * count
        return hajek_rate(weights, errors)


def trust_rows(filters: TrustFilter, *, now: datetime) -> list[TrustRow]:
    """Return a row for each action type and agent version that proposed anything, most proposals first.

    Five queries, however many rows: gate checks and observations grouped, then the names for them.
    """
    counts = _proposals(filters)
    seen = _observations(filters)
    versions = AgentVersion.objects.select_related("agent").in_bulk(
        {row["agent_version_id"] for row in counts}
    )
    types = {
        each.name: each
        for each in ActionType.objects.filter(name__in={row["action_type_name"] for row in counts})
    }
    grants = _grants(versions, now)
    rows = []
    for row in counts:
        version = versions[row["agent_version_id"]]
        action_type = types.get(row["action_type_name"])
        grant = grants.get((action_type.pk, version.pk)) if action_type else None
        rows.append(_row(row, version, action_type, grant, seen[row["action_type_name"], version.pk]))
    return rows


def _row(
    counts: _Counts,
    version: AgentVersion,
    action_type: ActionType | None,
    grant: AutonomyGrant | None,
    seen: _Seen,
) -> TrustRow:
    audited = seen.number(audited=True)
    audited_errors = seen.number(audited=True, error=True)
    return TrustRow(
        action_type_name=counts["action_type_name"],
        action_type=action_type,
        agent_version=version,
        proposed=counts["proposed"],
        alone=counts["alone"],
        denied=counts["denied"],
        held_by_trigger={
            Trigger.HIGH_RISK: counts["high_risk"],
            Trigger.LOW_CONFIDENCE: counts["low_confidence"],
            Trigger.POLICY_EDGE: counts["policy_edge"],
        },
        drawn=counts["drawn"],
        observed=seen.number(),
        errors=seen.number(error=True),
        audited=audited,
        audited_errors=audited_errors,
        error_interval=clopper_pearson(audited_errors, audited),
        overall=seen.overall(),
        level=autonomy.level_under(grant, action_type) if action_type else AutonomyLevel.REVIEW_ALL,
        grant=grant,
        checks=tuple(
            (propensity, error, count) for (propensity, drawn, error), count in seen.counts.items() if drawn
        ),
    )


def _proposals(filters: TrustFilter) -> list[_Counts]:
    held = {trigger.value: Count("id", filter=Q(route=Route.HELD, trigger=trigger)) for trigger in _HOLDING}
    groups = (
        GateCheck.objects.filter(during(filters, ""), drill=False)
        .values("action_type_name", "agent_version_id")
        .annotate(
            proposed=Count("id"),
            alone=Count("id", filter=Q(route=Route.ALONE)),
            denied=Count("id", filter=Q(route=Route.DENIED)),
            drawn=Count("id", filter=Q(audit_selected=True)),
            **held,
        )
        .order_by("-proposed", "action_type_name", "agent_version_id")
    )
    return [cast(_Counts, group) for group in groups]


def _observations(filters: TrustFilter) -> defaultdict[Key, _Seen]:
    """Return the considered observations of the same actions: the period is that of the proposal."""
    groups = (
        Observation.objects.filter(during(filters, "gate_check__"), considered=True)
        .values_list("gate_check__action_type_name", "agent_version_id", "propensity", "audited", "error")
        .annotate(number=Count("id"))
        .order_by()
    )
    seen: defaultdict[Key, _Seen] = defaultdict(_Seen)
    for name, version_id, propensity, audited, error, number in groups:
        seen[name, version_id].counts[propensity, audited, error] = number
    return seen


def during(filters: TrustFilter, prefix: str) -> Q:
    """Return the filters as a condition on a gate check, which ``prefix`` leads to."""
    condition = Q()
    if filters.agent is not None:
        condition &= Q(**{f"{prefix}agent": filters.agent})
    if filters.agent_version is not None:
        condition &= Q(**{f"{prefix}agent_version": filters.agent_version})
    if filters.action_type_name:
        condition &= Q(**{f"{prefix}action_type_name": filters.action_type_name})
    if filters.since is not None:
        condition &= Q(**{f"{prefix}evaluated_at__gte": filters.since})
    if filters.until is not None:
        condition &= Q(**{f"{prefix}evaluated_at__lt": filters.until})
    return condition


def _grants(versions: Iterable[int], now: datetime) -> dict[tuple[int, int], AutonomyGrant]:
    live = AutonomyGrant.objects.filter(
        Q(expires_at=None) | Q(expires_at__gt=now), agent_version__in=list(versions), ended_at=None
    )
    return {(grant.action_type_id, grant.agent_version_id): grant for grant in live}
