"""What a field of an action's arguments is for: whom or what the act is aimed at, or words for a person.

The rules, first match wins (docs/cases.md tells them to readers):

1. The place is the action type's cluster pointer, or lies below it: a target.
2. The schema there says so. A target: its ``format`` names an address or an identifier. Words: its
   ``contentMediaType`` is text, or it takes 200 characters and more. Neither: it lists the values it takes.
3. The name says so, by its last word: the nearest name above counts for members of a list.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from hitl_site.lib.strict_json import JsonValue

_REFERENCES_FOLLOWED: Final = 20
LONG_TEXT: Final = 200


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


_TARGET_FORMATS: Final = _set(
    "email idn-email hostname idn-hostname ipv4 ipv6 uri uri-reference iri iri-reference uuid"
)
_IDENTIFIERS: Final = _set(
    "id ids uuid guid iban bic swift email emails mail phone mobile username login handle address addresses "
    "url uri host hostname domain ip"
)
_PARTIES: Final = _set(
    "to cc bcc recipient recipients receiver customer client payee beneficiary account accounts user users "
    "member members assignee owner order orders invoice ticket contact employee patient vendor supplier "
    "merchant tenant device server channel repository repo branch database table path file destination "
    "target card wallet subscription booking reservation shipment"
)
# With a party before it: "order_number", "customer name". Alone these say nothing: a "number" of cups.
_NAMINGS: Final = _set("number no nr ref reference name key code")
_WORDINGS: Final = _set(
    "note notes message messages text body subject title description comment comments reason summary reply "
    "answer greeting memo caption headline content wording explanation remark remarks instructions"
)
_WORD: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")


class Role(StrEnum):
    """What a field is for. ``VALUE`` is every field of which nothing else is known."""

    TARGET = "target"
    WORDING = "wording"
    VALUE = "value"


@dataclass(frozen=True, slots=True)
class Declaration:
    """What an action type says of its arguments, as far as these rules ask. The default knows nothing."""

    schema: dict[str, JsonValue] = field(default_factory=dict)
    cluster_pointer: str = ""


@dataclass(frozen=True, slots=True)
class FieldUse:
    """The role of a field, and whether the declaration gave it or it was read off the name."""

    role: Role
    listed: bool = False


def use_of(pointer: str, declaration: Declaration) -> FieldUse:
    """Return what the field at ``pointer`` (RFC 6901) is for; ``listed`` if its schema lists its values."""
    tokens = _tokens(pointer)
    cluster = _tokens(declaration.cluster_pointer)
    if cluster and tokens[: len(cluster)] == cluster:
        return FieldUse(Role.TARGET)
    schemas = _schemas_at(declaration.schema, tokens)
    listed = any("enum" in schema or "const" in schema for schema in schemas)
    if any(schema.get("format") in _TARGET_FORMATS for schema in schemas):
        return FieldUse(Role.TARGET, listed)
    if not listed and any(_takes_words(schema) for schema in schemas):
        return FieldUse(Role.WORDING)
    role = _role_of_name(next((token for token in reversed(tokens) if not token.isdecimal()), ""))
    return FieldUse(Role.VALUE if listed and role is Role.WORDING else role, listed)


def _takes_words(schema: Mapping[str, JsonValue]) -> bool:
    media, longest = schema.get("contentMediaType"), schema.get("maxLength")
    if isinstance(media, str) and media.startswith("text/"):
        return True
    return isinstance(longest, int) and longest >= LONG_TEXT and not {"pattern", "format"} & schema.keys()


def _role_of_name(name: str) -> Role:
    words = [word.lower() for word in _WORD.findall(name)]
    if not words:
        return Role.VALUE
    last, before = words[-1], words[-2] if len(words) > 1 else ""
    if last in _IDENTIFIERS or last in _PARTIES or (last in _NAMINGS and before in _PARTIES):
        return Role.TARGET
    return Role.WORDING if last in _WORDINGS else Role.VALUE


def _tokens(pointer: str) -> list[str]:
    return [token.replace("~1", "/").replace("~0", "~") for token in pointer.split("/")[1:]]


def _schemas_at(schema: JsonValue, tokens: list[str]) -> list[Mapping[str, JsonValue]]:
    """Return every subschema that speaks of the place, through ``$ref`` and the combining keywords."""
    found = list(_spread(schema, root=schema))
    for token in tokens:
        found = [
            inner for outer in found for step in _steps(outer, token) for inner in _spread(step, root=schema)
        ]
    return found


def _steps(schema: Mapping[str, JsonValue], token: str) -> Iterator[JsonValue]:
    properties, additional = schema.get("properties"), schema.get("additionalProperties")
    if isinstance(properties, dict) and token in properties:
        yield properties[token]
    elif isinstance(additional, dict):
        yield additional
    if token.isdecimal():
        prefix = schema.get("prefixItems")
        index = int(token)
        yield prefix[index] if isinstance(prefix, list) and index < len(prefix) else schema.get("items")


def _spread(
    schema: JsonValue, *, root: JsonValue, left: int = _REFERENCES_FOLLOWED
) -> Iterator[Mapping[str, JsonValue]]:
    """Yield a schema with those it joins by reference or combination; a chain of references has an end."""
    if not isinstance(schema, dict) or left == 0:
        return
    yield schema
    reference = schema.get("$ref")
    if isinstance(reference, str) and reference.startswith("#"):
        yield from _spread(_referred(root, reference), root=root, left=left - 1)
    for keyword in ("allOf", "anyOf", "oneOf"):
        members = schema.get(keyword)
        for member in members if isinstance(members, list) else ():
            yield from _spread(member, root=root, left=left - 1)


def _referred(root: JsonValue, reference: str) -> JsonValue:
    node = root
    for token in _tokens(reference):
        node = node.get(token) if isinstance(node, dict) else None
    return node
