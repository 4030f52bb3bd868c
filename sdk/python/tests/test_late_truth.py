"""Reports of what turned out to be true later."""

from __future__ import annotations

import asyncio
import hashlib
from datetime import UTC, datetime
from typing import Any

import pytest
from gate_server import KEY, Gate, Reply, problem
from refund_runner import QUICK

from handrail import AsyncClient, Client, InvalidArguments, NotAuthorised, ProtocolError

ACTION = "act_0198c6e2f7b17c3e9d2a4b5c6d7e8f90"


def test_a_report_says_what_was_wrong_and_what_would_have_been_right(gate: Gate, client: Client) -> None:
    truth = client.report_ground_truth(
        ACTION,
        False,
        "chargeback",
        arguments={"amount": "12.50"},
        detail={"fee": 15},
        occurred_at=datetime(2026, 3, 1, 9, tzinfo=UTC),
    )

    assert (truth.action_id, truth.contradicts) == (ACTION, True)
    assert gate.outcomes == [
        {
            "correct": False,
            "source": "chargeback",
            "arguments": {"amount": "12.50"},
            "detail": {"fee": 15},
            "occurred_at": "2026-03-01T09:00:00+00:00",
        }
    ]


def test_the_same_report_again_is_the_same_report_and_another_is_not(gate: Gate, client: Client) -> None:
    first = client.report_ground_truth(ACTION, True, "audit")
    again = client.report_ground_truth(ACTION, True, "audit")
    other = client.report_ground_truth(ACTION, False, "audit")
    named = client.report_ground_truth(ACTION, True, "audit", idempotency_key="case-7")

    assert again.id == first.id
    assert len({first.id, other.id, named.id}) == 3


def test_an_answer_lost_on_its_way_is_given_again(gate: Gate, client: Client) -> None:
    gate.break_once("ground_truth", lambda reply: Reply(**{**vars(reply), "cut": True}))

    truth = client.report_ground_truth(ACTION, False, "complaint")

    assert truth.action_id == ACTION
    keys = {headers["idempotency-key"] for headers in gate.headers}
    assert (gate.count("ground_truth"), len(keys)) == (2, 1)


def test_an_async_client_reports_the_same(gate: Gate, client: Client) -> None:
    other = AsyncClient(gate.url, KEY, retries=QUICK, timeout=2.0)

    truth = asyncio.run(other.report_ground_truth(ACTION, False, "complaint"))

    assert truth == client.report_ground_truth(ACTION, False, "complaint")


@pytest.mark.parametrize(
    ("given", "error"),
    [
        ({"correct": True, "arguments": {"amount": 1}}, ValueError),
        ({"correct": False, "occurred_at": datetime(2026, 3, 1)}, ValueError),
        ({"correct": False, "detail": {"at": hashlib.sha256}}, InvalidArguments),
    ],
)
def test_what_says_nothing_clear_is_never_sent(
    gate: Gate, client: Client, given: dict[str, Any], error: type[Exception]
) -> None:
    with pytest.raises(error):
        client.report_ground_truth(ACTION, source="audit", **given)

    assert gate.seen == []


def test_a_refusal_and_an_answer_of_another_shape_raise(gate: Gate, client: Client) -> None:
    gate.break_once("ground_truth", lambda _: problem(403, "scope"))
    gate.break_once("ground_truth", lambda reply: reply.changed(contradicts="no"))

    with pytest.raises(NotAuthorised):
        client.report_ground_truth(ACTION, False, "audit")
    with pytest.raises(ProtocolError):
        client.report_ground_truth(ACTION, False, "audit")
