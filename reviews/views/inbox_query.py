"""The inbox's address: filters, order and place of a page, from a query that anybody may have written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from urllib.parse import urlencode

from django.contrib.auth.models import User
from django.http import QueryDict
from django.utils.dateparse import parse_datetime

from hitl_site.lib import ids
from policies.choices import Risk, Trigger
from reviews.selectors import inbox, inbox_page, saved_views
from reviews.selectors.inbox_page import Reading
from reviews.services.rights import REVIEW, VIEW_ANY

MINE, ESCALATED, EVERYTHING = "mine", "escalated", "all"
WITHIN_THE_HOUR = "hour"
BY_RISK = "risk"
ASKS = (inbox.SECOND_OPINIONS, inbox.DISAGREEMENTS)
_LONGEST = 200
_FILTERS = frozenset({"view", "queue", "q", "type", "agent", "why", "risk", "asks", "due", "order"})
# A page that has been open for longer than this begins anew.
_OLDEST_PAGE = timedelta(days=2)


@dataclass(frozen=True, kw_only=True)
class InboxQuery:
    """What a query string asks for. What makes no sense is left out: a wrong filter is no filter.

    ``fields`` are the parameters that carry over from page to page and into "Start reviewing"; ``seen`` is
    the moment up to which arrivals are in the list, so that rows do not move while somebody reads them.
    """

    base: str
    due: str = ""
    order: str = ""
    queue: str = ""
    search: str = ""
    action_type: str = ""
    agent: str = ""
    trigger: str = ""
    risk: str = ""
    asks: str = ""
    cursor: str = ""
    seen: datetime | None = None
    fields: dict[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, given: QueryDict, *, person: User, now: datetime) -> InboxQuery:
        """Return what ``given`` asks for, as far as this person may have it."""
        default = MINE if person.has_perm(REVIEW) else EVERYTHING
        asked = _one_of(given, "view", _bases(person)) or default
        saved = _text(given, "saved")
        found = {
            "queue": _text(given, "queue"),
            "q": _text(given, "q"),
            "type": _text(given, "type"),
            "agent": _text(given, "agent"),
            "why": _one_of(given, "why", Trigger.values),
            "risk": _one_of(given, "risk", Risk.values),
            "asks": _one_of(given, "asks", ASKS),
            "due": _one_of(given, "due", (WITHIN_THE_HOUR,)),
            "order": _one_of(given, "order", (BY_RISK,)),
            "saved": saved if ids.is_valid(saved, "sav") else "",
        }
        return cls(
            base=asked,
            due=found["due"],
            order=found["order"],
            queue=found["queue"],
            search=found["q"],
            action_type=found["type"],
            agent=found["agent"],
            trigger=found["why"],
            risk=found["risk"],
            asks=found["asks"],
            cursor=given.get("after", "") or given.get("before", ""),
            seen=_moment(given.get("seen", ""), now=now),
            fields={
                name: value
                for name, value in ({"view": asked if asked != default else ""} | found).items()
                if value
            },
        )

    @property
    def is_filtered(self) -> bool:
        """Say whether anything but the order differs from what the person sees first."""
        return bool(self.fields.keys() - {"order", "saved"})

    @property
    def saved(self) -> str:
        """Return the id of the saved view that this is, "" for none."""
        return self.fields.get("saved", "")

    @property
    def to_save(self) -> str:
        """Return the filters as a saved view keeps them."""
        return urlencode(sorted(self.without("order", "saved").items()))

    def reading(self, *, now: datetime) -> Reading:
        """Return the query as the selectors take it."""
        return Reading(
            view=inbox.View(
                queue=self.queue,
                search=self.search,
                action_type=self.action_type,
                agent=self.agent,
                trigger=self.trigger,
                risk=self.risk,
                asks=self.asks,
                escalated=self.base == ESCALATED,
                due_before=now + timedelta(hours=1) if self.due else None,
                risk_first=self.order == BY_RISK,
            ),
            everything=self.base == EVERYTHING,
            scope=f"inbox?{urlencode(sorted(self.without('saved').items()))}",
            cursor=self.cursor,
            seen=self.seen,
        )

    def without(self, *names: str) -> dict[str, str]:
        """Return the fields but some."""
        return {name: value for name, value in self.fields.items() if name not in names}

    def url(self, **changes: str) -> str:
        """Return the query string of the first page with some fields changed; "" takes one out.

        What is changed of a saved view is not that view any more.
        """
        fields = self.without("saved") if changes.keys() & _FILTERS else self.fields
        kept = {name: value for name, value in (fields | changes).items() if value}
        return "?" + urlencode(kept)

    def page_url(self, cursor: str | None) -> str:
        """Return the query string of another page, "" for none."""
        return "?" + urlencode(self.fields | {"after": cursor}) if cursor else ""

    def live_url(self, *, seen: datetime) -> str:
        """Return the query string by which this very page asks for itself again."""
        place = {"after": self.cursor} if self.cursor else {}
        return "?" + urlencode(self.fields | place | {"seen": seen.isoformat()})


def count_views(views: Sequence[saved_views.Listed], *, person: User, now: datetime) -> dict[str, int]:
    """Return how much waits in each saved view, by its id, as its own page would count it."""
    readings = {
        view.public_id: InboxQuery.read(QueryDict(view.query), person=person, now=now).reading(now=now)
        for view in views
    }
    return inbox_page.count_each(readings, person=person)


def _bases(person: User) -> tuple[str, ...]:
    own = (MINE, ESCALATED) if person.has_perm(REVIEW) else ()
    return (*own, EVERYTHING) if person.has_perm(VIEW_ANY) else own


def _text(given: QueryDict, name: str) -> str:
    # PostgreSQL has no NUL in its text.
    return given.get(name, "").replace("\x00", "").strip()[:_LONGEST]


def _one_of(given: QueryDict, name: str, choices: tuple[str, ...] | list[str]) -> str:
    value = given.get(name, "")
    return value if value in choices else ""


def _moment(text: str, *, now: datetime) -> datetime | None:
    try:
        moment = parse_datetime(text)
        return moment if moment and moment.tzinfo and now - _OLDEST_PAGE < moment <= now else None
    except (ValueError, OverflowError):
        return None
