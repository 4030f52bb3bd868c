"""A stop while everything is under way: nothing is allowed and nothing is run once it is committed (I12)."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from functools import partial
from itertools import count

import pytest
from django.db import OperationalError, connection, transaction
from pytest_django import Settings

from hitl_site.lib.clock import database_now
from policies.choices import KillSwitchScope
from policies.models import Agent, KillSwitch
from policies.services import agents, kill_switch
from policies.services.ledger import Actor
from reviews.choices import ActionState
from reviews.models import ActionRequest, Execution, Permit
from reviews.services import ingest, permits
from reviews.tests.cast import Cast, make_cast, make_person, propose
from tests.concurrency.threads import at_once, errors, values

pytestmark = pytest.mark.django_db(transaction=True)

WITHIN = timedelta(seconds=1)


@pytest.fixture
def cast(transactional_db: None) -> Cast:
    return make_cast()


def engage(cast: Cast, scope: KillSwitchScope) -> KillSwitch:
    return kill_switch.engage(
        scope=scope,
        agent=cast.clerk if scope == KillSwitchScope.AGENT else None,
        action_type=cast.refund if scope == KillSwitchScope.ACTION_TYPE else None,
        reason="race",
        engaged_by=cast.olga,
        now=database_now(),
    )


def consume(cast: Cast, permit: Permit, key: str = "k") -> permits.Consumed:
    return permits.consume(
        permit_id=permit.public_id,
        agent=cast.clerk,
        digest=permit.digest,
        consume_key=key,
        now=database_now(),
    )


def allowed(cast: Cast, number: int) -> ActionRequest:
    return propose(cast, confidence=0.95, idempotency_key=f"hammer-{number}", timeout="1h")


@pytest.mark.parametrize("scope", list(KillSwitchScope))
def test_nothing_is_allowed_or_run_later_than_a_second_after_any_stop(
    cast: Cast, scope: KillSwitchScope
) -> None:
    """Four agents' threads propose and run without a pause while the stop comes between."""
    numbers, warm = count(), threading.Semaphore(0)
    stop_seen: list[datetime] = []
    refused: list[int] = []

    def hammer() -> None:
        after_the_stop = 0
        while after_the_stop < 3:
            after_the_stop += bool(stop_seen)
            action = allowed(cast, next(numbers))
            warm.release()
            for permit in action.permits.all():
                try:
                    consume(cast, permit)
                except permits.KillSwitchActive:
                    refused.append(permit.pk)

    def stop() -> None:
        for _ in range(12):
            warm.acquire()
        stop_seen.append(engage(cast, scope).engaged_at)

    ended = at_once(hammer, hammer, hammer, hammer, stop)

    assert errors(ended) == []
    (engaged_at,) = stop_seen
    assert Execution.objects.filter(started_at__lte=engaged_at).exists()
    assert not Permit.objects.filter(consumed_at__gt=engaged_at + WITHIN).exists()
    allows = ActionRequest.objects.filter(state=ActionState.ALLOWED)
    assert not allows.filter(created_at__gt=engaged_at + WITHIN).exists()
    assert ActionRequest.objects.filter(state=ActionState.DENIED, created_at__gt=engaged_at).exists()
    assert not Permit.objects.filter(pk__in=refused, consumed_at__isnull=False).exists()


def slow(act: Callable[[], object], *, done: threading.Event, go: threading.Event) -> object:
    """Act, and dawdle before the commit until ``go``: a client that hangs at the worst moment."""
    with kill_switch.noticed_at_commit(), transaction.atomic():
        answer = act()
        done.set()
        go.wait()
    return answer


def test_a_run_that_dawdles_before_its_commit_neither_delays_a_stop_nor_outlives_it(cast: Cast) -> None:
    permit = allowed(cast, 1).permits.get()
    done, go = threading.Event(), threading.Event()

    def stop() -> str:
        done.wait()
        engaged = engage(cast, KillSwitchScope.EVERYTHING)  # does not wait for the one that hangs
        go.set()
        return engaged.public_id

    dawdler, stopper = at_once(partial(_slow_run, cast, permit, done, go), stop)

    assert stopper.error is None
    assert isinstance(dawdler.error, Refused)
    permit.refresh_from_db()
    assert permit.consumed_at is None
    assert not Execution.objects.exists()


def _slow_run(cast: Cast, permit: Permit, done: threading.Event, go: threading.Event) -> str:
    try:
        slow(lambda: consume(cast, permit), done=done, go=go)
    except OperationalError as error:
        raise _plain(error) from error
    return ""


def _slow_allow(cast: Cast, done: threading.Event, go: threading.Event) -> str:
    try:
        slow(lambda: allowed(cast, 2), done=done, go=go)
    except OperationalError as error:
        raise _plain(error) from error
    return ""


class Refused(Exception):
    """The commit was refused: ``at_once`` would take an error of the database for trouble of its own."""


def _plain(error: OperationalError) -> Exception:
    return Refused() if isinstance(error, kill_switch.StoppedMeanwhile) else error


def test_an_allow_that_dawdles_before_its_commit_is_not_committed_past_a_stop(cast: Cast) -> None:
    done, go = threading.Event(), threading.Event()

    def stop() -> str:
        done.wait()
        engage(cast, KillSwitchScope.ACTION_TYPE)
        go.set()
        return ""

    dawdler, stopper = at_once(partial(_slow_allow, cast, done, go), stop)

    assert stopper.error is None
    assert isinstance(dawdler.error, Refused)
    assert not ActionRequest.objects.exists()
    # Asked again with the same key, it is denied and on record.
    assert allowed(cast, 2).state == ActionState.DENIED


def test_a_pause_reaches_what_is_under_way_as_a_stop_does(cast: Cast) -> None:
    permit = allowed(cast, 1).permits.get()
    done, go = threading.Event(), threading.Event()

    def pause() -> str:
        done.wait()
        agents.pause_agent(agent=cast.clerk, reason="x", actor=Actor.person(cast.olga), now=database_now())
        go.set()
        return ""

    dawdler, pauser = at_once(partial(_slow_run, cast, permit, done, go), pause)

    assert pauser.error is None
    assert isinstance(dawdler.error, Refused)
    assert not Execution.objects.exists()


def test_a_stop_of_another_agent_disturbs_nobody(cast: Cast) -> None:
    other = agents.create_agent(name="other", actor=Actor.system(), now=database_now())

    def stop() -> str:
        return kill_switch.engage(
            scope=KillSwitchScope.AGENT,
            agent=other,
            reason="x",
            engaged_by=cast.olga,
            now=database_now(),
        ).public_id

    issued = [allowed(cast, number).permits.get() for number in range(6)]
    *runs, stopper = at_once(*(partial(_run, cast, permit) for permit in issued), stop)
    assert stopper.error is None
    assert errors(runs) == []
    assert Execution.objects.count() == 6


def _run(cast: Cast, permit: Permit) -> str:
    return consume(cast, permit).execution.public_id


def test_a_stop_that_comes_after_an_allow_in_one_transaction_is_that_transactions_own_affair(
    cast: Cast,
) -> None:
    """As in a test or an import: what came first stands, and its permit is refused all the same."""
    with transaction.atomic():
        action = allowed(cast, 1)
        engage(cast, KillSwitchScope.EVERYTHING)
    with pytest.raises(permits.KillSwitchActive):
        consume(cast, action.permits.get())


def test_two_who_lift_at_once_lift_once(cast: Cast) -> None:
    stop = engage(cast, KillSwitchScope.AGENT)

    def lift() -> bool:
        return kill_switch.lift(
            kill_switch=stop, reason="over", lifted_by=cast.olga, now=database_now()
        ).lifted

    ended = at_once(*(lift for _ in range(4)))
    assert values(ended) == [True]
    assert [type(error) for error in errors(ended)] == [kill_switch.NotEngaged] * 3


def test_two_people_who_ask_at_once_to_lift_have_agreed(cast: Cast, settings: Settings) -> None:
    settings.LIFT_NEEDS_SECOND = "everything"
    stop = engage(cast, KillSwitchScope.EVERYTHING)
    admins = (cast.olga, make_person("Oda", "ops_admin"))

    def lift(number: int) -> bool:
        person = admins[number]
        return kill_switch.lift(kill_switch=stop, reason="over", lifted_by=person, now=database_now()).lifted

    ended = at_once(partial(lift, 0), partial(lift, 1))
    assert errors(ended) == []
    assert sorted(values(ended)) == [False, True]
    assert KillSwitch.objects.get().lifted_at is not None


def test_the_database_asks_at_every_commit_even_of_sql_by_hand(cast: Cast) -> None:
    permit = allowed(cast, 1).permits.get()
    engage(cast, KillSwitchScope.AGENT)
    with pytest.raises(kill_switch.StoppedMeanwhile), kill_switch.noticed_at_commit(), transaction.atomic():
        Permit.objects.filter(pk=permit.pk).update(consumed_at=database_now(), consume_key="by hand")
    Agent.objects.filter(pk=cast.clerk.pk).update(state="active")
    permit.refresh_from_db()
    assert permit.consumed_at is None


def test_a_commit_that_hangs_in_the_database_does_not_keep_a_stop_from_being_engaged(
    cast: Cast, caplog: pytest.LogCaptureFixture
) -> None:
    held, go = threading.Event(), threading.Event()

    def hang() -> None:
        try:
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_xact_lock_shared(%s)", [kill_switch.STOP_LOCK])
                held.set()
                go.wait()
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        hanging = pool.submit(hang)
        held.wait()
        engage(cast, KillSwitchScope.EVERYTHING)
        go.set()
        hanging.result()
    assert KillSwitch.objects.get().lifted_at is None
    assert "may still stand" in caplog.text


def test_no_more_wait_for_people_than_may_however_many_ask_at_once(cast: Cast, settings: Settings) -> None:
    settings.MAX_PENDING = 3

    def ask(number: int) -> str:
        return propose(cast, idempotency_key=f"wait-{number}").public_id

    ended = at_once(*(partial(ask, number) for number in range(8)))
    assert len(values(ended)) == 3
    assert [type(error) for error in errors(ended)] == [ingest.TooManyPending] * 5
    assert ActionRequest.objects.filter(state=ActionState.PENDING_REVIEW).count() == 3


def test_a_storm_of_the_same_proposal_is_one_action(cast: Cast) -> None:
    """Eight threads, over and over: what is answered is always the one that exists."""

    def storm() -> set[str]:
        return {propose(cast, idempotency_key="storm").public_id for _ in range(12)}

    ended = at_once(*(storm for _ in range(8)))
    assert errors(ended) == []
    (action,) = ActionRequest.objects.all()
    assert values(ended) == [{action.public_id}] * 8


def test_a_stop_in_earnest_is_not_lost_to_the_end_of_a_drill(cast: Cast) -> None:
    """The drill ends at the very moment at which somebody finds its stop and makes it theirs."""
    drill = kill_switch.engage(
        scope=KillSwitchScope.AGENT,
        agent=cast.clerk,
        reason="a drill",
        engaged_by=cast.alice,
        drill=True,
        now=database_now(),
    )
    ended = threading.Event()

    def end() -> None:
        try:
            kill_switch.lift(
                kill_switch=drill,
                reason="it held",
                actor=Actor.system("drill"),
                drill_alone=True,
                now=database_now(),
            )
        finally:
            ended.set()
            connection.close()

    drills: list[threading.Thread] = []

    def when_found(execute: Callable[..., object], sql: str, *rest: object) -> object:
        answer = execute(sql, *rest)
        if sql.startswith("SELECT") and 'FROM "policies_killswitch"' in sql and not drills:
            drills.append(threading.Thread(target=end))
            drills[0].start()
            ended.wait(1)  # it is over, or it waits for the one who found it
        return answer

    with connection.execute_wrapper(when_found):
        stop = engage(cast, KillSwitchScope.AGENT)
    drills[0].join()

    assert kill_switch.stopped(agent_id=cast.clerk.pk, action_type_id=None)
    stop.refresh_from_db()
    assert (stop.lifted_at, stop.drill) == (None, False)
