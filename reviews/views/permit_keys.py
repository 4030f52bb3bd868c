"""The public halves of the keys that sign permits."""

from __future__ import annotations

from django.http import HttpRequest, JsonResponse
from django.views.decorators.http import require_GET

from reviews.services.permit_keys import public_keys


@require_GET
def show(request: HttpRequest) -> JsonResponse:
    """Answer the JWK set (RFC 7517) that executors verify permits with."""
    answer = JsonResponse(public_keys(), content_type="application/jwk-set+json")
    answer["Cache-Control"] = "public, max-age=300"
    return answer
