"""Differences of texts and of JSON documents."""

from __future__ import annotations

import jsonpatch
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hitl_site.lib import textdiff
from hitl_site.lib.strict_json import JsonValue
from hitl_site.lib.textdiff import Change, Segment

json_values = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.sampled_from([0, 1, 1.0, 0.0, 2, 0.5]),
        st.text(alphabet="ab/~0", max_size=3),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.text(alphabet="ab/~0", max_size=2), inner, max_size=4)
    ),
    max_leaves=12,
)


def typed(value: JsonValue) -> object:
    """Make 1, 1.0 and True differ."""
    if isinstance(value, dict):
        return {name: typed(member) for name, member in value.items()}
    if isinstance(value, list):
        return [typed(member) for member in value]
    return (type(value).__name__, value)


def test_whole_words_change_and_the_rest_stays() -> None:
    assert textdiff.diff_text("Refund 120 EUR to Ada.", "Refund 20 EUR to Ada.") == (
        Segment("equal", "Refund "),
        Segment("delete", "120"),
        Segment("insert", "20"),
        Segment("equal", " EUR to Ada."),
    )


def test_scattered_changes_read_as_one() -> None:
    kinds = [segment.kind for segment in textdiff.diff_text("one two three", "four five six")]
    assert kinds == ["delete", "insert"]


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("", "", ()),
        ("same", "same", (Segment("equal", "same"),)),
        ("", "new", (Segment("insert", "new"),)),
        ("old", "", (Segment("delete", "old"),)),
    ],
)
def test_the_edges_of_a_text_difference(before: str, after: str, expected: tuple[Segment, ...]) -> None:
    assert textdiff.diff_text(before, after) == expected


def test_a_hidden_character_is_a_change() -> None:
    pieces = textdiff.diff_text("pay Ada now", "pay Ada\u200b now")
    assert Segment("insert", "\u200b") in pieces


def test_a_long_text_is_compared_by_lines() -> None:
    lines = [f"line {number} says the same thing\n" for number in range(4000)]
    before = "".join(lines)
    after = "".join([*lines[:2000], "line 2000 says another thing\n", *lines[2001:]])
    assert textdiff.diff_text(before, after) == (
        Segment("equal", "".join(lines[:2000])),
        Segment("delete", lines[2000]),
        Segment("insert", "line 2000 says another thing\n"),
        Segment("equal", "".join(lines[2001:])),
    )


@given(st.text(max_size=60), st.text(max_size=60))
@example("a\U000f0000b", "\U000f0001")
@example("\ud800 x", "x \udfff")
@example("a\r\nb\u2028c", "a\nb")
def test_both_texts_can_be_read_back_from_the_difference(before: str, after: str) -> None:
    pieces = textdiff.diff_text(before, after)
    assert "".join(piece.text for piece in pieces if piece.kind != "insert") == before
    assert "".join(piece.text for piece in pieces if piece.kind != "delete") == after


def test_changes_are_named_by_path() -> None:
    before: JsonValue = {"to": "ada", "amount": 120, "tags": ["a", "b"], "a/b": {"~": 1}}
    after: JsonValue = {"to": "ada", "amount": "120", "tags": ["a"], "a/b": {"~": 2}, "note": None}
    assert textdiff.json_changes(before, after) == (
        Change("/amount", 120, "120", "changed"),
        Change("/tags/1", "b", None, "removed"),
        Change("/a~1b/~0", 1, 2, "changed"),
        Change("/note", None, None, "added"),
    )


def test_true_is_not_one_but_one_is_one() -> None:
    assert textdiff.json_changes([1, 0, 1], [True, False, 1.0]) == (
        Change("/0", 1, True, "changed"),
        Change("/1", 0, False, "changed"),
    )


def test_a_change_of_kind_is_one_change_at_the_root() -> None:
    assert textdiff.json_changes({"a": 1}, [1]) == (Change("", {"a": 1}, [1], "changed"),)


@given(json_values, json_values)
def test_there_are_changes_exactly_when_canonical_values_differ(before: JsonValue, after: JsonValue) -> None:
    assert textdiff.json_changes(before, before) == ()
    same = typed(before) == typed(after)
    if same:
        assert textdiff.json_changes(before, after) == ()


def test_a_plain_change_is_a_small_patch() -> None:
    assert textdiff.json_patch({"a": 1, "b": 2}, {"a": 1, "b": 3}) == [
        {"op": "replace", "path": "/b", "value": 3}
    ]
    assert textdiff.json_patch({"a": 1}, {"a": 1}) == []


@given(json_values, json_values)
@example({"a": 1}, {"a": True})
@example([0], [False])
@example([1, 2], [1.0, 2])
@example({"a": [1, True]}, {"a": [True, 1]})
@example(None, {})
@example({}, None)
@example({"": 1}, {"": {"": 1}})
def test_a_patch_leads_exactly_to_the_later_value(before: JsonValue, after: JsonValue) -> None:
    untouched = typed(before)
    operations = textdiff.json_patch(before, after)
    assert typed(jsonpatch.apply_patch(before, operations)) == typed(after)
    assert typed(before) == untouched
