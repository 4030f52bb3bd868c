"""What holds at the moment of the run counts: the stricter of then and now; a revocation is final."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.db import connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hitl_site.lib.clock import database_now
from policies.choices import PolicyState, Verdict
from policies.models import LedgerEntry, PolicyVersion
from policies.services import agents, policies
from policies.services.ledger import Actor
from reviews.models import Execution, Permit
from reviews.services import deadlines, grounds, permits, rights
from reviews.tests.api_client import Api, assert_problem, read
from reviews.tests.browsing import browser_of, text_of
from reviews.tests.cast import Cast, decide_as, held, propose

STRICTNESS = {Verdict.ALLOW: 0, Verdict.REVIEW: 1, Verdict.DENY: 2}


def use(cast: Cast, permit: Permit, key: str = "run-1") -> permits.Consumed:
    return permits.consume(
        permit_id=permit.public_id,
        agent=cast.clerk,
        digest=permit.digest,
        consume_key=key,
        now=database_now(),
    )


def publish(cast: Cast, **document: Any) -> None:
    policies.put_in_force(
        action_type=cast.refund, document=document, author=cast.olga, reason="test", now=database_now()
    )


def unused(permit: Permit) -> bool:
    permit.refresh_from_db()
    return permit.consumed_at is None and not Execution.objects.filter(permit=permit).exists()


@pytest.fixture
def allowed(cast: Cast) -> Permit:
    return propose(cast, confidence=0.95).permits.get()


@pytest.fixture
def approved(cast: Cast) -> Permit:
    item = held(cast)
    now = database_now()
    decide_as(cast.alice, item, now=now)
    deadlines.release_due(now=now + timedelta(seconds=6))
    return item.action.permits.get()


def test_a_policy_that_asks_for_one_approval_more_takes_the_permit_out(cast: Cast, approved: Permit) -> None:
    publish(cast, threshold=0.9, approvals_required=2)
    with pytest.raises(permits.NoLongerAllowed, match="needed now: 2"):
        use(cast, approved)
    assert unused(approved)
    publish(cast, threshold=0.9, approvals_required=1)
    assert use(cast, approved).replayed is False


@pytest.mark.parametrize(("threshold", "runs"), [(0.999, False), (0.8, True)])
@pytest.mark.django_db(transaction=True)
def test_a_policy_published_while_a_run_asks_is_the_one_that_counts(
    cast: Cast, monkeypatch: pytest.MonkeyPatch, threshold: float, runs: bool
) -> None:
    permit = propose(cast, confidence=0.95).permits.get()
    asked: list[str] = []
    ask = grounds.why_not

    def publish_elsewhere() -> None:
        publish(cast, threshold=threshold)
        connection.close()

    def and_then_another_is_published(*args: Any, **kwargs: Any) -> str:
        asked.append(ask(*args, **kwargs))
        if len(asked) == 1:
            other = threading.Thread(target=publish_elsewhere)
            other.start()
            other.join()
        return asked[-1]

    monkeypatch.setattr(grounds, "why_not", and_then_another_is_published)
    if runs:
        assert use(cast, permit).replayed is False
    else:
        with pytest.raises(permits.NoLongerAllowed, match="no longer lets this run"):
            use(cast, permit)
        assert unused(permit)
    assert [bool(refused) for refused in asked] == [False, not runs]


def test_a_reviewer_who_lost_the_right_takes_the_unused_approval_along(cast: Cast, approved: Permit) -> None:
    cast.alice.groups.clear()
    with pytest.raises(permits.NoLongerAllowed, match="0 still stand"):
        use(cast, approved)
    cast.alice.groups.set(Group.objects.filter(name="reviewer"))
    cast.alice.is_active = False
    cast.alice.save()
    with pytest.raises(permits.NoLongerAllowed):
        use(cast, approved)
    assert unused(approved)


def test_an_approver_who_became_the_owner_does_not_count(cast: Cast, approved: Permit) -> None:
    type(cast.clerk).objects.filter(pk=cast.clerk.pk).update(owner=cast.alice)
    with pytest.raises(permits.NoLongerAllowed):
        use(cast, approved)
    assert unused(approved)


def test_a_retired_action_type_runs_nothing_even_approved(cast: Cast, approved: Permit) -> None:
    PolicyVersion.objects.filter(action_type=cast.refund, state=PolicyState.LIVE).update(
        state=PolicyState.RETIRED, retired_at=database_now()
    )
    with pytest.raises(permits.NoLongerAllowed, match="retired"):
        use(cast, approved)
    assert unused(approved)


@pytest.mark.parametrize("state", ["paused", "retired"])
def test_an_agent_that_is_not_running_uses_nothing(cast: Cast, approved: Permit, state: str) -> None:
    type(cast.clerk).objects.filter(pk=cast.clerk.pk).update(state=state)
    with pytest.raises(permits.KillSwitchActive):
        use(cast, approved)
    assert unused(approved)


def test_the_answer_to_a_run_that_began_is_replayed_whatever_happened_since(
    cast: Cast, allowed: Permit
) -> None:
    api, path = Api(cast.token), f"/permits/{allowed.public_id}/consume"
    body = {"digest": allowed.digest, "execution_key": "run-1"}
    first = read(api.post(path, body))
    # The permit has run out, the agent is paused, and the policy would hold it now.
    publish(cast, threshold=0.999)
    agents.pause_agent(agent=cast.clerk, reason="x", actor=Actor.person(cast.olga), now=database_now())
    again = api.post(path, body)
    assert again["Idempotent-Replayed"] == "true"
    assert read(again) == first
    assert_problem(api.post(path, {**body, "execution_key": "run-2"}), 409, "already-consumed")
    assert Execution.objects.count() == 1


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    before=st.floats(0.05, 1),
    after=st.floats(0.05, 1),
    confidence=st.floats(0, 1),
    denies=st.booleans(),
    approvals=st.integers(1, 3),
)
def test_what_runs_is_never_looser_than_the_stricter_of_two_policies(
    cast: Cast, before: float, after: float, confidence: float, denies: bool, approvals: int
) -> None:
    publish(cast, threshold=before, undo_seconds=0)
    action = propose(cast, confidence=confidence)
    now = database_now()
    if action.state == "pending_review":
        decide_as(cast.alice, action.items.get(kind="gate"), now=now)
        deadlines.release_due(now=now + timedelta(seconds=10))
    permit = action.permits.get()
    rule = {"code": "no", "title": "No refunds", "when": "true", "then": "deny"}
    publish(cast, threshold=after, approvals_required=approvals, rules=[rule] if denies else [])

    then = Verdict(action.gate_check.verdict)
    at_run = Verdict.DENY if denies else Verdict.ALLOW if confidence >= after else Verdict.REVIEW
    stricter = max(then, at_run, key=STRICTNESS.__getitem__)
    approved = permit.decision is not None
    may_run = (stricter == Verdict.ALLOW and not approved) or (
        approved and stricter == Verdict.REVIEW and approvals == 1
    )
    try:
        use(cast, permit, key=permit.public_id)
        ran = True
    except permits.NoLongerAllowed:
        ran = False
    assert ran == may_run
    assert unused(permit) == (not ran)


def test_a_revoked_permit_is_not_used_and_why_is_on_record(cast: Cast, allowed: Permit) -> None:
    now = database_now()
    first = permits.revoke(permit_id=allowed.public_id, reason=" Wrong account ", actor=cast.olga, now=now)
    again = permits.revoke(permit_id=allowed.public_id, reason="other", actor=cast.olga, now=now)
    assert (first.revoke_reason, again.revoke_reason, again.revoked_at) == (
        "Wrong account",
        "Wrong account",
        now,
    )
    api = Api(cast.token)
    body = {"digest": allowed.digest, "execution_key": "run-1"}
    assert_problem(api.post(f"/permits/{allowed.public_id}/consume", body), 409, "permit-revoked")
    assert read(api.get(f"/actions/{allowed.action.public_id}"))["permit"] is None
    assert LedgerEntry.objects.filter(verb="permit.revoked", actor_id=str(cast.olga.pk)).count() == 1
    assert unused(allowed)


def test_only_who_may_stop_agents_revokes_and_only_what_was_not_used(cast: Cast, allowed: Permit) -> None:
    now = database_now()
    for person in (cast.alice, cast.dan):
        with pytest.raises(rights.NotAllowed):
            permits.revoke(permit_id=allowed.public_id, reason="x", actor=person, now=now)
    for permit_id, reason in ((allowed.public_id, "  "), ("prm_none", "x")):
        with pytest.raises(permits.UnableToRevoke):
            permits.revoke(permit_id=permit_id, reason=reason, actor=cast.olga, now=now)
    use(cast, allowed)
    with pytest.raises(permits.UnableToRevoke, match="has been used"):
        permits.revoke(permit_id=allowed.public_id, reason="x", actor=cast.olga, now=now)
    allowed.refresh_from_db()
    assert (allowed.revoked_at, allowed.revoke_reason) == (None, "")
    assert not LedgerEntry.objects.filter(verb="permit.revoked").exists()


def test_a_permit_is_revoked_in_two_steps_in_the_browser(cast: Cast, allowed: Permit) -> None:
    story, path = f"/actions/{allowed.action.public_id}/", f"/permits/{allowed.public_id}/revoke/"
    olga = browser_of(cast.olga)
    assert path in text_of(olga.get(story))
    assert path not in text_of(browser_of(cast.alice).get(story))
    assert "Revoke it now" in text_of(olga.get(path))
    assert unused(allowed)
    assert olga.post(path, {"reason": ""}).status_code == 422
    assert browser_of(cast.alice).post(path, {"reason": "x"}).status_code == 403
    assert olga.get("/permits/prm_none/revoke/").status_code == 404
    allowed.refresh_from_db()
    assert allowed.revoked_at is None
    answer = olga.post(path, {"reason": "Wrong <i>account</i>"})
    assert (answer.status_code, answer.headers["Location"]) == (302, story)
    page = text_of(olga.get(story))
    assert path not in page
    assert "<i>account" not in page
    assert "It was revoked" in text_of(olga.get(path))


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("round_number", range(5))
def test_of_a_revocation_and_a_run_at_once_exactly_one_happens(
    cast: Cast, allowed: Permit, round_number: int
) -> None:
    barrier = threading.Barrier(2)
    happened: list[str] = []

    def run() -> None:
        try:
            barrier.wait()
            use(cast, allowed)
            happened.append("ran")
        except permits.PermitRevoked:
            pass
        finally:
            connection.close()

    def take_back() -> None:
        try:
            barrier.wait()
            permits.revoke(permit_id=allowed.public_id, reason="x", actor=cast.olga, now=database_now())
            happened.append("revoked")
        except permits.UnableToRevoke:
            pass
        finally:
            connection.close()

    threads = [threading.Thread(target=run), threading.Thread(target=take_back)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    allowed.refresh_from_db()
    assert len(happened) == 1
    assert (allowed.consumed_at is None) == (happened == ["revoked"])
    assert (allowed.revoked_at is None) == (happened == ["ran"])
