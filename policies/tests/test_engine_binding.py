"""What an approval binds: everything, except what is declared; and the preview says exactly that."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hitl_site.lib.canonical import canonicalize
from policies.engine.binding import Bearing, Binding, Form, binding_document, changes, faults, normalise

TRANSFER: dict[str, Any] = {
    "iban": "DE89 3704 0044 0532 0130 00",
    "amount": "184.00",
    "note": "Thank you",
    "items": [{"sku": "A-1", "label": "Blue"}, {"sku": "B-2", "label": "Red"}],
}
DECLARED = Binding.read(
    ["/note", "/items/*/label"],
    {"/iban": ["remove_spaces", "upper"], "/amount": ["number"], "/items/*/sku": ["casefold"]},
)


def is_bound_alike(before: object, after: object, binding: Binding) -> bool:
    first, second = binding_document(before, binding), binding_document(after, binding)
    return canonicalize(first) == canonicalize(second)  # type: ignore[arg-type]  # JSON in, JSON out


def test_nothing_declared_binds_every_byte() -> None:
    assert Binding().is_exact
    assert binding_document(TRANSFER, Binding()) == TRANSFER
    assert not is_bound_alike(TRANSFER, {**TRANSFER, "note": "Thank you "}, Binding())


def test_the_binding_document_leaves_what_was_given_alone() -> None:
    before = canonicalize(TRANSFER)
    binding_document(TRANSFER, DECLARED)
    assert canonicalize(TRANSFER) == before


def test_cosmetic_places_are_gone_and_normalised_ones_are_in_their_form() -> None:
    assert binding_document(TRANSFER, DECLARED) == {
        "iban": "DE89370400440532013000",
        "amount": "184",
        "items": [{"sku": "a-1"}, {"sku": "b-2"}],
    }


@pytest.mark.parametrize(
    ("edit", "bearing"),
    [
        ({"note": "Something else"}, Bearing.COSMETIC),
        ({"note": 7}, Bearing.COSMETIC),
        ({"iban": "de89370400440532013000"}, Bearing.NORMALISED),
        ({"iban": "DE89370400440532013001"}, Bearing.VOIDS),
        ({"amount": "184"}, Bearing.NORMALISED),
        ({"amount": "184.01"}, Bearing.VOIDS),
        ({"amount": 184}, Bearing.VOIDS),
        ({"amount": "1.84e2"}, Bearing.VOIDS),
        ({"iban": None}, Bearing.VOIDS),
        ({"extra": True}, Bearing.VOIDS),
        ({"items": TRANSFER["items"][:1]}, Bearing.VOIDS),
        ({"items": [{"sku": "A-1", "label": "Green"}, {"sku": "B-2", "label": "Red"}]}, Bearing.COSMETIC),
        ({"items": [{"sku": "a-1", "label": "Blue"}, {"sku": "B-2", "label": "Red"}]}, Bearing.NORMALISED),
        ({"items": list(reversed(TRANSFER["items"]))}, Bearing.VOIDS),
    ],
)
def test_an_edit_voids_an_approval_or_does_not(edit: dict[str, Any], bearing: Bearing) -> None:
    edited = {**TRANSFER, **edit}
    found = changes(TRANSFER, edited, DECLARED)
    assert bearing in {change.bearing for change in found}
    assert is_bound_alike(TRANSFER, edited, DECLARED) == (bearing is not Bearing.VOIDS)


def test_a_missing_cosmetic_place_is_as_good_as_another_value() -> None:
    without = {key: value for key, value in TRANSFER.items() if key != "note"}
    assert is_bound_alike(TRANSFER, without, DECLARED)
    (change,) = changes(TRANSFER, without, DECLARED)
    assert (change.pointer, change.after_missing, change.bearing) == ("/note", True, Bearing.COSMETIC)


def test_a_blanked_member_of_a_list_does_not_let_its_neighbour_move_up() -> None:
    first = Binding.read(["/to/0"], {})
    assert is_bound_alike({"to": ["a", "b"]}, {"to": ["c", "b"]}, first)
    assert not is_bound_alike({"to": ["a", "b"]}, {"to": ["b"]}, first)
    assert not is_bound_alike({"to": ["a"]}, {"to": []}, first)


def test_letters_that_only_look_alike_stay_different() -> None:
    name = Binding.read([], {"/name": ["nfc", "casefold", "trim", "collapse_spaces"]})
    assert is_bound_alike({"name": " Zo\u00eb  K."}, {"name": "zoe\u0308 k."}, name)
    assert not is_bound_alike({"name": "paypal"}, {"name": "p\u0430ypal"}, name)
    assert not is_bound_alike({"name": "pay\u200bpal"}, {"name": "paypal"}, name)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("184.00", "184"), ("+184", "184"), ("0184.50", "184.5"), ("-0", "0"), ("-0.50", "-0.5"),
        ("0.0", "0"), ("100", "100"), ("1,000", "1,000"), ("1e3", "1e3"), ("\u0661", "\u0661"), ("", ""),
    ],
)  # fmt: skip
def test_only_a_plain_decimal_number_is_compared_as_one(text: str, number: str) -> None:
    assert normalise(text, [Form.NUMBER]) == number


@pytest.mark.parametrize(
    ("cosmetic", "normalised"),
    [
        ("/note", {}),
        (["note"], {}),
        ([""], {}),
        (["/*"], {}),
        (["/*/*"], {}),
        (["/a~2"], {}),
        (["/" + "x" * 200], {}),
        ([7], {}),
        ([f"/a{n}" for n in range(51)], {}),
        ([], ["/iban"]),
        ([], {"/iban": []}),
        ([], {"/iban": "upper"}),
        ([], {"/iban": ["shout"]}),
        ([], {"iban": ["upper"]}),
    ],
)
def test_a_declaration_that_cannot_stand_is_named(cosmetic: object, normalised: object) -> None:
    assert any(faults(cosmetic, normalised))


def test_a_good_declaration_has_no_faults() -> None:
    assert faults(["/note", "/items/*/label"], {"/*": ["trim"], "/iban": ["upper"]}) == ((), ())


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from(["", "a", "A", " a", "1", "1.0", "b"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["a", "b", "0", "*"]), inner, max_size=3)
    ),
    max_leaves=8,
)
POINTERS = st.lists(st.sampled_from(["a", "b", "0", "1", "*"]), min_size=1, max_size=3).map(
    lambda tokens: "/" + "/".join(tokens)
)
BINDINGS = st.builds(
    Binding.read,
    st.lists(POINTERS, max_size=2),
    st.dictionaries(POINTERS, st.lists(st.sampled_from(list(Form)), min_size=1, max_size=2), max_size=2),
)


@given(before=JSON, after=JSON, binding=BINDINGS)
def test_the_preview_says_of_any_two_documents_what_the_digest_says(
    before: object, after: object, binding: Binding
) -> None:
    voids = any(change.bearing is Bearing.VOIDS for change in changes(before, after, binding))
    assert is_bound_alike(before, after, binding) == (not voids)
