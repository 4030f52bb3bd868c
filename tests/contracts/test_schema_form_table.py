"""Which control each shape of JSON Schema gets in the reviewer's form, as the browser is given it.

The form is drawn by its templates and read back from the HTML, so that what is tested is what a person has
before them: the elements, and that sending them untouched changes no byte of the arguments.
"""

from __future__ import annotations

from collections import Counter
from typing import Any
from urllib.parse import parse_qs, urlencode

import pytest
from django.template.loader import render_to_string
from hypothesis import given, settings

from datasets.replay.html_forms import Control, Form, read
from hitl_site.lib.canonical import canonicalize
from reviews.schema_form import build, parse
from reviews.schema_form.document import JsonValue
from reviews.schema_form.plan import field_name
from reviews.tests.test_schema_form_round_trip import I_JSON, SCHEMAS

LINE = {"type": "object", "properties": {"sku": {"type": "string"}}, "required": ["sku"]}
CARD = {
    "type": "object",
    "properties": {"kind": {"const": "card"}, "last4": {"type": "string"}},
    "required": ["kind", "last4"],
}
BANK = {
    "type": "object",
    "properties": {"kind": {"const": "bank"}, "iban": {"type": "string"}},
    "required": ["kind", "iban"],
}
DEEP: JsonValue = {"a": {"b": {"c": {"d": {"e": 1}}}}}


def nested(names: str) -> dict[str, Any]:
    """Return the schema of objects inside objects, one for each letter."""
    if not names:
        return {"type": "integer"}
    return {"type": "object", "properties": {names[0]: nested(names[1:])}}


def drawn(schema: object, proposed: JsonValue) -> str:
    """Return the rows as the page has them."""
    context = {"form": build(schema, proposed, proposed)}
    rows = "".join(
        render_to_string(f"reviews/schema_form/{name}.html", context) for name in ("_errors", "_rows")
    )
    return f"<form id=form>{rows}</form>"


def form_of(html: str) -> Form:
    return read(html).form(id="form")


def sent_back(schema: object, proposed: JsonValue, html: str) -> JsonValue:
    """Return the arguments that the form stands for when it is sent as it came."""
    posted = parse_qs(urlencode(form_of(html).sent()), keep_blank_values=True)
    parsed = parse(schema, proposed, posted)
    assert parsed.errors == ()
    return parsed.value


def controls_at(html: str, *path: str) -> list[Control]:
    return [each for each in form_of(html).controls if each.name == field_name(path)]


STRING, INTEGER = {"type": "string"}, {"type": "integer"}
LISTED = [chr(ord("a") + n) for n in range(6)]


@pytest.mark.parametrize(
    ("schema", "value", "elements"),
    [
        pytest.param({"enum": LISTED[:5]}, "b", {"radio": 5}, id="five choices"),
        pytest.param({"enum": LISTED}, "b", {"select": 1}, id="six choices"),
        pytest.param(STRING, "x" * 120, {"text": 1}, id="a short text"),
        pytest.param(STRING, "x" * 121, {"textarea": 1}, id="a long text"),
        pytest.param(STRING, "two\nlines", {"textarea": 1}, id="a text of lines"),
        pytest.param({**STRING, "format": "date"}, "2026-07-01", {"text": 1}, id="a date"),
        pytest.param(
            {**STRING, "format": "date-time"}, "2026-07-01T09:30:00+02:00", {"text": 1}, id="an instant"
        ),
        pytest.param({**STRING, "format": "time"}, "09:30:00Z", {"text": 1}, id="a time"),
        pytest.param({**STRING, "format": "email"}, "ana@example.org", {"text": 1}, id="an address"),
        pytest.param({**STRING, "format": "uri"}, "https://example.org/", {"text": 1}, id="a link"),
        pytest.param({"type": "number"}, 184.5, {"text": 1}, id="a number"),
        pytest.param(INTEGER, 7, {"text": 1}, id="a whole number"),
        pytest.param({"type": "boolean"}, True, {"radio": 2}, id="yes or no"),
        pytest.param({"type": "array", "items": STRING}, ["a", "b"], {"textarea": 1}, id="a list of texts"),
        pytest.param({"type": "array", "items": INTEGER}, [1, 2], {"textarea": 1}, id="a list of numbers"),
        pytest.param(
            {"type": "array", "items": {"enum": LISTED}},
            ["a"],
            {"hidden": 1, "checkbox": 6},
            id="a list of choices",
        ),
        pytest.param({**STRING, "readOnly": True}, "SO-1", {}, id="read only"),
        pytest.param({"const": "refund"}, "refund", {}, id="a constant"),
        # What a form cannot draw is a block of JSON.
        pytest.param({"type": ["string", "integer"]}, "x", {"textarea": 1}, id="two types"),
        pytest.param(
            {"type": "array", "items": {"type": "array"}}, [[1]], {"textarea": 1}, id="lists in a list"
        ),
        pytest.param({"$ref": "https://example.org/x"}, {"a": 1}, {"textarea": 1}, id="a schema elsewhere"),
        pytest.param(
            {"patternProperties": {"^x": INTEGER}}, {"x1": 1}, {"textarea": 1}, id="names by a pattern"
        ),
        pytest.param(INTEGER, "seven", {"textarea": 1}, id="a value of another type"),
        pytest.param({"not": {}}, {"x": [None]}, {"textarea": 1}, id="what nothing fits"),
        pytest.param({"type": 5, "enum": "no"}, 1.5, {"textarea": 1}, id="no schema at all"),
    ],
)
def test_each_shape_has_its_elements_and_comes_back_to_the_byte(
    schema: object, value: JsonValue, elements: dict[str, int]
) -> None:
    whole = {"type": "object", "properties": {"x": schema}, "required": ["x"]}
    proposed: JsonValue = {"x": value}
    html = drawn(whole, proposed)
    assert Counter(each.kind for each in controls_at(html, "x")) == elements
    assert canonicalize(sent_back(whole, proposed, html)) == canonicalize(proposed)


@pytest.mark.parametrize(
    ("form", "value", "kind"),
    [
        ("date", "2026-07-01", "date"),
        ("email", "ana@example.org", "email"),
        ("uri", "https://example.org/", "url"),
        # A browser's own control would rewrite these: its zone is not the value's, its seconds are not there.
        ("date-time", "2026-07-01T09:30:00+02:00", "text"),
        ("time", "09:30:00Z", "text"),
    ],
)
def test_a_format_has_the_browsers_own_control_where_that_changes_nothing(
    form: str, value: str, kind: str
) -> None:
    html = drawn({"type": "object", "properties": {"x": {**STRING, "format": form}}}, {"x": value})
    assert f'name="{field_name(("x",))}" type="{kind}" value="{value}"' in html


def test_limits_are_said_beside_the_field() -> None:
    amount = {"type": "number", "minimum": 1, "maximum": 500, "description": "In EUR."}
    html = drawn({"type": "object", "properties": {"amount": amount}}, {"amount": 184})
    assert "In EUR. At least 1. At most 500." in html
    assert 'inputmode="decimal"' in html


def test_entries_of_a_list_are_fields_with_buttons() -> None:
    schema = {
        "type": "object",
        "properties": {"lines": {"type": "array", "items": LINE}},
        "required": ["lines"],
    }
    proposed: JsonValue = {"lines": [{"sku": "A-1"}, {"sku": "B-2"}]}
    html = drawn(schema, proposed)
    assert [each.value for n in "01" for each in controls_at(html, "lines", n, "sku")] == ["A-1", "B-2"]
    pressed = {each.value for each in form_of(html).controls if each.name == "op"}
    assert {"add:/lines", "up:/lines/1", "down:/lines/0", "remove:/lines/0"} <= pressed
    assert sent_back(schema, proposed, html) == proposed


def test_a_tagged_union_shows_its_branch_and_a_choice_of_the_tag() -> None:
    schema = {"type": "object", "properties": {"to": {"oneOf": [CARD, BANK]}}, "required": ["to"]}
    proposed: JsonValue = {"to": {"kind": "card", "last4": "4242"}}
    html = drawn(schema, proposed)
    kind = controls_at(html, "to", "kind")
    assert sorted({*(each.value for each in kind), *(o for each in kind for o in each.options)}) == [
        '"bank"',
        '"card"',
    ]
    assert [each.value for each in controls_at(html, "to", "last4")] == ["4242"]
    assert controls_at(html, "to", "iban") == []
    assert sent_back(schema, proposed, html) == proposed


def test_what_lies_deeper_than_three_objects_is_one_block() -> None:
    html = drawn(nested("abcde"), DEEP)
    assert controls_at(html, "a", "b", "c") == []
    (block,) = controls_at(html, "a", "b", "c", "d")
    assert (block.kind, block.value) == ("textarea", '{\n  "e": 1\n}')
    assert canonicalize(sent_back(nested("abcde"), DEEP, html)) == canonicalize(DEEP)


@settings(max_examples=60)
@given(schema=SCHEMAS, proposed=I_JSON)
def test_whatever_the_schema_and_the_arguments_the_page_renders_and_comes_back_to_the_byte(
    schema: Any, proposed: Any
) -> None:
    html = drawn(schema, proposed)
    assert read(html).intruders == []
    assert canonicalize(sent_back(schema, proposed, html)) == canonicalize(proposed)
