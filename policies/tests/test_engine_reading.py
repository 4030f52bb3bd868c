"""The reading floor: what was declared, more for longer texts, and never without end."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.engine.reading import LONGEST_MS, reading_floor_ms, words_in


@pytest.mark.parametrize(
    ("declared", "arguments", "floor"),
    [
        (2000, {"order": "SO-1", "amount": 184}, 2000),
        (2000, {"message": "word " * 20}, 2000),
        (2000, {"message": "word " * 21}, 2100),
        (2000, {"lines": [{"text": "three words here"}] * 10}, 3000),
        (0, {"message": "word " * 500}, 0),
        (2000, {"message": "word " * 10_000}, LONGEST_MS),
        (2000, None, 2000),
    ],
)
def test_longer_arguments_need_longer(declared: int, arguments: object, floor: int) -> None:
    assert reading_floor_ms(declared_ms=declared, arguments=arguments) == floor


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)


@given(_JSON, _JSON)
def test_more_to_read_is_never_read_faster(one: object, more: object) -> None:
    assert words_in([one, more]) == words_in(one) + words_in(more)
    less = reading_floor_ms(declared_ms=2000, arguments=one)
    assert 2000 <= less <= reading_floor_ms(declared_ms=2000, arguments=[one, more])
