"""Reading bodies and headers: the strict door, the shapes, the idempotency key."""

from __future__ import annotations

import re
from typing import TypeVar

from django.http import HttpRequest
from ninja import Schema
from pydantic import ConfigDict, JsonValue, ValidationError

from hitl_site.lib import problems, strict_json
from hitl_site.lib.problems import FieldError
from reviews.adapters.submission import Complaint, InvalidSubmission, complaint

S = TypeVar("S", bound=Schema)
# RFC 8941 string (quoted) or bare; visible ASCII either way.
_KEY = re.compile(r'"(?P<quoted>[\x20\x21\x23-\x5b\x5d-\x7e]{1,255})"|(?P<bare>[\x21\x23-\x7e]{1,255})')


class StrictSchema(Schema):
    model_config = ConfigDict(strict=True, extra="forbid")


def json_body(
    request: HttpRequest, *, max_bytes: int = strict_json.MAX_BYTES, max_depth: int = strict_json.MAX_DEPTH
) -> strict_json.JsonValue:
    """Return the body as I-JSON, or raise the problem that says why not."""
    refuse_encoded(request)
    media_type = request.content_type or "application/json"
    if media_type != "application/json":
        raise problems.error("unsupported-media-type", f"Send application/json, not {media_type[:80]}.")
    return parse(request.body, max_bytes=max_bytes, max_depth=max_depth)


def refuse_encoded(request: HttpRequest) -> None:
    """Raise the problem for a compressed body: nothing here unpacks one, however small it looks."""
    # Out of META: the mapping of all headers would be made for this one.
    coding = request.META.get("HTTP_CONTENT_ENCODING", "identity").strip().lower()
    if coding not in {"", "identity"}:
        raise problems.error("unsupported-media-type", "Send the body without a Content-Encoding.")


def parse(
    body: bytes, *, max_bytes: int = strict_json.MAX_BYTES, max_depth: int = strict_json.MAX_DEPTH
) -> strict_json.JsonValue:
    """Return one JSON text as a value; raises the door's problem."""
    try:
        return strict_json.parse(body, max_bytes=max_bytes, max_depth=max_depth)
    except strict_json.DoorError as error:
        raise problems.ProblemError(problems.from_door(error)) from None


def shape(form: type[S], value: JsonValue) -> S:
    """Return ``value`` in the shape of ``form``; raises the validation problem with every pointer."""
    if not isinstance(value, dict):
        raise invalid(InvalidSubmission([Complaint("", "object", "The body must be a JSON object.")]))
    try:
        return form.model_validate(value)
    except ValidationError as error:
        faults = [complaint(detail) for detail in error.errors()]
        raise invalid(InvalidSubmission(faults)) from None


def invalid(error: InvalidSubmission) -> problems.ProblemError:
    """Return the validation problem for a body of the wrong shape."""
    faults = tuple(FieldError(c.pointer, c.code, c.message) for c in error.complaints)
    return problems.error("validation", "The body does not have the right shape.", errors=faults)


def idempotency_key(request: HttpRequest) -> str:
    """Return the Idempotency-Key header, quoted or bare (draft-ietf-httpapi-idempotency-key-header)."""
    raw = request.META.get("HTTP_IDEMPOTENCY_KEY", "").strip()
    if not raw:
        raise problems.error("missing-idempotency-key")
    match = _KEY.fullmatch(raw)
    if match is None:
        raise problems.error("bad-request", "Idempotency-Key must be 1 to 255 visible ASCII characters.")
    return match["quoted"] or match["bare"]
