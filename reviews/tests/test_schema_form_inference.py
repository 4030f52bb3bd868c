"""An action type declared from what was seen: everything seen fits it, and draws as a form of fields."""

from __future__ import annotations

import gzip
import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reviews.schema_form import build, infer, parse, validate
from reviews.schema_form.document import identical

from .schema_form_browser import submit

RECORDS = Path(__file__).resolve().parents[3] / "shared" / "data" / "events_support.jsonl.gz"

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-9, 9)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=150, deadline=None)
@given(st.lists(JSON, max_size=5))
def test_every_example_fits_the_schema_inferred_from_it(examples: list[Any]) -> None:
    schema = infer(examples)

    assert [validate(schema, example) for example in examples] == [()] * len(examples)


def test_what_all_have_is_required_and_numbers_are_joined() -> None:
    schema = infer([{"order_id": "A-1", "amount": 1}, {"order_id": "A-2", "amount": 1.5, "flightType": None}])

    assert schema["required"] == ["order_id", "amount"]
    assert schema["properties"] == {
        "order_id": {"title": "Order id", "type": "string"},
        "amount": {"title": "Amount", "type": "number"},
        "flightType": {"title": "Flight type", "type": "null"},
    }


def test_a_few_repeated_texts_are_choices_and_rare_ones_are_not() -> None:
    repeated = infer([{"cabin": "economy" if n % 2 else "business"} for n in range(20)])
    rare = infer([{"cabin": f"seat {n}"} for n in range(20)])

    assert repeated["properties"] == {
        "cabin": {"title": "Cabin", "type": "string", "enum": ["business", "economy"]}
    }
    assert rare["properties"] == {"cabin": {"title": "Cabin", "type": "string"}}


def test_nothing_seen_allows_everything() -> None:
    assert infer([]) == {}


@pytest.mark.skipif(not RECORDS.exists(), reason="the recorded behaviour is not beside this clone")
def test_every_recorded_action_fits_its_inferred_schema_and_round_trips() -> None:
    by_type: dict[str, list[Any]] = defaultdict(list)
    with gzip.open(RECORDS, "rt", encoding="utf-8") as lines:
        for line in lines:
            event = json.loads(line)
            by_type[f"{event['domain']}.{event['action_type']}"].append(event["arguments"])

    assert sum(map(len, by_type.values())) == 1837
    for examples in by_type.values():
        schema = infer(examples)
        for arguments in examples:
            assert validate(schema, arguments) == ()
            form = build(schema, arguments, arguments)
            parsed = parse(schema, arguments, submit(form))
            assert parsed.errors == ()
            assert identical(parsed.value, arguments)
            assert form.unknown == ()
            assert all(row.kind != "json" for row in form.rows)
