"""Answers to errors: problem+json for programs, a page for people.

An error page that cannot be rendered falls back to plain HTML. Wired in ``hitl_site.urls`` (``handler400``
...) and, for CSRF, as ``CSRF_FAILURE_VIEW``.
"""

from __future__ import annotations

import logging
import sys

from django.core.exceptions import DisallowedHost, RequestDataTooBig, TooManyFieldsSent, TooManyFilesSent
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.http.request import UnreadablePostError
from django.template.loader import render_to_string
from django.urls import Resolver404
from django.utils.translation import get_language, gettext, gettext_noop

from hitl_site.lib import problems
from hitl_site.lib.problems import Problem, ProblemError
from hitl_site.lib.request_bodies import NoPlaceToRead
from hitl_site.lib.strict_json import DoorError

logger = logging.getLogger(__name__)

API_PREFIXES = ("/api/", "/aap/", "/otlp/", "/.well-known/")
# PostgreSQL's SQLSTATE disk_full.
_DISK_FULL = "53100"

_NO_ADDRESS = "There is no such address: /api/v1/docs lists those that there are. None ends with a slash."
_OTHER_HOST = "This site does not answer to that host name. HANDRAIL_ALLOWED_HOSTS names those it does."

_PLAIN = (
    "<!doctype html><html lang='{language}'><head><meta charset='utf-8'><title>{title} · Handrail</title>"
    "</head><body><main><h1>{title}</h1><p>{explanation}</p><p>{remedy}</p></main></body></html>"
)
_PAGES = {
    400: (
        gettext_noop("Bad request"),
        gettext_noop("The request could not be understood."),
        gettext_noop("Go back and try again."),
    ),
    403: (
        gettext_noop("Not allowed"),
        gettext_noop("You may not see this page or do this."),
        gettext_noop("Sign in with another account."),
    ),
    404: (
        gettext_noop("Not found"),
        gettext_noop("There is nothing at this address."),
        gettext_noop("Go to the inbox."),
    ),
    413: (
        gettext_noop("Too large"),
        gettext_noop("What you sent is larger than this site accepts."),
        gettext_noop("Send less."),
    ),
    500: (
        gettext_noop("Something went wrong"),
        gettext_noop("What was recorded stands, and whatever was not recorded does not run."),
        gettext_noop("Open it again to see which."),
    ),
    503: (
        gettext_noop("Not available at the moment"),
        gettext_noop("The database does not answer, so nothing can be shown, decided or allowed."),
        gettext_noop("What you typed is kept by your browser: try again in a moment."),
    ),
}


def wants_problem_json(request: HttpRequest) -> bool:
    """Say whether this address belongs to the API, whose errors are problem documents."""
    return request.path_info.startswith(API_PREFIXES)


def known_failure(request: HttpRequest, exception: BaseException) -> HttpResponse | None:
    """Return the answer to an exception with a meaning of its own, or None for all others."""
    problem = _known_problem(exception)
    if problem is None:
        return None
    if problem.status == 503:
        logger.warning("%s %s: %s", problem.slug, request.path, exception)
    if wants_problem_json(request):
        return problems.response(problem, request)
    response = _page(request, problem.status)
    for name, value in problem.headers.items():
        response.headers[name] = value
    return response


def _known_problem(exception: BaseException) -> Problem | None:
    if isinstance(exception, ProblemError):
        return exception.problem
    if isinstance(exception, DoorError):
        return problems.from_door(exception)
    if isinstance(exception, RequestDataTooBig):
        return problems.named("body-too-large")
    if isinstance(exception, UnreadablePostError) and _found_no_place(exception):
        return problems.named("unavailable", "Too many requests are being read at this moment.")
    if isinstance(exception, (TooManyFieldsSent, TooManyFilesSent, UnreadablePostError)):
        return problems.named("bad-request")
    # Timeouts and deadlocks are OperationalErrors too: try again is the right answer to all of them.
    if isinstance(exception, (OperationalError, InterfaceError)):
        full = getattr(exception.__cause__, "sqlstate", None) == _DISK_FULL
        return problems.named("storage-full" if full else "database-unavailable")
    return None


def _found_no_place(error: BaseException | None) -> bool:
    # Django wraps what a read raised once for each of its layers.
    while error is not None and not isinstance(error, NoPlaceToRead):
        error = error.__cause__
    return error is not None


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer 400 (``handler400``), or 413 where that is what happened."""
    known = known_failure(request, exception)
    if known is not None:
        return known
    return _answer(request, "bad-request", _OTHER_HOST if isinstance(exception, DisallowedHost) else "")


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer 403 (``handler403``)."""
    return _answer(request, "forbidden")


def page_not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer 404 (``handler404``). It never says what was looked for: that may be somebody else's."""
    return _answer(request, "not-found", _NO_ADDRESS if isinstance(exception, Resolver404) else "")


def method_not_allowed(request: HttpRequest, *, allow: str) -> HttpResponse:
    """Answer 405 to a program; RFC 9110 wants the methods that would do."""
    methods = ", ".join(sorted(part.strip() for part in allow.split(",") if part.strip()))
    detail = f"This address answers {' and '.join(methods.split(', '))} alone." if methods else ""
    return problems.response(
        problems.named("method-not-allowed", detail, headers={"Allow": methods}), request
    )


def server_error(request: HttpRequest) -> HttpResponse:
    """Answer 500 (``handler500``), or 503 where the database is what failed."""
    exception = sys.exception()
    known = None if exception is None else known_failure(request, exception)
    return known if known is not None else _answer(request, "internal")


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Answer 403 to a form that does not come from our own pages, or whose cookie is gone."""
    return _answer(request, "forbidden")


def _answer(request: HttpRequest, slug: str, detail: str = "") -> HttpResponse:
    problem = problems.named(slug, detail)
    if wants_problem_json(request):
        return problems.response(problem, request)
    return _page(request, problem.status)


def _page(request: HttpRequest, status: int) -> HttpResponse:
    template = f"errors/{status}.html"
    try:
        html = render_to_string(template, {"status": status}, request)
    except Exception:
        # The page needs the session and the user, and those may be what has failed.
        logger.exception("%s could not be rendered", template)
        return _plain_page(status)
    return HttpResponse(html, status=status, headers={"Cache-Control": "no-store"})


def _plain_page(status: int) -> HttpResponse:
    title, explanation, remedy = (gettext(words) for words in _PAGES.get(status, _PAGES[500]))
    html = _PLAIN.format(language=get_language() or "en", title=title, explanation=explanation, remedy=remedy)
    return HttpResponse(html, status=status, headers={"Cache-Control": "no-store"})
