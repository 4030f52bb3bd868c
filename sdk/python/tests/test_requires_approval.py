"""The decorator: what the signature binds is what a person sees, and only what was decided is called."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from gate_server import KEY, Gate
from refund_runner import QUICK

from handrail import (
    ActionRejected,
    AsyncClient,
    Client,
    InvalidArguments,
    UnusableArguments,
    requires_approval,
)


def proposed(gate: Gate) -> dict[str, Any]:
    [body] = [body for route, _, body in gate.seen if route == "submit"]
    return body


def test_defaults_and_names_are_part_of_the_proposal(gate: Gate, client: Client) -> None:
    @requires_approval("refund.issue", client=client)
    def refund(order: str, amount: str = "1.00", *, notify: bool = True, **rest: str) -> tuple[object, ...]:
        """Pay back."""
        return order, amount, notify, rest

    assert refund("A-77", colour="red") == ("A-77", "1.00", True, {"colour": "red"})
    assert proposed(gate)["arguments"] == {"order": "A-77", "amount": "1.00", "notify": True, "colour": "red"}
    assert (refund.__name__, refund.__doc__) == ("refund", "Pay back.")


def test_the_function_runs_with_the_corrected_arguments(gate: Gate, client: Client) -> None:
    gate.verdict = "review"
    gate.decision = {"kind": "correct", "final_arguments": {"order": "A-77", "amount": "4.00"}}

    @requires_approval("refund.issue", client=client, wait_timeout=5)
    def refund(order: str, /, amount: str) -> str:
        return f"{order}: {amount}"

    assert refund("A-77", "40.00") == "A-77: 4.00"


def test_context_and_confidence_are_made_from_the_proposed_arguments(gate: Gate, client: Client) -> None:
    def confidence(arguments: dict[str, Any]) -> float:
        arguments["amount"] = "9999.00"
        return 0.25

    @requires_approval(
        "refund.issue",
        client=lambda: client,
        context=lambda arguments: {"input": f"refund {arguments['order']}"},
        confidence=confidence,
        reason="Customer asked.",
    )
    def refund(order: str, amount: str) -> str:
        return amount

    assert refund("A-77", "4.00") == "4.00"
    body = proposed(gate)
    assert (body["context"], body["confidence"], body["reason"]) == (
        {"input": "refund A-77"},
        0.25,
        "Customer asked.",
    )


def test_self_and_what_is_not_reviewed_are_passed_on(gate: Gate, client: Client) -> None:
    class Desk:
        name = "desk"

        @requires_approval("refund.issue", client=client, not_reviewed=["session"])
        def refund(self, session: object, order: str) -> tuple[object, ...]:
            return self.name, session, order

    session = object()
    assert Desk().refund(session, "A-77") == ("desk", session, "A-77")
    assert proposed(gate)["arguments"] == {"order": "A-77"}


@pytest.mark.parametrize(
    "decided",
    [{"order": "A-77"}, {"order": "A-77", "amount": "1.00", "colour": "red"}, {"amount": "1.00"}, {}],
    ids=str,
)
def test_a_correction_that_python_would_fill_up_by_itself_does_not_run(
    gate: Gate, client: Client, decided: dict[str, str]
) -> None:
    gate.verdict, gate.decision = "review", {"kind": "correct", "final_arguments": decided}
    calls: list[str] = []

    @requires_approval("refund.issue", client=client, wait_timeout=5)
    def refund(order: str, amount: str = "40.00") -> None:
        calls.append(order)

    with pytest.raises(UnusableArguments):
        refund("A-77")
    assert calls == []
    assert gate.consumed == {}


def test_a_correction_cannot_reach_what_is_not_reviewed(gate: Gate, client: Client) -> None:
    gate.verdict = "review"
    gate.decision = {"kind": "correct", "final_arguments": {"order": "A-77", "session": "x"}}
    calls: list[str] = []

    @requires_approval("refund.issue", client=client, wait_timeout=5, not_reviewed=["session"])
    def refund(session: object, order: str, **rest: object) -> None:
        calls.append(order)

    with pytest.raises(UnusableArguments):
        refund(object(), "A-77")
    assert calls == []


def test_a_rejected_call_does_not_happen(gate: Gate, client: Client) -> None:
    gate.verdict, gate.decision = "review", {"kind": "reject", "note": "No."}
    calls: list[str] = []

    @requires_approval("refund.issue", client=client, wait_timeout=5)
    def refund(order: str) -> None:
        calls.append(order)

    with pytest.raises(ActionRejected) as caught:
        refund("A-77")
    assert calls == []
    assert caught.value.note == "No."


def test_an_async_function_is_guarded_by_an_async_client(gate: Gate) -> None:
    gate.verdict = "review"
    gate.decision = {"kind": "correct", "final_arguments": {"order": "A-77", "amount": "4.00"}}

    async def scenario() -> list[str]:
        async with AsyncClient(gate.url, KEY, retries=QUICK) as client:

            @requires_approval("refund.issue", client=client, wait_timeout=5)
            async def refund(order: str, amount: str) -> str:
                await asyncio.sleep(0)
                return amount

            return list(await asyncio.gather(refund("A-77", "40.00"), refund("A-78", "50.00")))

    assert asyncio.run(scenario()) == ["4.00", "4.00"]
    assert len(gate.consumed) == 2


def test_a_cancelled_async_run_is_reported_as_unknown(gate: Gate) -> None:
    async def scenario() -> None:
        async with AsyncClient(gate.url, KEY, retries=QUICK) as client:
            started = asyncio.Event()

            @requires_approval("refund.issue", client=client)
            async def refund(order: str) -> None:
                started.set()
                await asyncio.sleep(60)

            task = asyncio.create_task(refund("A-77"))
            await started.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    asyncio.run(scenario())
    assert [told["outcome"] for told in gate.outcomes] == ["unknown"]


def test_a_plain_function_is_not_guarded_by_an_async_client_nor_the_other_way_round(
    gate: Gate, client: Client
) -> None:
    calls: list[str] = []
    asynchronous = AsyncClient(gate.url, KEY)

    @requires_approval("refund.issue", client=asynchronous)
    def refund(order: str) -> None:
        calls.append(order)

    @requires_approval("refund.issue", client=client)
    async def refund_async(order: str) -> None:
        calls.append(order)

    with pytest.raises(TypeError, match="guard it with a Client"):
        refund("A-77")
    with pytest.raises(TypeError, match="guard it with an AsyncClient"):
        asyncio.run(refund_async("A-77"))
    with pytest.raises(TypeError, match="AsyncClient runs async"):
        asyncio.run(asynchronous.run("refund.issue", {}, calls.append))  # type: ignore[arg-type]  # the point
    with pytest.raises(TypeError, match="Client runs plain"):
        _ = client.run("refund.issue", {"order": "A-77"}, refund_async)
    asynchronous.close()
    assert calls == []
    assert gate.seen == []


def test_what_cannot_be_guarded_is_refused_when_it_is_written(client: Client) -> None:
    guard = requires_approval("refund.issue", client=client)

    def many(*orders: str) -> None: ...

    def lazily(order: str) -> Iterator[str]:
        yield order

    for function in (many, lazily):
        with pytest.raises(TypeError):
            guard(function)
    with pytest.raises(TypeError, match="sesion"):
        requires_approval("refund.issue", client=client, not_reviewed=["sesion"])(lambda session: None)


def test_an_argument_that_is_not_json_is_refused_before_anybody_is_asked(gate: Gate, client: Client) -> None:
    @requires_approval("refund.issue", client=client)
    def refund(order: object) -> None: ...

    with pytest.raises(InvalidArguments, match="/order is of the type object"):
        refund(object())
    assert gate.seen == []
