"""What arguments an action type may have: JSON Schema 2020-12.

A schema is checked when it is declared and again when it is used. No reference leaves it, patterns run in
linear time, and validators are kept by the canonical text of the schema. A schema that refers to itself
is refused: with `anyOf` around the reference the work would double with every level of the arguments.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice

import jsonschema_rs
import orjson

from policies.engine.documents import Measured, UnusableDocument, measure, pointer_to

DIALECT = "https://json-schema.org/draft/2020-12/schema"
MAX_PLACES = 5_000
MAX_VIOLATIONS = 5
_MAX_MESSAGE = 160
_MAX_REFERENCES = 12
_PATTERN_OPTIONS = jsonschema_rs.RegexOptions(size_limit=1 << 20, dfa_size_limit=1 << 20)

_ONE = (
    "items",
    "not",
    "if",
    "then",
    "else",
    "contains",
    "additionalProperties",
    "propertyNames",
    "unevaluatedItems",
    "unevaluatedProperties",
    "contentSchema",
)
_MANY = ("allOf", "anyOf", "oneOf", "prefixItems")
_NAMED = ("properties", "patternProperties", "dependentSchemas")
_DEFINITIONS = ("$defs", "definitions")
_REFUSED = ("$dynamicRef", "$recursiveRef", "$dynamicAnchor", "$recursiveAnchor", "$anchor")


class InvalidSchema(ValueError):
    """The schema cannot serve as a scope; `pointer` says where."""

    def __init__(self, pointer: str, message: str) -> None:
        super().__init__(f"{pointer or 'the schema'}: {message}")
        self.pointer = pointer
        self.message = message


@dataclass(frozen=True)
class Violation:
    """One place where arguments leave the declared scope."""

    pointer: str
    message: str


def check_schema(schema: Mapping[str, object]) -> None:
    """Raise `InvalidSchema` unless the schema can be used as the scope of an action type."""
    _validator_of(schema)


def violations(schema: Mapping[str, object], arguments: object) -> tuple[Violation, ...]:
    """Return where the arguments leave the schema, at most `MAX_VIOLATIONS` places, in their order.

    They may have been measured before.

    Raises `InvalidSchema` or `UnusableDocument` where that question has no answer.
    """
    plain = arguments.value if isinstance(arguments, Measured) else measure(arguments).value
    validator = _validator_of(schema)
    if validator.is_valid(plain):
        return ()
    return tuple(
        Violation(pointer=pointer_to(error.instance_path), message=_shorten(error.message))
        for error in islice(validator.iter_errors(plain), MAX_VIOLATIONS)
    )


def _shorten(message: str) -> str:
    return message if len(message) <= _MAX_MESSAGE else message[: _MAX_MESSAGE - 1] + "…"


def _validator_of(schema: Mapping[str, object]) -> jsonschema_rs.Draft202012Validator:
    """Return the validator, found again by the schema's own bytes where they can stand for it."""
    try:
        written = orjson.dumps(schema, option=orjson.OPT_SORT_KEYS)
    except TypeError:
        written = b"null"
    # NaN would be written as null too.
    if b"null" in written:
        return _validator(_canonical(schema))
    return _validator_as_written(written)


@lru_cache(maxsize=512)
def _validator_as_written(written: bytes) -> jsonschema_rs.Draft202012Validator:
    return _validator(_canonical(orjson.loads(written)))


def _canonical(schema: Mapping[str, object]) -> str:
    try:
        plain = measure(schema).value
    except UnusableDocument as error:
        raise InvalidSchema(error.pointer, error.message) from error
    if not isinstance(plain, dict):
        raise InvalidSchema("", "a schema is an object")
    return json.dumps(plain, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


@lru_cache(maxsize=512)
def _validator(text: str) -> jsonschema_rs.Draft202012Validator:
    schema = json.loads(text)
    if str(schema.get("$schema", DIALECT)).rstrip("#") != DIALECT:
        raise InvalidSchema("/$schema", f"only JSON Schema 2020-12 is understood ({DIALECT})")
    _check_places(schema)
    try:
        return jsonschema_rs.Draft202012Validator(
            schema, validate_formats=True, pattern_options=_PATTERN_OPTIONS, offline=True
        )
    except jsonschema_rs.ValidationError as error:
        raise InvalidSchema(pointer_to(error.instance_path), _shorten(error.message)) from error
    except ValueError as error:
        raise InvalidSchema("", _shorten(str(error))) from error


def _check_places(schema: dict[str, object]) -> None:
    places = _Places(schema)
    if places.count(schema, (), ()) > MAX_PLACES:
        raise InvalidSchema("", f"with its references followed it has more than {MAX_PLACES} places")


class _Places:
    """Counts the subschemas that a validation can pass, with every reference followed."""

    def __init__(self, root: dict[str, object]) -> None:
        self._root = root
        self._counted: dict[str, int] = {}

    def count(self, schema: object, path: tuple[str | int, ...], following: tuple[str, ...]) -> int:
        if not isinstance(schema, dict):
            return 1
        for keyword in _REFUSED:
            if keyword in schema:
                raise InvalidSchema(pointer_to((*path, keyword)), f"{keyword} is not supported; use $ref")
        if path and "$id" in schema:
            raise InvalidSchema(pointer_to((*path, "$id")), "$id is allowed at the root only")
        total = 1 + self._count_reference(schema.get("$ref"), path, following)
        for place, child in _children(schema):
            total += self.count(child, (*path, *place), following)
        return total

    def _count_reference(
        self, reference: object, path: tuple[str | int, ...], following: tuple[str, ...]
    ) -> int:
        if not isinstance(reference, str):
            return 0
        here = pointer_to((*path, "$ref"))
        if not reference.startswith("#"):
            raise InvalidSchema(here, "a reference stays inside the schema (#/$defs/...)")
        if reference in following or not reference.startswith("#/"):
            raise InvalidSchema(here, "a schema must not refer to itself")
        if len(following) >= _MAX_REFERENCES:
            raise InvalidSchema(here, f"references lead on at most {_MAX_REFERENCES} times")
        if reference not in self._counted:
            target, place = self._target(reference, here)
            self._counted[reference] = self.count(target, place, (*following, reference))
        return self._counted[reference]

    def _target(self, reference: str, here: str) -> tuple[object, tuple[str | int, ...]]:
        if "%" in reference:
            raise InvalidSchema(here, "percent signs in references are not supported")
        parts = tuple(part.replace("~1", "/").replace("~0", "~") for part in reference[2:].split("/"))
        node: object = self._root
        for part in parts:
            if isinstance(node, dict) and part in node:
                node = node[part]
            elif isinstance(node, list) and part.isdecimal() and int(part) < len(node):
                node = node[int(part)]
            else:
                raise InvalidSchema(here, f"there is nothing at {reference}")
        return node, parts


def _children(schema: dict[str, object]) -> Iterator[tuple[tuple[str | int, ...], object]]:
    for keyword in _ONE:
        if keyword in schema:
            yield (keyword,), schema[keyword]
    for keyword in _MANY:
        members = schema.get(keyword)
        if isinstance(members, list):
            yield from (((keyword, index), member) for index, member in enumerate(members))
    for keyword in (*_NAMED, *_DEFINITIONS):
        named = schema.get(keyword)
        if isinstance(named, dict):
            yield from (((keyword, name), member) for name, member in named.items())
