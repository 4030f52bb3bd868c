"""The trust page: what agents proposed, what people made of it, and the very actions behind each number.

Counts of the gate and the statistics come from ``policies.selectors.trust``; what people decided is joined to
them here. Drills are left out everywhere. The period is that of the proposal, for every number alike.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import cast
from urllib.parse import urlencode

from django.db.models import (
    Aggregate,
    Count,
    DurationField,
    Exists,
    ExpressionWrapper,
    F,
    OuterRef,
    Q,
    QuerySet,
)
from django.db.models.expressions import CombinedExpression

from policies.choices import Route, Trigger
from policies.models import AgentVersion, Observation
from policies.selectors.trust import Key, TrustFilter, TrustRow, trust_rows
from reviews.choices import DecisionKind, ItemKind, ItemStatus
from reviews.models import ActionRequest, Decision, ReviewItem

# Below this many checks a rate says more of chance than of the agent (console.md, 2.10).
ENOUGH_CHECKS = 30
TRIGGERS = (Trigger.HIGH_RISK, Trigger.LOW_CONFIDENCE, Trigger.POLICY_EDGE)
STATES = {
    "alone": "Ran alone",
    "denied": "Denied",
    "held": "Held",
    "approved": "Held, then approved",
    "corrected": "Held, then corrected",
    "rejected": "Held, then rejected",
    "looked": "Looked at by a person",
}
AUDITED = {
    "drawn": "Drawn for a routine check",
    "checked": "Checked",
    "wrong": "Checked and wrong",
    "weak": "Checked too fast to count",
}
_KINDS = {
    "approved": DecisionKind.APPROVE,
    "corrected": DecisionKind.CORRECT,
    "rejected": DecisionKind.REJECT,
}
_LOOKED_AT = (ItemKind.GATE, ItemKind.AUDIT)


class _Percentile(Aggregate):
    """PostgreSQL's percentile_cont: the value under which ``share`` of the rows lie."""

    function = "PERCENTILE_CONT"
    template = "%(function)s(%(share)s) WITHIN GROUP (ORDER BY %(expressions)s)"
    output_field = DurationField()


@dataclass(frozen=True, kw_only=True, slots=True)
class Waits:
    """How long held actions waited for their decision."""

    decisions: int = 0
    median: timedelta | None = None
    p95: timedelta | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class TrustLine:
    """One action type and agent version: the gate's numbers, and what people decided."""

    row: TrustRow
    approved: int
    corrected: int
    rejected: int
    looked: int
    weak_checks: int
    waits: Waits

    @property
    def query(self) -> str:
        """Return the part of an address that means this line."""
        return urlencode({"type": self.row.action_type_name, "version": self.row.agent_version.public_id})

    @property
    def has_enough_checks(self) -> bool:
        """Say whether a rate among the checked is worth printing."""
        return self.row.audited >= ENOUGH_CHECKS

    @property
    def is_weighted(self) -> bool:
        """Say whether the overall rate rests on enough, checks among it: held ones are the hard ones."""
        return self.row.overall.n >= ENOUGH_CHECKS and (self.row.audited > 0 or self.row.alone == 0)


@dataclass(frozen=True, kw_only=True, slots=True)
class TypeGroup:
    """The lines of one action type."""

    name: str
    title: str
    is_declared: bool
    lines: tuple[TrustLine, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class TrustPage:
    """All of the page."""

    groups: tuple[TypeGroup, ...]
    proposed: int
    alone: int
    held: int
    denied: int
    looked: int
    audited: int
    audited_errors: int
    weak_checks: int
    overridden: int
    waits: Waits

    @property
    def looked_share(self) -> float:
        """Return which share of what was proposed a person looked at."""
        return self.looked / self.proposed if self.proposed else 0.0

    @property
    def alone_share(self) -> float:
        """Return which share of what was proposed needed nobody."""
        return self.alone / self.proposed if self.proposed else 0.0


@dataclass(frozen=True, kw_only=True, slots=True)
class ItemFilter:
    """Which actions stand behind a number. ``state`` is of ``STATES``, ``audited`` of ``AUDITED``."""

    period: TrustFilter
    version: AgentVersion | None = None
    state: str = ""
    trigger: str = ""
    audited: str = ""


@dataclass(slots=True)
class _Decided:
    """Released decisions of one key, by kind; those about held actions apart from all."""

    held: dict[str, int] = field(default_factory=dict)
    looked: int = 0


def page(filters: TrustFilter, *, now: datetime) -> TrustPage:
    """Return the page for a period. Nine queries, however many rows."""
    rows = trust_rows(filters, now=now)
    decided = _decided(filters)
    waits = _waits(filters)
    weak = _weak_checks(filters)
    lines = [
        _line(row, decided.get(row.key, _Decided()), weak.get(row.key, 0), waits.get(row.key, Waits()))
        for row in rows
    ]
    return TrustPage(
        groups=tuple(_groups(lines)),
        proposed=sum(row.proposed for row in rows),
        alone=sum(row.alone for row in rows),
        held=sum(row.held for row in rows),
        denied=sum(row.denied for row in rows),
        looked=sum(line.looked for line in lines),
        audited=sum(row.audited for row in rows),
        audited_errors=sum(row.audited_errors for row in rows),
        weak_checks=sum(line.weak_checks for line in lines),
        overridden=sum(line.corrected + line.rejected for line in lines),
        waits=_all_waits(filters),
    )


def items(filters: ItemFilter) -> QuerySet[ActionRequest]:
    """Return the actions behind a number, in no order: as many as the page says."""
    found = (
        ActionRequest.objects.filter(_period(filters.period, "gate_check__"), gate_check__drill=False)
        .select_related("agent", "agent_version", "gate_check")
        .defer("arguments", "arguments_canonical", "final_arguments_canonical")
    )
    if filters.version is not None:
        found = found.filter(gate_check__agent_version=filters.version)
    if filters.trigger:
        found = found.filter(gate_check__route=Route.HELD, gate_check__trigger=filters.trigger)
    if filters.audited == "drawn":
        found = found.filter(gate_check__audit_selected=True)
    elif filters.audited:
        considered = filters.audited != "weak"
        found = found.filter(
            gate_check__observation__audited=True, gate_check__observation__considered=considered
        )
        if filters.audited == "wrong":
            found = found.filter(gate_check__observation__error=True)
    return _in_state(found, filters.state)


def undecided_blind(found: QuerySet[ActionRequest]) -> QuerySet[ActionRequest]:
    """Return those of ``found`` that somebody still has to decide without knowing why: a list would tell."""
    return found.filter(Exists(_blind_items()))


def without_undecided_blind(found: QuerySet[ActionRequest]) -> QuerySet[ActionRequest]:
    """Return the others."""
    return found.filter(~Exists(_blind_items()))


def _blind_items() -> QuerySet[ReviewItem]:
    waiting = (ItemStatus.OPEN, ItemStatus.RECORDED)
    return ReviewItem.objects.filter(action=OuterRef("pk"), blind=True, status__in=waiting)


def _in_state(found: QuerySet[ActionRequest], state: str) -> QuerySet[ActionRequest]:
    routes = {"alone": Route.ALONE, "denied": Route.DENIED, "held": Route.HELD}
    if state in routes:
        found = found.filter(gate_check__route=routes[state])
    mine = _released().filter(action=OuterRef("pk"))
    if state in _KINDS:
        found = found.filter(Exists(mine.filter(item__kind=ItemKind.GATE, kind=_KINDS[state])))
    elif state == "looked":
        found = found.filter(Exists(mine.filter(item__kind__in=_LOOKED_AT)))
    return found


def _line(row: TrustRow, decided: _Decided, weak_checks: int, waits: Waits) -> TrustLine:
    return TrustLine(
        row=row,
        approved=decided.held.get(DecisionKind.APPROVE, 0),
        corrected=decided.held.get(DecisionKind.CORRECT, 0),
        rejected=decided.held.get(DecisionKind.REJECT, 0),
        looked=decided.looked,
        weak_checks=weak_checks,
        waits=waits,
    )


def _groups(lines: Iterable[TrustLine]) -> Iterable[TypeGroup]:
    by_name: dict[str, list[TrustLine]] = {}
    for line in lines:
        by_name.setdefault(line.row.action_type_name, []).append(line)
    for name, found in by_name.items():
        declared = found[0].row.action_type
        title = declared.title if declared else name
        yield TypeGroup(name=name, title=title, is_declared=declared is not None, lines=tuple(found))


def _released() -> QuerySet[Decision]:
    """Return what has been decided and left its undo window."""
    return Decision.objects.filter(terminal=True, undone_at=None, released_at__isnull=False)


def _of(filters: TrustFilter) -> QuerySet[Decision]:
    return _released().filter(_period(filters, "action__gate_check__"), action__gate_check__drill=False)


def _decided(filters: TrustFilter) -> dict[Key, _Decided]:
    groups = (
        _of(filters)
        .filter(item__kind__in=_LOOKED_AT)
        .values_list("action__action_type_name", "action__agent_version_id", "item__kind", "kind")
        .annotate(number=Count("id"))
        .order_by()
    )
    found: dict[Key, _Decided] = {}
    for name, version_id, item_kind, kind, number in groups:
        decided = found.setdefault((name, version_id), _Decided())
        decided.looked += number
        if item_kind == ItemKind.GATE:
            decided.held[kind] = number
    return found


def _weak_checks(filters: TrustFilter) -> dict[Key, int]:
    """Return how many checks were too fast to count. Left out, they make the agent look worse, not better."""
    groups = (
        Observation.objects.filter(_period(filters, "gate_check__"), audited=True, considered=False)
        .values_list("gate_check__action_type_name", "agent_version_id")
        .annotate(number=Count("id"))
        .order_by()
    )
    return {(name, version_id): number for name, version_id, number in groups}


def _timed(filters: TrustFilter) -> QuerySet[Decision]:
    return _of(filters).filter(item__kind=ItemKind.GATE)


def _wait() -> ExpressionWrapper[CombinedExpression]:
    # As an interval, which percentile_cont takes as it is.
    return ExpressionWrapper(F("decided_at") - F("item__created_at"), output_field=DurationField())


def _waits(filters: TrustFilter) -> dict[Key, Waits]:
    groups = (
        _timed(filters)
        .values_list("action__action_type_name", "action__agent_version_id")
        .annotate(
            decisions=Count("id"),
            median=_Percentile(_wait(), share=0.5),
            p95=_Percentile(_wait(), share=0.95),
        )
        .order_by()
    )
    return {
        (name, version_id): Waits(decisions=decisions, median=median, p95=p95)
        for name, version_id, decisions, median, p95 in groups
    }


def _all_waits(filters: TrustFilter) -> Waits:
    row = _timed(filters).aggregate(
        decisions=Count("id"), median=_Percentile(_wait(), share=0.5), p95=_Percentile(_wait(), share=0.95)
    )
    return Waits(
        decisions=row["decisions"],
        median=cast("timedelta | None", row["median"]),
        p95=cast("timedelta | None", row["p95"]),
    )


def _period(filters: TrustFilter, prefix: str) -> Q:
    condition = Q()
    if filters.agent is not None:
        condition &= Q(**{f"{prefix}agent": filters.agent})
    if filters.action_type_name:
        condition &= Q(**{f"{prefix}action_type_name": filters.action_type_name})
    if filters.since is not None:
        condition &= Q(**{f"{prefix}evaluated_at__gte": filters.since})
    if filters.until is not None:
        condition &= Q(**{f"{prefix}evaluated_at__lt": filters.until})
    return condition
