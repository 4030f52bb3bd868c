"""What a JSON Schema asks a form to draw: references followed, null set apart, one branch of a union chosen.

Only the drawing rests on this reading; whether a value is valid is decided by the schema itself
(see `validation`). So anything unusual may be read as "draw a JSON block".
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from .document import MISSING, JsonValue, Maybe, as_mapping, find, same, tokens_of

Schema: TypeAlias = "Mapping[str, JsonValue]"

_HOPS = 16  # references and wrappers that are followed before a schema counts as circular
_LONGEST_LABEL = 80
_LONGEST_HELP = 400


@dataclass(frozen=True)
class Shape:
    """One place of a schema, made flat."""

    schema: Schema
    types: frozenset[str]
    nullable: bool
    tag: str | None = None  # the property whose constant tells the branches of a union apart

    @property
    def properties(self) -> Schema:
        return as_mapping(self.schema.get("properties"))

    @property
    def required(self) -> frozenset[str]:
        names = self.schema.get("required")
        return (
            frozenset(name for name in names if isinstance(name, str))
            if isinstance(names, list)
            else frozenset()
        )

    @property
    def options(self) -> tuple[JsonValue, ...]:
        """Return the values of `enum`, without null (which the presence of the value expresses) and twins."""
        listed = self.schema.get("enum")
        kept: list[JsonValue] = []
        for option in listed if isinstance(listed, list) else []:
            if option is not None and not any(same(option, other) for other in kept):
                kept.append(option)
        return tuple(kept)

    @property
    def items(self) -> JsonValue:
        return self.schema.get("items")

    @property
    def is_object(self) -> bool:
        return bool(self.properties) and self.types <= {"object"}

    @property
    def is_markdown(self) -> bool:
        """Tell whether the schema says that a text is Markdown (RFC 7763), by `contentMediaType`."""
        named = self.schema.get("contentMediaType")
        return isinstance(named, str) and named.partition(";")[0].strip().lower() == "text/markdown"

    @property
    def is_read_only(self) -> bool:
        return self.schema.get("readOnly") is True


def _follow(schema: Schema, root: Schema) -> Schema:
    """Put the target of a local reference under the keywords beside it; a remote one is never loaded."""
    reference = schema.get("$ref")
    rest = {key: value for key, value in schema.items() if key != "$ref"}
    if not isinstance(reference, str) or not reference.startswith("#"):
        return rest
    target = find(dict(root), tokens_of(reference[1:])) if reference != "#" else dict(root)
    return {**as_mapping(target), **rest}


def _branches(schema: Schema, root: Schema) -> tuple[str, list[Schema]]:
    for keyword in ("oneOf", "anyOf"):
        listed = schema.get(keyword)
        if isinstance(listed, list) and listed:
            return keyword, [_follow(as_mapping(branch), root) for branch in listed]
    return "", []


def _tag_of(branches: list[Schema]) -> str | None:
    """Return the property that is a constant in every branch, if there is one."""
    if len(branches) < 2:
        return None
    for name in as_mapping(branches[0].get("properties")):
        parts = [as_mapping(as_mapping(branch.get("properties")).get(name)) for branch in branches]
        if all("const" in part for part in parts):
            return name
    return None


def _choose_branch(schema: Schema, keyword: str, branches: list[Schema], tag: str, value: Maybe) -> Schema:
    """Join the branch that the value's tag names; without one only the tag is asked for."""
    tags = [as_mapping(as_mapping(branch["properties"])[tag])["const"] for branch in branches]
    chosen = find(value, (tag,))
    branch: Schema = next((b for b, t in zip(branches, tags, strict=True) if same(t, chosen)), {})
    rest = {key: member for key, member in schema.items() if key != keyword}
    properties = {**as_mapping(rest.get("properties")), **as_mapping(branch.get("properties"))}
    label = as_mapping(as_mapping(as_mapping(branches[0].get("properties")).get(tag))).get("title")
    properties[tag] = {"enum": tags, **({"title": label} if isinstance(label, str) else {})}
    required = [
        name for s in (rest, branch) if isinstance(names := s.get("required"), list) for name in names
    ]
    return {**branch, **rest, "type": "object", "properties": properties, "required": [*required, tag]}


def shape_of(schema: object, root: Schema, value: Maybe = MISSING) -> Shape:
    """Read one place of a schema, for the value that stands there. Garbage reads as an empty schema."""
    flat, nullable, tag = as_mapping(schema), False, None
    for _ in range(_HOPS):
        if "$ref" in flat:
            flat = _follow(flat, root)
            continue
        every = flat.get("allOf")
        if isinstance(every, list) and len(every) == 1:
            flat = {**as_mapping(every[0]), **{key: part for key, part in flat.items() if key != "allOf"}}
            continue
        keyword, branches = _branches(flat, root)
        others = [branch for branch in branches if branch.get("type") != "null"]
        if len(others) == 1 and len(branches) == 2:
            nullable = True
            flat = {**others[0], **{key: part for key, part in flat.items() if key != keyword}}
            continue
        found = _tag_of(branches)
        if found is not None and len(others) == len(branches):
            flat, tag = _choose_branch(flat, keyword, branches, found, value), found
        break
    else:
        flat = {}
    if any(key in flat for key in ("oneOf", "anyOf", "allOf")):
        flat = {key: part for key, part in flat.items() if key in {"title", "description"}}
    declared = flat.get("type")
    names = declared if isinstance(declared, list) else [declared]
    types = frozenset(name for name in names if isinstance(name, str))
    listed = flat.get("enum")
    nullable = nullable or "null" in types or (isinstance(listed, list) and None in listed and not types)
    return Shape(schema=flat, types=types - {"null"}, nullable=nullable, tag=tag)


def humanise(name: str) -> str:
    """Turn a field's name into words: `order_id` reads "Order id", `flightType` "Flight type"."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name)
    words = re.sub(r"[_\-.\s]+", " ", words).strip()
    if not words:
        return name or "(no name)"
    if words != words.upper():
        words = " ".join(
            word if word.isupper() and len(word) > 1 else word.lower() for word in words.split(" ")
        )
    return (words[0].upper() + words[1:])[:_LONGEST_LABEL]


def label_of(shape: Shape, name: str) -> str:
    title = shape.schema.get("title")
    return title[:_LONGEST_LABEL] if isinstance(title, str) and title.strip() else humanise(name)


def help_of(shape: Shape) -> str:
    """Return the schema's description and its limits as words."""
    parts: list[str] = []
    description = shape.schema.get("description")
    if isinstance(description, str) and description.strip():
        parts.append(description.strip()[:_LONGEST_HELP])
    for keyword, words in _LIMITS.items():
        limit = shape.schema.get(keyword)
        if isinstance(limit, int | float) and not isinstance(limit, bool):
            parts.append(words.format(limit))
    return " ".join(parts)


_LIMITS = {
    "minimum": "At least {}.",
    "exclusiveMinimum": "More than {}.",
    "maximum": "At most {}.",
    "exclusiveMaximum": "Less than {}.",
    "multipleOf": "In steps of {}.",
    "maxLength": "At most {} characters.",
    "minItems": "At least {} entries.",
    "maxItems": "At most {} entries.",
}
