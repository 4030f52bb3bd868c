"""The API: one NinjaAPI for every app, problem+json for every error."""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse
from ninja import NinjaAPI
from ninja.errors import AuthenticationError, HttpError, ValidationError

from hitl_site.lib import problems
from hitl_site.lib.problems import FieldError, ProblemError
from policies.api import router as agents_router
from reviews.api import actions_router, permits_router

api = NinjaAPI(
    title="Handrail",
    version="1",
    description="An agent proposes, the gate answers, a person decides, the agent runs what was decided.",
    urls_namespace="api-1",
    openapi_url="/openapi.json",
    docs_url="/docs",
)
api.add_router("/actions", actions_router)
api.add_router("", permits_router)
api.add_router("", agents_router)


@api.exception_handler(ProblemError)
def _problem(request: HttpRequest, error: ProblemError) -> HttpResponse:
    return problems.response(error.problem, request)


@api.exception_handler(ValidationError)
def _invalid(request: HttpRequest, error: ValidationError) -> HttpResponse:
    # Of ninja's own checks only those of query and path are left; bodies are read by reviews.api.bodies.
    faults = tuple(
        FieldError("/" + "/".join(str(part) for part in fault["loc"]), fault["type"], f"{fault['msg']}.")
        for fault in error.errors
    )
    return problems.response(problems.named("validation", "The query cannot be used.", errors=faults), request)


@api.exception_handler(AuthenticationError)
def _unauthenticated(request: HttpRequest, error: AuthenticationError) -> HttpResponse:
    return problems.response(problems.named("unauthenticated"), request)


@api.exception_handler(Http404)
def _not_found(request: HttpRequest, error: Http404) -> HttpResponse:
    return problems.response(problems.named("not-found"), request)


@api.exception_handler(HttpError)
def _other(request: HttpRequest, error: HttpError) -> HttpResponse:
    return problems.response(problems.named("bad-request", str(error)), request)
