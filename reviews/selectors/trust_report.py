"""The trust page as a whole: the period's numbers, and how they came to be week by week."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from functools import partial
from itertools import pairwise
from typing import Final
from urllib.parse import urlencode

from django.db.models import Count, Q, Sum
from django.utils.formats import date_format
from django.utils.translation import gettext, pgettext

from hitl_site.lib import wording
from hitl_site.lib.charts import Axis, Dots, Line, Plot, Point, on_one_scale, whole_percent
from policies.choices import AutonomyLevel
from policies.models import ActionType, AutonomyGrant, ScoreBin
from policies.selectors.catch_rate import CatchRate
from policies.selectors.released import ENOUGH_CHECKS
from policies.selectors.trust import TrustFilter
from policies.statistics.intervals import clopper_pearson, lower_limit, upper_limit
from reviews.selectors import reasons, trust, trust_drills, trust_facts, trust_risk
from reviews.selectors.trust_facts import Counted, Stake

WEEKS: Final = 8
# So many action types have their small charts, those with the most actions.
_CHARTS: Final = 6
_MOST_GRANTS: Final = 500
_RANK: Final = {level: rank for rank, level in enumerate(AutonomyLevel)}


@dataclass(frozen=True, slots=True)
class Step:
    """That a version was given more leave, or less."""

    at: datetime
    action_type: str
    agent: str
    version: str
    version_id: str
    before: str
    after: str
    up: bool
    who: str


@dataclass(frozen=True, slots=True)
class Reason:
    """A reason, in the words of its action type, and how often it was given."""

    code: str
    label: str
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Week:
    """One calendar week (UTC, from Monday) of one action type, or of all."""

    start: date
    proposed: int
    alone: int
    labels: int
    wrong: float | None
    low: float
    high: float
    # The change against the week before, in words; None for the first and for a week that is not over.
    change: str | None = None

    @property
    def query(self) -> str:
        """Return the part of an address that means this week."""
        return urlencode({"week": self.start.isoformat()})

    @property
    def alone_share(self) -> float | None:
        return self.alone / self.proposed if self.proposed else None


@dataclass(frozen=True, slots=True, kw_only=True)
class TypeFacts:
    """What stands under one action type's table."""

    name: str
    reasons: tuple[Reason, ...]
    fields: tuple[Counted, ...]
    drills: CatchRate | None
    stake: Stake | None

    @property
    def query(self) -> str:
        """Return the part of an address that means this action type."""
        return urlencode({"type": self.name})


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustReport:
    """All of the page."""

    page: trust.TrustPage
    facts: dict[str, TypeFacts]
    steps: tuple[Step, ...]
    weeks: tuple[Week, ...]
    alone_charts: tuple[Plot, ...]
    wrong_charts: tuple[Plot, ...]
    drills: CatchRate | None

    @property
    def sections(self) -> list[tuple[trust.TypeGroup, TypeFacts]]:
        """Return each action type's lines with what is known beside them."""
        return [(group, self.facts[group.name]) for group in self.page.groups]

    @property
    def riskiest(self) -> list[trust_risk.RiskyType]:
        """Return the action types of which the most wrong actions may have gone out."""
        return trust_risk.riskiest(self.page)


def report(filters: TrustFilter, *, now: datetime) -> TrustReport:
    """Return the page for a period. The same number of queries, however many types, versions and actions."""
    page = trust.page(filters, now=now)
    types = {line.row.action_type.name: line.row.action_type for line in _lines(page) if line.row.action_type}
    why, where = trust_facts.reasons(filters), trust_facts.fields(filters)
    stakes = trust_facts.stakes(filters, list(types.values()))
    caught = drills(filters)
    by_type = weeks(filters, now=now)
    names = [group.name for group in page.groups if group.name in by_type][:_CHARTS]
    titles = {group.name: group.title for group in page.groups}
    return TrustReport(
        page=page,
        facts={
            group.name: TypeFacts(
                name=group.name,
                reasons=_worded(why.get(group.name, []), types.get(group.name)),
                fields=tuple(where.get(group.name, [])),
                drills=caught.get(group.name),
                stake=stakes.get(group.name),
            )
            for group in page.groups
        },
        steps=tuple(steps(filters)),
        weeks=tuple(by_type.get("", ())),
        alone_charts=_charts("alone", names, titles, by_type),
        wrong_charts=_charts("wrong", names, titles, by_type),
        drills=caught.get(""),
    )


def drills(filters: TrustFilter) -> dict[str, CatchRate]:
    """Return how many planted errors people caught in the period, by action type; under "" all of them.

    As many as ``trust_drills`` lists.
    """
    rows = list(
        trust_drills.results(filters)
        .order_by()
        .values_list("action_type__name")
        .annotate(planted=Count("pk"), caught=Count("pk", filter=Q(caught=True)))
    )
    if not rows:
        return {}
    rows.append(("", sum(row[1] for row in rows), sum(row[2] for row in rows)))
    return {
        name: CatchRate(planted, seen, lower_limit(seen, planted, 0.025), upper_limit(seen, planted, 0.025))
        for name, planted, seen in rows
    }


def steps(filters: TrustFilter) -> list[Step]:
    """Return the promotions and demotions of the period, newest first; a lapsed grant is a demotion."""
    grants = AutonomyGrant.objects.select_related("action_type", "agent_version__agent")
    if filters.action_type_name:
        grants = grants.filter(action_type__name=filters.action_type_name)
    if filters.agent is not None:
        grants = grants.filter(agent_version__agent=filters.agent)
    if filters.agent_version is not None:
        grants = grants.filter(agent_version=filters.agent_version)
    by_cell: defaultdict[tuple[int, int], list[AutonomyGrant]] = defaultdict(list)
    for grant in sorted(grants.order_by("-id")[:_MOST_GRANTS], key=lambda each: each.pk):
        by_cell[grant.action_type_id, grant.agent_version_id].append(grant)
    found = [step for cell in by_cell.values() for step in _steps_of(cell)]
    since, until = filters.since, filters.until
    within = [
        each for each in found if (since is None or each.at >= since) and (until is None or each.at < until)
    ]
    return sorted(within, key=lambda each: each.at, reverse=True)


def weeks(filters: TrustFilter, *, now: datetime) -> dict[str, list[Week]]:
    """Return the last weeks of each action type, and under "" of all, from the counts kept by day.

    No action is read: the counts follow the record within seconds. What no type declares is in none.
    """
    this_week = now.date() - timedelta(days=now.date().weekday())
    first = this_week - timedelta(weeks=WEEKS - 1)
    bins = ScoreBin.objects.filter(day__gte=first)
    if filters.action_type_name:
        bins = bins.filter(action_type__name=filters.action_type_name)
    if filters.agent is not None:
        bins = bins.filter(agent_version__agent=filters.agent)
    if filters.agent_version is not None:
        bins = bins.filter(agent_version=filters.agent_version)
    sums: defaultdict[tuple[str, date], list[float]] = defaultdict(lambda: [0.0] * 7)
    rows = (
        bins.order_by()
        .values_list("action_type__name", "day")
        .annotate(Sum("n"), Sum("alone"), Sum("labelled"), Sum("held_labels"), Sum("w"), Sum("w2"), Sum("wy"))
    )
    for name, day, *numbers in rows:
        monday = day - timedelta(days=day.weekday())
        for key in ((name, monday), ("", monday)):
            sums[key] = [one + other for one, other in zip(sums[key], numbers, strict=True)]
    starts = [first + timedelta(weeks=number) for number in range(WEEKS)]
    names = {name for name, _ in sums}
    return {
        name: _with_changes([_week(start, sums[name, start]) for start in starts], this_week)
        for name in names
    }


def _with_changes(found: list[Week], this_week: date) -> list[Week]:
    """Return the weeks with what changed: the present one is not over, and compared with nothing."""
    changed = found[:1]
    for before, week in pairwise(found):
        words = None
        if before.proposed and week.start != this_week:
            change = week.proposed / before.proposed - 1
            signed = f"{'+' if change >= 0 else ''}{wording.share_of(change)}"
            words = gettext("{change} on the week before").format(change=signed)
        changed.append(replace(week, change=words))
    return changed


def _week(start: date, numbers: Sequence[float]) -> Week:
    proposed, alone, labels, held, w, w2, wy = numbers
    rate = wy / w if w else None
    # Kish's effective number of labels; a range from it is approximate.
    effective = int(w * w / w2) if w2 else 0
    low, high = clopper_pearson(min(effective, round((rate or 0.0) * effective)), effective)
    return Week(
        start=start,
        proposed=int(proposed),
        alone=int(alone),
        labels=int(labels),
        # Held actions are the hard ones: alone they say nothing of what ran without anybody.
        wrong=rate if labels >= ENOUGH_CHECKS and (labels > held or not alone) else None,
        low=min(low, rate or 0.0),
        high=max(high, rate or 0.0),
    )


def _charts(
    kind: str, names: Sequence[str], titles: dict[str, str], by_type: dict[str, list[Week]]
) -> tuple[Plot, ...]:
    """Return a small chart for each type, all on one scale."""
    plots = []
    for number, name in enumerate(names):
        found = by_type[name]
        place = {float(week): each for week, each in enumerate(found)}
        axis = Axis(label=gettext("Week of"), ticks=(0.0, float(WEEKS - 1)), words=partial(_day, place))
        if kind == "alone":
            points = tuple(Point(x=at, y=each.alone_share, n=each.proposed) for at, each in place.items())
            series: Line | Dots = Line(label=gettext("Ran alone"), points=points, marked=True)
            title = gettext("{type}: share that ran alone").format(type=titles[name])
            left = Axis(low=0.0, high=1.0, words=whole_percent)
            state = "alone"
        else:
            points = tuple(
                Point(x=at, y=each.wrong, low=each.low, high=each.high, n=each.labels)
                for at, each in place.items()
                if each.wrong is not None
            )
            series = Dots(label=gettext("Wrong"), points=points, tone=2)
            title = gettext("{type}: wrong, of everything").format(type=titles[name])
            left = Axis(low=0.0, words=whole_percent)
            state = "looked"
            if not points:
                continue
        plots.append(
            Plot(
                name=f"{kind}-{number}",
                title=title,
                description=gettext(
                    "By week, the last {weeks} weeks; the numbers are in the table below."
                ).format(weeks=WEEKS),
                series=(series,),
                x=axis,
                left=left,
                height=180,
                asks=tuple(
                    (at, urlencode({"week": each.start.isoformat(), "type": name, "state": state}))
                    for at, each in place.items()
                ),
            )
        )
    return tuple(on_one_scale(plots))


def _day(place: dict[float, Week], at: float) -> str:
    week = place.get(float(round(at)))
    return date_format(week.start, pgettext("date format", "j M")) if week is not None else ""


def _worded(counted: Iterable[Counted], action_type: ActionType | None) -> tuple[Reason, ...]:
    labels = {each.code: each.label for each in reasons.reason_codes(action_type)}
    return tuple(Reason(each.name, labels.get(each.name, each.name), each.count) for each in counted)


def _steps_of(grants: Sequence[AutonomyGrant]) -> Iterable[Step]:
    """Return what the grants of one version and type, oldest first, changed."""
    level = AutonomyLevel(grants[0].action_type.first_contact_level)
    for place, grant in enumerate(grants):
        after = AutonomyLevel(grant.level)
        if after != level:
            yield _step(grant, grant.granted_at, level, after, grant.granted_by_name)
        level = after
        following = grants[place + 1].granted_at if place + 1 < len(grants) else None
        if grant.ended_at is not None and grant.ended_at != following:
            first = AutonomyLevel(grant.action_type.first_contact_level)
            if first != level:
                yield _step(grant, grant.ended_at, level, first, "")
            level = first


def _step(grant: AutonomyGrant, at: datetime, before: AutonomyLevel, after: AutonomyLevel, who: str) -> Step:
    return Step(
        at=at,
        action_type=grant.action_type.name,
        agent=grant.agent_version.agent.name,
        version=grant.agent_version.label,
        version_id=grant.agent_version.public_id,
        before=str(before.label),
        after=str(after.label),
        up=_RANK[after] > _RANK[before],
        who=who,
    )


def _lines(page: trust.TrustPage) -> Iterable[trust.TrustLine]:
    for group in page.groups:
        yield from group.lines
