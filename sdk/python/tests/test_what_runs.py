"""The good ways: what was decided runs once, and the outcome is told."""

from __future__ import annotations

import threading

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from gate_server import KEY, Gate, problem
from refund_runner import QUICK, REFUND, Runner

from handrail import (
    ActionRejected,
    AlreadyConsumed,
    Client,
    DigestMismatch,
    Execution,
    NotApproved,
    PermitInvalid,
    current_execution,
    permits,
)


def digest_told(gate: Gate) -> str:
    return str(next(body["digest"] for route, _, body in gate.seen if route == "consume"))


def test_an_allowed_action_runs_once_with_its_own_arguments(gate: Gate, runner: Runner) -> None:
    assert runner.refund() == "paid"
    assert runner.ran == [REFUND]
    assert gate.outcomes == [{"outcome": "succeeded", "executed_digest": digest_told(gate)}]
    assert [route for route, _, _ in gate.seen] == ["agent", "submit", "consume", "outcome"]


def test_an_approved_action_runs_after_the_wait(gate: Gate, runner: Runner) -> None:
    gate.verdict, gate.decision, gate.undecided_polls = "review", {"kind": "approve"}, 2
    assert runner.refund() == "paid"
    assert runner.ran == [REFUND]
    assert gate.count("get") == 3


def test_a_corrected_action_runs_with_the_corrected_arguments(gate: Gate, runner: Runner) -> None:
    corrected = {"order": "A-77", "amount": "4.00", "lines": []}
    gate.verdict, gate.decision = (
        "review",
        {"kind": "correct", "final_arguments": corrected, "note": "One item."},
    )
    assert runner.refund() == "paid"
    assert runner.ran == [corrected]


def test_a_correction_is_told_to_the_agent(gate: Gate, client: Client) -> None:
    corrected = {"order": "A-77", "amount": "4.00"}
    gate.verdict, gate.decision = (
        "review",
        {"kind": "correct", "final_arguments": corrected, "note": "One item."},
    )
    done = client.perform("refund.issue", REFUND, lambda **a: a["amount"], wait_timeout=5)
    told = done.as_tool_result()
    assert done.result == "4.00"
    assert (told["status"], told["executed"], told["executed_arguments"]) == ("corrected", True, corrected)
    assert (told["reasons"], told["note"]) == ([{"code": "wrong_amount"}], "One item.")


def test_a_proposal_made_again_after_its_correction_runs_as_corrected(gate: Gate, client: Client) -> None:
    corrected = {"order": "A-77", "amount": "4.00"}
    gate.verdict, gate.decision = "review", {"kind": "correct", "final_arguments": corrected}
    client.wait(client.submit("refund.issue", REFUND, idempotency_key="again"), timeout=5)

    ran = client.run("refund.issue", REFUND, lambda **given: given, idempotency_key="again", wait_timeout=5)

    assert ran == corrected


def test_what_the_agent_changes_after_proposing_does_not_run(gate: Gate, client: Client) -> None:
    gate.verdict, gate.decision = "review", {"kind": "approve"}
    arguments = {"order": "A-77", "to": {"account": "good"}}
    ran: list[object] = []
    answer = client.submit("refund.issue", arguments)
    arguments["to"] = {"account": "bad"}
    verified = client.verify(client.wait(answer, timeout=5))
    verified.arguments["order"] = "changed"
    ran.append(verified.arguments)
    assert ran == [{"order": "A-77", "to": {"account": "good"}}]


def test_the_steps_can_be_taken_one_by_one(gate: Gate, client: Client) -> None:
    gate.verdict, gate.decision = "review", {"kind": "approve"}
    answer = client.submit("refund.issue", REFUND, confidence=0.83, subject="Mrs X", reason="Broken.")
    verified = client.verify(client.wait(answer.id, timeout=5))
    execution = client.consume(verified.permit, verified.digest)
    assert client.heartbeat(execution).year == 2999
    client.report(execution, "partial", {"done": 1})
    assert gate.outcomes == [
        {"outcome": "partial", "detail": {"done": 1}, "executed_digest": verified.digest}
    ]
    with pytest.raises(AlreadyConsumed):
        client.consume(verified.permit, verified.digest)


def test_an_action_is_resumed_by_a_new_process(gate: Gate, client: Client) -> None:
    gate.verdict, gate.decision = "review", {"kind": "approve"}
    submitted = client.submit("refund.issue", REFUND)
    del client
    heir = Client(gate.url, KEY, retries=QUICK)
    [pending] = heir.list(status="pending_review").actions
    assert pending.id == submitted.id
    assert heir.resume(pending.id, "refund.issue", lambda **a: a["order"], wait_timeout=5).result == "A-77"


def test_an_action_is_not_resumed_as_another_kind_of_action(gate: Gate, client: Client) -> None:
    submitted = client.submit("refund.issue", REFUND)
    calls: list[object] = []
    with pytest.raises(Exception, match=r"refund\.issue, not a order\.cancel"):
        client.resume(submitted.id, "order.cancel", lambda **a: calls.append(a), wait_timeout=1)
    assert calls == []
    assert gate.consumed == {}


def test_a_function_that_raises_is_reported_as_failed_without_its_message(gate: Gate, runner: Runner) -> None:
    runner.error = OSError("password=hunter2")
    with pytest.raises(OSError, match="hunter2"):
        runner.refund()
    [told] = gate.outcomes
    assert (told["outcome"], told["detail"]) == ("failed", {"error": "builtins.OSError"})


def test_an_interrupted_function_is_reported_as_unknown(gate: Gate, client: Client) -> None:
    def interrupted(**arguments: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        client.run("refund.issue", REFUND, interrupted)
    assert [told["outcome"] for told in gate.outcomes] == ["unknown"]


def test_a_run_whose_outcome_cannot_be_reported_is_still_a_run(gate: Gate, runner: Runner) -> None:
    gate.break_always("outcome", lambda reply: problem(500, "error"))
    assert runner.refund() == "paid"
    assert len(runner.ran) == 1


def test_the_function_can_ask_for_its_execution(gate: Gate, client: Client) -> None:
    seen: list[Execution | None] = []
    client.run("refund.issue", REFUND, lambda **a: seen.append(current_execution()))
    assert seen[0] is not None
    assert seen[0].id == "exe_1"
    assert current_execution() is None


@pytest.mark.parametrize("route", ["agent", "submit", "get", "consume", "outcome"])
def test_an_answer_lost_after_the_commit_is_asked_for_again(gate: Gate, runner: Runner, route: str) -> None:
    gate.verdict, gate.decision = "review", {"kind": "approve"}
    gate.break_once(route, lambda reply: type(reply)(cut=True), times=2)
    assert runner.refund() == "paid"
    assert len(runner.ran) == 1
    assert len(gate.actions) == len(gate.consumed) == 1
    keys = [
        h["idempotency-key"]
        for (name, _, _), h in zip(gate.seen, gate.headers, strict=True)
        if name == "submit"
    ]
    assert len(set(keys)) == 1


@pytest.mark.parametrize(
    ("status", "kind"), [(429, "rate-limited"), (503, "storage-full"), (409, "idempotency-in-progress")]
)
def test_a_busy_gate_is_asked_again_after_the_time_it_names(
    gate: Gate, runner: Runner, status: int, kind: str
) -> None:
    gate.break_once("submit", lambda reply: problem(status, kind, **{"Retry-After": "0"}), times=2)
    assert runner.refund() == "paid"
    assert gate.count("submit") == 3
    assert len(runner.ran) == 1


def test_a_signature_is_checked_where_a_jwks_is_given(gate: Gate, runner: Runner) -> None:
    runner.client = {"jwks": gate.jwks}
    assert runner.refund() == "paid"
    with Gate() as stranger:
        runner.client = {"jwks": stranger.jwks}
        with pytest.raises(PermitInvalid, match="signature"):
            runner.refund()
    assert len(runner.ran) == 1


def test_published_keys_are_fetched_and_fetched_again_for_a_key_that_is_new(
    gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = Client(gate.url, KEY, retries=QUICK, jwks="fetch")
    assert [_refund(client), _refund(client)] == ["paid", "paid"]
    assert gate.count("jwks") == 1
    _rotate(gate)
    with pytest.raises(PermitInvalid, match="not in the JWKS"):
        _refund(client)
    assert gate.count("jwks") == 1
    monkeypatch.setattr(permits, "REFETCH_SECONDS", 0.0)
    assert _refund(client) == "paid"
    assert gate.count("jwks") == 2
    # A stranger's key is asked for as well, and is not there.
    gate.claims, gate.header = lambda claims: claims, {**gate.header, "kid": "k3"}
    monkeypatch.setattr(type(gate), "jwks", {"keys": [{**gate.jwks["keys"][0], "kid": "k2"}]})
    with pytest.raises(PermitInvalid, match="not in the JWKS"):
        _refund(client)


def test_published_keys_are_fetched_by_either_client(gate: Gate, runner: Runner) -> None:
    runner.client = {"jwks": "fetch"}
    assert runner.refund() == "paid"
    gate.break_always("jwks", lambda _: problem(404, "not-found"))
    with pytest.raises(NotApproved):
        runner.refund()
    assert len(runner.ran) == 1


def test_pinned_keys_stay_pinned(gate: Gate) -> None:
    client = Client(gate.url, KEY, retries=QUICK, jwks=gate.jwks)
    _rotate(gate)
    with pytest.raises(PermitInvalid, match="not in the JWKS"):
        _refund(client)
    assert gate.count("jwks") == gate.count("consume") == 0


def _refund(client: Client) -> str:
    return client.run("refund.issue", REFUND, lambda **_: "paid", wait_timeout=5.0)


def _rotate(gate: Gate) -> None:
    gate.signing_key = Ed25519PrivateKey.generate()
    gate.header = {**gate.header, "kid": "k2"}


def test_a_permit_may_name_the_agent_by_its_name(gate: Gate, runner: Runner) -> None:
    gate.claims = lambda claims: {**claims, "sub": "clerk"}
    runner.client = {"agent": "clerk"}
    assert runner.refund() == "paid"
    assert gate.count("agent") == 0


def test_many_threads_with_one_key_run_once(gate: Gate, client: Client) -> None:
    ran: list[object] = []
    refused: list[object] = []

    def attempt() -> None:
        try:
            client.run("refund.issue", REFUND, lambda **a: ran.append(a), idempotency_key="one")
        except AlreadyConsumed as refusal:
            refused.append(refusal)

    threads = [threading.Thread(target=attempt) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(ran), len(refused)) == (1, 7)


def test_a_batch_answers_line_by_line(gate: Gate, client: Client) -> None:
    lines = client.submit_batch(
        [
            {"action_type": "refund.issue", "arguments": REFUND, "idempotency_key": "a"},
            {"action_type": "refund.issue", "arguments": {"when": object()}},
            {"action_type": "bad", "arguments": {}},
            {
                "action_type": "refund.issue",
                "arguments": {},
                "mode": "observed",
                "outcome": {"outcome": "succeeded"},
            },
        ]
    )
    assert [line.index for line in lines] == [0, 1, 2, 3]
    assert lines[0].answer is not None
    assert lines[0].answer.verdict == "allow"
    assert [line.refusal.code if line.refusal else None for line in lines] == [
        None,
        "invalid-arguments",
        "validation",
        None,
    ]
    assert lines[3].id == "req_1"


def test_an_observed_action_is_told_with_its_outcome(gate: Gate, client: Client) -> None:
    client.report_observed("refund.issue", REFUND, "failed", detail="no funds", conversation_id="c1")
    [(_, _, body)] = [seen for seen in gate.seen if seen[0] == "submit"]
    assert (body["mode"], body["outcome"]) == (
        "observed",
        {"outcome": "failed", "detail": {"message": "no funds"}},
    )


def test_a_rejection_tells_the_agent_why(gate: Gate, client: Client) -> None:
    gate.verdict, gate.decision = "review", {"kind": "reject", "note": "Ask for the receipt first."}
    with pytest.raises(ActionRejected) as caught:
        client.run("refund.issue", REFUND, lambda **a: None, wait_timeout=5)
    told = caught.value.as_tool_result()
    assert (told["status"], told["executed"], told["may_retry"]) == ("rejected", False, False)
    assert (told["reasons"], told["note"]) == ([{"code": "wrong_amount"}], "Ask for the receipt first.")
    assert (told["action_type"], told["action_id"]) == ("refund.issue", next(iter(gate.actions)))


def test_the_key_is_never_shown(client: Client) -> None:
    assert KEY not in repr(client)


def test_an_executor_sends_what_is_about_to_run_and_the_digest_of_what_ran(
    gate: Gate, client: Client
) -> None:
    verified = client.verify(client.submit("refund.issue", REFUND))
    execution = client.consume(verified.permit, verified.digest, arguments=verified.arguments)
    ran = "sha256:" + "7" * 64
    client.report(execution, "succeeded", executed_digest=ran)
    (sent,) = [body for route, _, body in gate.seen if route == "consume"]
    assert (sent["arguments"], sent["digest"]) == (verified.arguments, verified.digest)
    assert gate.outcomes == [{"outcome": "succeeded", "executed_digest": ran}]


def test_a_server_that_releases_other_arguments_than_were_sent_is_not_believed(
    gate: Gate, client: Client
) -> None:
    verified = client.verify(client.submit("refund.issue", REFUND))
    with pytest.raises(DigestMismatch):
        client.consume(verified.permit, verified.digest, arguments={**REFUND, "order": "other"})
