from __future__ import annotations

from types import MappingProxyType

import pytest

from policies.engine.documents import MAX_NODES, UnusableDocument, measure
from policies.engine.scope import InvalidSchema, Violation, check_schema, violations
from policies.tests.engine_facts import REFUND_SCHEMA


def chain(length: int, width: int = 1) -> dict[str, object]:
    names: dict[str, object] = {
        f"d{at}": {"allOf": [{"$ref": f"#/$defs/d{at + 1}"}] * width} for at in range(length)
    }
    return {"$defs": {**names, f"d{length}": {"type": "object"}}, "$ref": "#/$defs/d0"}


def test_arguments_inside_the_schema_have_no_violation() -> None:
    assert violations(REFUND_SCHEMA, {"order_id": "ORD-1", "amount": 500}) == ()


def test_every_violation_names_its_place() -> None:
    found = violations(REFUND_SCHEMA, {"order_id": "X", "amount": 900, "evil": 1})

    assert sorted(found, key=lambda each: each.pointer) == [
        Violation("", "Additional properties are not allowed ('evil' was unexpected)"),
        Violation("/amount", "900 is greater than the maximum of 500"),
        Violation("/order_id", '"X" does not match "^ORD-[0-9]+$"'),
    ]


def test_a_pointer_is_escaped_and_a_long_message_is_cut() -> None:
    schema = {"properties": {"a/b~c": {"enum": ["x"]}}}

    (violation,) = violations(schema, {"a/b~c": "z" * 1_000})

    assert violation.pointer == "/a~1b~0c"
    assert len(violation.message) == 160


def test_at_most_five_violations_are_told() -> None:
    schema = {"additionalProperties": {"type": "string"}}

    assert len(violations(schema, {f"k{at}": at for at in range(100)})) == 5


def test_a_read_only_mapping_serves_as_well_as_a_dict() -> None:
    assert (
        violations(MappingProxyType(REFUND_SCHEMA), MappingProxyType({"order_id": "ORD-1", "amount": 1}))
        == ()
    )


def test_formats_are_checked() -> None:
    schema = {"properties": {"day": {"format": "date"}, "to": {"format": "email"}}}

    assert violations(schema, {"day": "2024-02-29", "to": "a@example.com"}) == ()
    assert [each.pointer for each in violations(schema, {"day": "2023-02-29", "to": "a"})] == ["/day", "/to"]


@pytest.mark.parametrize(
    ("schema", "pointer"),
    [
        ({"type": "nonsense"}, "/type"),
        ({"properties": {"a": {"minimum": "x"}}}, "/properties/a/minimum"),
        ({"$schema": "http://json-schema.org/draft-07/schema#"}, "/$schema"),
        ({"$schema": 3}, "/$schema"),
        ({"properties": {"a": {"$ref": "https://example.com/a.json"}}}, "/properties/a/$ref"),
        ({"$ref": "file:///etc/passwd"}, "/$ref"),
        ({"$ref": "other.json"}, "/$ref"),
        ({"$ref": "#"}, "/$ref"),
        ({"$ref": "#/$defs/none"}, "/$ref"),
        ({"$defs": {"a": {"anyOf": [{"$ref": "#/$defs/a"}]}}, "$ref": "#/$defs/a"}, "/$defs/a/anyOf/0/$ref"),
        ({"$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"items": {"$ref": "#/$defs/a"}}}}, None),
        ({"properties": {"a": {"$dynamicRef": "#a"}}}, "/properties/a/$dynamicRef"),
        ({"properties": {"a": {"$id": "https://example.com/"}}}, "/properties/a/$id"),
        ({"pattern": "(a)\\1"}, "/pattern"),
        ({"pattern": "(?=a)"}, "/pattern"),
        ({"maximum": float("nan")}, "/maximum"),
        (chain(13), None),
        (chain(10, width=4), ""),
    ],
)
def test_a_schema_that_cannot_serve_is_refused_with_its_place(
    schema: dict[str, object], pointer: str | None
) -> None:
    with pytest.raises(InvalidSchema) as caught:
        check_schema(schema)

    assert caught.value.message
    if pointer is not None:
        assert caught.value.pointer == pointer


@pytest.mark.parametrize(
    "schema",
    [
        REFUND_SCHEMA,
        {},
        {"$schema": "https://json-schema.org/draft/2020-12/schema"},
        {"properties": {"$ref": {"type": "string"}, "$id": {"type": "string"}}},
        {"const": {"$ref": "https://example.com/"}},
        {"$defs": {"money": {"type": "number"}}, "properties": {"a": {"$ref": "#/$defs/money"}}},
        chain(11),
    ],
)
def test_an_ordinary_schema_is_accepted(schema: dict[str, object]) -> None:
    check_schema(schema)


def test_a_pattern_that_backtracks_elsewhere_runs_in_linear_time_here() -> None:
    # A backtracking engine would not come back before the test's time is up.
    found = violations({"properties": {"a": {"pattern": "^(a+)+$"}}}, {"a": "a" * 100_000 + "b"})

    assert [each.pointer for each in found] == ["/a"]


@pytest.mark.parametrize(
    ("document", "pointer", "message"),
    [
        ({"a": [1, float("inf")]}, "/a/1", "it is not a finite number"),
        ({"a": 2**53}, "/a", "the integer is beyond 2^53-1"),
        ({"a": "\ud800"}, "/a", "it holds half of a surrogate pair"),
        ({"a": {1: 2}}, "/a", "a member name is not a text"),
        ({"a": b"x"}, "/a", "bytes is not a JSON value"),
        ({"a": [0] * MAX_NODES}, f"/a/{MAX_NODES - 2}", f"it has more than {MAX_NODES} values"),
        ({"a": "x" * 600_000}, "/a", "it has more than 524288 characters"),
    ],
)
def test_what_is_no_json_or_too_large_is_refused_with_its_place(
    document: object, pointer: str, message: str
) -> None:
    with pytest.raises(UnusableDocument) as caught:
        measure(document)

    assert (caught.value.pointer, caught.value.message) == (pointer, message)


def test_nesting_is_bounded() -> None:
    document: object = 1
    for _ in range(100_000):
        document = [document]

    with pytest.raises(UnusableDocument, match="nested more than 32"):
        measure(document)


def test_a_document_is_copied_and_measured() -> None:
    measured = measure({"a": (1, 2, 3), "b": {"c": True, "d": None, "e": 1.5, "f": "é"}})

    assert measured.value == {"a": [1, 2, 3], "b": {"c": True, "d": None, "e": 1.5, "f": "é"}}
    assert (measured.nodes, measured.longest) == (10, 4)
