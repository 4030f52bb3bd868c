"""Asking for one thing and running another (threat A2), and what an action type declares not to matter."""

from __future__ import annotations

import copy
import json
from datetime import timedelta
from typing import Any

import pytest
from django.utils.html import escape
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hitl_site.lib.canonical import ACTION_PREFIX, action_digest, canonicalize, sha256_hex
from hitl_site.lib.clock import database_now
from policies.choices import Risk
from policies.models import ActionType, LedgerEntry, LedgerPayload
from policies.services import action_types, policies
from policies.services.ledger import Actor
from reviews.choices import DecisionKind, Outcome
from reviews.models import Execution, Incident, Permit
from reviews.services import deadlines, executions, permits
from reviews.tests.api_client import Api, assert_problem, pointers, read
from reviews.tests.browsing import browser_of, text_of
from reviews.tests.cast import REFUND, Cast, decide_as, held, propose

TRANSFER: dict[str, Any] = {
    "iban": "DE89 3704 0044 0532 0130 00",
    "amount": 184.5,
    "urgent": False,
    "note": "Thank you",
    "lines": [{"sku": "A-1", "count": 2}, {"sku": "B-2", "count": None}],
}


def digest_of(arguments: Any, action_type: str = "transfer.send") -> str:
    return action_digest(
        agent="clerk", subject=None, action_type=action_type, environment="production", arguments=arguments
    )


@pytest.fixture
def transfer(cast: Cast) -> ActionType:
    """An action type of which everything with a score of 50% runs alone, with a declared binding."""
    now = database_now()
    declared = action_types.declare(
        name="transfer.send",
        title="Transfer",
        risk=Risk.MEDIUM,
        cosmetic_pointers=["/note"],
        normalised_fields={"/iban": ["remove_spaces", "upper"]},
        actor=Actor.person(cast.olga),
        now=now,
    )
    policies.put_in_force(
        action_type=declared,
        document={"threshold": 0.5, "audit_rate": 0.01, "undo_seconds": 5},
        author=cast.olga,
        reason="test",
        now=now,
    )
    return declared


@pytest.fixture
def permit(cast: Cast, transfer: ActionType) -> Permit:
    item = held(cast, action_type="transfer.send", arguments=TRANSFER, confidence=0.6)
    now = database_now()
    decide_as(cast.alice, item, now=now)
    deadlines.release_due(now=now + timedelta(seconds=6))
    return Permit.objects.get()


def use(cast: Cast, permit: Permit, arguments: Any, *, key: str = "run-1", send: bool = True) -> Execution:
    return permits.consume(
        permit_id=permit.public_id,
        agent=cast.clerk,
        digest=digest_of(arguments),
        consume_key=key,
        arguments=arguments if send else None,
        now=database_now(),
    ).execution


def nothing_ran() -> bool:
    unused = Permit.objects.filter(consumed_at=None).count() == Permit.objects.count()
    return unused and not Execution.objects.exists() and not ledger_of("permit.consumed")


def ledger_of(verb: str) -> list[dict[str, Any]]:
    entries = LedgerEntry.objects.filter(verb=verb).order_by("pk")
    return [LedgerPayload.objects.get(entry=entry).body or {} for entry in entries]


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner: list[tuple[Any, ...]] = []
    if isinstance(value, dict):
        inner = [place for key in value for place in places(value[key], (*path, key))]
    if isinstance(value, list):
        inner = [place for index, each in enumerate(value) for place in places(each, (*path, index))]
    return [path, *inner] if path else inner


@st.composite
def mutations(draw: st.DrawFn) -> Any:
    """Another document than TRANSFER: one value, type, key or member of it is not what it was."""
    document = copy.deepcopy(TRANSFER)
    path = draw(st.sampled_from(places(TRANSFER)))
    holder: Any = document
    for step in path[:-1]:
        holder = holder[step]
    old = holder[path[-1]]
    act = draw(st.sampled_from(["replace", "remove", "rename", "add", "retype"]))
    if act == "remove":
        del holder[path[-1]]
    elif act == "rename" and isinstance(holder, dict):
        holder[draw(st.text("abcxyz_ ", min_size=1, max_size=5)) + "\u00e9"] = holder.pop(path[-1])
    elif act == "add" and isinstance(holder, dict):
        holder["extra"] = draw(st.none() | st.booleans() | st.integers(-5, 5))
    elif act == "retype":
        holder[path[-1]] = str(old) if not isinstance(old, str) else [old]
    else:
        holder[path[-1]] = draw(
            st.none() | st.booleans() | st.integers(-9, 9) | st.text("aA \u00e9", max_size=4)
        )
    return document


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(other=mutations())
def test_whatever_is_changed_after_the_approval_does_not_run(cast: Cast, permit: Permit, other: Any) -> None:
    if canonicalize(other) == canonicalize(TRANSFER):
        return
    with pytest.raises(permits.DigestMismatch):
        use(cast, permit, other, send=False)
    if {**other, "note": 0, "iban": 0} != {**TRANSFER, "note": 0, "iban": 0}:
        with pytest.raises(permits.DigestMismatch):
            use(cast, permit, other)
    assert nothing_ran()


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_one_other_byte_of_the_digest_does_not_run(cast: Cast, permit: Permit, data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(permit.digest) - 1))
    other = data.draw(
        st.sampled_from("0123456789abcdefABC:g \u0660").filter(lambda c: c != permit.digest[place])
    )
    forged = permit.digest[:place] + other + permit.digest[place + 1 :]
    with pytest.raises(permits.DigestMismatch):
        permits.consume(
            permit_id=permit.public_id,
            agent=cast.clerk,
            digest=forged,
            consume_key="k",
            now=database_now(),
        )
    assert nothing_ran()


def test_what_the_reviewer_saw_is_what_the_digest_is_made_of(cast: Cast) -> None:
    item = held(cast, arguments={"order": "SO-48213", "amount": 184, "message": "Zo\u00eb \u2713"})
    action = item.action
    page = text_of(browser_of(cast.alice).get(f"/review/{item.public_id}/"))
    shown = page.split("data-json", 1)[1].split(">", 1)[1].split("</textarea>", 1)[0]
    seen = json.loads(shown.replace("&quot;", '"').replace("&#x27;", "'").replace("&amp;", "&"))
    document = {
        "v": 1,
        "agent": "clerk",
        "subject": None,
        "action_type": "refund.issue",
        "environment": "production",
        "arguments": seen,
    }
    assert bytes(action.arguments_canonical) == canonicalize(seen)
    assert action.digest == "sha256:" + sha256_hex(ACTION_PREFIX + canonicalize(document))
    # Golden: the very bytes, written by hand.
    assert ACTION_PREFIX + canonicalize(document) == (
        b'handrail-action-v1\x00{"action_type":"refund.issue","agent":"clerk","arguments":{"amount":184,'
        b'"message":"Zo\xc3\xab \xe2\x9c\x93","order":"SO-48213"},'
        b'"environment":"production","subject":null,"v":1}'
    )
    assert escape("SO-48213") in page


def test_a_declared_difference_runs_and_is_noted(cast: Cast, permit: Permit) -> None:
    other = {**TRANSFER, "note": "Thanks!", "iban": "de89370400440532013000"}
    execution = use(cast, permit, other)
    assert execution.executed_digest == digest_of(other)
    (told,) = ledger_of("permit.consumed")
    assert (told["digest"], told["decided_digest"]) == (digest_of(other), permit.digest)
    assert {step["path"] for step in told["declared_difference"]} == {"/note", "/iban"}
    # The same request again is the same run; without the arguments nobody can tell, and it is refused.
    assert use(cast, permit, other) == execution
    with pytest.raises(permits.AlreadyConsumed):
        use(cast, permit, other, send=False)
    with pytest.raises(permits.AlreadyConsumed):
        use(cast, permit, TRANSFER | {"note": "Third"})
    done = executions.report_outcome(
        execution_id=execution.public_id,
        agent=cast.clerk,
        outcome=Outcome.SUCCEEDED,
        detail=None,
        executed_digest="",
        now=database_now(),
    )
    assert (done.executed_digest, done.mismatch) == (digest_of(other), False)
    assert Incident.objects.count() == 0


def test_a_difference_without_its_arguments_does_not_run(cast: Cast, permit: Permit) -> None:
    other = {**TRANSFER, "note": "Thanks!"}
    with pytest.raises(permits.DigestMismatch):
        use(cast, permit, other, send=False)
    with pytest.raises(permits.DigestMismatch):
        permits.consume(
            permit_id=permit.public_id,
            agent=cast.clerk,
            digest=digest_of(other),
            consume_key="k",
            arguments=TRANSFER,
            now=database_now(),
        )
    with pytest.raises(permits.DigestMismatch):
        permits.consume(
            permit_id=permit.public_id,
            agent=cast.clerk,
            digest=permit.digest,
            consume_key="k",
            arguments=other,
            now=database_now(),
        )
    assert nothing_ran()


@pytest.mark.parametrize(
    "change",
    [
        {"cosmetic_pointers": ["/note", "/amount"]},
        {"cosmetic_pointers": []},
        {"normalised_fields": {}},
        {"risk": Risk.HIGH},
    ],
)
def test_a_changed_declaration_never_reaches_a_permit_that_is_out(
    cast: Cast, transfer: ActionType, permit: Permit, change: Any
) -> None:
    action_types.change(action_type=transfer, actor=Actor.person(cast.olga), now=database_now(), **change)
    for other in ({**TRANSFER, "note": "Thanks!"}, {**TRANSFER, "amount": 1_000_000}):
        with pytest.raises(permits.DigestMismatch):
            use(cast, permit, other)
    assert nothing_ran()
    if "risk" not in change:
        assert use(cast, permit, TRANSFER).executed_digest == ""


@pytest.mark.parametrize("risk", [Risk.HIGH, Risk.CRITICAL])
def test_what_a_person_reads_every_time_is_bound_to_the_byte(
    cast: Cast, transfer: ActionType, risk: Risk
) -> None:
    action_types.change(action_type=transfer, actor=Actor.person(cast.olga), now=database_now(), risk=risk)
    item = held(cast, action_type="transfer.send", arguments=TRANSFER, confidence=0.99)
    now = database_now()
    for person in (cast.alice, cast.bob)[: item.approvals_required]:
        item.refresh_from_db()
        decide_as(person, item, now=now)
    deadlines.release_due(now=now + timedelta(seconds=6))
    permit = Permit.objects.get()
    assert permit.binding_digest == ""
    with pytest.raises(permits.DigestMismatch):
        use(cast, permit, {**TRANSFER, "note": "Thanks!"})
    assert nothing_ran()


def test_a_correction_of_cosmetic_fields_has_a_digest_of_its_own(cast: Cast, transfer: ActionType) -> None:
    item = held(cast, action_type="transfer.send", arguments=TRANSFER, confidence=0.6)
    now = database_now()
    corrected = {**TRANSFER, "note": "Kind regards"}
    decide_as(cast.alice, item, DecisionKind.CORRECT, arguments=corrected, now=now)
    deadlines.release_due(now=now + timedelta(seconds=6))
    permit = Permit.objects.get()
    assert permit.digest == digest_of(corrected) != item.action.digest
    assert use(cast, permit, corrected).executed_digest == ""


def test_the_api_takes_the_arguments_and_answers_with_those_that_run(cast: Cast, permit: Permit) -> None:
    api, path = Api(cast.token), f"/permits/{permit.public_id}/consume"
    other = {**TRANSFER, "note": "Thanks!"}
    body = {"digest": digest_of(other), "execution_key": "run-1"}
    assert_problem(api.post(path, body), 409, "digest-mismatch")
    wrong = assert_problem(api.post(path, {**body, "arguments": [1]}), 422, "validation")
    assert pointers(wrong) == ["/arguments"]
    assert_problem(api.post(path, {**body, "arguments": {**other, "amount": 1}}), 409, "digest-mismatch")
    assert nothing_ran()
    first = read(api.post(path, {**body, "arguments": other}))
    assert (first["arguments"], first["digest"]) == (other, digest_of(other))
    again = api.post(path, {**body, "arguments": other})
    assert again["Idempotent-Replayed"] == "true"
    assert read(again) == first


def test_without_a_declaration_nothing_but_the_exact_arguments_runs(cast: Cast) -> None:
    permit = propose(cast, confidence=0.95).permits.get()
    assert permit.binding_digest == ""
    other = {**REFUND, "message": "sorry!"}
    with pytest.raises(permits.DigestMismatch):
        permits.consume(
            permit_id=permit.public_id,
            agent=cast.clerk,
            digest=digest_of(other, "refund.issue"),
            consume_key="k",
            arguments=other,
            now=database_now(),
        )
    assert nothing_ran()
