"""Errors of the API as RFC 9457 problem documents. Each ``type`` is a page of the site that explains it.

A problem never carries a verdict: whatever is not a 2xx answer with a verdict means "do not run".
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render

from hitl_site.lib.problem_kinds import KINDS, ProblemKind
from hitl_site.lib.strict_json import DoorError

MEDIA_TYPE = "application/problem+json"


@dataclass(frozen=True, slots=True)
class FieldError:
    """One fault of the request: where (RFC 6901 pointer into the body), what, and in plain words."""

    pointer: str
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Problem:
    """One answer that is an error. ``headers`` go onto the response as they are."""

    status: int
    slug: str
    title: str
    detail: str
    errors: tuple[FieldError, ...] = ()
    retryable: bool = False
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def type(self) -> str:
        """Return the address of the page that explains this kind of problem."""
        return page_path(self.slug)


class ProblemError(Exception):
    """Raised where an API view cannot go on; the answer is the problem it carries."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(f"{problem.status} {problem.slug}: {problem.detail}")
        self.problem = problem


def page_path(slug: str) -> str:
    """Return the path of the page of one kind of problem."""
    return f"/problems/{slug}/"


def named(
    slug: str,
    detail: str = "",
    *,
    errors: tuple[FieldError, ...] = (),
    retry_after: int | None = None,
    headers: Mapping[str, str] | None = None,
) -> Problem:
    """Return a problem of a registered kind; ``KeyError`` when there is no such kind.

    ``retry_after`` is in whole seconds. Kinds that promise a wait have one of their own when none is given.
    """
    kind = KINDS[slug]
    seconds = kind.retry_after if retry_after is None else retry_after
    extra = {} if seconds is None else {"Retry-After": str(seconds)}
    if kind.status == HTTPStatus.UNAUTHORIZED:
        extra["WWW-Authenticate"] = 'Bearer realm="Handrail"'  # RFC 9110 asks for one with every 401
    return Problem(
        status=kind.status,
        slug=slug,
        title=kind.title,
        detail=detail or kind.explanation,
        errors=errors,
        retryable=kind.retryable,
        headers={**extra, **(headers or {})},
    )


def error(slug: str, detail: str = "", *, errors: tuple[FieldError, ...] = ()) -> ProblemError:
    """Return the exception for a registered kind: ``raise problems.error("not-found", "...")``."""
    return ProblemError(named(slug, detail, errors=errors))


def from_door(exc: DoorError) -> Problem:
    """Return the problem for a body that did not pass the door."""
    errors = () if exc.pointer is None else (FieldError(exc.pointer, exc.slug, exc.detail),)
    return named(exc.slug, exc.detail, errors=errors)


def response(problem: Problem, request: HttpRequest) -> HttpResponse:
    """Return the problem as ``application/problem+json``, with the request's id, never to be cached."""
    document = {
        "type": problem.type,
        "title": problem.title,
        "status": problem.status,
        "detail": problem.detail,
        "instance": request.path,
        "request_id": getattr(request, "request_id", ""),
        "errors": [
            {"pointer": fault.pointer, "code": fault.code, "message": fault.message}
            for fault in problem.errors
        ],
        "retryable": problem.retryable,
    }
    answer = HttpResponse(json.dumps(document), status=problem.status, content_type=MEDIA_TYPE)
    answer.headers["Cache-Control"] = "no-store"
    for name, value in problem.headers.items():
        answer.headers[name] = value
    return answer


def index(request: HttpRequest) -> HttpResponse:
    """Show every kind of problem."""
    return render(request, "problems/page.html", {"kinds": _in_order(), "chosen": None})


def page(request: HttpRequest, slug: str) -> HttpResponse:
    """Show one kind of problem, with the others below it."""
    try:
        chosen = KINDS[slug]
    except KeyError:
        raise Http404("There is no problem of that name.") from None
    return render(request, "problems/page.html", {"kinds": _in_order(), "chosen": chosen})


def _in_order() -> list[ProblemKind]:
    return sorted(KINDS.values(), key=lambda kind: (kind.status, kind.slug))
