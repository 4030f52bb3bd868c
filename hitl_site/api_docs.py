"""``/api/v1/docs``: the OpenAPI document as a page that reads without scripts, under our own policy."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from hitl_site.api import api

_TAGS = {"actions": "Actions", "permits": "Permits and executions", "agents": "The agent itself"}


@dataclass(frozen=True)
class Parameter:
    name: str
    where: str
    required: bool
    kind: str
    description: str


@dataclass(frozen=True)
class Answer:
    status: str
    description: str
    shape: str


@dataclass(frozen=True)
class Address:
    """One method and path, as the page shows it."""

    anchor: str
    method: str
    path: str
    summary: str
    description: str
    parameters: tuple[Parameter, ...]
    bodies: tuple[tuple[str, str], ...]
    answers: tuple[Answer, ...]


@dataclass(frozen=True)
class Group:
    title: str
    addresses: tuple[Address, ...]


@require_safe
def show(request: HttpRequest) -> HttpResponse:
    """Show every address with what it takes and answers."""
    document = json.loads(json.dumps(api.get_openapi_schema()))
    addresses = list(_addresses(document))
    # A router that nobody has named here still has its addresses on the page.
    unnamed = {tagged: tagged.capitalize() for tagged, _ in addresses if tagged not in _TAGS}
    groups = [
        Group(title, tuple(address for tagged, address in addresses if tagged == tag))
        for tag, title in {**_TAGS, **unnamed}.items()
    ]
    schemas = [
        (name, json.dumps(schema, indent=2, ensure_ascii=False))
        for name, schema in sorted(document["components"]["schemas"].items())
    ]
    return render(request, "api/docs.html", {"info": document["info"], "groups": groups, "schemas": schemas})


def _addresses(document: dict[str, Any]) -> Iterator[tuple[str, Address]]:
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            yield (
                operation["tags"][0],
                Address(
                    anchor=operation["operationId"],
                    method=method.upper(),
                    path=path,
                    summary=operation["summary"],
                    description=operation.get("description", ""),
                    parameters=tuple(_parameter(each) for each in operation.get("parameters", [])),
                    bodies=tuple(
                        (media, json.dumps(content["schema"], indent=2, ensure_ascii=False))
                        for media, content in operation.get("requestBody", {}).get("content", {}).items()
                    ),
                    answers=tuple(
                        Answer(status, answer["description"], _shape(answer))
                        for status, answer in operation["responses"].items()
                    ),
                ),
            )


def _parameter(given: dict[str, Any]) -> Parameter:
    return Parameter(
        name=given["name"],
        where=given["in"],
        required=given["required"],
        kind=_kind(given["schema"]),
        description=given.get("description", ""),
    )


def _kind(schema: dict[str, Any]) -> str:
    """Return a schema in a few words."""
    if "anyOf" in schema:
        return " or ".join(_kind(each) for each in schema["anyOf"] if each != {"type": "null"})
    kind = str(schema.get("type") or schema.get("$ref", "").rpartition("/")[2] or "any")
    limits = [str(schema[name]) for name in ("minimum", "maximum") if name in schema]
    return f"{kind} {' to '.join(limits)}".strip()


def _shape(answer: dict[str, Any]) -> str:
    """Return the name of the schema of an answer, where it has one; two names where it may be either."""
    (content,) = answer.get("content", {"": {"schema": {}}}).values()
    schema = content["schema"]
    refs = [schema, *schema.get("anyOf", [])]
    return " or ".join(each["$ref"].rpartition("/")[2] for each in refs if "$ref" in each)
