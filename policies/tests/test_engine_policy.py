from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.engine.difference import describe, duration
from policies.engine.facts import ScoreSource, Trigger, Verdict
from policies.engine.loosening import loosens
from policies.engine.policy import InvalidPolicy, PolicyDocument, Rule
from policies.tests.engine_facts import policy, rule
from policies.tests.test_engine_properties import documents, garbage

WHOLE: dict[str, Any] = {
    "threshold": 0.86,
    "score": "lowest",
    "calibration": None,
    "rules": [
        {
            "code": "large",
            "title": "Large refund",
            "when": "args.amount > 100",
            "then": "review",
            "trigger": "high_risk",
        }
    ],
    "measures": [],
    "agents": None,
    "freeze_windows": [],
    "denial_memory_seconds": 86_400,
    "audit_rate": 0.05,
    "deadline_seconds": 900,
    "undo_seconds": 5,
    "approvals_required": 2,
    "checklist": [],
    "small_screens": False,
    "permit_ttl_seconds": 300,
    "queue": "refunds",
    "reminder": True,
    "second_queue": "",
    "blind_share": 0.1,
}


def faults(document: Any) -> list[tuple[str, str]]:
    with pytest.raises(InvalidPolicy) as caught:
        PolicyDocument.from_document(document)
    return [(error.pointer, error.message) for error in caught.value.errors]


def test_a_document_is_read_and_written_back_exactly() -> None:
    read = PolicyDocument.from_document(WHOLE)

    assert read == PolicyDocument(
        threshold=0.86,
        score=ScoreSource.LOWEST,
        rules=(
            Rule(
                code="large",
                title="Large refund",
                when="args.amount > 100",
                then=Verdict.REVIEW,
                trigger=Trigger.HIGH_RISK,
            ),
        ),
        audit_rate=0.05,
        deadline_seconds=900,
        undo_seconds=5,
        approvals_required=2,
        permit_ttl_seconds=300,
        queue="refunds",
        blind_share=0.1,
    )
    assert read.to_document() == WHOLE
    assert json.loads(json.dumps(read.to_document())) == WHOLE


@given(document=documents)
def test_every_policy_comes_back_from_its_own_text(document: PolicyDocument) -> None:
    text = json.dumps(document.to_document())

    assert PolicyDocument.from_document(json.loads(text)) == document


def test_an_empty_document_is_the_safe_policy_that_lets_nothing_pass_on_its_score() -> None:
    assert PolicyDocument.from_document({}) == PolicyDocument()
    assert PolicyDocument().threshold is None


def test_every_fault_is_named_at_once_with_its_place() -> None:
    document = {
        "treshold": 0.9,
        "threshold": 1.5,
        "score": "mean",
        "rules": [
            "always",
            {
                "code": "Bad Code",
                "title": " ",
                "when": "args.x ==",
                "then": "allow",
                "trigger": "audit",
                "x/y": 1,
            },
            {"code": "twice", "title": "A", "when": "true", "then": "deny"},
            {"code": "twice", "title": "B", "when": "agent.nmae == 'x'", "then": "deny"},
        ],
        "audit_rate": 0.0,
        "deadline_seconds": 0,
        "undo_seconds": 61,
        "approvals_required": True,
        "permit_ttl_seconds": 30.5,
        "queue": "Bad Queue",
        "blind_share": float("nan"),
    }

    found = faults(document)

    assert [pointer for pointer, _ in found] == [
        "/treshold",
        "/rules/1/x~1y",
        "/threshold",
        "/score",
        "/rules/0",
        "/rules/1/code",
        "/rules/1/title",
        "/rules/1/when",
        "/rules/1/then",
        "/rules/1/trigger",
        "/rules/3/when",
        "/rules/3/code",
        "/audit_rate",
        "/deadline_seconds",
        "/undo_seconds",
        "/approvals_required",
        "/permit_ttl_seconds",
        "/queue",
        "/blind_share",
    ]
    messages = dict(found)
    assert messages["/audit_rate"] == "a number from 0.01 to 1"
    assert messages["/rules/1/when"] == "line 1, column 10: the text ends too early"
    assert messages["/rules/1/then"] == "review or deny: a rule can hold or refuse, never allow"


@pytest.mark.parametrize("document", [None, [], "policy", 3])
def test_what_is_no_object_is_no_policy(document: object) -> None:
    assert faults(document) == [("", "a policy is an object")]


def test_a_policy_made_in_code_is_checked_as_well() -> None:
    with pytest.raises(InvalidPolicy) as caught:
        PolicyDocument(threshold=float("nan"), audit_rate=0.0)

    assert [error.pointer for error in caught.value.errors] == ["/threshold", "/audit_rate"]


@given(document=st.dictionaries(st.sampled_from([*WHOLE, "other"]), garbage, max_size=5) | garbage)
def test_no_garbage_does_anything_but_refuse(document: Any) -> None:
    try:
        policy_read = PolicyDocument.from_document(document)
    except InvalidPolicy as invalid:
        refused = invalid.errors
    else:
        refused = ()
        assert PolicyDocument.from_document(policy_read.to_document()) == policy_read

    assert all(error.message for error in refused)


@pytest.mark.parametrize(
    ("before", "after", "sentences", "looser"),
    [
        ({}, {}, (), False),
        (
            {"threshold": 0.9},
            {"threshold": 0.86},
            ("Hold when the chance is under 90% → 86%.",),
            True,
        ),
        ({"threshold": 0.86}, {"threshold": 0.9}, ("Hold when the chance is under 86% → 90%.",), False),
        ({"threshold": 0.9}, {"threshold": 0.905}, ("Hold when the chance is under 90% → 90.5%.",), False),
        ({}, {"threshold": None}, ("Hold whatever the chance: the threshold is taken away.",), False),
        (
            {"threshold": None},
            {"threshold": 0.9},
            ("Hold when the chance is under 90%: the first threshold.",),
            True,
        ),
        ({}, {"score": ScoreSource.LOWEST}, ("Score: agent → lowest.",), True),
        (
            {},
            {"rules": (rule("args.x > 1"),)},
            ("New rule a_rule (A rule of the operator): review when args.x > 1.",),
            False,
        ),
        (
            {"rules": (rule("args.x > 1"),)},
            {},
            ("Rule a_rule (A rule of the operator) is taken away.",),
            True,
        ),
        (
            {"rules": (rule("args.x > 1"),)},
            {"rules": (rule("args.x > 2", Verdict.DENY),)},
            ("Rule a_rule: when args.x > 1 → when args.x > 2.", "Rule a_rule: review → deny."),
            True,
        ),
        (
            {"rules": (rule("args.x > 1"),)},
            {"rules": (rule("args.x > 1", Verdict.DENY, title="Stricter", trigger=Trigger.HIGH_RISK),)},
            (
                "Rule a_rule: review → deny.",
                "Rule a_rule is now called Stricter (was A rule of the operator).",
                "Rule a_rule now counts as high risk (was policy edge).",
            ),
            False,
        ),
        ({"audit_rate": 0.2}, {"audit_rate": 0.05}, ("Audit 20% → 5% of what runs alone.",), True),
        (
            {"deadline_seconds": 900},
            {"deadline_seconds": 5400},
            ("Deadline: 15 minutes → 1 hour 30 minutes.",),
            False,
        ),
        ({"undo_seconds": 5}, {"undo_seconds": 0}, ("Time to undo: 5 seconds → 0 seconds.",), True),
        ({"approvals_required": 2}, {"approvals_required": 1}, ("Approvals required: 2 → 1.",), True),
        (
            {"small_screens": False},
            {"small_screens": True},
            ("What is critical can be let run from a telephone too.",),
            True,
        ),
        (
            {"small_screens": True},
            {"small_screens": False},
            ("What is critical can be let run from a larger screen alone.",),
            False,
        ),
        (
            {"permit_ttl_seconds": 300},
            {"permit_ttl_seconds": 600},
            ("A permit is good for: 5 minutes → 10 minutes.",),
            True,
        ),
        ({"queue": "general"}, {"queue": "refunds"}, ("Queue: general → refunds.",), False),
        (
            {"blind_share": 0.1},
            {"blind_share": 0.125},
            ("Show no score on 10% → 12.5% of held items.",),
            False,
        ),
    ],
)
def test_a_difference_is_told_in_sentences(
    before: dict[str, object], after: dict[str, object], sentences: tuple[str, ...], looser: bool
) -> None:
    assert describe(policy(**before), policy(**after)) == sentences
    assert bool(loosens(policy(**before), policy(**after))) is looser


def test_a_first_policy_loosens_since_before_it_everything_was_held() -> None:
    assert bool(loosens(None, PolicyDocument())) is True
    assert describe(None, PolicyDocument()) == ("First policy for this action type.",)


@given(before=documents, after=documents)
def test_policies_without_a_difference_are_equal(before: PolicyDocument, after: PolicyDocument) -> None:
    assert (describe(before, after) == ()) is (before == after)
    assert describe(before, before) == ()
    assert not loosens(before, before)


def test_a_length_of_time_is_told_in_words() -> None:
    assert [duration(seconds) for seconds in (0, 1, 61, 3600, 90_061)] == [
        "0 seconds",
        "1 second",
        "1 minute 1 second",
        "1 hour",
        "1 day 1 hour 1 minute 1 second",
    ]
