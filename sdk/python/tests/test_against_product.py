"""The client against the real product: both compute the same digest, and only what was decided runs.

Needs the fixture ``product`` of the repository's top-level ``conftest.py``, with the members of
``Product`` below.
"""

from __future__ import annotations

import asyncio
import threading
import urllib.request
import uuid
from collections.abc import Mapping
from typing import Any, Literal, Protocol

import pytest

from handrail import (
    ActionCancelled,
    ActionRejected,
    AlreadyConsumed,
    AsyncClient,
    Client,
    DigestMismatch,
    NotApproved,
    NotAuthorised,
    RequestRefused,
    Retries,
    StillPending,
    requires_approval,
)
from handrail.wire import read_json

pytestmark = pytest.mark.stack

ARGUMENTS = {
    "order": "A-77",
    "amount": "40.00",
    "n": 1.0,
    "tiny": 1e-7,
    "é": ["ключ", "🙂", None, True, -0.0],
    "": {},
}


class Product(Protocol):
    """The whole stack, seen from outside."""

    url: str

    def create_agent(self, name: str) -> str:
        """Make an agent and return its key."""

    def declare(self, action_type: str, *, runs_alone: bool) -> None:
        """Declare an action type that is always allowed, or always held."""

    def decide(
        self,
        action_id: str,
        kind: Literal["approve", "correct", "reject"],
        *,
        arguments: Mapping[str, object] | None = None,
        note: str = "",
    ) -> None:
        """Decide as a person does, through the pages; returns once the decision is released."""


@pytest.fixture
def held(product: Product) -> str:
    """An action type that is always held."""
    name = f"refund.held_{uuid.uuid4().hex[:8]}"
    product.declare(name, runs_alone=False)
    return name


@pytest.fixture
def alone(product: Product) -> str:
    """An action type that runs alone."""
    name = f"refund.alone_{uuid.uuid4().hex[:8]}"
    product.declare(name, runs_alone=True)
    return name


@pytest.fixture
def key(product: Product) -> str:
    return product.create_agent(f"sdk-{uuid.uuid4().hex[:8]}")


@pytest.fixture
def client(product: Product, key: str) -> Client:
    with urllib.request.urlopen(f"{product.url}/.well-known/jwks.json", timeout=10) as answer:
        jwks = read_json(answer.read())
    assert isinstance(jwks, dict)
    return Client(product.url, key, jwks=jwks, retries=Retries(attempts=8))


def test_both_sides_compute_the_same_digest_of_awkward_arguments(client: Client, held: str) -> None:
    answer = client.submit(held, ARGUMENTS, subject="Zoë", context={"input": "x"}, confidence=1)
    assert (answer.verdict, answer.state) == ("review", "pending_review")
    assert client.get(answer.id).digest == answer.digest


def test_an_allowed_action_runs_once(client: Client, alone: str) -> None:
    ran: list[dict[str, Any]] = []
    done = client.perform(alone, ARGUMENTS, lambda **a: ran.append(a))
    assert ran == [ARGUMENTS]
    assert (done.state, done.reported) == ("allowed", True)


def test_an_approved_action_runs_once_for_one_key(product: Product, client: Client, held: str) -> None:
    ran: list[dict[str, Any]] = []
    answer = client.submit(held, ARGUMENTS, idempotency_key="once")
    product.decide(answer.id, "approve")
    client.run(held, ARGUMENTS, lambda **a: ran.append(a), idempotency_key="once", wait_timeout=30)
    with pytest.raises(AlreadyConsumed):
        client.run(held, ARGUMENTS, lambda **a: ran.append(a), idempotency_key="once", wait_timeout=30)
    assert ran == [ARGUMENTS]


def test_a_waiting_client_runs_what_was_corrected_while_it_waited(
    product: Product, client: Client, held: str
) -> None:
    answer = client.submit(held, {"order": "A-77", "amount": "40.00"})
    corrected = {"order": "A-77", "amount": "4.00"}
    reviewer = threading.Timer(
        0.5, product.decide, (answer.id, "correct"), {"arguments": corrected, "note": "One item came back."}
    )
    reviewer.start()
    done = client.resume(answer.id, held, lambda **a: a, wait_timeout=60)
    reviewer.join()
    assert (done.result, done.state) == (corrected, "corrected")
    assert done.as_tool_result()["note"] == "One item came back."


def test_a_rejected_action_does_not_run_and_says_why(product: Product, client: Client, held: str) -> None:
    ran: list[object] = []
    answer = client.submit(held, ARGUMENTS)
    product.decide(answer.id, "reject", note="Ask for the receipt.")
    with pytest.raises(ActionRejected) as caught:
        client.resume(answer.id, held, lambda **a: ran.append(a), wait_timeout=30)
    assert ran == []
    assert caught.value.note == "Ask for the receipt."


def test_nobody_deciding_in_time_and_a_withdrawal_run_nothing(client: Client, held: str) -> None:
    ran: list[object] = []
    with pytest.raises(StillPending) as caught:
        client.run(held, {}, lambda **a: ran.append(a), wait_timeout=1)
    assert caught.value.action_id is not None
    assert client.cancel(caught.value.action_id).state == "cancelled"
    with pytest.raises(ActionCancelled):
        client.wait(caught.value.action_id, timeout=5)
    assert ran == []


def test_the_permit_is_for_this_digest_alone(client: Client, alone: str) -> None:
    verified = client.verify(client.submit(alone, ARGUMENTS))
    with pytest.raises(DigestMismatch):
        client.consume(verified.permit, "sha256:" + "0" * 64)
    execution = client.consume(verified.permit, verified.digest)
    assert client.heartbeat(execution) >= execution.lease_until
    client.report(execution, "partial", {"sent": 1})
    client.report(execution, "partial", {"sent": 1})
    with pytest.raises(RequestRefused) as caught:
        client.report(execution, "succeeded")
    assert caught.value.code == "outcome-conflict"


def test_another_agent_has_no_part_in_it(product: Product, client: Client, alone: str) -> None:
    stranger = Client(product.url, product.create_agent(f"stranger-{uuid.uuid4().hex[:8]}"))
    verified = client.verify(client.submit(alone, ARGUMENTS))
    for attempt in (
        lambda: stranger.get(verified.answer.id),
        lambda: stranger.cancel(verified.answer.id),
        lambda: stranger.consume(verified.permit, verified.digest),
    ):
        with pytest.raises(RequestRefused) as caught:
            attempt()
        assert caught.value.code == "not-found"
    assert client.consume(verified.permit, verified.digest).digest == verified.digest


def test_a_wrong_key_opens_nothing(product: Product) -> None:
    with pytest.raises(NotAuthorised):
        Client(product.url, "hr_live_00000000_" + "x" * 43 + "_000000").submit("refund.issue", {})


def test_one_bad_line_spoils_no_other(client: Client, held: str) -> None:
    lines = client.submit_batch(
        [
            {"action_type": held, "arguments": ARGUMENTS},
            {"action_type": "not a name", "arguments": {}},
            {"action_type": held, "arguments": {}, "mode": "observed", "outcome": {"outcome": "succeeded"}},
        ]
    )
    assert lines[0].answer is not None
    assert [line.refusal.code if line.refusal else None for line in lines] == [None, "validation", None]
    assert lines[2].id is not None


def test_an_observed_action_waits_for_nobody(client: Client, held: str) -> None:
    assert client.report_observed(held, ARGUMENTS, "succeeded").state == "observed"


def test_many_guarded_calls_wait_side_by_side(product: Product, key: str, held: str) -> None:
    ran: list[str] = []

    async def scenario() -> list[object]:
        async with AsyncClient(product.url, key) as client:

            @requires_approval(held, client=client, wait_timeout=90)
            async def refund(order: str) -> str:
                ran.append(order)
                return order

            calls = [asyncio.create_task(refund(f"A-{number}")) for number in range(4)]
            while len(pending := (await client.list(status="pending_review", action_type=held)).actions) < 4:
                await asyncio.sleep(0.1)
            for action in pending:
                assert action.arguments is not None
                kind: Literal["approve", "reject"] = (
                    "reject" if action.arguments["order"] == "A-2" else "approve"
                )
                await asyncio.to_thread(product.decide, action.id, kind)
            return list(await asyncio.gather(*calls, return_exceptions=True))

    results = asyncio.run(scenario())
    assert sorted(ran) == ["A-0", "A-1", "A-3"], results
    assert isinstance(results[2], NotApproved)
