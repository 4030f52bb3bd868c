"""What the pages of policies show: every action type with its policy and how much of it is held."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Count, Exists, OuterRef, Q

from policies.choices import PolicyState, Route
from policies.engine.difference import describe, is_looser
from policies.engine.policy import PolicyDocument
from policies.models import ActionType, GateCheck, PolicyVersion
from policies.selectors import action_types, policies

PERIOD = timedelta(days=30)


@dataclass(frozen=True, kw_only=True, slots=True)
class PolicyRow:
    """One action type in the list. ``document`` is the policy in force, None where nothing was published."""

    action_type: ActionType
    live: PolicyVersion | None
    draft: PolicyVersion | None
    document: PolicyDocument | None
    proposed: int
    held: int

    @property
    def held_share(self) -> float | None:
        """Return which share of what was proposed waited for a person; None where nothing was proposed."""
        return self.held / self.proposed if self.proposed else None


@dataclass(frozen=True, kw_only=True, slots=True)
class Undeclared:
    """A name that agents sent and nobody declared: all of it is held."""

    name: str
    proposed: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """What publishing a version does, beside what is in force."""

    before: PolicyVersion | None
    sentences: tuple[str, ...]
    is_looser: bool


def rows(*, now: datetime) -> list[PolicyRow]:
    """Return every action type, in three queries."""
    counts = {
        row["action_type_name"]: row
        for row in GateCheck.objects.filter(evaluated_at__gte=now - PERIOD, drill=False)
        .values("action_type_name")
        .annotate(proposed=Count("id"), held=Count("id", filter=Q(route=Route.HELD)))
        .order_by()
    }
    states = (PolicyState.LIVE, PolicyState.DRAFT)
    versions = {
        (version.action_type_id, version.state): version
        for version in PolicyVersion.objects.filter(state__in=states)
    }
    found = []
    for action_type in action_types.all_by_title():
        live = versions.get((action_type.pk, PolicyState.LIVE))
        count = counts.get(action_type.name, {"proposed": 0, "held": 0})
        found.append(
            PolicyRow(
                action_type=action_type,
                live=live,
                draft=versions.get((action_type.pk, PolicyState.DRAFT)),
                document=policies.live_document(live) if live else None,
                proposed=count["proposed"],
                held=count["held"],
            )
        )
    return found


def undeclared(*, now: datetime, limit: int = 20) -> list[Undeclared]:
    """Return the names that agents sent of late and nobody has declared since, most used first."""
    declared = ActionType.objects.filter(name=OuterRef("action_type_name"))
    groups = (
        GateCheck.objects.filter(~Exists(declared), evaluated_at__gte=now - PERIOD, action_type=None)
        .values("action_type_name")
        .annotate(proposed=Count("id"))
        .order_by("-proposed", "action_type_name")[:limit]
    )
    return [Undeclared(name=group["action_type_name"], proposed=group["proposed"]) for group in groups]


def versions(action_type: ActionType) -> list[PolicyVersion]:
    """Return every version, newest first."""
    return list(PolicyVersion.objects.filter(action_type=action_type).order_by("-number"))


def change(version: PolicyVersion) -> Change:
    """Return what a version changes: against the one in force for a draft, else against the one before it."""
    earlier = PolicyVersion.objects.filter(action_type=version.action_type, number__lt=version.number)
    if version.state == PolicyState.DRAFT:
        earlier = earlier.filter(state=PolicyState.LIVE)
    before = earlier.order_by("-number").first()
    old = policies.live_document(before) if before else None
    new = policies.live_document(version)
    return Change(before=before, sentences=describe(old, new), is_looser=is_looser(old, new))
