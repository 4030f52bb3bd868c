"""Graders: what was right passes, what differs fails unless a rule says otherwise, nothing raises."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from datasets.graders import DEFAULT, Answer, Expected, Grade, InvalidGrader, from_document, grade
from datasets.graders.comparing import similarity
from hitl_site.lib.canonical import canonicalize
from hitl_site.lib.strict_json import MAX_SAFE_INTEGER

TYPE = "refund.issue"
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-MAX_SAFE_INTEGER, MAX_SAFE_INTEGER)
    | st.floats(-1e15, 1e15)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text("ab/~é", max_size=2), inner, max_size=3)
    ),
    max_leaves=8,
)
arguments = st.dictionaries(st.sampled_from(["amount", "order", "tags", "a/b", "é", ""]), values, max_size=5)
pointers = st.sampled_from(
    ["", "/amount", "/order", "/tags", "/tags/0", "/a~1b", "/amount/ab", "/é", "/nowhere"]
)
steps = st.lists(st.sampled_from(["trim", "casefold", "nfc", "number"]), max_size=4)
bounds = st.sampled_from([0.0, 0.01, 5.0, 1e300])
rules = st.one_of(
    st.fixed_dictionaries({"pointer": pointers, "compare": st.just("exact"), "normalise": steps}),
    st.fixed_dictionaries(
        {
            "pointer": pointers,
            "compare": st.just("number"),
            "absolute": bounds,
            "relative": bounds,
            "normalise": steps,
        }
    ),
    st.fixed_dictionaries(
        {
            "pointer": pointers,
            "compare": st.just("similar"),
            "threshold": st.sampled_from([0.1, 0.9, 1.0]),
            "normalise": steps,
        }
    ),
    st.fixed_dictionaries({"pointer": pointers, "compare": st.just("set"), "normalise": steps}),
    st.fixed_dictionaries({"pointer": pointers, "compare": st.just("ignore")}),
)
graders = st.builds(
    lambda fields, others: from_document({"fields": fields, "others": others}),
    st.lists(rules, max_size=5, unique_by=lambda rule: rule["pointer"]),
    st.sampled_from(["exact", "ignore"]),
)


def graded(fields: list[dict[str, Any]], right: Any, given: Any, **more: Any) -> Grade:
    grader = from_document({"fields": fields, **more})
    return grade(grader, Expected(TYPE, right), Answer(True, TYPE, given))


@given(grader=graders, right=arguments)
def test_the_truth_always_passes(grader: Any, right: Any) -> None:
    found = grade(grader, Expected(TYPE, right), Answer(True, TYPE, copy.deepcopy(right)))
    assert (found.passed, found.score) == (True, 1.0)


@given(right=arguments, given_=arguments)
def test_without_a_grader_exactly_what_is_canonically_the_same_passes(right: Any, given_: Any) -> None:
    found = grade(DEFAULT, Expected(TYPE, right), Answer(True, TYPE, given_))
    assert found.passed == (canonicalize(right) == canonicalize(given_))


@given(grader=graders, right=arguments, name=st.sampled_from(["amount", "order", "new"]), other=values)
def test_a_mutated_field_fails_unless_a_rule_covers_it(
    grader: Any, right: Any, name: str, other: Any
) -> None:
    assume(
        not any(
            rule.pointer in {"", f"/{name}"} or rule.pointer.startswith(f"/{name}/") for rule in grader.fields
        )
    )
    assume(name not in right or canonicalize(right[name]) != canonicalize(other))
    found = grade(grader, Expected(TYPE, right), Answer(True, TYPE, {**right, name: other}))
    assert found.passed is (grader.others == "ignore")
    if not found.passed:
        wrong = [place for place in found.places if not place.passed]
        assert [place.pointer for place in wrong] == [f"/{name}"]
        assert found.score is not None
        assert found.score < 1


hostile = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(), max_size=5)
    | st.binary(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner, max_size=3),
    max_leaves=6,
)


@given(
    grader=graders, right=hostile, given_=hostile, acted=st.booleans(), error=st.sampled_from(["", "boom"])
)
@settings(max_examples=200)
def test_nothing_raises(grader: Any, right: Any, given_: Any, acted: bool, error: str) -> None:
    found = grade(grader, Expected(TYPE, right), Answer(acted, TYPE, given_, error))
    assert (found.passed is None) == (found.score is None)
    assert found.score is None or 0 <= found.score <= 1
    assert not (error and found.passed)


def test_a_value_nested_without_end_is_not_graded() -> None:
    deep: Any = []
    for _ in range(100_000):
        deep = [deep]
    assert grade(DEFAULT, Expected(TYPE, {"a": 1}), Answer(True, TYPE, {"a": deep})).passed is not True


@given(first=st.text(max_size=30), second=st.text(max_size=30))
def test_similarity_is_symmetric_and_1_only_for_the_same(first: str, second: str) -> None:
    assert similarity(first, second) == similarity(second, first)
    assert 0 <= similarity(first, second) <= 1
    assert (similarity(first, second) == 1) == (first == second)


def test_similarity_by_hand() -> None:
    # ^night$ and ^nacht$: five trigrams each (^ni nig igh ght ht$; ^na nac ach cht ht$), one in common.
    assert similarity("night", "nacht") == pytest.approx(2 * 1 / 10)


@pytest.mark.parametrize(
    ("rule", "right", "given_", "passes"),
    [
        ({"compare": "number"}, 40, 40.0, True),
        ({"compare": "number", "absolute": 0.01}, 40, 40.01, True),
        ({"compare": "number", "absolute": 0.01}, 40, 40.011, False),
        ({"compare": "number", "absolute": 0.1}, 0.3, 0.2, True),  # exact in decimals, off in doubles
        ({"compare": "number", "relative": 0.1}, -200, -180, True),
        ({"compare": "number", "relative": 0.1}, -200, -179.9, False),
        ({"compare": "number", "absolute": 1}, 1, True, False),
        ({"compare": "number", "absolute": 1}, 1, "1", False),
        ({"compare": "number", "absolute": 1, "normalise": ["number", "trim"]}, 1, " 2.0 ", True),
        ({"compare": "number", "absolute": 1, "normalise": ["number"]}, 1, "1e0", False),
        ({"compare": "number", "absolute": 1}, None, None, True),
        ({"compare": "number", "absolute": 1}, None, 0, False),
        ({"compare": "exact"}, "A", "a", False),
        ({"compare": "exact", "normalise": ["casefold"]}, "Straße", "STRASSE", True),
        ({"compare": "exact", "normalise": ["trim"]}, "a", "\u00a0a\n", True),
        ({"compare": "exact", "normalise": ["nfc"]}, "é", "e\u0301", True),
        ({"compare": "exact"}, "é", "e\u0301", False),
        ({"compare": "exact", "normalise": ["number"]}, ["40.00"], [40], True),
        ({"compare": "exact"}, 1, True, False),
        ({"compare": "set"}, [1, 2, {"a": [1]}], [{"a": [1.0]}, 2, 1], True),
        ({"compare": "set"}, [1, 1], [1], False),
        ({"compare": "set"}, [1], "1", False),
        (
            {"compare": "similar", "threshold": 0.8},
            "Your refund is on its way.",
            "Your refund is on its way!",
            True,
        ),
        (
            {"compare": "similar", "threshold": 0.8},
            "Your refund is on its way.",
            "We cannot refund this.",
            False,
        ),
        ({"compare": "similar", "threshold": 0.1}, "1", 1, False),
        ({"compare": "schema", "schema": {"type": "string", "minLength": 2}}, "ab", "anything", True),
        ({"compare": "schema", "schema": {"type": "string", "minLength": 2}}, "ab", "a", False),
        ({"compare": "ignore"}, "ab", {"x": 1}, True),
    ],
)
def test_one_value_by_one_rule(rule: dict[str, Any], right: Any, given_: Any, passes: bool) -> None:
    found = graded([{"pointer": "/x", **rule}], {"x": right}, {"x": given_})
    assert found.passed is passes


def test_what_is_not_there_is_not_null() -> None:
    assert graded([{"pointer": "/x", "compare": "exact"}], {"x": None}, {}).passed is False
    assert graded([{"pointer": "/x", "compare": "ignore"}], {"x": None}, {}).passed is True
    assert graded([{"pointer": "/x", "compare": "set"}], {}, {}).passed is True


def test_the_most_specific_rule_wins() -> None:
    fields = [
        {"pointer": "/to", "compare": "exact"},
        {"pointer": "/to/name", "compare": "ignore"},
        {"pointer": "/rows/0", "compare": "ignore"},
    ]
    right = {"to": {"name": "Ada", "id": 1}, "rows": [1, 2]}
    assert graded(fields, right, {"to": {"name": "Bob", "id": 1}, "rows": [9, 2]}).passed
    assert not graded(fields, right, {"to": {"name": "Ada", "id": 2}, "rows": [1, 2]}).passed
    assert not graded(fields, right, {"to": {"name": "Ada", "id": 1}, "rows": [1, 2, 3]}).passed


def test_the_detail_names_every_place_and_what_differs_below_it() -> None:
    found = graded(
        [{"pointer": "/amount", "compare": "number", "absolute": 0.5}],
        {"amount": 3, "to": {"id": 1, "name": "Ada"}, "order": "A"},
        {"amount": 4, "to": {"id": 1, "name": "Eve"}, "order": "A"},
    )
    assert (found.passed, found.why) == (False, "2 places are wrong.")
    assert found.score == pytest.approx(1 / 3)
    assert [(p.pointer, p.passed, p.why, p.changed) for p in found.places] == [
        ("/amount", False, "It is off by 1; 0.5 is allowed.", ()),
        ("/to", False, "It differs.", ("/to/name",)),
        ("/order", True, "", ()),
    ]
    json.dumps(found.document())


def test_the_arguments_as_a_whole_may_have_to_fit_a_schema() -> None:
    schema = {"type": "object", "properties": {"amount": {"maximum": 10}}}
    assert graded([], {"amount": 3}, {"amount": 30}, others="ignore", schema=schema).passed is False
    assert graded([], {"amount": 3}, {"amount": 5}, others="ignore", schema=schema).passed is True


def test_where_the_truth_does_not_pass_nothing_can_be_graded() -> None:
    found = graded([], {"amount": 30}, {"amount": 30}, schema={"properties": {"amount": {"maximum": 10}}})
    assert (found.passed, found.score) == (None, None)
    assert found.why == "The right answer itself does not pass this grader."


def test_where_nothing_should_be_done_only_doing_nothing_passes() -> None:
    nothing = Expected(TYPE, None)
    assert grade(DEFAULT, nothing, Answer(False)).passed is True
    assert grade(DEFAULT, nothing, Answer(True, TYPE, {})).passed is False
    assert grade(DEFAULT, nothing, Answer(True, "note.add", {})).passed is False
    assert grade(DEFAULT, nothing, Answer(False, error="boom")).passed is False


def test_doing_nothing_or_something_else_fails_where_something_was_right() -> None:
    right = Expected(TYPE, {"a": 1})
    assert grade(DEFAULT, right, Answer(False)).why == "It did nothing."
    assert grade(DEFAULT, right, Answer(True, "note.add", {"a": 1})).why == "It chose another action type."
    assert grade(DEFAULT, right, Answer(True, TYPE, {"a": 1}, error="boom")).passed is False


@pytest.mark.parametrize(
    "document",
    [
        None,
        [],
        {"fields": [{"pointer": "x", "compare": "exact"}]},
        {"fields": [{"pointer": "/x~2", "compare": "exact"}]},
        {"fields": [{"pointer": "/x", "compare": "nearly"}]},
        {"fields": [{"pointer": "/x", "compare": "number", "absolute": -1}]},
        {"fields": [{"pointer": "/x", "compare": "number", "absolute": float("nan")}]},
        {"fields": [{"pointer": "/x", "compare": "similar"}]},
        {"fields": [{"pointer": "/x", "compare": "similar", "threshold": 1.5}]},
        {"fields": [{"pointer": "/x", "compare": "schema", "schema": {"type": "no such"}}]},
        {"fields": [{"pointer": "/x", "compare": "exact"}, {"pointer": "/x", "compare": "ignore"}]},
        {"fields": [{"pointer": "/x", "compare": "exact", "normalise": ["upper"]}]},
        {"schema": {"type": "no such"}},
        {"others": "some"},
        {"format": "handrail.grader/2"},
        {"extra": 1},
    ],
)
def test_what_is_no_grader_is_refused_with_a_reason(document: Any) -> None:
    with pytest.raises(InvalidGrader, match=r"\S"):
        from_document(document)


@given(grader=graders)
def test_a_grader_survives_its_json_form(grader: Any) -> None:
    assert from_document(json.loads(json.dumps(grader.document()))) == grader
