"""One page of the inbox: its rows in their groups, its counts, and what its filters offer.

A fixed number of queries, however many rows. What a blind item must not show is not in its row at all.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from itertools import groupby
from typing import cast

from django.contrib.auth.models import User
from django.db import connection
from django.db.models import Aggregate, Count, Exists, FloatField, OuterRef, Prefetch, QuerySet
from django.utils import timezone
from django.utils.translation import gettext, gettext_noop

from hitl_site.lib import pagination, wording
from hitl_site.lib.navigation import MOST_COUNTED
from policies.choices import Risk
from policies.models import Agent
from reviews.choices import ActionState, ItemKind, ItemStatus
from reviews.models import ActionRequest, Decision, Escalation, ItemView, ReviewItem
from reviews.selectors import inbox, row_facts, together
from reviews.selectors.independence import ADJUDICATE, APART
from reviews.selectors.row_facts import Stated
from reviews.selectors.turn import PRESENT, name_of
from reviews.selectors.why import hold_reason

PAGE_ROWS = 50
_MOST_OPTIONS = 50
_ALONE = (ActionState.ALLOWED, ActionState.OBSERVED)
_SOON = timedelta(minutes=30)
# Somebody who left the tab for longer than this is gone.
_AWAY = timedelta(minutes=5)
_MOST_LOOKERS = 200
# What a row shows: arguments and schemas, which may be large, stay where they are.
_COLUMNS = (
    *("public_id", "kind", "blind", "action_type_name", "risk", "risk_rank", "trigger", "title", "due_at"),
    *("status", "disagreed_at"),
    *("created_at", "reminded_at", "lease_expires_at", "claimed_by", "escalated_to", "agent__name"),
    *("action__gate_check", "action__gate_check__reasons"),
    *("action__gate_check__score", "action__gate_check__threshold"),
    *("action__action_type", "action__action_type__icon", "action__action_type__bulk_cap"),
    *("action__action_type__irreversible", "action__action_type__currency"),
    *("action__subject", "approvals_required"),
    *("claimed_by__first_name", "claimed_by__last_name", "claimed_by__username"),
)
# Titles that are sentences on the review page, in the one or two words that a row has room for.
_SHORT = {"high_risk": gettext_noop("Always reviewed"), "below_threshold": gettext_noop("Below threshold")}
_TONES = {"high_risk": "no", "low_confidence": "warn", "audit": "acc"}
_NEW = frozenset({"unknown_action_type", "unknown_agent_version", "no_policy"})


# A loose scan of item_inbox_type: as many steps as there are names, however many items wait.
_TYPES_THAT_WAIT = """
WITH RECURSIVE found AS (
    (SELECT action_type_name AS name FROM reviews_reviewitem WHERE status = 'open'
     ORDER BY action_type_name LIMIT 1)
    UNION ALL
    SELECT (SELECT action_type_name FROM reviews_reviewitem
            WHERE status = 'open' AND action_type_name > found.name ORDER BY action_type_name LIMIT 1)
    FROM found WHERE found.name IS NOT NULL
)
SELECT name FROM found WHERE name IS NOT NULL LIMIT %s
"""


class _Median(Aggregate):
    """The middle value of a column (PostgreSQL's ``percentile_cont``), None without any."""

    function = "PERCENTILE_CONT"
    template = "%(function)s(0.5) WITHIN GROUP (ORDER BY %(expressions)s)"
    output_field = FloatField()


@dataclass(frozen=True, kw_only=True)
class Reading:
    """Which page: the filters, whether of everything open or of the person's turn, and where it begins.

    ``seen`` is the moment up to which arrivals are listed; later ones are counted, not shown.
    """

    view: inbox.View
    everything: bool = False
    scope: str
    cursor: str = ""
    seen: datetime | None = None


@dataclass(frozen=True)
class Held:
    """Why an item is here, for a chip."""

    label: str
    icon: str
    tone: str


@dataclass(frozen=True)
class Looker:
    """Somebody else who has the item open. ``doing`` is looking, editing, or away since they left the tab."""

    name: str
    doing: str

    @property
    def words(self) -> str:
        """Return who does what, as a sentence."""
        if self.doing == "editing":
            return gettext("{name} is editing").format(name=self.name)
        if self.doing == "away":
            return gettext("{name} is away").format(name=self.name)
        return gettext("{name} is looking").format(name=self.name)


@dataclass(frozen=True, kw_only=True)
class Row:
    """One item in the list. ``score`` and ``threshold`` are None for a blind one.

    ``remark`` is what stands beside its action type; ``stated`` what its proposal says of itself. ``alone``
    says why it cannot be decided together with others, "" where it can.
    """

    item: ReviewItem
    icon: str
    held: Held
    score: float | None
    threshold: float | None
    holder: str
    held_by_me: bool
    remark: str
    alone: str
    stated: Stated = field(default_factory=Stated)
    lookers: Sequence[Looker] = ()

    @property
    def amount(self) -> str:
        """Return what is at stake as a script reads it, "" where nothing says so."""
        return "" if self.stated.amount is None else f"{self.stated.amount:f}"

    @property
    def nothing_at_stake(self) -> str:
        """Return how an amount of zero is written, which shows a script how a sum is."""
        declared = self.item.action.action_type
        return wording.money(0, declared.currency).strip() if declared is not None else ""

    @property
    def is_incident(self) -> bool:
        return self.item.kind == ItemKind.INCIDENT

    @property
    def is_risky(self) -> bool:
        return self.item.risk in {Risk.HIGH, Risk.CRITICAL}


@dataclass(frozen=True)
class Group:
    title: str
    rows: Sequence[Row]


@dataclass(frozen=True)
class Today:
    """What a person decided since midnight where they are."""

    decided: int
    median_seconds: float | None


@dataclass(frozen=True, kw_only=True)
class InboxPage:
    """All that the list shows. ``arrived`` counts what came after ``seen``."""

    groups: Sequence[Group]
    shown: int
    counts: inbox.Counts
    oldest_seconds: float | None
    arrived: int
    seen: datetime
    after: str | None
    before: str | None


def page(reading: Reading, *, person: User, now: datetime) -> InboxPage:
    """Return one page. Raises ``pagination.InvalidCursor`` for a cursor of another list."""
    items = narrowed(reading, person=person)
    seen = reading.seen or now
    found = pagination.page(
        _with_facts(items.filter(created_at__lte=seen)),
        order_by=reading.view.order,
        limit=PAGE_ROWS,
        scope=reading.scope,
        cursor=reading.cursor or None,
    )
    lookers = _lookers(found.items, person=person, now=now)
    facts = row_facts.stated(found.items)
    rows = [
        _row(
            item,
            person=person,
            now=now,
            lookers=lookers.get(item.pk, ()),
            said=facts.get(item.pk, Stated()),
        )
        for item in found.items
    ]
    counts = inbox.count(items, now=now)
    return InboxPage(
        groups=_by_risk(rows) if reading.view.risk_first else _by_due(rows, now=now),
        shown=len(rows),
        counts=counts,
        oldest_seconds=(now - counts.oldest).total_seconds() if counts.oldest is not None else None,
        arrived=items.filter(created_at__gt=seen).order_by("created_at")[: MOST_COUNTED + 1].count()
        if reading.seen
        else 0,
        seen=seen,
        after=found.next_cursor,
        before=found.previous_cursor,
    )


def everything(reading: Reading, *, person: User) -> QuerySet[ReviewItem]:
    """Return what the reading chooses from: the person's turn, or all that is open."""
    if reading.everything:
        return inbox.visible_to(person).filter(status=ItemStatus.OPEN)
    return inbox.my_turn(person)


def narrowed(
    reading: Reading, *, person: User, agents: Mapping[str, Sequence[int]] | None = None
) -> QuerySet[ReviewItem]:
    """Return what the filters leave. ``agents`` as ``inbox.matching`` takes them."""
    return inbox.narrow(everything(reading, person=person), reading.view, person=person, agents=agents)


def count_each(readings: Mapping[str, Reading], *, person: User) -> dict[str, int]:
    """Count what waits in each of several readings, up to ``MOST_COUNTED`` and one.

    One query for all of them, and one before it where any of them searches.
    """
    if not readings:
        return {}
    names = dict(zip((f"reading_{number}" for number in range(len(readings))), readings, strict=True))
    agents = inbox.agents_named(
        word for reading in readings.values() for word in inbox.words_of(reading.view.search)
    )
    counts = {
        name: inbox.UpTo(narrowed(readings[key], person=person, agents=agents)) for name, key in names.items()
    }
    counted = cast("dict[str, int]", User.objects.values(**counts).get(pk=person.pk))
    return {key: counted[name] for name, key in names.items()}


def action_types(reading: Reading, *, person: User) -> list[str]:
    """Return the names of action types that wait, for the filter: from name to name through their index."""
    with connection.cursor() as cursor:
        cursor.execute(_TYPES_THAT_WAIT, [_MOST_OPTIONS])
        return [str(name) for (name,) in cursor.fetchall()]


def agents(reading: Reading, *, person: User) -> list[str]:
    """Return the names of agents whose actions wait, for the filter."""
    waiting = everything(reading, person=person).filter(agent=OuterRef("pk"))
    names = Agent.objects.filter(Exists(waiting)).order_by("name")
    return list(names.values_list("name", flat=True)[:_MOST_OPTIONS])


def decided_today(person: User, *, now: datetime) -> Today:
    """Return how many decisions of the person since midnight stand, and the median of their times."""
    row = Decision.objects.filter(
        reviewer=person, undone_at=None, decided_at__gte=_midnight(now, days=0)
    ).aggregate(n=Count("pk"), median=_Median("decision_ms"))
    median = cast("float | None", row["median"])
    return Today(decided=row["n"], median_seconds=None if median is None else median / 1000)


def up_to_most(items: QuerySet[ReviewItem]) -> int:
    """Count items up to ``MOST_COUNTED`` and one."""
    return items.order_by()[: MOST_COUNTED + 1].count()


def ran_alone_today(*, now: datetime) -> int:
    """Count the actions that ran on their own since midnight, up to ``MOST_COUNTED`` and one an agent."""
    today = ActionRequest.objects.filter(
        agent=OuterRef("pk"), created_at__gte=_midnight(now, days=0), state__in=_ALONE, drill=False
    )
    counted = Agent.objects.annotate(alone=inbox.UpTo(today)).values_list("alone", flat=True)
    return min(sum(counted), MOST_COUNTED + 1)


def has_agents() -> bool:
    """Say whether anybody has registered an agent yet."""
    return Agent.objects.exists()


def _with_facts(items: QuerySet[ReviewItem]) -> QuerySet[ReviewItem]:
    passed_on = Escalation.objects.order_by("-id")
    return (
        items.select_related("action__gate_check", "action__action_type", "agent", "claimed_by")
        .only(*_COLUMNS)
        .prefetch_related(Prefetch("escalations", queryset=passed_on))
    )


def _lookers(items: Sequence[ReviewItem], *, person: User, now: datetime) -> dict[int, list[Looker]]:
    """Return who else has each of the items open, or had it a moment ago: each person once."""
    views = (
        ItemView.objects.filter(item__in=[item.pk for item in items], last_seen_at__gt=now - _AWAY)
        .exclude(reviewer=person)
        .select_related("reviewer")
        .order_by("-last_seen_at")[:_MOST_LOOKERS]
    )
    found: dict[int, dict[int, Looker]] = {}
    for view in views:
        doing = "editing" if view.editing else "looking"
        if view.last_seen_at <= now - PRESENT:
            doing = "away"
        found.setdefault(view.item_id, {}).setdefault(view.reviewer_id, Looker(name_of(view.reviewer), doing))
    return {item: list(people.values()) for item, people in found.items()}


def _row(item: ReviewItem, *, person: User, now: datetime, lookers: Sequence[Looker], said: Stated) -> Row:
    check = item.action.gate_check
    declared = item.action.action_type
    # Of an incident they would say how likely the proposal was right, which is not the question any more.
    hidden = item.blind or item.kind == ItemKind.INCIDENT
    lease = item.lease_expires_at
    holder = item.claimed_by if lease is not None and lease > now else None
    return Row(
        item=item,
        icon=declared.icon if declared is not None else "circle-help",
        held=held(item, person=person),
        score=None if hidden else check.score,
        threshold=None if hidden else check.threshold,
        holder=name_of(holder) if holder is not None else "",
        held_by_me=holder == person,
        remark=_remark(item, said),
        alone=together.why_alone(item),
        stated=said,
        lookers=[looker for looker in lookers if holder is None or looker.name != name_of(holder)]
        if item.kind not in APART
        else (),
    )


def held(item: ReviewItem, *, person: User) -> Held:
    """Return why an item is here, as far as this person may know."""
    if item.escalated_to_id == person.pk:
        return Held(gettext("Escalated to you"), "arrow-up-right", "up")
    if item.kind == ItemKind.INCIDENT:
        return Held(gettext("Incident"), "circle-alert", "no")
    if item.kind == ItemKind.ADJUDICATION:
        return Held(gettext("Answers differ"), "layers", "warn")
    if item.disagreed_at is not None and person.has_perm(ADJUDICATE):
        return Held(gettext("Answers differ"), "layers", "warn")
    if item.blind:
        return Held(gettext("Routine check"), "eye", "acc")
    first: dict[str, object] = next(iter(item.action.gate_check.reasons), {})
    reason = hold_reason(first)
    code = str(first.get("code", ""))
    tone = "acc" if code in _NEW else _TONES.get(item.trigger, "")
    title = gettext(_SHORT[code]) if code in _SHORT else reason.title
    return Held(title or str(item.get_trigger_display()), reason.icon, tone)


def _remark(item: ReviewItem, said: Stated) -> str:
    """Return the one fact that matters beside the title.

    Who passed the item on and what they said of it; else that it has waited long, what the proposal says of
    itself or whom it is about, and that it cannot be undone.
    """
    latest = next(iter(item.escalations.all()), None)
    if latest is not None:
        return gettext("escalated by {name}: “{note}”").format(name=latest.reviewer_name, note=latest.note)
    declared = item.action.action_type
    facts = [
        gettext("half its time is over") if item.reminded_at is not None else "",
        said.fact or item.action.subject,
        gettext("cannot be undone") if declared is not None and declared.irreversible else "",
    ]
    return " · ".join([*filter(None, facts), item.agent.name])


def _by_due(rows: Sequence[Row], *, now: datetime) -> list[Group]:
    tomorrow = _midnight(now, days=1)

    def title(row: Row) -> str:
        due = row.item.due_at
        if due <= now:
            return gettext("Overdue")
        if due <= now + _SOON:
            return gettext("Due within 30 minutes")
        return gettext("Today") if due < tomorrow else gettext("Later")

    return _grouped(rows, title)


def _by_risk(rows: Sequence[Row]) -> list[Group]:
    return _grouped(rows, lambda row: str(row.item.get_risk_display()))


def _grouped(rows: Sequence[Row], title: Callable[[Row], str]) -> list[Group]:
    return [Group(name, list(members)) for name, members in groupby(rows, key=title)]


def _midnight(now: datetime, *, days: int) -> datetime:
    """Return when the viewer's day begins, some days on: by the calendar, since a day may have 23 hours."""
    day = timezone.localtime(now).date() + timedelta(days=days)
    return datetime.combine(day, time.min, tzinfo=timezone.get_current_timezone())
