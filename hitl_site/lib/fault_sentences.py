"""What is wrong with one field of a request, in a sentence for whoever wrote the request.

Pydantic tells of dictionaries, instances and what happens after validation: words of Python. These are
words of JSON. Values that the caller sent are never repeated, only what was declared.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

_SENTENCES: Final[Mapping[str, str]] = {
    "missing": "This field is required.",
    "extra_forbidden": "This field is not known.",
    "string_type": "This must be a text.",
    "string_too_short": "This must have at least {min_length} characters.",
    "string_too_long": "This must have at most {max_length} characters.",
    "string_pattern_mismatch": "This must match {pattern}.",
    "bool_type": "This must be true or false.",
    "int_type": "This must be a whole number.",
    "int_parsing": "This must be a whole number.",
    "int_from_float": "This must be a whole number.",
    "float_type": "This must be a number.",
    "float_parsing": "This must be a number.",
    "finite_number": "This must be a number that is finite.",
    "greater_than_equal": "This must be {ge} or more.",
    "greater_than": "This must be more than {gt}.",
    "less_than_equal": "This must be {le} or less.",
    "less_than": "This must be less than {lt}.",
    "dict_type": "This must be a JSON object.",
    "model_type": "This must be a JSON object.",
    "model_attributes_type": "This must be a JSON object.",
    "list_type": "This must be a JSON array.",
    "too_short": "This must have at least {min_length} entries.",
    "too_long": "This must have at most {max_length} entries.",
    "literal_error": "This must be {expected}.",
    "enum": "This must be {expected}.",
}


def sentence(kind: str, otherwise: str, declared: Mapping[str, object] | None = None) -> str:
    """Return what is wrong in a sentence: of a pydantic error its type, its message and its ``ctx``."""
    limits = {name: _plain(value) for name, value in (declared or {}).items()}
    try:
        return _SENTENCES[kind].format_map(limits)
    except KeyError:
        return f"{otherwise}."


def _plain(limit: object) -> object:
    """Return 1.0 as 1."""
    return int(limit) if isinstance(limit, float) and limit.is_integer() else limit
