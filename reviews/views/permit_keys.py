"""The public halves of the keys that sign permits."""

from __future__ import annotations

from django.http import HttpRequest, JsonResponse
from django.http.response import HttpResponseBase
from django.utils.cache import get_conditional_response
from django.views.decorators.http import require_safe

from hitl_site.lib.canonical import canonicalize, sha256_hex
from hitl_site.lib.clock import database_now
from reviews.services.permit_keys import public_keys

# Short, since a key is published and signs at the same moment; the ETag makes asking again cheap.
_MAX_AGE = 60


@require_safe
def show(request: HttpRequest) -> HttpResponseBase:
    """Answer the JWK set (RFC 7517) that executors verify permits with."""
    keys = public_keys(now=database_now())
    answer = JsonResponse(keys, content_type="application/jwk-set+json")
    answer["Cache-Control"] = f"public, max-age={_MAX_AGE}, must-revalidate"
    answer["ETag"] = f'"{sha256_hex(canonicalize(keys))}"'
    return get_conditional_response(request, etag=answer["ETag"], response=answer) or answer
