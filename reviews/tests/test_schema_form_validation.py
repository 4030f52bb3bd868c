"""Complaints in plain words at the field they are about."""

from __future__ import annotations

from typing import Any

import pytest

from reviews.schema_form import schema_problem, validate


@pytest.mark.parametrize(
    ("schema", "value", "pointer", "message"),
    [
        ({"required": ["a"]}, {}, "/a", "This field is needed."),
        ({"properties": {"a/b": {"type": "integer"}}}, {"a/b": "1"}, "/a~1b", "Must be a whole number."),
        ({"type": ["string", "null"]}, 3, "", "Must be null or a text."),
        ({"items": {"minimum": 3}}, [5, 1], "/1", "Must be at least 3."),
        (
            {"properties": {"a": {}}, "additionalProperties": False},
            {"x": 1},
            "/x",
            "This field is not declared for this action type.",
        ),
        ({"additionalProperties": False}, {"x": 1}, "", "No fields are declared here for this action type."),
        ({"enum": ["a"]}, "b", "", "Choose one of the listed values."),
        ({"const": "a"}, "b", "", 'Must be "a".'),
        ({"format": "email"}, "x", "", "Must be an e-mail address."),
        ({"pattern": "^a$"}, "x", "", "Must have the form ^a$"),
        ({"maxLength": 1}, "xy", "", "Must have at most 1 characters."),
        ({"multipleOf": 5}, 3, "", "Must be a multiple of 5."),
        ({"oneOf": [{"type": "null"}, {"type": "string"}]}, 3, "", "Fits none of the allowed forms."),
        ({"oneOf": [{"minimum": 1}, {"minimum": 2}]}, 3, "", "Fits more than one of the allowed forms."),
        ({"not": {}}, 3, "", "This value is not allowed."),
    ],
)
def test_each_complaint_is_a_sentence_at_its_field(
    schema: Any, value: Any, pointer: str, message: str
) -> None:
    assert [(error.pointer, error.message) for error in validate(schema, value)] == [(pointer, message)]


@pytest.mark.parametrize("schema", [None, {}, {"type": "object"}])
def test_an_open_schema_allows_anything_it_names(schema: Any) -> None:
    assert validate(schema, {"a": 1}) == ()
    assert schema_problem(schema) is None


@pytest.mark.parametrize(
    "schema", [{"type": 3}, {"$ref": "https://example.org/s"}, {"$ref": "#/nope"}, [1], "x", {"pattern": "("}]
)
def test_a_schema_that_cannot_be_used_lets_nothing_through(schema: Any) -> None:
    assert schema_problem(schema)
    assert [error.pointer for error in validate(schema, {})] == [""]


def test_a_pattern_that_backtracks_without_end_refuses_the_text() -> None:
    errors = validate({"type": "string", "pattern": "^(?=(a+)+$)\\1b"}, "a" * 40 + "c")

    assert [error.pointer for error in errors] == [""]


def test_a_number_compares_as_a_number_and_never_as_its_text() -> None:
    assert validate({"enum": [1]}, 1.0) == ()
    assert validate({"enum": [1]}, "1") != ()
