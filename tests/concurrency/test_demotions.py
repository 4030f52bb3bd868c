"""A demotion while permits are being used up, and several workers that follow the ledger at once."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import timedelta
from functools import partial

import pytest
from django.db import connection, transaction

from hitl_site.lib.clock import database_now
from policies.models import AutonomyGrant, EvidenceTrack, LedgerEntry
from policies.services import demotions, evidence, ladder, ledger
from policies.services.demotions import Demotion
from reviews.choices import DecisionKind
from reviews.models import Execution, Permit
from reviews.services import deadlines, permits
from reviews.tests.cast import Cast, decide_as, held, make_cast, propose
from tests.concurrency.threads import at_once, errors

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def cast(transactional_db: None) -> Cast:
    return make_cast()


def permit_of(cast: Cast) -> Permit:
    return propose(cast, confidence=0.95).permits.get()


def consume(cast: Cast, permit: Permit) -> permits.Consumed:
    return permits.consume(
        permit_id=permit.public_id,
        agent=cast.clerk,
        digest=permit.digest,
        consume_key="k",
        now=database_now(),
    )


def demote(cast: Cast) -> AutonomyGrant | None:
    return demotions.demote(
        agent_version=cast.clerk.versions.get(),
        action_type=cast.refund,
        because=Demotion.DRIFT,
        says="a race",
        facts={},
        now=database_now(),
    )


def someone_waits_for_the_level() -> None:
    """Return once another connection waits for an advisory lock."""
    while True:
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
            if cursor.fetchone()[0]:
                return
        time.sleep(0.01)


def in_the_middle(act: Callable[[], object], other: Callable[[], object]) -> Future[object]:
    """Do ``act``, start ``other`` before it commits, and return that one's end once both are over."""

    def alone() -> object:
        try:
            return other()
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            act()
            ended = pool.submit(alone)
            someone_waits_for_the_level()
            assert not ended.done()
        ended.exception()
    return ended


def test_a_demotion_waits_for_what_is_being_used_up_and_holds_after_it(cast: Cast) -> None:
    first, second = permit_of(cast), permit_of(cast)
    ended = in_the_middle(partial(consume, cast, first), partial(demote, cast))
    assert ended.result() is not None
    assert Execution.objects.count() == 1
    with pytest.raises(permits.NoLongerAllowed):
        consume(cast, second)
    assert Execution.objects.count() == 1


def test_what_comes_during_a_demotion_does_not_run_on_the_level_that_was(cast: Cast) -> None:
    permit = permit_of(cast)
    ended = in_the_middle(partial(demote, cast), partial(consume, cast, permit))
    assert isinstance(ended.exception(), permits.NoLongerAllowed)
    assert not Execution.objects.exists()


def test_of_many_demotions_at_once_one_demotes(cast: Cast) -> None:
    ended = at_once(*(partial(demote, cast) for _ in range(6)))
    assert errors(ended) == []
    assert LedgerEntry.objects.filter(verb="autonomy.demoted").count() == 1
    assert not AutonomyGrant.objects.filter(action_type=cast.refund, ended_at=None).exists()


def test_workers_that_follow_at_once_take_every_label_once(cast: Cast) -> None:
    for place in range(12):
        kind = DecisionKind.REJECT if place % 5 == 0 else DecisionKind.APPROVE
        decide_as(cast.alice, held(cast), kind)
    assert deadlines.release_due(now=database_now() + timedelta(minutes=1)) == 12
    stop = threading.Event()

    def keep() -> None:
        while not stop.is_set():
            ledger.link_entries(now=database_now())
            ladder.keep(now=database_now())

    def finish() -> None:
        for _ in range(4):
            ladder.keep(now=database_now())
        stop.set()

    ended = at_once(keep, keep, keep, finish)
    assert errors(ended) == []
    ledger.link_entries(now=database_now())
    ladder.keep(now=database_now())
    track = EvidenceTrack.objects.get(action_type=cast.refund)
    assert (track.state["counts"][:2]) == [3, 12]
    assert evidence.rebuilt(track).to_document() == track.state
