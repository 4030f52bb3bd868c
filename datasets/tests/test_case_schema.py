"""docs/case.schema.json is what cases are: whatever is stored and whatever came later composes to it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonpatch
import jsonschema_rs
import pytest
from django.conf import settings as site
from django.test import Client
from hypothesis import given, settings
from hypothesis import strategies as st

from datasets.engine.differences import Difference, applied
from datasets.engine.fields import Declaration
from datasets.exporters.composition import compose, difference_documents
from datasets.tests.base import bulk_content
from datasets.tests.test_composition import FIRST_RELEASE
from hitl_site.lib.canonical import canonicalize
from hitl_site.lib.textdiff import json_patch

SCHEMA = jsonschema_rs.validator_for(
    json.loads((Path(site.BASE_DIR) / "docs" / "case.schema.json").read_text(encoding="utf-8"))
)
MOMENT = "2026-03-02T09:00:00.000001Z"

TEXTS = st.text(alphabet="abc é/~", max_size=6)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-99, 99) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)
ARGUMENTS = st.dictionaries(st.sampled_from(["amount", "to", "note", "items"]), VALUES, max_size=4)
ANSWERS = st.one_of(
    st.tuples(st.just("rejected"), st.none()),
    st.tuples(st.sampled_from(["approved", "corrected"]), ARGUMENTS),
)
OUTCOMES = st.none() | st.fixed_dictionaries(
    {
        "outcome": st.sampled_from(["succeeded", "failed", "partial", "unknown", None]),
        "reported": st.booleans(),
        "mismatch": st.booleans(),
        "executed_digest": st.none() | st.just("sha256:" + "b" * 64),
        "detail": VALUES,
        "at": st.just(MOMENT),
    }
)
TRUTHS = st.fixed_dictionaries(
    {
        "id": st.just("gtr_0190c0de000070008000000000000001"),
        "correct": st.booleans(),
        "arguments": st.none() | ARGUMENTS,
        "source": st.sampled_from(["chargeback", "audit"]),
        "detail": ARGUMENTS,
        "contradicts": st.booleans(),
        "occurred_at": st.none() | st.just(MOMENT),
        "received_at": st.just(MOMENT),
    }
)


@st.composite
def laters(draw: st.DrawFn) -> dict[str, Any]:
    answers = draw(st.lists(ANSWERS, max_size=3))
    return {
        "outcome": draw(OUTCOMES),
        "ground_truth": draw(st.lists(TRUTHS, max_size=2)),
        "revisions": [
            {
                "number": number,
                "kind": draw(st.sampled_from(["edit", "adjudication"])),
                "label": label,
                "arguments": arguments,
                "reasons": [],
                "note": "Looked again.",
                "author": draw(st.none() | st.just("rev_ba9876543210")),
                "at": MOMENT,
            }
            for number, (label, arguments) in enumerate(answers, start=1)
        ],
        "tags": draw(st.lists(TEXTS, max_size=2)),
        "disputed": draw(st.booleans()),
    }


@st.composite
def contents(draw: st.DrawFn) -> dict[str, Any]:
    """Return a stored case of either format, with a decision that fits its label."""
    proposed: Any = draw(ARGUMENTS)
    kind = draw(st.sampled_from(["approve", "correct", "reject"]))
    truth: Any = {"approve": proposed, "reject": None}.get(kind)
    if kind == "correct":
        truth = {**draw(ARGUMENTS), "amount": 12345}
    if draw(st.booleans()):
        case: dict[str, Any] = json.loads(json.dumps(FIRST_RELEASE))
    else:
        case = bulk_content(1)
        case["differences"] = difference_documents(proposed, truth, Declaration())
    case["proposal"]["arguments"] = proposed
    case["decision"]["kind"] = kind
    case["label"] = {"approve": "approved", "correct": "corrected", "reject": "rejected"}[kind]
    case["truth"] = {"should_act": truth is not None, "arguments": truth}
    case["patch"] = [] if truth is None else json_patch(proposed, truth)
    found: Any = difference_documents(proposed, truth, Declaration())
    case["changed_fields"] = [each["pointer"] for each in found]
    return case


@settings(max_examples=150, deadline=None)
@given(contents(), laters())
def test_whatever_came_later_the_composed_case_is_valid(content: Any, later: Any) -> None:
    case: Any = compose(content, later)

    SCHEMA.validate(case)
    proposed, truth = case["proposal"]["arguments"], case["truth"]["arguments"]
    if truth is not None:
        found = [Difference.from_document(each) for each in case["differences"]]
        assert canonicalize(applied(proposed, found)) == canonicalize(truth)
        assert canonicalize(jsonpatch.apply_patch(proposed, case["patch"])) == canonicalize(truth)
    assert [each["pointer"] for each in case["differences"]] == case["changed_fields"]


@pytest.mark.parametrize("seq", [1, 2, 3])
def test_cases_made_in_bulk_for_tests_are_valid(seq: int) -> None:
    SCHEMA.validate(bulk_content(seq))


@pytest.mark.parametrize(
    "change",
    [
        {"label": "approved"},
        {"patch": []},
        {"kind": "omission"},
        {"proposal": None},
        {"truth": {"should_act": False, "arguments": None}},
        {"differences": [{"pointer": "/amount", "kind": "odd", "before": 1, "after": 2}]},
        {"surprise": 1},
    ],
)
def test_what_is_no_case_is_not_valid(change: dict[str, Any]) -> None:
    case = {**compose(FIRST_RELEASE, {}), **change}

    assert not SCHEMA.is_valid(case)


def test_anybody_can_read_the_schema_at_its_address() -> None:
    answer: Any = Client().get("/schemas/case-2.json")

    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "application/schema+json"
    assert json.loads(b"".join(answer.streaming_content))["properties"]["format"] == {
        "const": "handrail.case/2"
    }
