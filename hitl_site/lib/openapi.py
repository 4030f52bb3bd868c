"""What the OpenAPI document says beyond the framework: every problem an address answers, and shared schemas.

Addresses declare their problems with ``may_answer`` and their bodies with ``takes``; ``complete`` puts the
shared parts where the references point.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from copy import deepcopy
from typing import Any

from pydantic import BaseModel

from hitl_site.lib.problem_kinds import KINDS
from hitl_site.lib.problems import MEDIA_TYPE
from hitl_site.lib.strict_json import MAX_SAFE_INTEGER

_REF = "#/components/schemas/{model}"
# Any address can answer these: no key, a database that is away, or a bug of ours.
_EVERYWHERE = (
    "unauthenticated",
    "scope",
    "address",
    "rate-limited",
    "database-unavailable",
    "storage-full",
)
# What the strict door may say of any body.
DOOR = ("malformed-json", "non-ijson", "too-deep", "body-too-large", "unsupported-media-type", "validation")

PROBLEM: dict[str, Any] = {
    "title": "Problem",
    "description": "RFC 9457. It never carries a verdict: whatever is not a 2xx answer means do not run.",
    "type": "object",
    "required": ["type", "title", "status", "detail", "instance", "request_id", "errors", "retryable"],
    "properties": {
        "type": {"type": "string", "format": "uri-reference", "description": "A page that explains it."},
        "title": {"type": "string"},
        "status": {"type": "integer", "minimum": 400, "maximum": 599},
        "detail": {"type": "string"},
        "instance": {"type": "string"},
        "request_id": {"type": "string"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["pointer", "code", "message"],
                "properties": {
                    "pointer": {"type": "string", "description": "RFC 6901, into the body"},
                    "code": {"type": "string"},
                    "message": {"type": "string"},
                },
            },
        },
        "retryable": {"type": "boolean", "description": "The same request may succeed later."},
    },
    "not": {"required": ["verdict"]},
}
_TEXT: dict[str, Any] = {"type": "string", "pattern": "^[^\\u0000]*$"}
JSON_VALUE: dict[str, Any] = {
    "title": "JsonValue",
    "description": (
        "I-JSON (RFC 7493): numbers that a double holds exactly, text without U+0000 and lone surrogates,"
        " each key once. At most 32 levels deep. Send larger numbers as strings."
    ),
    "anyOf": [
        {"type": "null"},
        {"type": "boolean"},
        {"type": "number", "minimum": -MAX_SAFE_INTEGER, "maximum": MAX_SAFE_INTEGER},
        _TEXT,
        {"type": "array", "items": {"$ref": "#/components/schemas/JsonValue"}},
        {
            "type": "object",
            "propertyNames": _TEXT,
            "additionalProperties": {"$ref": "#/components/schemas/JsonValue"},
        },
    ],
}


def may_answer(*slugs: str, **more: Any) -> dict[str, Any]:
    """Return the ``openapi_extra`` of an operation that can answer these problems besides the usual ones."""
    by_status: dict[int, list[str]] = {}
    for slug in dict.fromkeys((*slugs, *_EVERYWHERE)):
        by_status.setdefault(KINDS[slug].status, []).append(slug)
    responses = {status: _response(names) for status, names in sorted(by_status.items())}
    return {**more, "responses": responses}


def takes(*, required: bool = True, **models: type[BaseModel] | Mapping[str, Any]) -> dict[str, Any]:
    """Return the ``requestBody`` of an operation: ``json=`` a model or a schema, ``ndjson=`` a schema."""
    media = {"json": "application/json", "ndjson": "application/x-ndjson"}
    return {
        "required": required,
        "content": {media[kind]: {"schema": schema_of(model)} for kind, model in models.items()},
    }


def schema_of(model: type[BaseModel] | Mapping[str, Any]) -> dict[str, Any]:
    """Return a model's JSON Schema with references into the document's components."""
    if isinstance(model, Mapping):
        return dict(model)
    return model.model_json_schema(ref_template=_REF)


def header(name: str, description: str, *, required: bool, **schema: Any) -> dict[str, Any]:
    """Return the description of one request header."""
    return {
        "in": "header",
        "name": name,
        "required": required,
        "description": description,
        "schema": {"type": "string", **schema},
    }


def complete(document: dict[str, Any]) -> None:
    """Move schemas that came along with a body to where the references look for them; add the shared ones."""
    # A copy: what the addresses declared belongs to them and is read again for the next document.
    document["paths"] = deepcopy(document["paths"])
    components: dict[str, Any] = document["components"]["schemas"]
    for part in _parts(document["paths"]):
        components.update(part.pop("$defs", {}))
    components["Problem"] = PROBLEM
    components["JsonValue"] = JSON_VALUE
    for path in document["paths"].values():
        for operation in path.values():
            operation["responses"] = dict(sorted(operation["responses"].items()))


def _response(slugs: list[str]) -> dict[str, Any]:
    kinds = [KINDS[slug] for slug in slugs]
    described: dict[str, Any] = {
        "description": " · ".join(f"{kind.title} (`{kind.slug}`)" for kind in kinds),
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
    if any(kind.retry_after is not None for kind in kinds):
        described["headers"] = {
            "Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer", "minimum": 0}}
        }
    return described


def _parts(node: Any) -> Iterator[dict[str, Any]]:
    if isinstance(node, dict):
        yield node
        for member in list(node.values()):
            yield from _parts(member)
    elif isinstance(node, list):
        for member in node:
            yield from _parts(member)
