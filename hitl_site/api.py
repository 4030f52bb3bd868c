"""The API: one NinjaAPI for every app, problem+json for every error."""

from __future__ import annotations

from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from ninja import NinjaAPI
from ninja.errors import AuthenticationError, HttpError, ValidationError
from ninja.openapi.schema import OpenAPISchema
from ninja.operation import Operation

from datasets.api.conversations import router as conversations_router
from datasets.api.evals import router as evals_router
from datasets.api.ground_truth import router as ground_truth_router
from datasets.api.versions import router as versions_router
from hitl_site.lib import openapi, problems
from hitl_site.lib.fault_sentences import sentence
from hitl_site.lib.problems import FieldError, ProblemError
from policies.api import rate_headers
from policies.api import router as agents_router
from reviews.api import actions_router, permits_router, stops_router


class HandrailAPI(NinjaAPI):
    """Ninja's API, with a document that names every problem and answers that no cache may keep."""

    def get_openapi_schema(
        self, *, path_prefix: str | None = None, path_params: dict[str, Any] | None = None
    ) -> OpenAPISchema:
        """Return the OpenAPI 3.1 document."""
        document = super().get_openapi_schema(path_prefix=path_prefix, path_params=path_params)
        openapi.complete(document)
        return document

    def get_openapi_operation_id(self, operation: Operation) -> str:
        """Return the view's own name: generated clients get functions that read well."""
        return operation.view_func.__name__

    def create_response(self, request: HttpRequest, data: Any, **given: Any) -> HttpResponse:
        """Answer, and forbid caches to keep it: an action changes, and a permit is a credential."""
        response = super().create_response(request, data, **given)
        response.headers.setdefault("Cache-Control", "no-store")
        for name, value in rate_headers(request).items():
            response.headers[name] = value
        return response


api = HandrailAPI(
    title="Handrail",
    version="1",
    description="An agent proposes, the gate answers, a person decides, the agent runs what was decided.",
    urls_namespace="api-1",
    openapi_url="/openapi.json",
    # Our own page (hitl_site.api_docs): the framework's needs inline scripts, which our policy forbids.
    docs_url=None,
    openapi_extra={"info": {"license": {"name": "Apache-2.0", "identifier": "Apache-2.0"}}},
)
api.add_router("/actions", actions_router)
api.add_router("", permits_router)
api.add_router("/stops", stops_router)
api.add_router("/dataset-versions", versions_router)
api.add_router("/eval-runs", evals_router)
api.add_router("", ground_truth_router)
api.add_router("", conversations_router)
api.add_router("", agents_router)


@api.exception_handler(ProblemError)
def _problem(request: HttpRequest, error: ProblemError) -> HttpResponse:
    return problems.response(error.problem, request)


@api.exception_handler(ValidationError)
def _invalid(request: HttpRequest, error: ValidationError) -> HttpResponse:
    # Of ninja's own checks only those of query and path are left; bodies are read by reviews.api.bodies.
    faults = tuple(
        FieldError(
            "/" + "/".join(str(part) for part in fault["loc"]),
            fault["type"],
            sentence(fault["type"], fault["msg"], fault.get("ctx")),
        )
        for fault in error.errors
    )
    return problems.response(
        problems.named("validation", "The query cannot be used.", errors=faults), request
    )


@api.exception_handler(AuthenticationError)
def _unauthenticated(request: HttpRequest, error: AuthenticationError) -> HttpResponse:
    return problems.response(problems.named("unauthenticated"), request)


@api.exception_handler(Http404)
def _not_found(request: HttpRequest, error: Http404) -> HttpResponse:
    return problems.response(problems.named("not-found"), request)


@api.exception_handler(HttpError)
def _other(request: HttpRequest, error: HttpError) -> HttpResponse:
    return problems.response(problems.named("bad-request", str(error)), request)
