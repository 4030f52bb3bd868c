"""A schema from examples: how an action type is declared from recorded behaviour.

Every example fits the schema inferred from them. It describes what was seen, so feed it everything that is
known to be acceptable (corrections too): a value outside a short list counts as out of scope later on.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterable, Sequence

from .document import JsonValue
from .shapes import humanise

DRAFT = "https://json-schema.org/draft/2020-12/schema"
MOST_OPTIONS = 8
FEWEST_EXAMPLES = 20
LONGEST_OPTION = 40
MOST_DATES_DOUBTED = 5  # fewer dates than this may look like dates by accident
DEEPEST = 16


def infer(examples: Iterable[JsonValue]) -> dict[str, JsonValue]:
    """Return a JSON Schema (2020-12) that every example fits; {} accepts anything where nothing was seen."""
    seen = list(examples)
    if not seen:
        return {}
    return {"$schema": DRAFT, **_schema(seen, depth=0)}


def _schema(values: Sequence[JsonValue], depth: int) -> dict[str, JsonValue]:
    types = _types(values)
    if depth >= DEEPEST or not types:
        return {}
    named: list[JsonValue] = [*types]
    schema: dict[str, JsonValue] = {"type": named[0] if len(named) == 1 else named}
    objects = [value for value in values if isinstance(value, dict)]
    if objects:
        schema.update(_object(objects, depth))
    if "array" in types:
        items = [item for value in values if isinstance(value, list) for item in value]
        if items:
            schema["items"] = _schema(items, depth + 1)
    if types == ["string"]:
        schema.update(_text([value for value in values if isinstance(value, str)]))
    return schema


def _types(values: Sequence[JsonValue]) -> list[str]:
    """Return the JSON types seen, in the order seen; whole numbers among others are numbers."""
    found: dict[str, None] = {}
    for value in values:
        found[_type(value)] = None
    if "number" in found:
        found.pop("integer", None)
    return list(found)


def _type(value: JsonValue) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int):
        return "integer"
    if isinstance(value, float):
        return "number"
    if isinstance(value, str):
        return "string"
    return "array" if isinstance(value, list) else "object"


def _object(objects: Sequence[dict[str, JsonValue]], depth: int) -> dict[str, JsonValue]:
    names = dict.fromkeys(name for value in objects for name in value)
    properties: dict[str, JsonValue] = {}
    for name in names:
        values = [value[name] for value in objects if name in value]
        properties[name] = {"title": humanise(name), **_schema(values, depth + 1)}
    required: list[JsonValue] = [name for name in names if all(name in value for value in objects)]
    return {"properties": properties, **({"required": required} if required else {})}


def _text(values: Sequence[str]) -> dict[str, JsonValue]:
    counted = Counter(values)
    if len(values) >= MOST_DATES_DOUBTED and all(map(_is_date, counted)):
        return {"format": "date"}
    few = len(counted) <= MOST_OPTIONS and len(values) >= FEWEST_EXAMPLES
    if few and all(0 < len(value) <= LONGEST_OPTION for value in counted) and min(counted.values()) >= 2:
        return {"enum": list[JsonValue](sorted(counted))}
    return {}


def _is_date(text: str) -> bool:
    try:
        return dt.date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False
