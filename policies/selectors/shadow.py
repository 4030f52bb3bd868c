"""What a version in shadow would have said of live actions, beside what was said."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.db.models import Count, Max, Min

from hitl_site.lib import pagination
from policies.choices import Verdict
from policies.models import GateCheck, PolicyVersion, ShadowCheck

PAGE: Final = 50
_STRICTNESS: Final = {Verdict.ALLOW: 0, Verdict.REVIEW: 1, Verdict.DENY: 2}


@dataclass(frozen=True, kw_only=True, slots=True)
class Direction:
    """One way in which the answers differ, and how often."""

    live: Verdict
    shadow: Verdict
    count: int

    @property
    def key(self) -> str:
        return f"{self.live}-{self.shadow}"

    @property
    def is_looser(self) -> bool:
        return _STRICTNESS[self.shadow] < _STRICTNESS[self.live]


@dataclass(frozen=True, kw_only=True, slots=True)
class Summary:
    """How often a version in shadow was asked, and how often it would have differed, by direction."""

    asked: int
    differed: int
    looser: int
    stricter: int
    directions: tuple[Direction, ...]
    since: datetime | None
    until: datetime | None

    @property
    def share(self) -> float | None:
        """Return the share that differed; None where nothing was asked."""
        return self.differed / self.asked if self.asked else None


@dataclass(frozen=True, kw_only=True, slots=True)
class Contrast:
    """One action on which the two differ. ``live`` is the stored check of the policy then in force."""

    check: ShadowCheck
    live: GateCheck | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Contrasts:
    """A page of them, newest first."""

    items: tuple[Contrast, ...]
    next_cursor: str | None
    previous_cursor: str | None


def summary(version: PolicyVersion) -> Summary:
    """Return the counts of a version's time in shadow: two queries."""
    checks = ShadowCheck.objects.filter(policy_version=version)
    totals = checks.aggregate(asked=Count("pk"), since=Min("evaluated_at"), until=Max("evaluated_at"))
    rows = (
        checks.filter(differs=True)
        .values("live_verdict", "verdict")
        .annotate(count=Count("pk"))
        .order_by("-count", "live_verdict", "verdict")
    )
    directions = tuple(
        Direction(live=Verdict(row["live_verdict"]), shadow=Verdict(row["verdict"]), count=row["count"])
        for row in rows
    )
    looser = sum(each.count for each in directions if each.is_looser)
    differed = sum(each.count for each in directions)
    return Summary(
        asked=totals["asked"],
        differed=differed,
        looser=looser,
        stricter=differed - looser,
        directions=directions,
        since=totals["since"],
        until=totals["until"],
    )


def differing(version: PolicyVersion, *, direction: str = "", cursor: str | None = None) -> Contrasts:
    """Return a page of the actions on which the two differ. Raises ``pagination.InvalidCursor``.

    ``direction`` is the key of one; what is none of them filters nothing.
    """
    checks = ShadowCheck.objects.filter(policy_version=version, differs=True).select_related("agent")
    live, _, shadow = direction.partition("-")
    if live in Verdict.values and shadow in Verdict.values:
        checks = checks.filter(live_verdict=live, verdict=shadow)
    else:
        direction = ""
    page = pagination.page(
        checks, order_by=["-id"], limit=PAGE, scope=f"shadow?{version.pk}&{direction}", cursor=cursor
    )
    ids = [check.action_id for check in page.items]
    stored = {check.action_id: check for check in GateCheck.objects.filter(action_id__in=ids)}
    return Contrasts(
        items=tuple(Contrast(check=check, live=stored.get(check.action_id)) for check in page.items),
        next_cursor=page.next_cursor,
        previous_cursor=page.previous_cursor,
    )
