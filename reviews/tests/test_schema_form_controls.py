"""Which control stands for which schema, and what a changed one means."""

from __future__ import annotations

from typing import Any

import pytest

from reviews.schema_form import (
    FieldError,
    FormView,
    Parsed,
    Row,
    apply_operation,
    build,
    parse,
    parse_json,
    typed_texts,
)
from reviews.schema_form.document import Missing
from reviews.schema_form.plan import field_name, presence_name

from .schema_form_browser import submit

FLIGHT = {
    "type": "object",
    "properties": {"number": {"type": "string"}, "price": {"type": "integer"}},
    "required": ["number"],
}
BOOKING: dict[str, Any] = {
    "type": "object",
    "properties": {
        "flights": {"type": "array", "items": FLIGHT},
        "insurance": {"enum": ["yes", "no"]},
        "note": {"type": "string"},
    },
    "required": ["flights"],
}
PROPOSED: dict[str, Any] = {
    "flights": [{"number": "HA1", "price": 10}, {"number": "HA2", "price": 20}],
    "insurance": "no",
}


def row_at(form: FormView, pointer: str) -> Row:
    return next(row for row in (*form.rows, *form.unknown) if row.pointer == pointer)


def draw(schema: Any, value: Any) -> Row:
    """Return the row of the one property `x`."""
    form = build({"type": "object", "properties": {"x": schema}}, {"x": value}, {"x": value})
    return row_at(form, "/x")


def change(
    schema: Any, proposed: Any, texts: dict[tuple[str, ...], str], *, edited: Any = Missing.MISSING
) -> Parsed:
    """Post the untouched form with some controls changed."""
    posted = submit(build(schema, proposed, proposed if edited is Missing.MISSING else edited))
    for tokens, text in texts.items():
        posted[field_name(tokens)] = [text]
    return parse(schema, proposed, posted)


def one(schema: Any, value: Any, text: str, *, required: bool = True) -> Parsed:
    whole = {"type": "object", "properties": {"x": schema}, "required": ["x"] if required else []}
    return change(whole, {} if value is Missing.MISSING else {"x": value}, {("x",): text})


@pytest.mark.parametrize(
    ("schema", "value", "kind"),
    [
        ({"type": "string"}, "short", "text"),
        ({"type": "string"}, "x" * 121, "textarea"),
        ({"type": "string"}, "two\nlines", "textarea"),
        ({"type": "string"}, 5, "json"),
        ({"type": "string"}, "nul\x00", "json"),
        ({"type": "string", "format": "date"}, "2026-07-01", "date"),
        ({"type": "string", "format": "date"}, "tomorrow", "text"),
        ({"type": "string", "format": "date-time"}, "2026-07-01T09:30:00Z", "datetime"),
        ({"type": "string", "format": "time"}, "09:30:00Z", "time"),
        ({"type": "string", "format": "email"}, "ana@example.org", "email"),
        ({"type": "string", "format": "email"}, "ana@münchen.example", "text"),
        ({"type": "string", "format": "uri"}, "https://example.org/", "url"),
        ({"type": "number"}, 1.5, "number"),
        ({"type": ["integer", "number"]}, 1, "number"),
        ({"type": "integer"}, 1, "integer"),
        ({"type": "integer"}, "1", "json"),
        ({"type": "integer"}, True, "json"),
        ({"type": "boolean"}, True, "boolean"),
        ({"enum": ["a", "b"]}, "a", "radio"),
        ({"enum": list("abcdef")}, "a", "select"),
        ({"type": "array", "items": {"type": "string"}}, ["a"], "lines"),
        ({"type": "array", "items": {"type": "string"}}, ["a\nb"], "json"),
        ({"type": "array", "items": {"type": "string"}}, [""], "json"),
        ({"type": "array", "items": {"enum": ["a", "b"]}}, ["a"], "checkboxes"),
        ({"type": "array", "items": {"enum": ["a", "b"]}}, ["a", "a"], "json"),
        ({"type": "array", "items": FLIGHT}, [], "group"),
        ({"type": "array", "items": FLIGHT}, "none", "json"),
        ({"type": "array", "items": {"type": "array"}}, [[1]], "json"),
        (FLIGHT, {"number": "HA1"}, "group"),
        ({"const": "x"}, "x", "static"),
        ({"const": "x"}, "y", "select"),
        ({"type": "string", "readOnly": True}, "x", "static"),
        ({"type": ["string", "integer"]}, "x", "json"),
        ({"type": ["string", "null"]}, None, "text"),
        ({"anyOf": [{"type": "integer"}, {"type": "null"}]}, 3, "integer"),
        ({"anyOf": [{"type": "integer"}, {"type": "string"}]}, 3, "json"),
        ({"$ref": "https://example.org/schema"}, "x", "json"),
    ],
)
def test_each_schema_has_its_control(schema: Any, value: Any, kind: str) -> None:
    assert draw(schema, value).kind == kind


@pytest.mark.parametrize(
    ("schema", "value", "text", "meant"),
    [
        ({"type": "integer"}, 4200, "1200", 1200),
        ({"type": "integer"}, 4200, " 1e2 ", 100),
        ({"type": "number"}, 184, "148.00", 148.0),
        ({"type": "number"}, 1.5, "2", 2),
        ({"type": "string"}, "4200", "1200", "1200"),
        ({"type": "string"}, "a\r\nb", "a\r\nc", "a\r\nc"),
        ({"type": "string"}, "a\nb", "a\r\nc", "a\nc"),
        ({"type": "string"}, "a", "", ""),
        ({"enum": [1, "1"]}, 1, '"1"', "1"),
        ({"enum": [1, "1"]}, "1", "1", 1),
        ({"type": "boolean"}, True, "false", False),
        ({"type": "array", "items": {"type": "string"}}, ["a"], "a\r\n\r\nb \r\n", ["a", "b "]),
        ({"type": "array", "items": {"type": "number"}}, [1.0, 2], "2\n1.0\n3.5", [2, 1.0, 3.5]),
        ({"type": "array", "items": {"type": "string"}}, ["a"], "", []),
        ({"type": ["object"]}, {"a": 1}, '{"a": 1.0}', {"a": 1.0}),
    ],
)
def test_a_changed_control_means_a_value_of_its_type(schema: Any, value: Any, text: str, meant: Any) -> None:
    parsed = one(schema, value, text)

    assert parsed == Parsed({"x": meant})
    assert isinstance(parsed.value, dict)
    assert type(parsed.value["x"]) is type(meant)


@pytest.mark.parametrize(
    ("schema", "value", "text", "message"),
    [
        (
            {"type": "number"},
            1,
            "1,50",
            "Write the number with a point and without separators, for example 1234.50.",
        ),
        ({"type": "number"}, 1, "٣", "Write a number, for example 12 or 12.50."),
        ({"type": "number"}, 1, "NaN", "Write a number, for example 12 or 12.50."),
        ({"type": "number"}, 1, "1e999", "This number is too large to be exact."),
        ({"type": "integer"}, 1, "1.5", "Write a whole number."),
        ({"type": "integer"}, 1, "9007199254740993", "This number is too large to be exact."),
        ({"type": "integer"}, 1, "", "Needs a number."),
        ({"enum": ["a", "b"]}, "a", '"c"', "Choose one of the listed values."),
        ({"type": "array", "items": {"type": "integer"}}, [1], "1\nx", "Line 2: Write a whole number."),
        ({"type": "object"}, {}, '{\n "a": x\n}', "Line 2, column 7: this is not valid JSON"),
        ({"type": "object"}, {}, "", "Needs a value; write null for none."),
        ({"type": "string"}, "a", "b\x00", "Holds a character that cannot be stored (U+0000)."),
    ],
)
def test_what_cannot_be_read_is_an_error_at_its_row_and_changes_nothing(
    schema: Any, value: Any, text: str, message: str
) -> None:
    parsed = one(schema, value, text)

    assert parsed.value == {"x": value}
    assert [error.pointer for error in parsed.errors] == ["/x"]
    assert parsed.errors[0].message.startswith(message[:30])


def test_the_agents_value_put_back_by_hand_is_the_agents_value_exactly() -> None:
    schema = {
        "type": "object",
        "properties": {
            "note": {"type": "string"},
            "price": {"type": "number"},
            "ways": {"type": "array", "items": {"enum": ["air", "sea"]}},
        },
    }
    proposed: Any = {"note": "Hi\r\nAna", "price": 12.0, "ways": ["sea", "air"]}
    edited: Any = {"note": "Hello", "price": 13, "ways": ["air"]}
    form = build(schema, proposed, edited)
    posted = submit(form) | {
        row.name: row.proposed_key.split("\n") for row in form.rows if row.kind == "checkboxes"
    }
    posted |= {row.name: [row.proposed_key] for row in form.rows if row.kind != "checkboxes"}

    parsed = parse(schema, proposed, posted)

    assert all(row.resettable for row in form.rows)
    assert parsed == Parsed(proposed)
    assert isinstance(parsed.value, dict)
    assert isinstance(parsed.value["price"], float)


def test_absent_empty_and_null_are_three_things() -> None:
    schema = {"type": "object", "properties": {"x": {"type": ["string", "null"]}}}
    stance = presence_name(("x",))

    def told(proposed: Any, presence: str, text: str) -> Any:
        return parse(schema, proposed, {stance: [presence], field_name(("x",)): [text]}).value

    assert told({}, "absent", "") == {}
    assert told({}, "value", "") == {"x": ""}
    assert told({}, "null", "") == {"x": None}
    assert told({}, "absent", "typed") == {"x": "typed"}
    assert told({"x": "a"}, "absent", "a") == {}
    assert told({"x": "a"}, "null", "a") == {"x": None}
    assert told({"x": "a"}, "value", "") == {"x": ""}
    assert told({"x": None}, "null", "") == {"x": None}
    assert told({"x": None}, "null", "b") == {"x": "b"}


def test_a_cleared_optional_number_is_left_out() -> None:
    assert one({"type": "number"}, 5, "", required=False) == Parsed({})


def test_a_required_field_cannot_be_left_out_while_it_is_there() -> None:
    schema = {"type": "object", "properties": {"x": {"type": "string"}}, "required": ["x"]}

    parsed = parse(schema, {"x": "a"}, {presence_name(("x",)): ["absent"]})

    assert parsed.value == {"x": "a"}


def test_an_absent_group_stays_absent_until_something_is_written_in_it() -> None:
    schema = {
        "type": "object",
        "properties": {"to": {"type": "object", "properties": {"city": {"type": "string"}}}},
    }

    assert change(schema, {}, {}).value == {}
    assert change(schema, {}, {("to", "city"): "Bonn"}).value == {"to": {"city": "Bonn"}}


def test_fields_outside_the_schema_are_json_rows_that_are_never_dropped() -> None:
    proposed = {**PROPOSED, "secret": {"n": 1}, "flights": [{"number": "HA1", "gate": "7"}]}

    form = build(BOOKING, proposed, proposed)

    assert [(row.pointer, row.kind, row.extra) for row in form.unknown] == [("/secret", "json", True)]
    assert row_at(form, "/flights/0/gate").extra
    assert parse(BOOKING, proposed, submit(form)).value == proposed
    assert "secret" not in change(BOOKING, proposed, {("secret",): ""}).value  # type: ignore[operator]  # an object


def test_a_removed_extra_field_still_has_a_row_that_says_so() -> None:
    form = build(BOOKING, {**PROPOSED, "extra": 1}, PROPOSED)

    row = row_at(form, "/extra")
    assert (row.changed, row.proposed_text, row.value_text) == (True, "1", "")
    assert form.changed_count == 1


def test_a_value_that_is_no_choice_is_shown_as_one() -> None:
    row = draw({"enum": ["a", "b"]}, "c")

    assert [(choice.value, choice.selected) for choice in row.choices if choice.selected] == [('"c"', True)]


def test_objects_deeper_than_three_are_json_blocks() -> None:
    schema: dict[str, Any] = {"type": "string"}
    value: Any = "deep"
    for _ in range(6):
        schema, value = {"type": "object", "properties": {"a": schema}}, {"a": value}

    form = build(schema, value, value)

    assert [row.kind for row in form.rows] == ["group", "group", "group", "json"]
    assert [row.depth for row in form.rows] == [0, 1, 2, 3]


def test_a_very_large_document_falls_back_to_one_block() -> None:
    schema = {"type": "object", "properties": {f"p{n}": {"type": "string"} for n in range(2000)}}

    form = build(schema, {"p0": "x"}, {"p0": "x"})

    assert [row.kind for row in form.rows] == ["json"]


def test_a_schema_that_contains_itself_ends() -> None:
    schema = {
        "$ref": "#/$defs/n",
        "$defs": {
            "n": {"type": "object", "properties": {"l": {"$ref": "#/$defs/n"}, "r": {"$ref": "#/$defs/n"}}}
        },
    }

    form = build(schema, {"l": {"r": {}}}, {"l": {"r": {}}})

    assert 2 < len(form.rows) < 50


def test_a_union_with_a_tag_shows_the_fields_of_its_branch_and_swaps_them() -> None:
    card = {"properties": {"by": {"const": "card"}, "last4": {"type": "string"}}, "required": ["last4"]}
    bank = {"properties": {"by": {"const": "bank"}, "iban": {"type": "string"}}, "required": ["iban"]}
    schema = {"type": "object", "properties": {"pay": {"oneOf": [card, bank]}}}
    proposed: Any = {"pay": {"by": "card", "last4": "4242"}}

    form = build(schema, proposed, proposed)
    swapped = change(schema, proposed, {("pay", "by"): '"bank"'}).value
    chosen = apply_operation(schema, swapped, "choose:/pay")

    assert [row.pointer for row in form.rows] == ["/pay", "/pay/by", "/pay/last4"]
    assert row_at(form, "/pay/by").swaps
    assert swapped == {"pay": {"by": "bank", "last4": "4242"}}
    assert chosen == {"pay": {"by": "bank"}}
    # What the proposal said stays in view, as a field of its own that the new branch does not know.
    after = build(schema, proposed, chosen)
    assert [row.pointer for row in after.rows] == ["/pay", "/pay/by", "/pay/iban", "/pay/last4"]


def test_entries_are_added_moved_and_removed_by_buttons() -> None:
    form = build(BOOKING, PROPOSED, PROPOSED)

    assert [op.value for op in row_at(form, "/flights").operations] == ["add:/flights"]
    assert [op.value for op in row_at(form, "/flights/0").operations] == [
        "remove:/flights/0",
        "down:/flights/0",
    ]
    assert [op.value for op in row_at(form, "/flights/1").operations] == [
        "remove:/flights/1",
        "up:/flights/1",
    ]
    added = apply_operation(BOOKING, PROPOSED, "add:/flights")
    assert added == {**PROPOSED, "flights": [*PROPOSED["flights"], {}]}
    assert parse(BOOKING, PROPOSED, submit(build(BOOKING, PROPOSED, added))).value == added
    removed = apply_operation(BOOKING, PROPOSED, "remove:/flights/0")
    assert removed == {"flights": [{"number": "HA2", "price": 20}], "insurance": "no"}
    assert apply_operation(BOOKING, PROPOSED, "down:/flights/0") == apply_operation(
        BOOKING, PROPOSED, "up:/flights/1"
    )
    assert apply_operation(BOOKING, removed, "reset:/flights", proposed=PROPOSED) == PROPOSED
    assert apply_operation(BOOKING, {}, "add:/flights") == {"flights": [{}]}


@pytest.mark.parametrize(
    "op", ["", "add", "add:", "add:/note", "remove:/flights/9", "remove:/note", "up:/flights/0", "x:/a"]
)
def test_a_button_that_makes_no_sense_changes_nothing(op: str) -> None:
    assert apply_operation(BOOKING, PROPOSED, op) == PROPOSED


def test_changes_are_counted_by_field() -> None:
    edited: Any = {"flights": [{"number": "HA9", "price": 10.0}], "insurance": "yes"}

    form = build(BOOKING, PROPOSED, edited)

    assert [row.pointer for row in form.rows if row.changed] == [
        "/flights",
        "/flights/0/number",
        "/insurance",
    ]
    assert form.changed_count == 2


def test_errors_stand_at_their_row_or_the_nearest_around_it() -> None:
    errors = [
        FieldError("/flights/0/number", "Needed."),
        FieldError("/flights/7/price", "Wrong."),
        FieldError("/nowhere", "Odd."),
    ]

    form = build(BOOKING, PROPOSED, PROPOSED, errors=errors)

    assert row_at(form, "/flights/0/number").error == "Needed."
    assert row_at(form, "/flights").error == "7 / price: Wrong."
    assert form.errors == (FieldError("/nowhere", "Odd."),)


def test_what_was_typed_is_shown_again_after_an_error() -> None:
    posted = submit(build(BOOKING, PROPOSED, PROPOSED)) | {field_name(("flights", "0", "price")): ["1,5"]}
    parsed = parse(BOOKING, PROPOSED, posted)

    form = build(BOOKING, PROPOSED, parsed.value, errors=parsed.errors, raw=typed_texts(posted))

    row = row_at(form, "/flights/0/price")
    assert (row.value_text, row.changed) == ("1,5", False)
    assert row.error == "Write the number with a point and without separators, for example 1234.50."


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"a": 1', "Line 1, column 8"),
        ('{"a": 1, "a": 2}', "The field “a” stands twice in one object."),
        ("NaN", "NaN is not a JSON value."),
        ("9007199254740993", "The number 9007199254740993 is too large to be exact; write it as text."),
        ("1e999", "The number 1e999 is too large."),
        ('"\\ud800"', "A text holds a character that cannot be stored"),
        ('"\\u0000"', "A text holds a character that cannot be stored"),
        ("[" * 40 + "]" * 40, "The document is nested more than 32 levels deep."),
        ("[" * 100_000, "The document is nested more than 32 levels deep."),
        ("\ufeff1", "Line 1, column 1"),
    ],
)
def test_the_json_tab_is_strict_and_says_where(text: str, message: str) -> None:
    parsed = parse_json(text)

    assert parsed.value is None
    assert parsed.errors[0].message.startswith(message)


def test_hidden_characters_are_escapes_in_json_text() -> None:
    assert (
        build(None, {"a": "x\u202ey\u200b"}, {"a": "x\u202ey\u200b"}).json_text
        == '{\n  "a": "x\\u202ey\\u200b"\n}'
    )


def test_a_date_time_carries_its_instant_and_one_at_the_end_of_the_calendar_does_not() -> None:
    schema = {"type": "string", "format": "date-time"}

    moment = draw(schema, "2026-07-01T09:30:00+02:00").moment
    assert moment is not None
    assert moment.isoformat() == "2026-07-01T09:30:00+02:00"
    assert draw(schema, "9999-12-31T23:59:59Z").moment is None
    assert draw(schema, "2026-07-01T09:30:00").moment is None
