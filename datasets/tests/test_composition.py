"""Stored cases of every version compose to what the published schema describes."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from datasets.exporters.composition import UnknownFormat, compose, upgrade
from hitl_site.lib.canonical import canonicalize

REFUND = {"order": "SO-48213", "amount": 60}

# A case as the first release stored it.
FIRST_RELEASE: dict[str, Any] = {
    "format": "handrail.case/1",
    "id": "case_0190c0de000070008000000000000001",
    "action": {
        "id": "act_0190c0de000070008000000000000002",
        "type": "refund.issue",
        "mode": "gated",
        "environment": "production",
        "subject": "customer-7",
        "conversation_id": "talk-1",
        "created_at": "2026-03-01T09:00:00.000001Z",
    },
    "agent": {"name": "clerk", "version": "1"},
    "input": {"context": {"input": "one cup broken"}, "reason": "Customer reports damage"},
    "proposal": {
        "arguments": REFUND,
        "digest": "sha256:" + "a" * 64,
        "confidence": 0.71,
        "judge_score": None,
    },
    "decision": {
        "id": "dec_0190c0de000070008000000000000003",
        "kind": "correct",
        "reasons": ["wrong_arguments"],
        "note": "One cup of three broke.",
        "decided_at": "2026-03-01T09:05:00Z",
        "considered": True,
        "blind": False,
        "reviewer": "rev_0123456789ab",
    },
    "truth": {"should_act": True, "arguments": {"order": "SO-48213", "amount": 12.5}},
    "patch": [{"op": "replace", "path": "/amount", "value": 12.5}],
    "changed_fields": ["/amount"],
    "label": "corrected",
    "label_source": "review",
    "label_strength": "strong",
    "gate": {
        "verdict": "review",
        "route": "held",
        "trigger": "low_confidence",
        "reasons": ["low_score"],
        "score": 0.71,
        "score_source": "confidence",
        "threshold": 0.9,
        "level": "threshold",
        "propensity": 1.0,
        "min_propensity": 0.01,
        "audit_selected": False,
        "policy_version": {"id": "pov_0190c0de000070008000000000000004", "number": 1},
    },
    "attention": {"decision_ms": 8000, "arguments_seen": True, "parts_opened": [], "opened_at": None},
    "group": "subject:customer-7",
    "ledger_seq": 12,
}


def test_a_case_of_the_first_release_gets_what_can_be_told_of_it() -> None:
    case = compose(FIRST_RELEASE, {})

    assert case["format"] == "handrail.case/2"
    assert case["kind"] == "proposal"
    assert case["differences"] == [{"pointer": "/amount", "kind": "wrong_value", "before": 60, "after": 12.5}]
    assert case["decision"] == {
        **FIRST_RELEASE["decision"],
        "reviewers": ["rev_0123456789ab"],
        "checklist": [],
        "policy_version": None,
    }
    assert case["later"] == {
        "outcome": None,
        "ground_truth": [],
        "revisions": [],
        "tags": [],
        "disputed": False,
    }
    for name in ("truth", "patch", "changed_fields", "label", "input", "gate", "attention", "group"):
        assert case[name] == FIRST_RELEASE[name]


def test_composing_leaves_what_was_stored_as_it_is() -> None:
    before = copy.deepcopy(FIRST_RELEASE)

    case: Any = compose(FIRST_RELEASE, {"tags": ["march"]})
    case["truth"]["arguments"]["amount"] = 1

    assert before == FIRST_RELEASE


def test_the_newest_answer_counts_and_the_first_one_stays_visible() -> None:
    case = compose(FIRST_RELEASE, {"revisions": [_revision(2, 20), _revision(1, 13)]})

    assert case["label"] == "corrected"
    assert case["truth"] == {"should_act": True, "arguments": {"order": "SO-48213", "amount": 20}}
    assert case["patch"] == [{"op": "replace", "path": "/amount", "value": 20}]
    assert case["changed_fields"] == ["/amount"]
    revisions: Any = case["later"]["revisions"]  # type: ignore[index,call-overload]  # an object
    assert [(revision["number"], revision["arguments"]["amount"]) for revision in revisions] == [
        (0, 12.5),
        (1, 13),
        (2, 20),
    ]
    assert (revisions[0]["kind"], revisions[0]["author"]) == ("first", "rev_0123456789ab")


def test_an_answer_that_it_should_not_have_been_done_leaves_no_difference() -> None:
    rejected: dict[str, Any] = {**_revision(1, 0), "label": "rejected", "arguments": None}

    case = compose(FIRST_RELEASE, {"revisions": [rejected]})

    assert case["label"] == "rejected"
    assert case["truth"] == {"should_act": False, "arguments": None}
    assert (case["patch"], case["differences"], case["changed_fields"]) == ([], [], [])


def test_the_same_case_composes_to_the_same_bytes() -> None:
    later: dict[str, Any] = {"revisions": [_revision(1, 13)], "tags": ["march"]}

    assert canonicalize(compose(FIRST_RELEASE, later)) == canonicalize(compose(FIRST_RELEASE, later))
    # What was upgraded once is upgraded already.
    assert upgrade(upgrade(FIRST_RELEASE)) == upgrade(FIRST_RELEASE)


def test_a_format_of_the_future_is_refused() -> None:
    with pytest.raises(UnknownFormat, match=r"handrail\.case/9"):
        compose({**FIRST_RELEASE, "format": "handrail.case/9"}, {})


def _revision(number: int, amount: float) -> dict[str, Any]:
    return {
        "number": number,
        "kind": "edit",
        "label": "corrected",
        "arguments": {"order": "SO-48213", "amount": amount},
        "reasons": [],
        "note": "Checked the photos.",
        "author": "rev_ba9876543210",
        "at": "2026-03-02T09:00:00Z",
    }
