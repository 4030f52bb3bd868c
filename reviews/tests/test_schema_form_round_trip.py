"""Reading back an untouched form gives exactly the document it was drawn from, whatever that is."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reviews.schema_form import (
    apply_operation,
    build,
    parse,
    parse_json,
    pretty,
    render_title,
    typed_texts,
    validate,
)
from reviews.schema_form.document import identical, pointer_of, same, tokens_of
from reviews.schema_form.titles import check_title_template

from .schema_form_browser import submit

NAMES = st.sampled_from(["a", "b", "flights", "order_id", "a/b", "~", "", "0", "kind"])
TEXTS = st.one_of(
    st.text(max_size=12),
    st.sampled_from(
        ["", " ", "\n", "\r", "a\r\nb", "\r\nx", "a\rb\nc", "x\u2028y", "\u202ex", "2026-07-01", "09:30"]
    ),
    st.sampled_from(
        ["1", "true", "null", "a" * 200, "me@example.org", " me@example.org", "ü@münchen.de", "\x00"]
    ),
)
NUMBERS = st.one_of(
    st.integers(-(2**53) + 1, 2**53 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from([1.0, 1, 1e22]),
)
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), NUMBERS, TEXTS),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(NAMES, inner, max_size=4)),
    max_leaves=12,
)
GARBAGE = st.one_of(
    st.none(), st.booleans(), st.integers(-5, 5), st.text(max_size=4), st.lists(st.none(), max_size=2)
)
FORMATS = st.sampled_from(["date", "date-time", "time", "email", "uri", "nonsense"])


def _schemas() -> st.SearchStrategy[Any]:
    scalar = st.one_of(
        st.fixed_dictionaries(
            {"type": st.sampled_from(["string", "integer", "number", "boolean", "null", "object", "array"])},
            optional={"format": FORMATS, "title": st.one_of(GARBAGE, TEXTS), "readOnly": st.booleans()},
        ),
        st.fixed_dictionaries({"enum": st.one_of(GARBAGE, st.lists(VALUES, max_size=7))}),
        st.fixed_dictionaries({"const": VALUES}),
        st.fixed_dictionaries(
            {"type": st.lists(st.sampled_from(["string", "null", "number", "integer"]), max_size=3)}
        ),
        st.fixed_dictionaries(
            {"$ref": st.sampled_from(["#", "#/properties/a", "#/$defs/x", "http://x.test/y", "~"])}
        ),
        GARBAGE,
    )
    return st.recursive(
        scalar,
        lambda inner: st.one_of(
            st.fixed_dictionaries(
                {"properties": st.one_of(GARBAGE, st.dictionaries(NAMES, inner, max_size=4))},
                optional={
                    "type": st.one_of(st.just("object"), GARBAGE),
                    "required": st.one_of(GARBAGE, st.lists(NAMES, max_size=3)),
                },
            ),
            st.fixed_dictionaries({"type": st.sampled_from(["array", ["array", "null"]]), "items": inner}),
            st.fixed_dictionaries(
                {"anyOf": st.one_of(GARBAGE, st.tuples(inner, st.just({"type": "null"})).map(list))}
            ),
            st.fixed_dictionaries({"oneOf": st.one_of(GARBAGE, st.lists(inner, max_size=3))}),
            st.fixed_dictionaries({"allOf": st.lists(inner, max_size=2)}),
        ),
        max_leaves=8,
    )


SCHEMAS = _schemas()
I_JSON = VALUES.filter(lambda value: "\x00" not in repr(value) and "\\x00" not in repr(value))


@settings(max_examples=400, deadline=None)
@given(schema=SCHEMAS, proposed=VALUES)
def test_an_untouched_form_reads_back_as_the_proposal(schema: Any, proposed: Any) -> None:
    form = build(schema, proposed, proposed)

    parsed = parse(schema, proposed, submit(form))

    assert parsed.errors == ()
    assert identical(parsed.value, proposed)
    assert form.changed_count == 0


@settings(max_examples=300, deadline=None)
@given(schema=SCHEMAS, proposed=I_JSON, edited=I_JSON)
def test_an_untouched_form_of_an_edited_document_reads_back_as_that_document(
    schema: Any, proposed: Any, edited: Any
) -> None:
    form = build(schema, proposed, edited)

    parsed = parse(schema, proposed, submit(form))

    assert parsed.errors == ()
    assert identical(parsed.value, edited)
    assert (form.changed_count == 0) == same(proposed, edited)


@settings(max_examples=200, deadline=None)
@given(schema=SCHEMAS, proposed=VALUES, data=st.data())
def test_reading_anything_posted_gives_a_value_or_an_error_and_draws_again(
    schema: Any, proposed: Any, data: st.DataObject
) -> None:
    form = build(schema, proposed, proposed)
    names = [name for row in (*form.rows, *form.unknown) for name in (row.name, row.presence_name)]
    posted = data.draw(
        st.dictionaries(
            st.sampled_from([*names, form.base_name, "op"]), st.lists(TEXTS, max_size=3), max_size=6
        )
    )

    parsed = parse(schema, proposed, posted)
    again = build(schema, proposed, parsed.value, errors=parsed.errors, raw=typed_texts(posted))

    placed = sum(row.error is not None for row in again.rows + again.unknown)
    assert placed + len(again.errors) > 0 or not parsed.errors
    validate(schema, parsed.value)


@settings(max_examples=200, deadline=None)
@given(
    schema=SCHEMAS,
    value=VALUES,
    proposed=VALUES,
    op=st.text(max_size=8)
    | st.builds(
        lambda verb, path: f"{verb}:{pointer_of(path)}",
        st.sampled_from(["add", "remove", "up", "down", "choose", "reset", "drop"]),
        st.lists(NAMES, max_size=3),
    ),
)
def test_a_button_gives_a_document_that_draws_and_leaves_its_input_alone(
    schema: Any, value: Any, proposed: Any, op: str
) -> None:
    before = pretty(value)

    changed = apply_operation(schema, value, op, proposed=proposed)

    assert pretty(value) == before
    build(schema, value, changed)


@settings(max_examples=200, deadline=None)
@given(value=I_JSON)
def test_the_json_tab_reads_back_what_it_shows(value: Any) -> None:
    parsed = parse_json(pretty(value).replace("\n", "\r\n"))

    assert parsed.errors == ()
    assert identical(parsed.value, value)


@given(text=st.text(max_size=40))
def test_any_text_in_the_json_tab_is_a_value_or_an_error(text: str) -> None:
    parsed = parse_json(text)

    assert parsed.errors == () or (parsed.value is None and len(parsed.errors) == 1)


@given(tokens=st.lists(st.text(max_size=5), max_size=4))
def test_a_pointer_reads_back_as_its_tokens(tokens: list[str]) -> None:
    assert list(tokens_of(pointer_of(tokens))) == tokens


@settings(max_examples=200, deadline=None)
@given(
    template=st.one_of(
        st.text(max_size=30),
        st.text(alphabet="{}|:.amony0 ", max_size=30),
        st.sampled_from(["{a|money:b}", "{a.b|count}"]),
    ),
    arguments=VALUES,
)
def test_a_title_is_one_short_line_of_characters_one_can_see(template: str, arguments: Any) -> None:
    title = render_title(template, arguments, fallback="An action")

    assert 0 < len(title) <= 160
    assert not set(title) & set("\x00\r\n\u202e\u2028\u200b")
    if check_title_template(template):
        assert title == "An action"


@pytest.mark.parametrize(
    "schema", [None, {}, [], "x", 3, {"type": 3}, {"$ref": "#"}, {"properties": {"a": {"$ref": "#"}}}]
)
@pytest.mark.parametrize("value", [None, {}, {"a": {"a": {"a": {"a": {"a": 1}}}}}, [1, {"b": [2]}], "text"])
def test_a_useless_schema_still_draws_and_reads_back(schema: Any, value: Any) -> None:
    form = build(schema, value, value)

    assert len(form.rows) + len(form.unknown) >= 1 or value == {}
    assert identical(parse(schema, value, submit(form)).value, value)
