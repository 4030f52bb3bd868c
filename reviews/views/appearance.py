"""How the console looks to one person: theme, row height, single keys, time zone.

It is kept with the person, and in cookies for the pages of this browser before somebody signs in.
"""

from __future__ import annotations

import zoneinfo
from functools import lru_cache

from django.conf import settings
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext
from django.views.decorators.http import require_http_methods

from hitl_site.lib import http
from hitl_site.lib.access import needs_sign_in
from hitl_site.lib.clock import database_now
from hitl_site.lib.http import AuthenticatedRequest
from reviews.services import preferences

# Field of the form, its cookie, what it may be.
_CHOICES = (
    ("theme", http.THEME_COOKIE, http.THEMES),
    ("density", http.DENSITY_COOKIE, http.DENSITIES),
    ("keys", http.KEYS_COOKIE, http.SINGLE_KEYS),
)
_A_YEAR = 365 * 24 * 60 * 60


@needs_sign_in
@require_http_methods(["GET", "HEAD", "POST"])
def change(request: AuthenticatedRequest) -> HttpResponse:
    """Show the settings, or remember what was pressed and go back there. Nonsense changes nothing."""
    if request.method != "POST":
        return _page(request)
    zone = request.POST.get("tz", "")
    if zone and zone not in zones():
        return _page(request, problem=gettext("There is no such time zone. Choose one of the list."))
    _keep(request, zone=zone)
    response = redirect(way_back(request))
    for field, cookie, allowed in _CHOICES:
        value = request.POST.get(field, "")
        if value in allowed:
            _remember(response, cookie, value)
    if zone:
        # Readable by static/js/zone.js, which must not guess over a choice.
        _remember(response, http.ZONE_COOKIE, zone, readable=True)
        messages.success(request, gettext("Times are shown in {zone}.").format(zone=zone))
    return response


def _keep(request: AuthenticatedRequest, *, zone: str) -> None:
    own: dict[str, object] = {
        field: value for field, _, allowed in _CHOICES if (value := request.POST.get(field, "")) in allowed
    }
    if "keys" in own:
        own["single_keys"] = own.pop("keys") == "on"
    if zone:
        own["time_zone"] = zone
    if own:
        preferences.change(person=request.user, now=database_now(), **own)


@lru_cache(maxsize=1)
def zones() -> tuple[str, ...]:
    """Return the names of time zones to choose from, those of places and UTC."""
    names = (name for name in zoneinfo.available_timezones() if "/" in name and http.parse_zone(name))
    return ("UTC", *sorted(name for name in names if not name.startswith("Etc/")))


def _page(request: AuthenticatedRequest, *, problem: str = "") -> HttpResponse:
    context = {"zones": zones(), "problem": problem, "bar_title": gettext("Appearance")}
    return render(request, "reviews/appearance/page.html", context, status=422 if problem else 200)


def _remember(response: HttpResponse, cookie: str, value: str, *, readable: bool = False) -> None:
    response.set_cookie(
        cookie,
        value,
        max_age=_A_YEAR,
        samesite="Lax",
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=not readable,
    )


def way_back(request: AuthenticatedRequest, *, otherwise: str = "/") -> str:
    """Return the page of ours that the form came from, as its ``next`` says."""
    target = request.POST.get("next", "")
    safe = url_has_allowed_host_and_scheme(
        target, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    # Without the slash it would be taken for the name of a view.
    return target if safe and target.startswith(("/", "http://", "https://")) else otherwise
