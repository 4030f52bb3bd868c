"""What loosens a declaration, field by field, and whether a schema got wider."""

from __future__ import annotations

from typing import Any

import jsonschema_rs
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from policies.engine.declaration_loosening import KNOWN_FIELDS, changes, loosening
from policies.engine.difference import Effect
from policies.engine.schema_widening import schema_effect
from policies.models import ActionType

LOOSENS, TIGHTENS, NEITHER = Effect.LOOSENS, Effect.TIGHTENS, Effect.NEITHER


@pytest.mark.parametrize(
    ("field", "strict", "loose"),
    [
        ("risk", "critical", "high"),
        ("risk", "medium", "low"),
        ("irreversible", True, False),
        ("widens_rights", True, False),
        ("argument_schema", {"type": "object"}, None),
        ("checklist", ["Who asked?", "How much?"], ["Who asked?"]),
        ("cluster_pointer", "/order_id", ""),
        ("cosmetic_pointers", ["/note"], ["/note", "/iban"]),
        ("normalised_fields", {}, {"/iban": ["upper"]}),
        ("pause_on_mismatch", True, False),
        ("second_admin", True, None),
        ("second_admin", None, False),
        ("autonomy_cap", "review_all", "threshold"),
        ("autonomy_cap", "threshold", "autonomous"),
        ("first_contact_level", "shadow", "review_all"),
        ("reading_floor_ms", 2000, 0),
        ("material_pointers", [], ["/amount"]),
        ("material_pointers", ["/amount", "/iban"], ["/amount"]),
        ("severities", {"wrong_target": 1.0}, {"wrong_target": 0.1}),
        ("evidence_sources", [{"pointer": "/amount", "tool": "order"}], []),
        ("cost_of_error", 100, 1),
        ("cost_of_review_minute", 1, 100),
        ("cost_of_delay", 1, 100),
        ("error_limit", 0.01, 0.2),
        ("evals_required", True, False),
        ("drill_rate", 0.02, 0.0),
        ("drill_burst", True, False),
        ("second_opinion_rate", 0.1, 0.05),
        ("bulk_cap", 0, 25),
    ],
)
def test_one_way_loosens_and_the_other_tightens(field: str, strict: object, loose: object) -> None:
    (looser,) = changes({field: strict}, {field: loose})
    (tighter,) = changes({field: loose}, {field: strict})
    assert (looser.field, looser.effect, tighter.effect) == (field, LOOSENS, TIGHTENS)
    assert changes({field: loose}, {field: loose}) == ()


@pytest.mark.parametrize(
    ("field", "before", "after"),
    [
        ("error_limit", None, 0.5),
        ("error_limit", 0.5, None),
        ("ladder", {}, {"days": 1}),
        ("severities", {"wrong_target": 0.5}, {}),
        ("cosmetic_pointers", ["/note"], ["/iban"]),
        ("normalised_fields", {"/iban": ["upper"]}, {"/iban": ["upper", "trim"]}),
        ("cluster_pointer", "/order_id", "/line_id"),
        ("value_pointer", "", "/amount"),
        ("risk", "low", "unheard of"),
        ("a_field_nobody_has_taught", 1, 2),
        ("another", True, 1),
    ],
)
def test_in_doubt_it_loosens(field: str, before: object, after: object) -> None:
    assert [each.field for each in loosening({field: before}, {field: after})] == [field]


def test_what_is_only_read_does_neither() -> None:
    before = {"title": "Refund", "icon": "wrench", "title_template": "", "reason_codes": []}
    after = {"title": "A", "icon": "mail", "title_template": "{a}", "reason_codes": [{"code": "a"}]}
    assert {each.effect for each in changes(before, after)} == {NEITHER}
    assert changes({"checklist": ["a", "b"]}, {"checklist": ["b", "a"]})[0].effect is NEITHER


def test_every_field_of_a_declaration_is_told_in_plain_words() -> None:
    before = {"risk": "critical", "second_admin": None, "widens_rights": True, "error_limit": 0.01}
    after = {"risk": "low", "second_admin": False, "widens_rights": False, "error_limit": 0.25}
    assert [each.sentence for each in loosening(before, after)] == [
        "Risk: critical → low.",
        "Publishing takes a second admin: by its risk → never.",
        "It can widen the agent’s own rights: yes → no.",
        "Share of errors that is not to be passed: 0.01 → 0.25.",
    ]


def test_no_column_of_an_action_type_is_unknown_here() -> None:
    own = {"id", "public_id", "name", "created_at", "updated_at"}
    columns = {field.name for field in ActionType._meta.concrete_fields}
    assert columns - own <= KNOWN_FIELDS


OBJECT: dict[str, Any] = {
    "type": "object",
    "properties": {"amount": {"type": "integer", "maximum": 100}, "note": {"type": "string"}},
    "required": ["amount"],
}


@pytest.mark.parametrize(
    ("after", "effect"),
    [
        ({**OBJECT, "title": "Refund", "description": "words"}, NEITHER),
        ({**OBJECT, "additionalProperties": False}, TIGHTENS),
        ({**OBJECT, "required": ["amount", "note"]}, TIGHTENS),
        ({**OBJECT, "required": []}, LOOSENS),
        ({**OBJECT, "properties": {**OBJECT["properties"], "more": {"type": "string"}}}, TIGHTENS),
        ({**OBJECT, "properties": {"amount": OBJECT["properties"]["amount"]}}, LOOSENS),
        ({**OBJECT, "properties": {**OBJECT["properties"], "amount": {"type": "integer"}}}, LOOSENS),
        (
            {
                **OBJECT,
                "properties": {**OBJECT["properties"], "amount": {"type": "integer", "maximum": 50}},
            },
            TIGHTENS,
        ),
        (
            {**OBJECT, "properties": {**OBJECT["properties"], "note": {"enum": ["a"], "type": "string"}}},
            TIGHTENS,
        ),
        ({**OBJECT, "type": ["object", "array"]}, LOOSENS),
        ({**OBJECT, "anyOf": [{}]}, LOOSENS),
        (None, LOOSENS),
        ({}, LOOSENS),
        (False, TIGHTENS),
    ],
)
def test_a_schema_is_wider_unless_it_is_surely_not(after: object, effect: Effect) -> None:
    assert schema_effect(OBJECT, after) is effect


def test_a_closed_object_that_names_one_more_member_is_wider() -> None:
    closed = {**OBJECT, "additionalProperties": False}
    assert schema_effect(closed, {**closed, "properties": {**OBJECT["properties"], "to": {}}}) is LOOSENS


def test_naming_the_items_of_a_closed_list_is_wider() -> None:
    """Before, no item was taken; what ``items`` names is not left to ``unevaluatedItems`` any more."""
    before = {"type": "array", "unevaluatedItems": False}
    after = {**before, "items": {"type": "string"}}
    taken = ["to somebody else"]
    assert not jsonschema_rs.validator_for(before).is_valid(taken)
    assert jsonschema_rs.validator_for(after).is_valid(taken)
    assert schema_effect(before, after) is LOOSENS


def test_a_narrower_part_behind_a_reference_may_be_wider() -> None:
    before = {"properties": {"a": {"type": "integer"}, "b": {"not": {"$ref": "#/properties/a"}}}}
    after = {"properties": {**before["properties"], "a": {"type": "integer", "minimum": 5}}}
    assert schema_effect(before, after) is LOOSENS


LEAVES = st.sampled_from(
    [
        {},
        {"type": "integer"},
        {"type": ["integer", "string"]},
        {"minimum": 2},
        {"type": "integer", "minimum": 1, "maximum": 3},
        {"enum": [1, 2]},
        {"enum": [True, "a"]},
        {"const": 1},
        {"maxLength": 1},
        {"items": {"type": "integer"}, "maxItems": 1},
    ]
)
SCHEMAS = st.fixed_dictionaries(
    {},
    optional={
        "properties": st.dictionaries(st.sampled_from("ab"), LEAVES, max_size=2),
        "required": st.lists(st.sampled_from("ab"), unique=True, max_size=2),
        "additionalProperties": st.sampled_from([True, False, {"type": "integer"}]),
        "maxProperties": st.integers(0, 2),
        "type": st.just("object"),
    },
)
VALUES = st.dictionaries(
    st.sampled_from("abc"), st.sampled_from([0, 1, 2, 3, 5, True, "a", "ab", [1], ["a", 1], None]), max_size=3
)


@given(SCHEMAS, SCHEMAS, st.lists(VALUES, min_size=4, max_size=8))
@hypothesis_settings(max_examples=150, deadline=None)
def test_what_does_not_loosen_takes_nothing_that_was_not_taken(
    before: dict[str, Any], after: dict[str, Any], values: list[dict[str, Any]]
) -> None:
    if schema_effect(before, after) is LOOSENS:
        return
    old, new = (jsonschema_rs.Draft202012Validator(schema) for schema in (before, after))
    for value in values:
        assert old.is_valid(value) or not new.is_valid(value)
