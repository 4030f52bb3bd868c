"""What the pages of the team show: the load of each person, the queues, and one person's own numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import quantiles
from typing import Final

from django.contrib.auth.models import User
from django.db.models import Count, F, Q, QuerySet
from django.utils.translation import gettext_lazy

from hitl_site.lib.navigation import MOST_COUNTED
from policies.models import ActionType
from reviews.choices import ItemStatus
from reviews.models import Capacity, Channel, Decision, Queue, QueueMember, ReviewItem, Shift, Skill
from reviews.models.team import NO_ACTION_TYPE
from reviews.selectors import inbox, people, team

# A team has a page, an organisation does not: who comes after that is found by address.
MOST_PEOPLE: Final = 100
# Below that, what looks like a habit is chance.
ENOUGH: Final = 30
OVER: Final = timedelta(days=30)
DAYS: Final = (
    gettext_lazy("Monday"),
    gettext_lazy("Tuesday"),
    gettext_lazy("Wednesday"),
    gettext_lazy("Thursday"),
    gettext_lazy("Friday"),
    gettext_lazy("Saturday"),
    gettext_lazy("Sunday"),
)


@dataclass(frozen=True)
class Load:
    """One person's share: what waits that they may decide, what they hold of what they can, their skills."""

    person: User
    waiting: int
    held: int
    capacity: int | None
    on_duty: bool
    # None is every action type.
    skills: Sequence[str] | None
    queues: Sequence[str]


@dataclass(frozen=True)
class QueueRow:
    """A queue with its members and the channels its news goes to. Without members it is everybody's."""

    queue: Queue
    waiting: int
    members: Sequence[User]
    channels: Sequence[Channel]


@dataclass(frozen=True)
class Numbers:
    """A person's last thirty days. The times are None below thirty decisions: too few to mean anything."""

    decisions: int
    days: int
    overridden: int
    lower: float | None
    median: float | None
    upper: float | None


def everybody() -> QuerySet[User]:
    """Return who may decide review items, by name."""
    return people.reviewers().order_by("first_name", "username")


def loads(*, now: datetime) -> list[Load]:
    """Return the load of each reviewer."""
    found = list(everybody()[:MOST_PEOPLE])
    keys = [person.pk for person in found]
    duty = team.on_duty_among(keys, now=now)
    held = dict(
        ReviewItem.objects.filter(
            claimed_by__in=keys, lease_expires_at__gt=now, status=ItemStatus.OPEN
        ).values_list("claimed_by", Count("pk"))
    )
    limits = dict(Capacity.objects.filter(user__in=keys).values_list("user", "most_held"))
    skills = _grouped(Skill.objects.filter(user__in=keys).order_by("action_type_name"), "action_type_name")
    queues = _grouped(QueueMember.objects.filter(user__in=keys).order_by("queue__name"), "queue__name")
    return [
        Load(
            person=person,
            waiting=inbox.my_turn(person).order_by()[: MOST_COUNTED + 1].count(),
            held=held.get(person.pk, 0),
            capacity=limits.get(person.pk),
            on_duty=person.pk in duty,
            skills=_without_the_mark(skills.get(person.pk)),
            queues=queues.get(person.pk, []),
        )
        for person in found
    ]


def queue_rows() -> list[QueueRow]:
    """Return every queue with what waits in it."""
    waiting = Count("items", filter=Q(items__status=ItemStatus.OPEN, items__reserved_for=None))
    members: dict[int, list[User]] = {}
    for row in QueueMember.objects.select_related("user").order_by("user__first_name", "user__username"):
        members.setdefault(row.queue_id, []).append(row.user)
    channels: dict[int, list[Channel]] = {}
    for channel in Channel.objects.filter(ended_at=None).order_by("name"):
        channels.setdefault(channel.queue_id, []).append(channel)
    return [
        QueueRow(queue, queue.waiting, members.get(queue.pk, []), channels.get(queue.pk, []))
        for queue in Queue.objects.annotate(waiting=waiting).order_by("name", "pk")
    ]


def shifts_of(person: User) -> list[Shift]:
    """Return the person's rota: the days of the week, then the dates."""
    return list(
        Shift.objects.filter(user=person).order_by(F("weekday").asc(nulls_last=True), "on_date", "starts")
    )


def skills_of(person: User) -> list[tuple[str, str, bool]]:
    """Return each action type: its name, its title, and whether it is among the person's skills."""
    own = team.skills_of(person) or frozenset()
    types = ActionType.objects.order_by("name").values_list("name", "title")
    return [(name, title, name in own) for name, title in types]


def numbers(person: User, *, now: datetime) -> Numbers:
    """Return the person's own numbers of the last thirty days: for them and for leads alone."""
    decided = Decision.objects.filter(reviewer=person, undone_at=None, decided_at__gt=now - OVER)
    row = decided.aggregate(
        decisions=Count("pk"), days=Count("decided_at__date", distinct=True),
        overridden=Count("pk", filter=~Q(kind="approve")),
    )  # fmt: skip
    spent = decided.values_list("decision_ms", flat=True)
    times = [milliseconds / 1000 for milliseconds in spent if milliseconds is not None]
    lower, median, upper = quantiles(times, n=4) if len(times) >= ENOUGH else (None, None, None)
    return Numbers(row["decisions"], row["days"], row["overridden"], lower, median, upper)


def _without_the_mark(skills: Sequence[str] | None) -> Sequence[str] | None:
    return None if skills is None else [name for name in skills if name != NO_ACTION_TYPE]


def _grouped(rows: QuerySet[Skill] | QuerySet[QueueMember], column: str) -> dict[int, list[str]]:
    found: dict[int, list[str]] = {}
    for user, value in rows.values_list("user", column):
        found.setdefault(user, []).append(value)
    return found
