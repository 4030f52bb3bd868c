"""The words and menus around the list: its heading, its filters as links, and what an empty list says."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.contrib.auth.models import User

from hitl_site.lib import wording
from policies.choices import Risk, Trigger
from reviews.models import Queue
from reviews.selectors import inbox_page
from reviews.selectors.inbox import SECOND_OPINIONS
from reviews.selectors.inbox_page import Reading
from reviews.views.inbox_query import BY_RISK, ESCALATED, EVERYTHING, InboxQuery


@dataclass(frozen=True)
class Option:
    label: str
    url: str
    current: bool


@dataclass(frozen=True)
class Menu:
    """One filter. ``chosen`` is the label of the option in force, "" for none."""

    label: str
    icon: str
    chosen: str
    options: Sequence[Option]


@dataclass(frozen=True)
class EmptyState:
    """Why the list is empty: ``kind`` is first_run, filtered or nothing; ``elsewhere`` what filters hide."""

    kind: str
    elsewhere: int = 0

    @property
    def text(self) -> str:
        verb = "waits" if self.elsewhere == 1 else "wait"
        return f"{wording.number(self.elsewhere)} {verb} without these filters."


def heading(query: InboxQuery) -> str:
    """Return what the page is called."""
    if query.base == ESCALATED:
        return "Escalated to me"
    queue = Queue.objects.filter(slug=query.queue).first() if query.queue else None
    if queue is not None:
        return queue.name
    if query.asks:
        return "Second opinions" if query.asks == SECOND_OPINIONS else "Answers differ"
    if query.due:
        return "Due within the hour"
    return "Everything open" if query.base == EVERYTHING else "My turn"


def menus(query: InboxQuery, reading: Reading, *, person: User) -> list[Menu]:
    """Return the order and the filters. An option that is in force leads back to none."""
    types = inbox_page.action_types(reading, person=person)
    agents = inbox_page.agents(reading, person=person)
    orders = [("Due first", ""), ("Risk first", BY_RISK)]
    return [
        Menu(
            label="Order",
            icon="shield-alert" if query.order else "clock",
            chosen="Risk first" if query.order else "Due first",
            options=[Option(label, query.url(order=value), query.order == value) for label, value in orders],
        ),
        _filter(query, "Action type", "type", ((name, name) for name in types)),
        _filter(query, "Agent", "agent", ((name, name) for name in agents)),
        _filter(query, "Why held", "why", Trigger.choices),
        _filter(query, "Risk", "risk", reversed(Risk.choices)),
    ]


def empty_state(query: InboxQuery, reading: Reading, *, person: User) -> EmptyState:
    """Return why there is nothing to see."""
    if query.is_filtered:
        elsewhere = inbox_page.everything(reading, person=person)
        return EmptyState("filtered", elsewhere.count())
    return EmptyState("nothing" if inbox_page.has_agents() else "first_run")


def _filter(query: InboxQuery, label: str, name: str, choices: Iterable[tuple[str, str]]) -> Menu:
    value = query.fields.get(name, "")
    found = list(choices)
    if value and value not in dict(found):
        found.append((value, value))  # chosen by an old address: nothing of it waits any more
    options = [Option("Any", query.url(**{name: ""}), not value)] if value else []
    options += [Option(text, query.url(**{name: code}), code == value) for code, text in found]
    return Menu(
        label=label, icon="check" if value else "plus", chosen=dict(found).get(value, ""), options=options
    )
