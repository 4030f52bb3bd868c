"""What every page of the console may show around its content. Nothing is asked until a template does.

An error page extends another base and shows none of it; for a stranger each of these is empty.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

from django.contrib.auth.models import AnonymousUser, User
from django.http import HttpRequest
from django.utils import timezone
from django.utils.functional import SimpleLazyObject

from hitl_site.lib.navigation import FleetState, KillSwitchNotice, NavSection
from hitl_site.lib.stream import stream_url
from policies.selectors import kill_switches
from reviews.selectors import inbox
from reviews.selectors import navigation as places


def navigation(request: HttpRequest) -> dict[str, object]:
    """Return ``nav``, ``fleet``, ``kill_switches`` and ``live_url`` for the base template, each lazily."""

    def later(ask: Callable[[User], object], otherwise: object) -> object:
        def asked() -> object:
            # An error before the authentication has no user at all.
            person = getattr(request, "user", AnonymousUser())
            return ask(cast(User, person)) if person.is_authenticated else otherwise

        return SimpleLazyObject(asked)

    def sections(person: User) -> list[NavSection]:
        here = places.Here(path=request.path, query=request.GET)
        return places.sections(person, here=here, now=timezone.now())

    def fleet(person: User) -> FleetState | None:
        return places.fleet(person)

    def stops(person: User) -> list[KillSwitchNotice]:
        return kill_switches.engaged()

    def live_url(person: User) -> str:
        return f"{stream_url(request)}/live/inbox" if inbox.may_look(person) else ""

    return {
        "nav": later(sections, []),
        "fleet": later(fleet, None),
        "kill_switches": later(stops, []),
        "live_url": later(live_url, ""),
    }
