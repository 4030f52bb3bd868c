"""The past as the gate sees it: measures over windows, with the action being judged counted once."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection

from hitl_site.lib.clock import database_now
from policies.models import GateCheck
from policies.services import gate, policies
from reviews.choices import ActionState, DecisionKind
from reviews.models import ActionRequest, ReviewItem
from reviews.services import cancellations, deadlines, gatekeeping, permits
from reviews.tests.api_client import Api, read
from reviews.tests.cast import Cast, decide_as, propose

HOUR = 3_600
SUM_OF_ORDER: dict[str, Any] = {
    "name": "refunded",
    "of": "/order",
    "function": "sum",
    "pointer": "/amount",
    "window_seconds": HOUR,
}
LIMIT: dict[str, Any] = {
    "code": "refunds_of_an_order",
    "title": "Refunds of one order over 500 within an hour",
    "when": "history.refunded > 500",
    "then": "review",
}


def measured(cast: Cast, *measures: dict[str, Any], **document: Any) -> None:
    """Put a policy with these measures in force; at 90% and over an action runs alone."""
    policies.put_in_force(
        action_type=cast.refund,
        document={
            "threshold": 0.9,
            "audit_rate": 0.01,
            "blind_share": 0,
            "denial_memory_seconds": 0,
            "measures": list(measures or (SUM_OF_ORDER,)),
            "rules": [LIMIT] if not measures else [],
            **document,
        },
        author=cast.olga,
        reason="Measures",
        now=database_now(),
    )


def refund(cast: Cast, amount: object = 100, **body: Any) -> ActionRequest:
    arguments = {"order": "SO-1", "amount": amount, **body.pop("arguments", {})}
    return propose(cast, arguments=arguments, **{"confidence": 0.95, **body})


def history_of(action: ActionRequest) -> dict[str, float]:
    return dict(GateCheck.objects.get(action_id=action.public_id).history)


def codes(action: ActionRequest) -> list[str]:
    return [reason["code"] for reason in action.gate_check.reasons]


def test_a_hundred_small_refunds_are_seen_as_one_large_one(cast: Cast) -> None:
    measured(cast)
    api = Api(cast.token)
    states = []
    for number in range(100):
        answer = api.propose(
            key=f"small-{number}", confidence=0.99, arguments={"order": "SO-1", "amount": 5.05}
        )
        assert answer.status_code == 201
        states.append(read(answer)["state"])

    # 99 times 5.05 is 499.95; the hundredth would make it 505.
    assert states == ["allowed"] * 99 + ["pending_review"]
    last = ActionRequest.objects.latest("pk")
    assert codes(last) == ["rule_matched"]
    assert last.gate_check.reasons[0]["title"] == LIMIT["title"]
    assert history_of(last) == {"refunded": 505.0}


def test_another_order_has_a_past_of_its_own(cast: Cast) -> None:
    measured(cast)
    for _ in range(5):
        assert refund(cast).state == ActionState.ALLOWED

    assert refund(cast).state == ActionState.PENDING_REVIEW
    assert refund(cast, arguments={"order": "SO-2"}).state == ActionState.ALLOWED


@pytest.mark.parametrize(
    "order",
    [
        "so-1",
        " SO-1 ",
        "SO 1",
        "SO\u20111",
        "ＳＯ-1",
        "S\u200bO-1",
        "SO-1\u202c",
        "S\ufe0fO-1",
        "SO-1\U000e0041",
        "SO\u3164-1",
        "SO\u034f-1",
        "SO\u20431",
    ],
)
def test_an_order_that_is_written_otherwise_is_the_same_order(cast: Cast, order: str) -> None:
    measured(cast)
    for _ in range(5):
        refund(cast)

    again = refund(cast, arguments={"order": order})
    assert (again.state, history_of(again)) == (ActionState.PENDING_REVIEW, {"refunded": 600.0})


@pytest.mark.parametrize("named", ["subject", "conversation"])
@pytest.mark.parametrize(
    "written",
    [
        "Customer-\u00e9",
        " customer-\u00e9",
        "customer-\u00e9\u200b",
        "customer-e\u0301",
        "cust\x01omer-\u00e9",
    ],
)
def test_one_who_is_written_otherwise_has_the_same_past(cast: Cast, named: str, written: str) -> None:
    measured(cast, {**SUM_OF_ORDER, "of": named}, rules=[LIMIT])
    field = {"subject": "subject", "conversation": "conversation_id"}[named]
    for _ in range(5):
        assert refund(cast, **{field: "customer-\u00e9"}).state == ActionState.ALLOWED

    again = refund(cast, **{field: written})
    assert (again.state, history_of(again)) == (ActionState.PENDING_REVIEW, {"refunded": 600.0})


@pytest.mark.parametrize("written", ["CUSTOMER-1", "customer 1", "\tcustomer-1", "customer-1\x7f"])
def test_a_plain_name_that_is_written_otherwise_has_the_same_past(cast: Cast, written: str) -> None:
    measured(cast, {**SUM_OF_ORDER, "of": "subject"}, rules=[LIMIT])
    refund(cast, subject="customer-1")

    assert history_of(refund(cast, subject=written)) == {"refunded": 200.0}
    assert history_of(refund(cast, subject="customer-11")) == {"refunded": 100.0}


def test_the_past_of_a_subject_is_found_by_an_index(cast: Cast) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute(
            "EXPLAIN SELECT id FROM reviews_actionrequest WHERE subject IS NOT NULL"
            " AND handrail_folded(subject) = handrail_folded(%s) AND created_at > now() - interval '1 day'",
            ["Customer-1"],
        )
        plan = " ".join(row[0] for row in cursor.fetchall())
    assert "action_of_a_subject_folded" in plan


def test_what_was_refused_ran_out_or_was_taken_back_counts_no_more(cast: Cast) -> None:
    measured(cast)
    now = database_now()
    refused, cancelled, expired, waiting, approved = (refund(cast, confidence=0.5) for _ in range(5))
    item = ReviewItem.objects.get(action=refused)
    decide_as(cast.alice, item, DecisionKind.REJECT)
    cancellations.cancel(action_id=cancelled.public_id, agent=cast.clerk, now=now)
    ActionRequest.objects.filter(pk=expired.pk).update(state="expired", closed_at=now)
    decide_as(cast.alice, ReviewItem.objects.get(action=approved))
    deadlines.release_due(now=now + timedelta(seconds=30))
    states = dict(ActionRequest.objects.values_list("pk", "state"))
    assert [states[each.pk] for each in (refused, cancelled, expired, waiting, approved)] == [
        "rejected",
        "cancelled",
        "expired",
        "pending_review",
        "approved",
    ]

    assert history_of(refund(cast)) == {"refunded": 300.0}


def test_what_a_person_corrected_counts_as_corrected(cast: Cast) -> None:
    measured(cast)
    action = refund(cast, confidence=0.5)
    corrected = {"order": "SO-1", "amount": 30}
    decide_as(cast.alice, ReviewItem.objects.get(action=action), DecisionKind.CORRECT, arguments=corrected)
    deadlines.release_due(now=database_now() + timedelta(seconds=30))
    action.refresh_from_db()
    assert action.state == ActionState.CORRECTED

    assert history_of(refund(cast)) == {"refunded": 130.0}


def test_what_left_the_window_counts_no_more(cast: Cast) -> None:
    measured(cast)
    now = database_now()
    refund(cast, now=now - timedelta(seconds=HOUR))
    refund(cast, now=now - timedelta(seconds=HOUR - 1))

    assert history_of(refund(cast, now=now)) == {"refunded": 200.0}


def test_each_measure_counts_its_own_past(cast: Cast) -> None:
    count = {"function": "count", "window_seconds": HOUR}
    measured(
        cast,
        {"name": "by_agent", "of": "agent", **count},
        {"name": "by_subject", "of": "subject", **count},
        {"name": "by_conversation", "of": "conversation", **count},
        {"name": "notes", "of": "agent", "action_types": ["note.add"], **count},
        {"name": "both", "of": "agent", "action_types": ["note.add", "refund.issue"], **count},
    )
    refund(cast, subject="anna", conversation_id="c-1")
    refund(cast, subject="bert", conversation_id="c-1")
    propose(cast, action_type="note.add", arguments={"text": "x"}, subject="anna", confidence=0.9)

    assert history_of(refund(cast, subject="anna", conversation_id="c-2")) == {
        "by_agent": 3.0,
        "by_subject": 2.0,
        "by_conversation": 1.0,
        "notes": 1.0,
        "both": 4.0,
    }


@pytest.mark.parametrize(
    ("of", "why"),
    [
        ("subject", "history.n could not be measured: the action names no subject"),
        ("conversation", "history.n could not be measured: the action names no conversation"),
        ("/customer", "history.n could not be measured: the arguments have nothing at /customer"),
    ],
)
def test_a_past_that_nobody_names_holds_the_action(cast: Cast, of: str, why: str) -> None:
    rule = {"code": "many", "title": "Many", "when": "history.n > 1000", "then": "deny"}
    measured(cast, {"name": "n", "of": of, "function": "count", "window_seconds": 60}, rules=[rule])
    action = refund(cast)
    assert (action.state, codes(action)) == (ActionState.PENDING_REVIEW, ["rule_error"])
    assert action.gate_check.reasons[0]["detail"].endswith(f"gave no answer: {why}.")
    assert history_of(action) == {}


@pytest.mark.parametrize("amount", ["a lot", "1e3", "", None, True, [5], {"value": 5}, "12,5", "0x10"])
def test_an_amount_that_is_none_holds_every_action_that_adds_it_up(cast: Cast, amount: object) -> None:
    note = {**SUM_OF_ORDER, "action_types": ["note.add", "refund.issue"]}
    measured(cast, note, rules=[LIMIT])
    propose(cast, action_type="note.add", arguments={"order": "SO-1", "amount": amount}, confidence=0.9)

    action = refund(cast)
    assert (action.state, codes(action)) == (ActionState.PENDING_REVIEW, ["rule_error"])
    assert "1 earlier actions have no amount at /amount" in action.gate_check.reasons[0]["detail"]


@pytest.mark.parametrize("amount", ["100.50", "-100.50", 100.5, -100.5])
def test_a_decimal_text_is_an_amount_and_a_sign_hides_nothing(cast: Cast, amount: object) -> None:
    note = {**SUM_OF_ORDER, "action_types": ["note.add", "refund.issue"]}
    measured(cast, note, rules=[LIMIT])
    propose(cast, action_type="note.add", arguments={"order": "SO-1", "amount": amount}, confidence=0.9)

    assert history_of(refund(cast)) == {"refunded": 200.5}


def test_sums_are_exact_where_binary_fractions_are_not(cast: Cast) -> None:
    measured(cast)
    for _ in range(2):
        refund(cast, 0.1)

    assert history_of(refund(cast, 0.1)) == {"refunded": 0.3}


def test_an_action_that_is_judged_again_counts_once_and_what_came_later_not_at_all(cast: Cast) -> None:
    measured(cast)
    earlier = refund(cast, 100)
    action = refund(cast, 300)
    for _ in range(5):
        refund(cast, 400)

    again = gate.recheck(
        proposal=gatekeeping.proposal_of(action, arguments=action.arguments),
        previous_verdict="allow",
        now=database_now(),
    )
    assert (again.verdict, dict(again.history)) == ("allow", {"refunded": 400.0})
    for each in (earlier, action):
        permit = each.permits.get()
        permits.consume(
            permit_id=permit.public_id,
            agent=cast.clerk,
            digest=each.digest,
            consume_key=each.public_id,
            now=database_now(),
        )


def test_an_edit_is_measured_as_edited(cast: Cast) -> None:
    measured(cast)
    refund(cast, 300)
    action = refund(cast, 100)

    again = gate.recheck(
        proposal=gatekeeping.proposal_of(action, arguments={"order": "SO-1", "amount": 201}),
        previous_verdict="allow",
        now=database_now(),
    )
    assert (again.verdict, dict(again.history)) == ("review", {"refunded": 501.0})
    assert [reason.code for reason in again.reasons] == ["rule_matched"]


def test_a_dry_run_measures_and_leaves_nothing_behind(cast: Cast) -> None:
    measured(cast)
    for _ in range(5):
        refund(cast)
    before = ActionRequest.objects.count()

    answer = Api(cast.token).propose(dry_run=True, confidence=0.99, arguments={"order": "SO-1", "amount": 1})
    assert read(answer)["verdict"] == "review"
    assert ActionRequest.objects.count() == before
