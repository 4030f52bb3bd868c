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
    ExpressionWrapper,
    F,
    QuerySet,
)
from django.db.models.expressions import CombinedExpression

from policies.models import Observation
from policies.selectors.released import ENOUGH_CHECKS, Released, released
from policies.selectors.trust import Key, TrustFilter, TrustRow, during, trust_rows
from reviews.choices import DecisionKind, ItemKind
from reviews.models import Decision
from reviews.selectors import trust_facts


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
    # Of these decisions, how many came before the deadline.
    kept: int = 0


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
    # Held actions that nobody answered before their deadline.
    missed: int
    incidents: int

    @property
    def released(self) -> Released:
        """Return how many wrong actions of this line went out, as far as the checks tell."""
        return released([self.row])

    @property
    def late(self) -> int:
        """Return how many held actions were answered after their deadline, or not at all."""
        return self.waits.decisions - self.waits.kept + self.missed

    @property
    def deadline_kept(self) -> float | None:
        """Return the share of held actions that were answered in time; None where none was due."""
        due = self.waits.decisions + self.missed
        return self.waits.kept / due if due else None

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
    released: Released

    @property
    def late(self) -> int:
        """Return how many held actions were answered after their deadline, or not at all."""
        return sum(line.late for group in self.groups for line in group.lines)

    @property
    def deadline_kept(self) -> float | None:
        """Return the share of held actions that were answered in time; None where none was due."""
        lines = [line for group in self.groups for line in group.lines]
        kept = sum(line.waits.kept for line in lines)
        due = kept + sum(line.late for line in lines)
        return kept / due if due else None

    @property
    def looked_share(self) -> float:
        """Return which share of what was proposed a person looked at."""
        return self.looked / self.proposed if self.proposed else 0.0

    @property
    def alone_share(self) -> float:
        """Return which share of what was proposed needed nobody."""
        return self.alone / self.proposed if self.proposed else 0.0


@dataclass(slots=True)
class _Decided:
    """Released decisions of one key, by kind; those about held actions apart from all."""

    held: dict[str, int] = field(default_factory=dict)
    looked: int = 0


def page(filters: TrustFilter, *, now: datetime) -> TrustPage:
    """Return the page for a period. Eleven queries, however many rows."""
    rows = trust_rows(filters, now=now)
    decided = _decided(filters)
    waits = _waits(filters)
    weak = _weak_checks(filters)
    missed = trust_facts.missed(filters, now=now)
    incidents = trust_facts.incidents(filters)
    lines = [
        _line(
            row,
            decided.get(row.key, _Decided()),
            weak.get(row.key, 0),
            waits.get(row.key, Waits()),
            missed=missed.get(row.key, 0),
            incidents=incidents.get(row.key, 0),
        )
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
        released=released(rows),
    )


def _line(
    row: TrustRow, decided: _Decided, weak_checks: int, waits: Waits, *, missed: int, incidents: int
) -> TrustLine:
    return TrustLine(
        row=row,
        approved=decided.held.get(DecisionKind.APPROVE, 0),
        corrected=decided.held.get(DecisionKind.CORRECT, 0),
        rejected=decided.held.get(DecisionKind.REJECT, 0),
        looked=decided.looked,
        weak_checks=weak_checks,
        waits=waits,
        missed=missed,
        incidents=incidents,
    )


def _groups(lines: Iterable[TrustLine]) -> Iterable[TypeGroup]:
    by_name: dict[str, list[TrustLine]] = {}
    for line in lines:
        by_name.setdefault(line.row.action_type_name, []).append(line)
    for name, found in by_name.items():
        declared = found[0].row.action_type
        title = declared.title if declared else name
        yield TypeGroup(name=name, title=title, is_declared=declared is not None, lines=tuple(found))


def _decided(filters: TrustFilter) -> dict[Key, _Decided]:
    groups = (
        trust_facts.decisions(filters)
        .filter(item__kind__in=trust_facts.LOOKED_AT)
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
        Observation.objects.filter(during(filters, "gate_check__"), audited=True, considered=False)
        .values_list("gate_check__action_type_name", "agent_version_id")
        .annotate(number=Count("id"))
        .order_by()
    )
    return {(name, version_id): number for name, version_id, number in groups}


def _timed(filters: TrustFilter) -> QuerySet[Decision]:
    return trust_facts.decisions(filters).filter(item__kind=ItemKind.GATE)


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
            kept=Count("id", filter=trust_facts.IN_TIME),
        )
        .order_by()
    )
    return {
        (name, version_id): Waits(decisions=decisions, median=median, p95=p95, kept=kept)
        for name, version_id, decisions, median, p95, kept in groups
    }


def _all_waits(filters: TrustFilter) -> Waits:
    row = _timed(filters).aggregate(
        decisions=Count("id"),
        median=_Percentile(_wait(), share=0.5),
        p95=_Percentile(_wait(), share=0.95),
        kept=Count("id", filter=trust_facts.IN_TIME),
    )
    return Waits(
        decisions=row["decisions"],
        median=cast("timedelta | None", row["median"]),
        p95=cast("timedelta | None", row["p95"]),
        kept=row["kept"],
    )
