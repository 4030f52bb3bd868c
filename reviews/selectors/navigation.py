"""What the side bar shows a person: the places they may go to, what waits there, and how many agents run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from urllib.parse import urlencode

from django.contrib.auth.models import User
from django.db.models import Count, Exists, OuterRef, Q, Subquery
from django.urls import NoReverseMatch, reverse
from django.utils.translation import gettext, gettext_noop

from hitl_site.lib.navigation import MOST_COUNTED, FleetState, NavEntry, NavSection
from policies.choices import AgentState, KillSwitchScope
from policies.models import Agent, KillSwitch
from policies.selectors import declaration_changes, publications
from reviews.choices import ItemStatus
from reviews.models import Notice, Queue, ReviewItem
from reviews.selectors import inbox, incidents, independence, saved_views
from reviews.selectors.inbox import UpTo
from reviews.selectors.independence import ADJUDICATE

_QUEUE_COLUMNS = ("name", "slug", "icon")
_REVIEW, _VIEW_ANY = "reviews.review_item", "reviews.view_any_item"
_MANAGE = "policies.manage_policies"


@dataclass(frozen=True)
class _Place:
    """A page of "Manage": shown where its address exists, to those who have one of the rights."""

    label: str
    names: tuple[str, ...]
    icon: str
    rights: tuple[str, ...]
    mobile: bool = False
    # Pages that belong to it and have addresses beside its own.
    beside: tuple[str, ...] = ()
    # Whether it has room in the narrow rail.
    rail: bool = True


_AGENT_RIGHTS = (
    "policies.view_agent",
    "policies.manage_agents",
    "policies.use_kill_switch",
    "policies.grant_autonomy",
)
_PLACES = (
    _Place(
        gettext_noop("Policies"),
        ("policies:index",),
        "sliders-horizontal",
        ("policies.view_actiontype", "policies.manage_policies"),
        beside=("/calibration/",),
    ),
    _Place(
        gettext_noop("Autonomy"),
        ("policies:autonomy",),
        "award",
        ("policies.view_observation", "policies.view_agent", "policies.grant_autonomy"),
    ),
    _Place(
        gettext_noop("Trust"),
        ("reviews:trust", "policies:trust"),
        "trending-up",
        ("policies.view_observation",),
        mobile=True,
    ),
    _Place(
        gettext_noop("Capacity"), ("reviews:capacity",), "gauge", ("policies.view_observation",), rail=False
    ),
    _Place(
        gettext_noop("Reviewing well"),
        ("reviews:quality",),
        "graduation-cap",
        (ADJUDICATE, _REVIEW),
        rail=False,
    ),
    _Place(gettext_noop("Agents"), ("policies:agents",), "bot", _AGENT_RIGHTS, mobile=True),
    _Place(gettext_noop("Audit log"), ("policies:ledger",), "scroll-text", ("policies.view_ledgerentry",)),
    _Place(gettext_noop("Team"), ("reviews:team",), "users", ("reviews.view_team",)),
    _Place(gettext_noop("Drills"), ("datasets:drills",), "target", ("reviews.manage_drills",), rail=False),
    _Place(
        gettext_noop("Datasets"),
        ("datasets:index",),
        "database",
        ("datasets.view_dataset", "datasets.export_dataset"),
        beside=(
            "/cases/",
            "/dataset-versions/",
            "/exports/",
            "/redaction/",
            "/evals/",
            "/graders/",
            "/learning/",
        ),
    ),
    _Place(
        gettext_noop("Failures"),
        ("datasets:failures",),
        "list-x",
        ("policies.view_observation", "datasets.view_dataset", "datasets.export_dataset"),
        rail=False,
    ),
    _Place(
        gettext_noop("Conversations"),
        ("datasets:conversations",),
        "message-square",
        (_REVIEW, _VIEW_ANY),
        rail=False,
    ),
    _Place(
        gettext_noop("Privacy"),
        ("datasets:privacy",),
        "eraser",
        ("datasets.manage_retention", "policies.view_removal"),
        rail=False,
    ),
)


@dataclass(frozen=True)
class Here:
    """Where the person is: the path, and the view, queue and due of an inbox's address."""

    path: str
    query: Mapping[str, str]

    def within(self, url: str) -> bool:
        return self.path.startswith(url)

    @property
    def at_an_item(self) -> bool:
        """Say whether one item has the page, whose narrow rail has no room for views."""
        return self.within(reverse("reviews:home") + "review/itm_")


CountViews = Callable[[Sequence[saved_views.Listed]], Mapping[str, int]]


@dataclass(frozen=True)
class SideBar:
    """The places, and what the person was told: how much of it is new, and the key of the latest notice."""

    sections: Sequence[NavSection]
    unread: int = 0
    latest_notice: int = 0


def sections(person: User, *, here: Here, now: datetime) -> Sequence[NavSection]:
    """Return the places of the side bar."""
    return side_bar(person, here=here, now=now).sections


def side_bar(person: User, *, here: Here, now: datetime, count_views: CountViews | None = None) -> SideBar:
    """Return the side bar: one query for what waits, one more for each further right that lists something.

    ``count_views`` says what waits in saved views, by their ids; asked only where there are any to show.
    """
    waits = _waiting(person, now=now) if inbox.may_look(person) else None
    found = []
    if waits is not None:
        if count_views is not None and waits.views and not here.at_an_item:
            waits = replace(waits, in_views=count_views(waits.views))
        found.append(NavSection(gettext("Queues"), _queues(person, waits, here=here)))
    found.append(
        NavSection(
            gettext("Manage"), _with_one_current(_manage(person, here=here), _to_approve(person, here=here))
        )
    )
    return SideBar(
        [section for section in found if section.entries],
        unread=waits.notices if waits is not None else 0,
        latest_notice=waits.latest_notice if waits is not None else 0,
    )


def home(person: User) -> str:
    """Return where a person starts: the inbox, or else the first place that they may see."""
    if inbox.may_look(person):
        return reverse("reviews:inbox")
    places = _manage(person, here=Here("", {}))
    return places[0].url if places else reverse("reviews:inbox")


def fleet(person: User) -> FleetState | None:
    """Return how many agents may act, for those who may see the agents: one query."""
    if not _has_one_of(person, _AGENT_RIGHTS):
        return None
    stops = KillSwitch.objects.filter(lifted_at=None).filter(
        Q(scope=KillSwitchScope.EVERYTHING) | Q(scope=KillSwitchScope.AGENT, agent=OuterRef("pk"))
    )
    agents = Agent.objects.exclude(state=AgentState.RETIRED).annotate(stopped=Exists(stops))
    counted = agents.aggregate(
        total=Count("pk"), running=Count("pk", filter=Q(state=AgentState.ACTIVE, stopped=False))
    )
    if not counted["total"]:
        return None
    return FleetState(
        running=counted["running"],
        total=counted["total"],
        url=reverse("policies:agents"),
        stop_url=reverse("policies:stop") if person.has_perm("policies.use_kill_switch") else "",
    )


def _queues(person: User, waits: _Waits, *, here: Here) -> list[NavEntry]:
    reviews = person.has_perm(_REVIEW)
    url = reverse("reviews:inbox")
    current = _current_inbox_entry(here, url)
    entries = [
        NavEntry(
            gettext("My turn") if reviews else gettext("Everything open"),
            url,
            "inbox",
            waits.total,
            current=current == "" or (reviews and here.within(reverse("reviews:home") + "review/")),
            mobile=True,
        ),
        NavEntry(
            gettext("Due within the hour"),
            f"{url}?due=hour",
            "clock",
            waits.due,
            current=current == "due",
            rail=False,
        ),
    ]
    entries += [
        NavEntry(
            queue.name,
            f"{url}?{urlencode({'queue': queue.slug})}",
            queue.icon,
            queue.waiting,
            current=current == f"queue:{queue.slug}",
            rail=False,
        )
        for queue in waits.queues
    ]
    if reviews:
        entries.append(
            NavEntry(
                gettext("Escalated to me"),
                f"{url}?view=escalated",
                "arrow-up-right",
                waits.escalated,
                current=current == "escalated",
                rail=False,
            )
        )
        entries += _about_answers(waits, url=url, current=current, leads=person.has_perm(ADJUDICATE))
        if person.has_perm(_VIEW_ANY):
            entries.append(
                NavEntry(
                    gettext("Everything open"),
                    f"{url}?view=all",
                    "list",
                    waits.everything,
                    current=current == "all",
                    rail=False,
                )
            )
    entries += [
        NavEntry(
            view.name,
            view.url(url),
            "users" if view.shared else "bookmark",
            waits.in_views.get(view.public_id),
            current=current == f"saved:{view.public_id}",
            rail=False,
        )
        for view in waits.views
    ]
    entries += _incidents(here)
    told = reverse("reviews:notices")
    entries.append(
        NavEntry(
            gettext("Notices"), told, "bell", waits.notices or None, here.within(told), rail=False, tells=True
        )
    )
    if reviews:
        history = reverse("reviews:history")
        entries.append(
            NavEntry(gettext("My decisions"), history, "history", current=here.within(history), rail=False)
        )
    return entries


def _about_answers(waits: _Waits, *, url: str, current: str | None, leads: bool) -> list[NavEntry]:
    """Return the ways to second opinions while there are any, and for leads to what answers differ in."""
    counted = [
        (gettext("Second opinion"), inbox.SECOND_OPINIONS, waits.second_opinions, True),
        (gettext("Answers differ"), inbox.DISAGREEMENTS, waits.disagreements, leads),
    ]
    return [
        NavEntry(label, f"{url}?asks={asks}", "layers", number, current=current == f"asks:{asks}", rail=False)
        for label, asks, number, shown in counted
        if shown and (number or current == f"asks:{asks}")
    ]


@dataclass(frozen=True)
class _QueueRow:
    name: str
    slug: str
    icon: str
    waiting: int


@dataclass(frozen=True, kw_only=True)
class _Waits:
    """What waits for a person, each number up to ``MOST_COUNTED`` and one, and the views that they have."""

    total: int = 0
    due: int = 0
    escalated: int = 0
    notices: int = 0
    latest_notice: int = 0
    second_opinions: int = 0
    disagreements: int = 0
    everything: int = 0
    queues: Sequence[_QueueRow] = ()
    views: Sequence[saved_views.Listed] = ()
    in_views: Mapping[str, int] = field(default_factory=dict)


def _incidents(here: Here) -> list[NavEntry]:
    """Return the way to the incidents, with how many nobody has resolved where there are any."""
    url, waiting = reverse("reviews:incidents"), incidents.open_count() or None
    return [NavEntry(gettext("Incidents"), url, "siren", waiting, current=here.within(url), rail=False)]


def _waiting(person: User, *, now: datetime) -> _Waits:
    """Count what waits, in all and queue by queue, in one query. An item may stand in two queues."""
    everything = ReviewItem.objects.filter(independence.not_for_others(person), status=ItemStatus.OPEN)
    waiting = inbox.my_turn(person) if person.has_perm(_REVIEW) else everything
    second = waiting.filter(second_queue=OuterRef("pk")).exclude(queue=OuterRef("pk"))
    counted = {
        "total": waiting,
        "due": waiting.filter(due_at__lte=now + timedelta(hours=1)),
        "escalated": waiting.filter(escalated_to=person),
        "notices": Notice.objects.filter(user=person, read_at=None),
        "second_opinions": waiting.filter(inbox.asking(inbox.SECOND_OPINIONS)),
        "disagreements": waiting.filter(inbox.asking(inbox.DISAGREEMENTS)),
        "everything": everything,
    }
    latest = Notice.objects.filter(user=person).order_by("-id").values("pk")[:1]
    rows = list(
        Queue.objects.order_by("name", "slug").values(
            *_QUEUE_COLUMNS,
            first=UpTo(waiting.filter(queue=OuterRef("pk"))),
            second=UpTo(second),
            views=saved_views.listed_for(person),
            latest_notice=Subquery(latest),
            # The same for every row: asked once.
            **{name: UpTo(items) for name, items in counted.items()},
        )
    )
    if not rows:
        return _Waits(views=saved_views.listed(person))
    queues = [
        _QueueRow(row["name"], row["slug"], row["icon"], min(row["first"] + row["second"], MOST_COUNTED + 1))
        for row in rows
    ]
    return _Waits(
        **{name: rows[0][name] for name in counted},
        queues=[queue for queue in queues if queue.waiting],
        views=saved_views.read_listed(rows[0]["views"]),
        latest_notice=rows[0]["latest_notice"] or 0,
    )


def _current_inbox_entry(here: Here, url: str) -> str | None:
    if here.path != url:
        return None
    view = here.query.get("view", "")
    if here.query.get("saved"):
        return f"saved:{here.query['saved']}"
    if view in {"escalated", "all"}:
        return view
    if here.query.get("asks"):
        return f"asks:{here.query['asks']}"
    if here.query.get("queue"):
        return f"queue:{here.query['queue']}"
    return "due" if here.query.get("due") == "hour" else ""


def _manage(person: User, *, here: Here) -> Sequence[NavEntry]:
    entries = []
    for place in _PLACES:
        url = _first_address(place.names) if _has_one_of(person, place.rights) else None
        if url is not None:
            current = any(here.within(each) for each in (url, *place.beside))
            entries.append(
                NavEntry(
                    gettext(place.label),
                    url,
                    place.icon,
                    current=current,
                    mobile=place.mobile,
                    rail=place.rail,
                )
            )
    # A place within another one is the one where the person is.
    longest = max((len(entry.url) for entry in entries if entry.current), default=0)
    return [replace(entry, current=entry.current and len(entry.url) == longest) for entry in entries]


def _to_approve(person: User, *, here: Here) -> list[NavEntry]:
    """Return the way to what waits for a second admin, while there is anything for this one."""
    waiting = 0
    if person.has_perm(_MANAGE):
        waiting = publications.count_for(person) + declaration_changes.count_for(person)
    if not waiting:
        return []
    url = reverse("policies:publications")
    return [NavEntry(gettext("To approve"), url, "stamp", waiting, current=here.within(url), rail=False)]


def _with_one_current(places: Sequence[NavEntry], more: Sequence[NavEntry]) -> list[NavEntry]:
    """Return both, where what lies within a place that has an entry of its own is not that place as well."""
    if any(entry.current for entry in more):
        places = [replace(entry, current=False) for entry in places]
    return [*places, *more]


def _first_address(names: tuple[str, ...]) -> str | None:
    for name in names:
        try:
            return reverse(name)
        except NoReverseMatch:
            continue
    return None


def _has_one_of(person: User, rights: tuple[str, ...]) -> bool:
    return any(person.has_perm(right) for right in rights)
