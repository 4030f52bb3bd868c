"""Using a permit up: once, by its own agent, for these very arguments, while nothing has become stricter."""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode
from datetime import timedelta

import pytest
from joserfc import jws
from joserfc.jwk import OKPKey

from hitl_site.lib.clock import database_now
from policies.choices import AutonomyLevel, KillSwitchScope
from policies.models import AgentVersion
from policies.services import agents, autonomy, kill_switch, policies
from policies.services.ledger import Actor
from reviews.choices import DecisionKind, Outcome
from reviews.models import Execution, Permit
from reviews.services import deadlines, permit_keys, permits
from reviews.tests.cast import REFUND, Cast, decide_as, held, propose


def _consume(cast: Cast, permit: Permit, *, digest: str = "", key: str = "run-1") -> permits.Consumed:
    return permits.consume(
        permit_id=permit.public_id,
        agent=cast.clerk,
        digest=digest or permit.digest,
        consume_key=key,
        now=database_now(),
    )


@pytest.fixture
def permit(cast: Cast) -> Permit:
    propose(cast, confidence=0.95)
    return Permit.objects.get()


def test_a_permit_is_used_up_once(cast: Cast, permit: Permit) -> None:
    first = _consume(cast, permit)
    again = _consume(cast, permit)
    assert (first.replayed, again.replayed) == (False, True)
    assert again.execution == first.execution
    with pytest.raises(permits.AlreadyConsumed):
        _consume(cast, permit, key="run-2")
    assert Execution.objects.count() == 1


def test_other_arguments_than_those_decided_do_not_run(cast: Cast, permit: Permit) -> None:
    with pytest.raises(permits.DigestMismatch):
        _consume(cast, permit, digest="sha256:" + "0" * 64)
    assert Permit.objects.get().consumed_at is None
    assert Execution.objects.count() == 0


def test_another_agent_is_told_that_there_is_no_such_permit(cast: Cast, permit: Permit) -> None:
    thief = agents.create_agent(name="thief", actor=Actor.person(cast.olga), now=database_now())
    with pytest.raises(permits.UnknownPermit):
        permits.consume(
            permit_id=permit.public_id,
            agent=thief,
            digest=permit.digest,
            consume_key="k",
            now=database_now(),
        )
    assert Permit.objects.get().consumed_at is None


def test_a_permit_that_ran_out_is_not_used(cast: Cast) -> None:
    propose(cast, confidence=0.95, now=database_now() - timedelta(days=2))
    with pytest.raises(permits.PermitExpired):
        _consume(cast, Permit.objects.get())
    assert Execution.objects.count() == 0


def test_a_stop_reaches_permits_that_are_out(cast: Cast, permit: Permit) -> None:
    stop = kill_switch.engage(
        scope=KillSwitchScope.AGENT, agent=cast.clerk, reason="odd", engaged_by=cast.olga, now=database_now()
    )
    with pytest.raises(permits.KillSwitchActive):
        _consume(cast, permit)
    kill_switch.lift(kill_switch=stop, reason="fine", lifted_by=cast.olga, now=database_now())
    assert _consume(cast, permit).replayed is False


def test_a_policy_that_became_stricter_wins_over_a_permit(cast: Cast, permit: Permit) -> None:
    policies.put_in_force(
        action_type=cast.refund,
        document={"threshold": 0.99},
        author=cast.olga,
        reason="tighter",
        now=database_now(),
    )
    with pytest.raises(permits.NoLongerAllowed):
        _consume(cast, permit)
    assert Permit.objects.get().consumed_at is None


def test_autonomy_taken_away_reaches_permits_that_are_out(cast: Cast, permit: Permit) -> None:
    autonomy.grant(
        agent_version=AgentVersion.objects.get(),
        action_type=cast.refund,
        level=AutonomyLevel.REVIEW_ALL,
        reason="back to review",
        granted_by=cast.olga,
        now=database_now(),
    )
    with pytest.raises(permits.NoLongerAllowed):
        _consume(cast, permit)


def test_an_approval_outlives_a_policy_that_would_only_hold_it_again(cast: Cast) -> None:
    item = held(cast)
    now = database_now()
    decide_as(cast.alice, item, now=now)
    deadlines.release_due(now=now + timedelta(seconds=6))
    policies.put_in_force(
        action_type=cast.refund,
        document={"threshold": 0.99},
        author=cast.olga,
        reason="tighter",
        now=database_now(),
    )
    assert _consume(cast, Permit.objects.get()).execution.outcome == ""


def test_the_token_says_what_it_is_for_and_verifies_with_the_published_key(cast: Cast) -> None:
    item = held(cast)
    now = database_now()
    decide_as(cast.alice, item, DecisionKind.CORRECT, arguments={**REFUND, "amount": 1}, now=now)
    deadlines.release_due(now=now + timedelta(seconds=6))
    permit = Permit.objects.select_related("action", "decision").get()

    (public,) = permit_keys.public_keys(now=now)["keys"]
    assert "d" not in public
    checked = jws.deserialize_compact(permit.token, OKPKey.import_key(public), algorithms=["Ed25519"])
    header = json.loads(urlsafe_b64decode(permit.token.split(".")[0] + "=="))
    claims = json.loads(checked.payload)
    assert header == {"alg": "Ed25519", "typ": "handrail-permit+jwt", "kid": public["kid"]}
    assert (claims["sub"], claims["jti"]) == ("clerk", permit.public_id)
    assert claims["act"] == {
        "id": permit.action.public_id,
        "type": "refund.issue",
        "env": "production",
        "digest": permit.digest,
    }
    assert claims["dec"]["kind"] == "corrected"
    assert b"SO-48213" not in checked.payload


def test_an_outcome_is_final_and_the_same_again_changes_nothing(cast: Cast, permit: Permit) -> None:
    execution = _consume(cast, permit).execution

    def report(outcome: Outcome) -> Execution:
        return permits.report_outcome(
            execution_id=execution.public_id,
            agent=cast.clerk,
            outcome=outcome,
            detail={"refund": "R-1"},
            executed_digest=permit.digest,
            now=database_now(),
        )

    assert report(Outcome.SUCCEEDED).outcome == "succeeded"
    assert report(Outcome.SUCCEEDED).outcome == "succeeded"
    with pytest.raises(permits.OutcomeConflict):
        report(Outcome.FAILED)
    assert Execution.objects.get().outcome == "succeeded"


def test_a_run_without_a_word_is_unknown_and_cannot_run_again(cast: Cast, permit: Permit) -> None:
    execution = _consume(cast, permit).execution
    late = execution.lease_until + timedelta(seconds=1)
    assert deadlines.end_leases(now=late) == 1
    assert deadlines.end_leases(now=late) == 0
    assert Execution.objects.get().outcome == "unknown"
    with pytest.raises(permits.AlreadyConsumed):
        _consume(cast, permit, key="run-2")
    permits.report_outcome(
        execution_id=execution.public_id,
        agent=cast.clerk,
        outcome=Outcome.SUCCEEDED,
        detail=None,
        executed_digest="",
        now=database_now(),
    )
    assert Execution.objects.get().outcome == "succeeded"
