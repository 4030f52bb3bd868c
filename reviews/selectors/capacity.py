"""How many people the reviewing takes: from the busiest hour, the time a look takes, and the deadlines.

The queue is Erlang's with the correction for uneven handling times (statistics.md 1.7). With deadlines of
hours the forecast is the better picture: what comes and what is answered, hour by hour, as in the last weeks.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from django.db.models import Aggregate, Avg, Count, ExpressionWrapper, F, FloatField, QuerySet, StdDev, Sum
from django.db.models import DurationField as Duration
from django.db.models.functions import Least, TruncHour
from django.utils.formats import date_format
from django.utils.translation import gettext

from hitl_site.lib.charts import Axis, Line, Plot, Point, plain
from policies.models import ActionType, ScoreBin
from policies.selectors import policies
from policies.statistics.staffing import backlog, erlang_c, service, staff_needed
from reviews.choices import ItemKind, ItemStatus
from reviews.models import Decision, ReviewItem

WEEKS: Final = 4
TARGET: Final = 0.95
MOST_BUSY: Final = 0.85
SHRINKAGE: Final = 0.3
FEWEST_LOOKS: Final = 30
# A look that was left open over lunch is no longer than this.
_LONGEST_MS: Final = 30 * 60_000
_STEPS: Final = (-0.1, -0.05, 0.0, 0.05, 0.1)
_BINS: Final = 1000
_WEEK_HOURS: Final = 7 * 24
_KINDS: Final = (ItemKind.GATE, ItemKind.AUDIT, ItemKind.SECOND_OPINION)


class _Median(Aggregate):
    function = "PERCENTILE_CONT"
    template = "%(function)s(0.5) WITHIN GROUP (ORDER BY %(expressions)s)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """How many reviewers it takes, and what they give. ``busy`` is the share of their time that is taken."""

    per_hour: float
    at_work: int
    rostered: int
    in_time: float
    wait_seconds: float
    busy: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What another threshold of one action type would need."""

    threshold: float
    held_share: float
    need: Need
    is_live: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Capacity:
    """All of the page. ``need`` is None while too little is known to compute it."""

    busiest: float
    minutes: float | None
    cv: float
    looks: int
    deadline_minutes: float | None
    waiting: int
    people: int
    need: Need | None
    forecast: Plot | None
    in_a_week: float | None
    arrivals_a_week: float
    answers_a_week: float
    action_type: ActionType | None
    choices: tuple[Choice, ...]

    @property
    def deadline_seconds(self) -> float | None:
        return None if self.deadline_minutes is None else 60 * self.deadline_minutes


def capacity(*, action_type: ActionType | None, now: datetime) -> Capacity:
    """Return what the last weeks say. Hours are UTC; an hour in which nothing came is not a busy one."""
    since = now - timedelta(weeks=WEEKS)
    items = ReviewItem.objects.filter(kind__in=_KINDS, created_at__gte=since, action__drill=False)
    came = _by_hour(items, "created_at")
    answers = Decision.objects.filter(
        terminal=True, undone_at=None, decided_at__gte=since, item__kind__in=_KINDS, action__drill=False
    )
    done = _by_hour(answers, "decided_at")
    looks = answers.filter(bulk=False, decision_ms__isnull=False).aggregate(
        n=Count("pk"),
        mean=Avg(Least(F("decision_ms"), _LONGEST_MS), output_field=FloatField()),
        spread=StdDev(Least(F("decision_ms"), _LONGEST_MS), output_field=FloatField()),
        people=Count("reviewer", distinct=True),
    )
    due = items.aggregate(
        middle=_Median(
            ExpressionWrapper(F("due_at") - F("created_at"), output_field=Duration()), output_field=Duration()
        )
    )["middle"]
    waiting = ReviewItem.objects.filter(status=ItemStatus.OPEN, kind__in=_KINDS, action__drill=False).count()
    known = looks["n"] >= FEWEST_LOOKS and bool(looks["mean"]) and due is not None
    minutes = looks["mean"] / 60_000 if known else None
    deadline = due.total_seconds() / 60 if due is not None else None
    cv = looks["spread"] / looks["mean"] if known else 1.0
    busiest = busiest_hour(list(came.values()))
    need = None
    if minutes is not None and deadline is not None and busiest:
        need = need_of(busiest, minutes, deadline, cv)
    forecast = _forecast(came, done, waiting=waiting, now=now)
    choices: tuple[Choice, ...] = ()
    if need is not None and minutes is not None and deadline is not None and action_type is not None:
        mine = _by_hour(items.filter(action_type_name=action_type.name), "created_at")
        own = busiest_hour(list(mine.values()))
        choices = _choices(action_type, own, busiest, minutes=minutes, deadline=deadline, cv=cv, since=since)
    return Capacity(
        busiest=busiest,
        minutes=minutes,
        cv=cv,
        looks=looks["n"],
        deadline_minutes=deadline,
        waiting=waiting,
        people=looks["people"],
        need=need,
        forecast=_plot(forecast, now) if came else None,
        in_a_week=forecast[-1] if came else None,
        arrivals_a_week=sum(came.values()) / WEEKS,
        answers_a_week=sum(done.values()) / WEEKS,
        action_type=action_type,
        choices=choices,
    )


def busiest_hour(counts: Sequence[int]) -> float:
    """Return the 95th percentile of the hours in which something came (the nearest rank)."""
    if not counts:
        return 0.0
    ordered = sorted(counts)
    return float(ordered[math.ceil(0.95 * len(ordered)) - 1])


def need_of(per_hour: float, minutes: float, deadline: float, cv: float) -> Need:
    """Return the fewest reviewers who begin ``TARGET`` in time and are at most ``MOST_BUSY`` of it busy.

    Uneven handling lengthens waits by (1 + cv^2) / 2 (Allen and Cunneen): reviewers are added until the
    corrected share reaches the target too.
    """
    found = staff_needed(per_hour, minutes, deadline, TARGET, max_occupancy=MOST_BUSY, shrinkage=SHRINKAGE)
    servers, load = found.at_work, per_hour * minutes / 60
    stretch = max(1.0, (1 + cv * cv) / 2)

    def in_time(people: int) -> float:
        spare = (people - load) * deadline / (minutes * stretch)
        return 1 - erlang_c(people, load) * math.exp(-spare)

    while in_time(servers) < TARGET:
        servers += 1
    given = service(servers, per_hour, minutes, deadline, cv=cv)
    return Need(
        per_hour=per_hour,
        at_work=servers,
        rostered=math.ceil(servers / (1 - SHRINKAGE)),
        in_time=in_time(servers),
        wait_seconds=given.mean_wait_minutes * 60,
        busy=given.occupancy,
    )


def _choices(
    action_type: ActionType,
    own: float,
    all_of_it: float,
    *,
    minutes: float,
    deadline: float,
    cv: float,
    since: datetime,
) -> tuple[Choice, ...]:
    """Return what thresholds around the live one would need: held by the score alone, rules as they are."""
    live = policies.live_version(action_type)
    threshold = policies.live_document(live).threshold if live is not None else None
    if threshold is None:
        return ()
    rows = dict(
        ScoreBin.objects.filter(action_type=action_type, day__gte=since.date())
        .order_by()
        .values_list("bin")
        .annotate(Sum("n"))
    )
    total = sum(rows.values())
    if not total:
        return ()

    def share(at: float) -> float:
        # Without a score (bin -1) nothing passes.
        return float(sum(n for place, n in rows.items() if place < round(at * _BINS))) / total

    held_now = share(threshold)
    found = []
    for step in _STEPS:
        at = round(min(1.0, max(0.0, threshold + step)), 3)
        held = share(at)
        # Each point more that is held brings as many more in the busiest hour.
        more = own * (held / held_now - 1) if held_now else 0.0
        need = need_of(max(0.1, all_of_it + more), minutes, deadline, cv)
        found.append(Choice(threshold=at, held_share=held, need=need, is_live=step == 0.0))
    return tuple(found)


def _by_hour(rows: QuerySet[ReviewItem] | QuerySet[Decision], moment: str) -> Counter[datetime]:
    counted = (
        rows.order_by().annotate(hour=TruncHour(moment, tzinfo=UTC)).values_list("hour").annotate(Count("pk"))
    )
    return Counter(dict(counted))


def _forecast(
    came: Counter[datetime], done: Counter[datetime], *, waiting: int, now: datetime
) -> list[float]:
    """Return what waits at the end of each hour of the next week, if it goes on as in the last weeks."""
    start = now.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    hours = [start + timedelta(hours=number) for number in range(_WEEK_HOURS)]

    def usual(counted: Counter[datetime], hour: datetime) -> float:
        return sum(counted[hour - timedelta(weeks=ago)] for ago in range(1, WEEKS + 1)) / WEEKS

    return backlog(
        [usual(came, hour) for hour in hours], [usual(done, hour) for hour in hours], waiting=float(waiting)
    )


def _plot(forecast: Sequence[float], now: datetime) -> Plot:
    def day(at: float) -> str:
        moment = now.astimezone(UTC) + timedelta(hours=at)
        return date_format(moment, "D H:00")

    points = tuple(Point(x=float(hour), y=left) for hour, left in enumerate(forecast, start=1))
    return Plot(
        name="forecast",
        title=gettext("What will wait"),
        description=gettext(
            "Items waiting at the end of each hour of the next week, at the rate of the last weeks."
        ),
        series=(Line(label=gettext("Waiting"), points=points),),
        x=Axis(label=gettext("Hour"), ticks=tuple(float(each) for each in range(24, 169, 24)), words=day),
        left=Axis(label=gettext("items"), words=plain),
        height=220,
    )
