"""What every page of the console may show around its content. Nothing is asked until a template does.

An error page extends another base and shows none of it; for a stranger each of these is empty.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import cast

from django.conf import settings
from django.contrib.auth.models import AnonymousUser, User
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils import timezone, translation
from django.utils.functional import SimpleLazyObject

from hitl_site.lib.http import parse_zone
from hitl_site.lib.navigation import FleetState, KillSwitchNotice, NavSection
from hitl_site.lib.stream import stream_url
from policies.selectors import kill_switches
from reviews.models import Preferences
from reviews.selectors import inbox, keys
from reviews.selectors import navigation as places
from reviews.selectors.preferences import preferences_of
from reviews.views.inbox_query import count_views


def navigation(request: HttpRequest) -> dict[str, object]:
    """Return what stands around a page for the base template, each part only where it is asked for.

    ``nav``, ``fleet`` and ``kill_switches``; ``live_url``; ``told``, the side bar with its notices.
    """

    def later(ask: Callable[[User], object], otherwise: object) -> object:
        def asked() -> object:
            # An error before the authentication has no user at all.
            person = getattr(request, "user", AnonymousUser())
            return ask(cast(User, person)) if person.is_authenticated else otherwise

        return SimpleLazyObject(asked)

    def side_bar(person: User) -> places.SideBar:
        here = places.Here(path=request.path, query=request.GET)
        now = timezone.now()
        counted = partial(count_views, person=person, now=now)
        return places.side_bar(person, here=here, now=now, count_views=counted)

    told = later(side_bar, places.SideBar([]))

    def sections(person: User) -> Sequence[NavSection]:
        return cast(places.SideBar, told).sections

    def fleet(person: User) -> FleetState | None:
        return places.fleet(person)

    def stops(person: User) -> list[KillSwitchNotice]:
        return kill_switches.engaged()

    def live_url(person: User) -> str:
        return f"{stream_url(request)}/live/inbox" if inbox.may_look(person) else ""

    return {
        "told": told,
        "nav": later(sections, []),
        "fleet": later(fleet, None),
        "kill_switches": later(stops, []),
        "live_url": later(live_url, ""),
    }


def appearance(request: HttpRequest) -> dict[str, object]:
    """Return theme, density and keys as the person has set them; else as this browser has.

    After ``site_context``, whose names these are.
    """
    own = own_preferences(request)
    if own is None:
        return {"own_keys": {}}
    return {
        "theme": own.theme,
        "density": own.density,
        "single_keys": "on" if own.single_keys else "off",
        "own_keys": keys.in_force(own.keys),
    }


def own_preferences(request: HttpRequest) -> Preferences | None:
    """Return what the signed-in person has set. A stranger, who has no session, is asked nothing of."""
    if settings.SESSION_COOKIE_NAME not in request.COOKIES or not hasattr(request, "user"):
        return None
    return preferences_of(request.user)


class OwnSettingsMiddleware:
    """Speak the language and show times in the zone that the person chose, whichever browser they use.

    Within ``TimeZoneMiddleware`` and ``LanguageMiddleware``, which put back what was in force before the
    request. Asked only once there is a view to answer: an error asks nothing.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self.get_response(request)

    def process_view(self, request: HttpRequest, *_view: object) -> None:
        """Take the person's language and zone, where they chose one."""
        own = own_preferences(request)
        if own is None:
            return
        zone = parse_zone(own.time_zone) if own.time_zone else None
        if zone is not None:
            timezone.activate(zone)
        if own.language in dict(settings.LANGUAGES):
            translation.activate(own.language)
