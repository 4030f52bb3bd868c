"""What the pages of policies show: every action type with its policy and how much of it is held."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from django.db.models import Count, Exists, OuterRef, Q

from policies.choices import PolicyState, Route
from policies.engine.difference import Difference, Effect, differences
from policies.engine.policy import PolicyDocument
from policies.models import ActionType, GateCheck, PolicyVersion, Publication
from policies.selectors import action_types, people, policies, publications
from policies.selectors import shadow as shadows
from policies.selectors.shadow import Summary

if TYPE_CHECKING:
    from django.contrib.auth.models import User

PERIOD = timedelta(days=30)


@dataclass(frozen=True, kw_only=True, slots=True)
class PolicyRow:
    """One action type in the list. ``document`` is the policy in force, None where nothing was published."""

    action_type: ActionType
    live: PolicyVersion | None
    draft: PolicyVersion | None
    shadow: PolicyVersion | None
    waiting: Publication | None
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
    """What a version does, beside another one."""

    before: PolicyVersion | None
    differences: tuple[Difference, ...]

    @property
    def is_looser(self) -> bool:
        return any(each.effect is Effect.LOOSENS for each in self.differences)


@dataclass(frozen=True, kw_only=True, slots=True)
class WaitingRow:
    """One publication that waits. ``waits_for_me`` says that the viewer has no part in it yet."""

    publication: Publication
    standing: publications.Standing
    waits_for_me: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Life:
    """Where the policy of an action type stands: what is in shadow, and what waits to be published."""

    shadow: PolicyVersion | None
    shadow_summary: Summary | None
    waiting: Publication | None
    standing: publications.Standing | None
    second_admin: bool


def rows(*, now: datetime) -> list[PolicyRow]:
    """Return every action type, in four queries."""
    counts = {
        row["action_type_name"]: row
        for row in GateCheck.objects.filter(evaluated_at__gte=now - PERIOD, drill=False)
        .values("action_type_name")
        .annotate(proposed=Count("id"), held=Count("id", filter=Q(route=Route.HELD)))
        .order_by()
    }
    states = (PolicyState.LIVE, PolicyState.DRAFT, PolicyState.SHADOW)
    versions = {
        (version.action_type_id, version.state): version
        for version in PolicyVersion.objects.filter(state__in=states)
    }
    waiting = publications.waiting_by_type()
    found = []
    for action_type in action_types.all_by_title():
        live = versions.get((action_type.pk, PolicyState.LIVE))
        count = counts.get(action_type.name, {"proposed": 0, "held": 0})
        found.append(
            PolicyRow(
                action_type=action_type,
                live=live,
                draft=versions.get((action_type.pk, PolicyState.DRAFT)),
                shadow=versions.get((action_type.pk, PolicyState.SHADOW)),
                waiting=waiting.get(action_type.pk),
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


def change(version: PolicyVersion, *, against: PolicyVersion | None = None) -> Change:
    """Return what a version changes: against another one, or else against what it would replace or did.

    What never was in force is compared with what is; any other with the one that was in force before it.
    """
    if against is None and version.published_at is None:
        return change_now(version)
    before = against if against is not None else _before(version)
    old = policies.live_document(before) if before else None
    return Change(before=before, differences=differences(old, policies.live_document(version)))


def life(action_type: ActionType) -> Life:
    """Return where the policy of an action type stands."""
    in_shadow = policies.shadow_version(action_type)
    waiting = publications.waiting_for(action_type)
    standing = None
    if waiting is not None:
        managers = people.managers_among(publications.people_of(waiting))
        standing = publications.standing(waiting, managers=managers)
    return Life(
        shadow=in_shadow,
        shadow_summary=shadows.summary(in_shadow) if in_shadow is not None else None,
        waiting=waiting,
        standing=standing,
        second_admin=publications.needs_second_admin(action_type),
    )


def change_now(version: PolicyVersion) -> Change:
    """Return what a version, old or new, would change if it were published at this moment."""
    live = policies.live_version(version.action_type)
    before = policies.live_document(live) if live else None
    return Change(before=live, differences=differences(before, policies.live_document(version)))


def waiting_rows(person: User) -> list[WaitingRow]:
    """Return what waits for people or for its time, and whether this person could move it."""
    rows = []
    for publication in publications.all_waiting():
        managers = people.managers_among(publications.people_of(publication))
        standing = publications.standing(publication, managers=managers)
        rows.append(
            WaitingRow(publication=publication, standing=standing, waits_for_me=not standing.includes(person))
        )
    return rows


def _before(version: PolicyVersion) -> PolicyVersion | None:
    """Return what was in force before a version that has been."""
    others = PolicyVersion.objects.filter(action_type=version.action_type).exclude(pk=version.pk)
    earlier = others.filter(published_at__isnull=False, published_at__lte=version.published_at)
    return earlier.order_by("-published_at", "-number").first()
