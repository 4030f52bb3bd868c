"""Texts that say nearly the same differ in few bits, others in many."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datasets.models import LabelledCase
from datasets.services.similarity import distance, similarity
from datasets.tests.base import Learners, decide, label

LETTER = (
    "Hello, I ordered three blue cups two weeks ago and one of them arrived broken. The box was wet. "
    "Please send me the money back for that cup, or a new one if you still have it. My order is SO-48213."
)
OTHER = (
    "The monthly report of the storage cluster shows that two of the disks are close to their limit, so the "
    "team asks for permission to move the oldest backups to the archive before the weekend starts."
)


def test_a_touched_up_text_stays_near_and_another_one_is_far() -> None:
    one = similarity({"input": LETTER}, {"amount": 60})
    near = similarity({"input": LETTER.replace("two weeks", "three weeks")}, {"amount": 60})
    far = similarity({"input": OTHER}, {"amount": 60})

    assert one is not None
    assert near is not None
    assert far is not None
    assert distance(one, near) <= 8
    assert distance(one, far) > 16


def test_ways_of_writing_and_the_order_of_members_are_of_no_matter() -> None:
    assert similarity({"a": "One  cup", "b": "broke"}) == similarity({"b": "BROKE", "a": "one cup\n"})
    assert similarity({"a": 1.0}) == similarity({"a": 1})
    assert similarity({"order": "x y z"}) == similarity({"other": "x y z"})


@pytest.mark.parametrize("nothing", [None, {}, [], "", {"a": [None, True, " - "]}])
def test_what_says_nothing_has_no_similarity(nothing: Any) -> None:
    assert similarity(nothing) is None


@settings(max_examples=100, deadline=None)
@given(
    st.recursive(
        st.text(max_size=20) | st.integers() | st.none(), lambda inner: st.lists(inner), max_leaves=9
    )
)
def test_it_fits_a_column_and_is_the_same_again(value: Any) -> None:
    bits = similarity(value)

    assert bits == similarity(value)
    assert bits is None or -(2**63) <= bits < 2**63
    assert bits is None or distance(bits, bits) == 0
    assert bits is None or distance(bits, ~bits) == 64


def test_every_case_has_what_is_needed_to_find_its_like(learners: Learners) -> None:
    first = decide(learners.cast, context={"input": LETTER})
    second = decide(learners.cast, context={"input": LETTER.upper()})
    label()

    one, other = (LabelledCase.objects.get(decision_id=each.public_id) for each in (first, second))
    assert one.likeness == first.action.likeness != ""
    assert one.similarity is not None
    assert one.similarity == other.similarity
