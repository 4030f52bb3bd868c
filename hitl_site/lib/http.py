"""What every request of the site carries and every page may ask of it: id, trace, zone, language, theme.

The answers to errors are in ``hitl_site.lib.failures``.
"""

from __future__ import annotations

import ipaddress
import re
import zoneinfo
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, cast

from django.conf import settings
from django.core.exceptions import SuspiciousOperation
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import resolve
from django.utils import timezone, translation
from django.utils.cache import patch_vary_headers
from django_htmx.middleware import HtmxDetails

from hitl_site.lib import csp, failures, ids
from hitl_site.lib.stream import site_url

if TYPE_CHECKING:  # services import this module before the app registry is ready
    from django.contrib.auth.models import User

GetResponse = Callable[[HttpRequest], HttpResponseBase]

THEMES = ("system", "light", "dark")
DENSITIES = ("comfortable", "compact")
SINGLE_KEYS = ("on", "off")
THEME_COOKIE = "handrail-theme"
DENSITY_COOKIE = "handrail-density"
KEYS_COOKIE = "handrail-keys"
ZONE_COOKIE = "handrail-tz"

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_TRACEPARENT = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_ZONE_NAME = re.compile(r"[A-Za-z0-9+_-]{1,32}(/[A-Za-z0-9+_-]{1,32}){0,2}")
_current_request_id: ContextVar[str] = ContextVar("handrail_request_id", default="")


@dataclass(frozen=True, slots=True)
class TraceParent:
    """The caller's place in a distributed trace (W3C Trace Context, level 1)."""

    trace_id: str
    parent_id: str
    flags: str

    @property
    def sampled(self) -> bool:
        """Say whether the caller records this trace."""
        return bool(int(self.flags, 16) & 1)


class SiteRequest(HttpRequest):
    """A request after our middleware (for annotations only)."""

    request_id: str
    traceparent: TraceParent | None
    htmx: HtmxDetails


class AuthenticatedRequest(SiteRequest):
    """A request of somebody who has signed in (for annotations of views behind ``login_required``)."""

    user: User


class RequestIdMiddleware:
    """Give every request an id: the caller's own when it is harmless, else a new one. It is sent back."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        # Out of META: the mapping of all headers is made when somebody asks for one, and the API need not.
        given = request.META.get("HTTP_X_REQUEST_ID", "")
        traced = cast(SiteRequest, request)
        traced.request_id = given if _REQUEST_ID.fullmatch(given) else ids.new("req")
        traced.traceparent = parse_traceparent(request.META.get("HTTP_TRACEPARENT", ""))
        token = _current_request_id.set(traced.request_id)
        try:
            response = self.get_response(request)
        finally:
            _current_request_id.reset(token)
        response.headers["X-Request-Id"] = traced.request_id
        return response


class DatabaseUnavailableMiddleware:
    """Turn what is not the view's fault into the right answer: 503 without a database, 413 for a huge body.

    Exceptions of a view come here. Those of other middleware end in the error pages, which ask the same
    ``failures.known_failure``.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        """Answer for the exceptions we know; leave the others to Django."""
        return failures.known_failure(request, exception)


class NulMiddleware:
    """Refuse U+0000 in an address: no name here has one, and PostgreSQL's text cannot hold it."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return _nul_refused(request) or self.get_response(request)


class ApiMiddleware:
    """Answer the API's addresses here: what comes after serves people, with sessions, forms and messages.

    An agent's request pays for none of that. What every answer of the site carries is put on here too, and an
    error is a problem document, a wrong method one with its Allow header.
    """

    # Under the API's prefix, but read by people.
    PAGES = frozenset({"/api/v1/docs"})

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if not failures.wants_problem_json(request) or request.path_info in self.PAGES:
            return self.get_response(request)
        site_url(request)  # raises for a host that is not ours
        response = _answer(request)
        if response.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
            response = failures.method_not_allowed(request, allow=response.headers.get("Allow", ""))
        if not response.streaming and "Content-Length" not in response.headers:
            response.headers["Content-Length"] = str(len(cast(HttpResponse, response).content))
        response.headers.setdefault("X-Frame-Options", "DENY")
        csp.protect(request, response)
        return response


class TimeZoneMiddleware:
    """Show times in the viewer's zone: the cookie's, else the session's, else UTC."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        with timezone.override(_viewer_zone(request)):
            return self.get_response(request)


class LanguageMiddleware:
    """Speak the language that the browser asks for (RFC 9110, 12.5.4), where there is one of ours."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        with translation.override(translation.get_language_from_request(request)):
            response = self.get_response(request)
            response.headers.setdefault("Content-Language", translation.get_language() or "en")
            patch_vary_headers(response, ("Accept-Language",))
            return response


def current_request_id() -> str:
    """Return the id of the request that is being answered, or "" outside of one (a task, a command)."""
    return _current_request_id.get()


def parse_traceparent(header: str) -> TraceParent | None:
    """Return the parsed header, or None when it is absent or invalid: then a new trace begins."""
    match = _TRACEPARENT.fullmatch(header)
    if match is None:
        return None
    version, trace_id, parent_id, flags, rest = match.groups()
    # A later version may say more; version 00 may not, and ff is not a version.
    if version == "ff" or (version == "00" and rest):
        return None
    if not trace_id.strip("0") or not parent_id.strip("0"):
        return None
    return TraceParent(trace_id=trace_id, parent_id=parent_id, flags=flags)


def parse_zone(name: str) -> zoneinfo.ZoneInfo | None:
    """Return the IANA zone of that name, or None. The name is untrusted and becomes a file name."""
    if not _ZONE_NAME.fullmatch(name):
        return None
    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        return None


def _answer(request: HttpRequest) -> HttpResponseBase:
    """Return what the address's view answers, or the answer to what it raised where we know that."""
    refusal = _nul_refused(request)
    if refusal is not None:
        return refusal
    try:
        request.resolver_match = resolve(request.path_info)
        view, arguments, named = request.resolver_match
        answer: HttpResponseBase = view(request, *arguments, **named)
    except Http404 as nothing:
        return failures.page_not_found(request, nothing)
    except Exception as exception:
        known = failures.known_failure(request, exception)
        if known is None:
            raise
        return known
    return answer


def _nul_refused(request: HttpRequest) -> HttpResponse | None:
    if "\x00" in request.path_info:
        return failures.page_not_found(request, Http404())
    if "%00" in request.META.get("QUERY_STRING", ""):
        return failures.bad_request(request, SuspiciousOperation("U+0000 in the query"))
    return None


def _viewer_zone(request: HttpRequest) -> zoneinfo.ZoneInfo:
    utc = zoneinfo.ZoneInfo("UTC")
    if failures.wants_problem_json(request):
        return utc
    zone = parse_zone(request.COOKIES.get(ZONE_COOKIE, ""))
    if zone is None and settings.SESSION_COOKIE_NAME in request.COOKIES:
        zone = parse_zone(str(request.session.get(ZONE_COOKIE, "")))
    return zone or utc


def is_fragment(request: HttpRequest) -> bool:
    """Say whether htmx asks for a part of a page: not a boosted link, not a page taken from history."""
    headers = request.headers
    return (
        headers.get("HX-Request") == "true"
        and headers.get("HX-Boosted") != "true"
        and headers.get("HX-History-Restore-Request") != "true"
    )


def client_address(request: HttpRequest) -> str:
    """Return the caller's address in its one canonical form, or "" when there is none (a unix socket).

    ``X-Forwarded-For`` counts only behind a proxy of ours, and then only its last entry: that one the proxy
    wrote.
    """
    raw = str(request.META.get("REMOTE_ADDR", ""))
    if settings.SECURE_PROXY_SSL_HEADER:
        raw = request.headers.get("X-Forwarded-For", "").rpartition(",")[2].strip() or raw
    try:
        address = ipaddress.ip_address(raw)
    except ValueError:
        return ""
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return str(mapped or address)


def site_context(request: HttpRequest) -> dict[str, str]:
    """Return what every template may use: theme, density, single_keys, public_url, request_id, time_zone."""
    return {
        "theme": _one_of(request.COOKIES.get(THEME_COOKIE), THEMES),
        "density": _one_of(request.COOKIES.get(DENSITY_COOKIE), DENSITIES),
        "single_keys": _one_of(request.COOKIES.get(KEYS_COOKIE), SINGLE_KEYS),
        "public_url": settings.PUBLIC_URL,
        "request_id": getattr(request, "request_id", ""),
        "time_zone": timezone.get_current_timezone_name(),
    }


def _one_of(value: str | None, choices: tuple[str, ...]) -> str:
    return value if value in choices else choices[0]
