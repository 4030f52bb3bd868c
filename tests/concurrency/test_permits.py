"""Everybody wants to run it, once: the permit, the stop, the pause and the sweeper at the same moment."""

from __future__ import annotations

from datetime import timedelta
from functools import partial

import pytest

from hitl_site.lib.clock import database_now
from policies.choices import AgentState, KillSwitchScope
from policies.models import Agent, KillSwitch, LedgerEntry
from policies.services import agents, kill_switch
from policies.services.ledger import Actor
from reviews.choices import Outcome
from reviews.models import Execution, Permit
from reviews.services import deadlines, permits
from reviews.tests.cast import Cast, make_cast, propose
from tests.concurrency.threads import at_once, errors, values

pytestmark = pytest.mark.django_db(transaction=True)

ROUNDS = 4


@pytest.fixture
def cast(transactional_db: None) -> Cast:
    return make_cast()


def permit_of(cast: Cast) -> Permit:
    return propose(cast, confidence=0.95).permits.get()


def consume(cast: Cast, permit: Permit, key: str) -> permits.Consumed:
    return permits.consume(
        permit_id=permit.public_id,
        agent=cast.clerk,
        digest=permit.digest,
        consume_key=key,
        now=database_now(),
    )


def test_of_eight_executors_one_runs(cast: Cast) -> None:
    for _ in range(ROUNDS):
        permit = permit_of(cast)
        ended = at_once(*(partial(consume, cast, permit, f"executor-{n}") for n in range(8)))
        (winner,) = values(ended)
        assert not winner.replayed
        assert [type(error) for error in errors(ended)] == [permits.AlreadyConsumed] * 7
        assert Execution.objects.get(permit=permit) == winner.execution
    assert LedgerEntry.objects.filter(verb="permit.consumed").count() == ROUNDS


def test_one_executor_that_asks_eight_times_at_once_runs_once(cast: Cast) -> None:
    permit = permit_of(cast)
    ended = at_once(*(partial(consume, cast, permit, "the same") for _ in range(8)))
    assert errors(ended) == []
    assert {each.execution.pk for each in values(ended)} == {Execution.objects.get().pk}
    assert [each.replayed for each in values(ended)].count(False) == 1


def test_many_permits_of_one_agent_are_used_side_by_side(cast: Cast) -> None:
    issued = [permit_of(cast) for _ in range(8)]
    ended = at_once(*(partial(consume, cast, permit, "k") for permit in issued))
    assert errors(ended) == []
    assert Execution.objects.count() == 8


@pytest.mark.parametrize("scope", list(KillSwitchScope))
def test_nothing_is_consumed_once_a_stop_has_been_engaged(cast: Cast, scope: KillSwitchScope) -> None:
    def stop() -> int:
        kill_switch.engage(
            scope=scope,
            agent=cast.clerk if scope == KillSwitchScope.AGENT else None,
            action_type=cast.refund if scope == KillSwitchScope.ACTION_TYPE else None,
            reason="race",
            engaged_by=cast.olga,
            now=database_now(),
        )
        return Execution.objects.count()  # all there may ever be

    issued = [permit_of(cast) for _ in range(7)]
    *consumers, stopper = at_once(*(partial(consume, cast, permit, "k") for permit in issued), stop)

    assert stopper.error is None
    assert Execution.objects.count() == stopper.value == len(values(consumers))
    assert all(isinstance(error, permits.KillSwitchActive) for error in errors(consumers))
    for permit in Permit.objects.filter(consumed_at=None):
        with pytest.raises(permits.KillSwitchActive):
            consume(cast, permit, "later")


def test_two_who_stop_at_once_make_one_stop(cast: Cast) -> None:
    def stop() -> str:
        return kill_switch.engage(
            scope=KillSwitchScope.EVERYTHING, reason="x", engaged_by=cast.olga, now=database_now()
        ).public_id

    ended = at_once(*(stop for _ in range(4)))
    assert errors(ended) == []
    assert set(values(ended)) == {KillSwitch.objects.get(lifted_at=None).public_id}


def test_nothing_is_consumed_once_an_agent_has_been_paused(cast: Cast) -> None:
    def pause() -> int:
        agents.pause_agent(agent=cast.clerk, reason="x", actor=Actor.person(cast.olga), now=database_now())
        return Execution.objects.count()

    issued = [permit_of(cast) for _ in range(7)]
    *consumers, pauser = at_once(*(partial(consume, cast, permit, "k") for permit in issued), pause)
    assert pauser.error is None
    assert Execution.objects.count() == pauser.value == len(values(consumers))
    assert Agent.objects.get(pk=cast.clerk.pk).state == AgentState.PAUSED


def test_of_two_different_outcomes_one_stands(cast: Cast) -> None:
    for _ in range(ROUNDS):
        execution = consume(cast, permit_of(cast), "k").execution

        def report(outcome: Outcome, execution_id: str = execution.public_id) -> Execution:
            return permits.report_outcome(
                execution_id=execution_id,
                agent=cast.clerk,
                outcome=outcome,
                detail=None,
                executed_digest="",
                now=database_now(),
            )

        ended = at_once(partial(report, Outcome.SUCCEEDED), partial(report, Outcome.FAILED))
        (stands,) = values(ended)
        assert [type(error) for error in errors(ended)] == [permits.OutcomeConflict]
        assert Execution.objects.get(pk=execution.pk).outcome == stands.outcome


def test_a_report_wins_over_the_end_of_the_lease_whichever_comes_first(cast: Cast) -> None:
    for _ in range(ROUNDS):
        execution = consume(cast, permit_of(cast), "k").execution
        late = execution.lease_until + timedelta(seconds=1)

        def report(execution_id: str = execution.public_id) -> int:
            permits.report_outcome(
                execution_id=execution_id,
                agent=cast.clerk,
                outcome=Outcome.SUCCEEDED,
                detail=None,
                executed_digest="",
                now=database_now(),
            )
            return 1

        ended = at_once(report, partial(lambda moment: deadlines.end_leases(now=moment), late))
        assert errors(ended) == []
        found = Execution.objects.get(pk=execution.pk)
        assert (found.outcome, found.reported) == (Outcome.SUCCEEDED, True)
