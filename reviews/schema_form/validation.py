"""Whether arguments fit their schema (JSON Schema 2020-12), told in plain words at the right field."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import lru_cache

import jsonschema_rs

from .document import FieldError, JsonValue, pointer_of

MAX_ERRORS = 50
_BACKTRACKS = 100_000  # a pattern that needs more is refused, so that no text can stall a worker

_TYPES = {
    "string": "a text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "yes or no",
    "array": "a list",
    "object": "a group of fields",
    "null": "null",
}
_FORMATS = {
    "date": "a date such as 2026-07-01",
    "date-time": "a date and time with its zone, such as 2026-07-01T09:30:00+02:00",
    "time": "a time with its zone, such as 09:30:00Z",
    "email": "an e-mail address",
    "uri": "a web address such as https://example.org/page",
    "uuid": "a UUID",
    "ipv4": "an IPv4 address",
    "ipv6": "an IPv6 address",
}
# Keyword -> sentence; {} is the limit that the schema sets.
_SENTENCES = {
    "minimum": "Must be at least {}.",
    "maximum": "Must be at most {}.",
    "exclusiveMinimum": "Must be more than {}.",
    "exclusiveMaximum": "Must be less than {}.",
    "minLength": "Must have at least {} characters.",
    "maxLength": "Must have at most {} characters.",
    "minItems": "Must have at least {} entries.",
    "maxItems": "Must have at most {} entries.",
    "minProperties": "Must have at least {} fields.",
    "maxProperties": "Must have at most {} fields.",
    "multipleOf": "Must be a multiple of {}.",
    "uniqueItems": "The entries must differ from each other.",
    "enum": "Choose one of the listed values.",
    "anyOf": "Fits none of the allowed forms.",
    "oneOf": "Fits none of the allowed forms.",
    "falseSchema": "Nothing is allowed here.",
    "contains": "Lacks an entry of the kind that is needed.",
    "not": "This value is not allowed.",
}


@lru_cache(maxsize=256)
def _compiled(schema_text: str) -> jsonschema_rs.Validator:
    return jsonschema_rs.Draft202012Validator(
        json.loads(schema_text),
        offline=True,  # a remote reference is refused, never loaded
        validate_formats=True,
        pattern_options=jsonschema_rs.FancyRegexOptions(backtrack_limit=_BACKTRACKS),
    )


def _validator(schema: object) -> jsonschema_rs.Validator:
    return _compiled(json.dumps(schema, sort_keys=True, allow_nan=False))


def schema_problem(schema: object) -> str | None:
    """Return why a schema cannot be used, or None where it can. No schema at all allows everything."""
    if schema is None:
        return None
    if not isinstance(schema, Mapping):
        return "A schema is a JSON object."
    try:
        _validator(schema)
    except (ValueError, TypeError, RecursionError) as problem:
        return str(problem).partition("\n")[0][:300] or "The schema is not valid."
    return None


def validate(schema: object, value: JsonValue) -> tuple[FieldError, ...]:
    """Return what is wrong with a value. A schema that cannot be used lets nothing through."""
    if schema is None:
        return ()
    problem = schema_problem(schema)
    if problem is not None:
        return (FieldError("", f"The schema of this action type cannot be used: {problem}"),)
    found: list[FieldError] = []
    try:
        for error in _validator(schema).iter_errors(value):
            found.extend(_told(error))
            if len(found) >= MAX_ERRORS:
                break
    except (ValueError, TypeError, OverflowError, RecursionError):
        return (FieldError("", "These arguments cannot be checked against the schema."),)
    return tuple(dict.fromkeys(found))


def _told(error: jsonschema_rs.ValidationError) -> Iterator[FieldError]:
    tokens = tuple(str(part) for part in error.instance_path)
    keyword = error.kind.name
    details = error.kind.as_dict()
    if keyword == "required":
        yield FieldError(pointer_of((*tokens, str(details.get("property")))), "This field is needed.")
    elif keyword in {"additionalProperties", "unevaluatedProperties"}:
        for name in details.get("unexpected", []):
            yield FieldError(
                pointer_of((*tokens, str(name))), "This field is not declared for this action type."
            )
    elif isinstance(error.kind, jsonschema_rs.ValidationErrorKind.OneOfMultipleValid):
        yield FieldError(pointer_of(tokens), "Fits more than one of the allowed forms.")
    elif keyword == "falseSchema" and error.schema_path[-1:] == ["additionalProperties"]:
        yield FieldError(pointer_of(tokens), "No fields are declared here for this action type.")
    else:
        yield FieldError(pointer_of(tokens), _sentence(keyword, details))


def _sentence(keyword: str, details: Mapping[str, object]) -> str:
    if keyword == "type":
        types = details.get("types")
        names = [_TYPES.get(str(name), str(name)) for name in types] if isinstance(types, list) else []
        return f"Must be {' or '.join(names)}."
    if keyword == "format":
        wanted = str(details.get("format"))
        return f"Must be {_FORMATS.get(wanted, f'of the form “{wanted[:40]}”')}."
    if keyword == "pattern":
        return f"Must have the form {str(details.get('pattern'))[:120]}"
    if keyword == "const":
        return f"Must be {json.dumps(details.get('expected_value'), ensure_ascii=False)[:120]}."
    sentence = _SENTENCES.get(keyword, "Does not fit the schema.")
    limit = details.get("limit", details.get("multiple_of", ""))
    return sentence.format(limit)
