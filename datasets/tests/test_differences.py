"""What kind of error each difference is; and that the differences say everything."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datasets.engine.differences import Difference, applied, differences
from datasets.engine.fields import Declaration
from hitl_site.lib.canonical import canonicalize
from hitl_site.lib.strict_json import JsonValue
from hitl_site.lib.textdiff import json_changes

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.floats(allow_nan=False, allow_infinity=False, width=32).filter(
        lambda number: not number.is_integer()
    )
    | st.text(alphabet="abc /~01é ", max_size=8)
)
NAMES = st.sampled_from(["to", "note", "amount", "a/b", "~", "", "0", "items"])
DOCUMENTS: st.SearchStrategy[Any] = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=12,
)
SCHEMA: dict[str, Any] = {
    "$defs": {"person": {"type": "object", "properties": {"reach": {"format": "email"}}}},
    "properties": {
        "who": {"$ref": "#/$defs/person"},
        "status": {"enum": ["open", "a thing of many words", "another thing of many words"]},
        "note": {"enum": ["short", "long"]},
        "letter": {"type": "string", "maxLength": 2000},
        "code": {"type": "string", "maxLength": 2000, "pattern": "^[A-Z]+$"},
        "page": {"contentMediaType": "text/html"},
        "pair": {"prefixItems": [{"format": "hostname"}], "items": {"maxLength": 500}},
        "either": {"anyOf": [{"type": "null"}, {"format": "uuid"}]},
        "loop": {"$ref": "#/properties/loop"},
    },
    "additionalProperties": {"contentMediaType": "text/plain"},
}


@settings(max_examples=100, deadline=None)
@given(DOCUMENTS, DOCUMENTS)
def test_applying_the_differences_to_the_proposal_gives_the_truth(proposed: Any, truth: Any) -> None:
    found = differences(proposed, truth, Declaration())

    assert canonicalize(applied(proposed, found)) == canonicalize(truth)
    # As they are written down, too.
    read = [Difference.from_document(each.document()) for each in found]
    assert canonicalize(applied(proposed, read)) == canonicalize(truth)


@settings(max_examples=100, deadline=None)
@given(DOCUMENTS, DOCUMENTS)
def test_there_is_one_difference_for_each_changed_place(proposed: Any, truth: Any) -> None:
    found = differences(proposed, truth, Declaration(SCHEMA))

    assert [each.pointer for each in found] == [each.pointer for each in json_changes(proposed, truth)]
    assert (found == ()) == (canonicalize(proposed) == canonicalize(truth))


@settings(max_examples=100, deadline=None)
@given(DOCUMENTS.filter(lambda value: isinstance(value, dict)), DOCUMENTS, DOCUMENTS)
def test_any_document_will_do_for_a_schema(schema: Any, proposed: Any, truth: Any) -> None:
    declared = {"properties": {"to": schema, "items": {"items": schema}}, **schema}

    found = differences(proposed, truth, Declaration(declared, cluster_pointer="/a~1b"))

    assert canonicalize(applied(proposed, found)) == canonicalize(truth)


@pytest.mark.parametrize(
    ("proposed", "truth", "kind"),
    [
        ({"amount": 60}, {"amount": 12.5}, "wrong_value"),
        ({"amount": None}, {"amount": 12.5}, "wrong_value"),
        ({"amount": "60"}, {"amount": 60}, "wrong_value"),
        ({"amount": True}, {"amount": 1}, "wrong_value"),
        ({}, {"amount": 12.5}, "missing"),
        ({"items": [1]}, {"items": [1, 2]}, "missing"),
        ({"amount": 60}, {}, "extra"),
        ({"to": "anna@example.org"}, {}, "extra"),
        ({"to": "anna@example.org"}, {"to": "hanna@example.org"}, "wrong_target"),
        ({"to": ["anna", "ben"]}, {"to": ["anna", "carl"]}, "wrong_target"),
        ({"customerId": 4}, {"customerId": 5}, "wrong_target"),
        ({"order_number": "SO-1"}, {"order_number": "SO-2"}, "wrong_target"),
        ({"billing": {"IBAN": "DE1"}}, {"billing": {"IBAN": "DE2"}}, "wrong_target"),
        ({"number": 1}, {"number": 2}, "wrong_value"),
        ({"to": "anna"}, {"to": " Anna"}, "wrong_wording"),
        ({"note": "Sorry!"}, {"note": "We apologise."}, "wrong_wording"),
        ({"note": 1}, {"note": "one"}, "wrong_value"),
        ({"order_note": "left"}, {"order_note": "right"}, "wrong_wording"),
        (
            {"x": "we will send it today"},
            {"x": "we will send it on Friday"},
            "wrong_wording",
        ),
        ({"x": "blue cup"}, {"x": "green cup"}, "wrong_value"),
        (1, 2, "wrong_value"),
    ],
)
def test_without_a_schema_names_and_texts_tell_what_kind_of_error_it_is(
    proposed: JsonValue, truth: JsonValue, kind: str
) -> None:
    (difference,) = differences(proposed, truth, Declaration())

    assert difference.kind == kind


@pytest.mark.parametrize(
    ("proposed", "truth", "kind"),
    [
        ({"who": {"reach": "a@b.example"}}, {"who": {"reach": "c@b.example"}}, "wrong_target"),
        (
            {"status": "a thing of many words"},
            {"status": "another thing of many words"},
            "wrong_value",
        ),
        ({"note": "short"}, {"note": "long"}, "wrong_value"),
        ({"letter": "Dear"}, {"letter": "Hello"}, "wrong_wording"),
        ({"code": "A"}, {"code": "B"}, "wrong_value"),
        ({"page": "<p>"}, {"page": "<b>"}, "wrong_wording"),
        ({"pair": ["a.example", "x"]}, {"pair": ["b.example", "x"]}, "wrong_target"),
        ({"pair": ["a.example", "x"]}, {"pair": ["a.example", "y"]}, "wrong_wording"),
        ({"either": None}, {"either": "u-1"}, "wrong_target"),
        ({"loop": 1}, {"loop": 2}, "wrong_value"),
        ({"unlisted": "x"}, {"unlisted": "y"}, "wrong_wording"),
        ({"case": {"ref": 1}}, {"case": {"ref": 2}}, "wrong_target"),
    ],
)
def test_the_schema_and_the_cluster_pointer_come_before_the_name(
    proposed: JsonValue, truth: JsonValue, kind: str
) -> None:
    (difference,) = differences(proposed, truth, Declaration(SCHEMA, cluster_pointer="/case"))

    assert difference.kind == kind
