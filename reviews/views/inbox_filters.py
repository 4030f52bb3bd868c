"""The words and menus around the list: its heading, its filters as links, and what an empty list says."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from django.contrib.auth.models import User
from django.utils.translation import gettext, ngettext

from hitl_site.lib import wording
from hitl_site.lib.navigation import MOST_COUNTED
from policies.choices import Risk, Trigger
from reviews.models import Queue
from reviews.selectors import inbox, inbox_page, saved_views
from reviews.selectors.inbox import SECOND_OPINIONS
from reviews.selectors.inbox_page import Reading
from reviews.views.inbox_query import BY_RISK, ESCALATED, EVERYTHING, InboxQuery

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise


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
    """Why the list is empty: ``kind`` is first_run, filtered or nothing; ``elsewhere`` what filters hide.

    ``checks`` are routine checks that are free to take, ``alone`` the actions that ran on their own today.
    """

    kind: str
    elsewhere: int = 0
    checks: int = 0
    alone: int = 0

    @property
    def text(self) -> str:
        """Return what there is besides."""
        if self.kind != "filtered":
            words = ngettext(
                "{n} action ran on its own today.", "{n} actions ran on their own today.", self.alone
            )
            return words.format(n=_counted(self.alone))
        words = ngettext(
            "{n} waits without these filters.", "{n} wait without these filters.", self.elsewhere
        )
        return words.format(n=_counted(self.elsewhere))

    @property
    def checks_text(self) -> str:
        """Return what there is to take, "" without."""
        if not self.checks:
            return ""
        words = ngettext(
            "{n} routine check is free to take.", "{n} routine checks are free to take.", self.checks
        )
        return words.format(n=_counted(self.checks))


def heading(query: InboxQuery, *, person: User) -> str:
    """Return what the page is called."""
    saved = saved_views.view_for(person, query.saved)
    if saved is not None:
        return saved.name
    if query.base == ESCALATED:
        return gettext("Escalated to me")
    queue = Queue.objects.filter(slug=query.queue).first() if query.queue else None
    if queue is not None:
        return queue.name
    if query.asks:
        return gettext("Second opinions") if query.asks == SECOND_OPINIONS else gettext("Answers differ")
    if query.due:
        return gettext("Due within the hour")
    return gettext("Everything open") if query.base == EVERYTHING else gettext("My turn")


def menus(query: InboxQuery, reading: Reading, *, person: User) -> list[Menu]:
    """Return the order and the filters. An option that is in force leads back to none."""
    types = inbox_page.action_types(reading, person=person)
    agents = inbox_page.agents(reading, person=person)
    orders = [(gettext("Due first"), ""), (gettext("Risk first"), BY_RISK)]
    return [
        Menu(
            label=gettext("Order"),
            icon="shield-alert" if query.order else "clock",
            chosen=gettext("Risk first") if query.order else gettext("Due first"),
            options=[Option(label, query.url(order=value), query.order == value) for label, value in orders],
        ),
        _filter(query, gettext("Action type"), "type", ((name, name) for name in types)),
        _filter(query, gettext("Agent"), "agent", ((name, name) for name in agents)),
        _filter(query, gettext("Why held"), "why", Trigger.choices),
        _filter(query, gettext("Risk"), "risk", reversed(Risk.choices)),
    ]


def empty_state(query: InboxQuery, reading: Reading, *, person: User, now: datetime) -> EmptyState:
    """Return why there is nothing to see."""
    if query.is_filtered:
        elsewhere = inbox_page.everything(reading, person=person)
        checks = inbox.narrow(elsewhere, inbox.View(trigger="audit"), person=person)
        return EmptyState(
            "filtered", elsewhere=inbox_page.up_to_most(elsewhere), checks=inbox_page.up_to_most(checks)
        )
    if not inbox_page.has_agents():
        return EmptyState("first_run")
    return EmptyState("nothing", alone=inbox_page.ran_alone_today(now=now))


def _counted(number: int) -> str:
    return f"{MOST_COUNTED}+" if number > MOST_COUNTED else wording.number(number)


def _filter(query: InboxQuery, label: str, name: str, choices: Iterable[tuple[str, StrOrPromise]]) -> Menu:
    value = query.fields.get(name, "")
    found = [(code, str(text)) for code, text in choices]
    if value and value not in dict(found):
        found.append((value, value))  # chosen by an old address: nothing of it waits any more
    options = [Option(gettext("Any"), query.url(**{name: ""}), not value)] if value else []
    options += [Option(text, query.url(**{name: code}), code == value) for code, text in found]
    return Menu(
        label=label, icon="check" if value else "plus", chosen=dict(found).get(value, ""), options=options
    )
