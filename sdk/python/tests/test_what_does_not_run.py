"""Anything that is not 2xx with a known verdict and our own digest: the guarded function is not called."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest
from gate_server import Gate, Reply, problem
from refund_runner import REFUND, Runner

from handrail import (
    ActionCancelled,
    ActionDenied,
    ActionExpired,
    ActionRejected,
    AlreadyConsumed,
    DigestMismatch,
    GateUnavailable,
    InvalidArguments,
    KillSwitchActive,
    NotApproved,
    NotAuthorised,
    PermitExpired,
    PermitInvalid,
    PermitRevoked,
    ProtocolError,
    RequestRefused,
    StillPending,
    UnusableArguments,
)

OTHER_DIGEST = "sha256:" + "0" * 64
MIB = 1024 * 1024


def refuses(runner: Runner, expected: type[NotApproved], **options: Any) -> NotApproved:
    """Run the refund; it must fail exactly so, and the function must not have been called."""
    with pytest.raises(NotApproved) as caught:
        runner.refund(**options)
    assert runner.ran == []
    assert type(caught.value) is expected
    assert caught.value.as_tool_result()["executed"] is False
    assert runner.gate.outcomes == []
    return caught.value


@dataclass(frozen=True)
class Case:
    """A way to answer badly, and what the client must make of it."""

    name: str
    fault: Callable[[Reply], Reply]
    expected: type[NotApproved]


def raw(body: bytes, **more: Any) -> Callable[[Reply], Reply]:
    return lambda reply: replace(reply, body=body, **more)


def members(**changed: Any) -> Callable[[Reply], Reply]:
    return lambda reply: reply.changed(**changed)


def instead(reply: Reply) -> Callable[[Reply], Reply]:
    return lambda _: reply


# What any endpoint may answer.
ANYWHERE = [
    Case("nothing", raw(b""), ProtocolError),
    Case("half of it", lambda reply: replace(reply, body=reply.encoded()[:-7]), ProtocolError),
    Case("not json", raw(b"<html>approved</html>"), ProtocolError),
    Case("an array", raw(b'[{"verdict":"allow"}]'), ProtocolError),
    Case("text", raw(b'"allow"'), ProtocolError),
    Case("not utf-8", raw(b'{"verdict":"\xff"}'), ProtocolError),
    Case("two documents", lambda reply: replace(reply, body=reply.encoded() * 2), ProtocolError),
    Case(
        "a member twice",
        lambda reply: replace(reply, body=b'{"x":1,"x":1,' + reply.encoded()[1:]),
        ProtocolError,
    ),
    Case("not a number", raw(b'{"verdict":"allow","score":NaN}'), ProtocolError),
    Case("very deep", raw(b"[" * 200_000), ProtocolError),
    Case("a page", lambda reply: replace(reply, media_type="text/html"), ProtocolError),
    Case(
        "a problem with status 200",
        lambda reply: replace(reply, media_type="application/problem+json"),
        ProtocolError,
    ),
    Case("huge", lambda reply: reply.changed(padding="x" * 2 * MIB), ProtocolError),
    Case("compressed", lambda reply: replace(reply, headers={"Content-Encoding": "gzip"}), ProtocolError),
    Case(
        "a redirect",
        lambda reply: replace(reply, status=302, headers={"Location": "/api/v1/agent"}),
        ProtocolError,
    ),
    Case(
        "a 307",
        lambda reply: replace(reply, status=307, headers={"Location": "/api/v1/agent"}),
        ProtocolError,
    ),
    Case("accepted", lambda reply: replace(reply, status=202), ProtocolError),
    Case("204", instead(Reply(204, body=b"")), ProtocolError),
    Case("an allow with 400", lambda reply: replace(reply, status=400), RequestRefused),
    Case("an allow with 500", lambda reply: replace(reply, status=500), GateUnavailable),
    Case("500", instead(Reply(500, body=b"oops", media_type="text/plain")), GateUnavailable),
    Case("502", instead(Reply(502, body=b"<html>", media_type="text/html")), GateUnavailable),
    Case("503 for ever", instead(problem(503, "storage-full", **{"Retry-After": "0"})), GateUnavailable),
    Case(
        "503 for too long", instead(problem(503, "storage-full", **{"Retry-After": "86400"})), GateUnavailable
    ),
    Case("429 for ever", instead(problem(429, "rate-limited", **{"Retry-After": "0"})), GateUnavailable),
    Case("429, no time", instead(problem(429, "too-many-pending")), GateUnavailable),
    Case("429, odd time", instead(problem(429, "rate-limited", **{"Retry-After": "soon"})), GateUnavailable),
    Case("401", instead(problem(401, "unauthorised")), NotAuthorised),
    Case("403", instead(problem(403, "scope")), NotAuthorised),
    Case("404", instead(problem(404, "not-found")), RequestRefused),
    Case("409 unknown", instead(problem(409, "something-new")), RequestRefused),
    Case("422", instead(problem(422, "validation")), RequestRefused),
    Case("kill switch", instead(problem(409, "kill-switch-active")), KillSwitchActive),
    Case(
        "an odd problem",
        instead(Reply(409, {"type": 7}, media_type="application/problem+json")),
        RequestRefused,
    ),
    Case("cut for ever", instead(Reply(cut=True)), GateUnavailable),
    Case(
        "cut in the middle", lambda reply: replace(reply, headers={"Content-Length": "5000"}), GateUnavailable
    ),
]

# What is wrong with an answer about an action.
ABOUT_AN_ACTION = [
    Case("no verdict", members(verdict=...), ProtocolError),
    Case("null verdict", members(verdict=None), ProtocolError),
    Case("unknown verdict", members(verdict="approve"), ProtocolError),
    Case("capital verdict", members(verdict="ALLOW"), ProtocolError),
    Case("a list of verdicts", members(verdict=["allow"]), ProtocolError),
    Case("true", members(verdict=True), ProtocolError),
    Case("no state", members(state=...), ProtocolError),
    Case("unknown state", members(state="blessed"), ProtocolError),
    Case("a denial that is allowed", members(verdict="deny"), ProtocolError),
    Case("no digest", members(digest=...), ProtocolError),
    Case("another digest", members(digest=OTHER_DIGEST), DigestMismatch),
    Case("a digest that is not ascii", members(digest="sha256:é"), DigestMismatch),
    Case("no id", members(id=...), ProtocolError),
    Case("a path for an id", members(id="../../permits/x"), ProtocolError),
    Case("no permit", members(permit=None), PermitInvalid),
    Case("a permit of no form", members(permit="yes"), ProtocolError),
    Case("a token of no form", members(permit={"id": "prm_1", "token": "yes"}), PermitInvalid),
    Case("a token of three dots", members(permit={"id": "prm_1", "token": "a.b.c"}), PermitInvalid),
    Case("an empty token", members(permit={"id": "prm_1", "token": ""}), PermitInvalid),
    Case("changed arguments, not marked", members(final_digest=OTHER_DIGEST), DigestMismatch),
    Case("reasons of no form", members(reasons=[1]), ProtocolError),
    Case("a time of no form", members(expires_at="tomorrow"), ProtocolError),
    Case("allowed, but corrected", members(state="corrected"), ProtocolError),
    Case("denied after all", members(state="denied"), ActionDenied),
]


@pytest.mark.parametrize("case", ANYWHERE, ids=lambda case: case.name)
@pytest.mark.parametrize("route", ["agent", "submit", "consume"])
def test_a_bad_answer_anywhere_runs_nothing(gate: Gate, runner: Runner, route: str, case: Case) -> None:
    gate.break_always(route, case.fault)
    refuses(runner, case.expected)
    if route != "consume":
        assert gate.consumed == {}


@pytest.mark.parametrize("case", ANYWHERE, ids=lambda case: case.name)
def test_a_bad_answer_to_the_wait_runs_nothing(gate: Gate, runner: Runner, case: Case) -> None:
    gate.verdict, gate.decision = "review", {"kind": "approve"}
    gate.break_always("get", case.fault)
    refuses(runner, case.expected, wait_timeout=0.15)
    assert gate.consumed == {}


@pytest.mark.parametrize("case", ABOUT_AN_ACTION, ids=lambda case: case.name)
def test_a_bad_answer_to_the_proposal_runs_nothing(gate: Gate, runner: Runner, case: Case) -> None:
    gate.break_always("submit", case.fault)
    refuses(runner, case.expected)
    assert gate.consumed == {}


@pytest.mark.parametrize("case", ABOUT_AN_ACTION[:-2], ids=lambda case: case.name)
def test_a_bad_answer_about_an_approved_action_runs_nothing(gate: Gate, runner: Runner, case: Case) -> None:
    gate.verdict, gate.decision = "review", {"kind": "approve"}
    gate.break_always("get", case.fault)
    refuses(runner, case.expected, wait_timeout=1)
    assert gate.consumed == {}


def test_a_pending_answer_with_a_permit_runs_nothing(gate: Gate, runner: Runner) -> None:
    gate.verdict = "review"
    for route in ("submit", "get"):
        gate.break_always(route, members(permit={"id": "prm_1", "token": "a.b.c"}))
    refuses(runner, StillPending, wait_timeout=0.1)
    assert gate.consumed == {}


def test_an_answer_about_another_action_runs_nothing(gate: Gate, runner: Runner) -> None:
    gate.verdict, gate.decision = "review", {"kind": "approve"}
    gate.break_always("get", members(id="act_" + "0" * 32))
    refuses(runner, ProtocolError)
    assert gate.consumed == {}


CORRECTIONS = [
    Case("no final arguments", members(final_arguments=None), ProtocolError),
    Case("no final digest", members(final_digest=None), ProtocolError),
    Case("another final digest", members(final_digest=OTHER_DIGEST), DigestMismatch),
    Case(
        "other final arguments",
        members(final_arguments={"order": "A-77", "amount": "4000.00"}),
        DigestMismatch,
    ),
    Case("final arguments of no form", members(final_arguments=[1]), ProtocolError),
    Case("a lone surrogate", members(final_arguments={"\ud800": "\udc00"}), ProtocolError),
    Case("a number beyond 2^53", members(final_arguments={"amount": 2**60}), ProtocolError),
    Case("marked as approved", members(state="approved"), DigestMismatch),
]


@pytest.mark.parametrize("case", CORRECTIONS, ids=lambda case: case.name)
def test_a_correction_that_does_not_add_up_runs_nothing(gate: Gate, runner: Runner, case: Case) -> None:
    gate.verdict = "review"
    gate.decision = {"kind": "correct", "final_arguments": {"order": "A-77", "amount": "4.00"}}
    gate.break_always("get", case.fault)
    refuses(runner, case.expected)
    assert gate.consumed == {}


def claim(**changed: Any) -> Callable[[dict[str, Any]], dict[str, Any]]:
    return lambda claims: {name: value for name, value in {**claims, **changed}.items() if value is not ...}


def act(**changed: Any) -> Callable[[dict[str, Any]], dict[str, Any]]:
    return lambda claims: {**claims, "act": {**claims["act"], **changed}}


NOW = int(time.time())
PERMITS: list[tuple[str, Callable[[dict[str, Any]], dict[str, Any]], type[NotApproved]]] = [
    ("another digest", act(digest=OTHER_DIGEST), DigestMismatch),
    ("no digest", act(digest=None), PermitInvalid),
    ("another action", act(id="act_" + "0" * 32), PermitInvalid),
    ("another type", act(type="refund.list"), PermitInvalid),
    ("another environment", act(env="staging"), PermitInvalid),
    ("no act", claim(act=...), PermitInvalid),
    ("another agent", claim(sub="agt_" + "0" * 32), PermitInvalid),
    ("no agent", claim(sub=...), PermitInvalid),
    ("another permit", claim(jti="prm_" + "0" * 32), PermitInvalid),
    ("expired", claim(exp=NOW - 60), PermitExpired),
    ("no expiry", claim(exp=...), PermitInvalid),
    ("an endless expiry", claim(exp="never"), PermitInvalid),
    ("a true expiry", claim(exp=True), PermitInvalid),
    ("not yet", claim(nbf=NOW + 3600), PermitInvalid),
    ("no start", claim(nbf=...), PermitInvalid),
]


@pytest.mark.parametrize(("name", "claims", "expected"), PERMITS, ids=[name for name, _, _ in PERMITS])
def test_a_permit_for_something_else_runs_nothing(
    gate: Gate,
    runner: Runner,
    name: str,
    claims: Callable[[dict[str, Any]], dict[str, Any]],
    expected: type[NotApproved],
) -> None:
    gate.claims = claims
    refuses(runner, expected)
    assert gate.consumed == {}


@pytest.mark.parametrize(
    "header",
    [
        {"alg": "none", "typ": "handrail-permit+jwt"},
        {"alg": "HS256", "typ": "handrail-permit+jwt", "kid": "k1"},
        {"alg": "EdDSA", "typ": "handrail-permit+jwt", "kid": "k1"},
        {"alg": "Ed25519", "typ": "JWT", "kid": "k1"},
        {"alg": "Ed25519", "kid": "k1"},
        {"alg": "Ed25519", "typ": "handrail-permit+jwt", "kid": "k1", "crit": ["b64"], "b64": False},
    ],
    ids=lambda header: json.dumps(header),
)
@pytest.mark.parametrize("signed", [False, True], ids=["claims alone", "with a JWKS"])
def test_a_permit_of_another_kind_runs_nothing(
    gate: Gate, runner: Runner, header: dict[str, Any], signed: bool
) -> None:
    gate.header = header
    runner.client = {"jwks": gate.jwks} if signed else {}
    refuses(runner, PermitInvalid)
    assert gate.consumed == {}


def _break_signature(token: str) -> str:
    return token[:-8] + ("AAAAAAAA" if not token.endswith("AAAAAAAA") else "BBBBBBBB")


def _widen(token: str) -> str:
    head, payload, signature = token.split(".")
    claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    claims["exp"] += 10_000
    forged = base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode()
    return f"{head}.{forged}.{signature}"


@pytest.mark.parametrize(
    "forge",
    [
        _break_signature,
        _widen,
        lambda token: token.rpartition(".")[0] + ".",
        lambda token: token.replace(".", "..", 1),
    ],
    ids=["broken", "widened", "unsigned", "four parts"],
)
def test_a_forged_permit_runs_nothing_where_a_jwks_is_given(
    gate: Gate, runner: Runner, forge: Callable[[str], str]
) -> None:
    runner.client = {"jwks": gate.jwks}

    def fault(reply: Reply) -> Reply:
        permit = reply.document["permit"]
        return reply.changed(permit={**permit, "token": forge(permit["token"])})

    gate.break_always("submit", fault)
    refuses(runner, PermitInvalid)
    assert gate.consumed == {}


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (instead(problem(409, "already-consumed")), AlreadyConsumed),
        (instead(problem(409, "digest-mismatch")), DigestMismatch),
        (instead(problem(409, "permit-expired")), PermitExpired),
        (instead(problem(409, "permit-revoked")), PermitRevoked),
        (instead(problem(409, "not-approved")), RequestRefused),
        (members(execution_id=...), ProtocolError),
        (members(lease_until=...), ProtocolError),
        (members(lease_until="2020-01-01T00:00:00Z"), PermitExpired),
        (members(lease_until="2999-01-01T00:00:00"), ProtocolError),
        (members(arguments={"order": "A-77", "amount": "4000.00"}), DigestMismatch),
        (members(arguments="yes"), ProtocolError),
        (members(arguments={"\ud800": 1}), ProtocolError),
        (members(arguments={"amount": 2**60}), ProtocolError),
    ],
)
def test_a_consume_that_does_not_hold_runs_nothing(
    gate: Gate, runner: Runner, fault: Callable[[Reply], Reply], expected: type[NotApproved]
) -> None:
    gate.break_always("consume", fault)
    refuses(runner, expected)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [("reject", ActionRejected), ("expired", ActionExpired), ("cancelled", ActionCancelled)],
)
def test_a_decision_against_runs_nothing(
    gate: Gate, runner: Runner, kind: str, expected: type[NotApproved]
) -> None:
    gate.verdict, gate.decision = "review", {"kind": kind}
    refuses(runner, expected)
    assert gate.consumed == {}


def test_a_denied_action_does_not_run_and_says_why(gate: Gate, runner: Runner) -> None:
    gate.verdict = "deny"
    refusal = refuses(runner, ActionDenied)
    assert [reason.code for reason in refusal.reasons] == ["high_risk"]
    assert gate.count("get") == 0


def test_a_rejection_without_its_reasons_is_still_a_rejection(gate: Gate, runner: Runner) -> None:
    gate.verdict, gate.decision = "review", {"kind": "reject"}
    gate.break_always("decision", instead(problem(500, "error")))
    refuses(runner, ActionRejected)


def test_nobody_deciding_in_time_runs_nothing_and_can_be_asked_again(gate: Gate, runner: Runner) -> None:
    gate.verdict = "review"
    refusal = refuses(runner, StillPending, wait_timeout=0.2, idempotency_key="mine")
    assert (refusal.may_retry, refusal.idempotency_key) == (True, "mine")
    assert refusal.action_id == next(iter(gate.actions))
    gate.decision = {"kind": "approve"}
    assert runner.refund(idempotency_key="mine") == "paid"
    assert len(gate.actions) == 1


@pytest.mark.parametrize(
    "fault", [lambda r: replace(r, delay=3.0), lambda r: replace(r, drip=0.1)], ids=["late", "drip"]
)
@pytest.mark.parametrize("route", ["submit", "consume"])
def test_a_slow_answer_runs_nothing(
    gate: Gate, runner: Runner, route: str, fault: Callable[[Reply], Reply]
) -> None:
    runner.client = {"timeout": 0.3}
    gate.break_always(route, fault)
    refuses(runner, GateUnavailable)


def test_no_gate_at_all_runs_nothing(runner: Runner) -> None:
    runner.gate.server.server_close()
    refuses(runner, GateUnavailable)


def test_a_foreign_wait_link_is_not_given_the_key(gate: Gate, runner: Runner) -> None:
    with Gate() as thief:
        thief_url = thief.url.replace("127.0.0.1", "localhost")
        gate.verdict, gate.decision = "review", {"kind": "approve"}
        link = {"self": "/", "wait": f"{thief_url}/api/v1/actions/x", "review": "/"}
        gate.break_always("submit", members(links=link))
        assert runner.refund() == "paid"
        assert thief.seen == []


def test_a_configured_name_that_is_not_the_keys_runs_nothing(gate: Gate, runner: Runner) -> None:
    runner.client = {"agent": "somebody-else"}
    refuses(runner, DigestMismatch)
    assert gate.consumed == {}


@pytest.mark.parametrize(
    "arguments",
    [
        {"amount": float("nan")},
        {"amount": float("inf")},
        {"amount": 2**53},
        {"amount": 1e300},
        {"when": object()},
        {"raw": b"bytes"},
        {1: "one"},
        {"text": "\ud800"},
        {"text": "a\0b"},
        {"tags": {"a", "b"}},
    ],
    # Names of our own: those of objects and sets differ from one test worker to the next.
    ids=["nan", "inf", "2^53", "1e300", "object", "bytes", "int key", "surrogate", "nul", "set"],
)
def test_what_is_not_plain_json_is_not_even_proposed(
    gate: Gate, runner: Runner, arguments: dict[str, object]
) -> None:
    refuses(runner, InvalidArguments, arguments=arguments)
    assert gate.seen == []


def test_nesting_without_end_is_not_even_proposed(gate: Gate, runner: Runner) -> None:
    endless: dict[str, object] = {}
    endless["again"] = endless
    refuses(runner, InvalidArguments, arguments=endless)
    assert gate.seen == []


def test_decided_arguments_that_do_not_fit_use_no_permit_up(gate: Gate, client: Any) -> None:
    gate.verdict = "review"
    gate.decision = {"kind": "correct", "final_arguments": {"order": "A-77", "colour": "red"}}
    calls: list[str] = []
    with pytest.raises(UnusableArguments):
        client.run("refund.issue", REFUND, lambda order, amount, lines: calls.append(order), wait_timeout=5)
    assert calls == []
    assert gate.consumed == {}


def test_an_action_that_happened_or_is_only_a_trial_cannot_be_run(gate: Gate, client: Any) -> None:
    calls: list[object] = []
    for options in ({"dry_run": True}, {"mode": "observed"}):
        with pytest.raises(ValueError, match="cannot be run"):
            client.run("refund.issue", REFUND, lambda **a: calls.append(a), **options)
    assert calls == []
    assert gate.seen == []
