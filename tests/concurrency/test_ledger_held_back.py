"""What hangs elsewhere holds the chain back, and breaks neither the chain nor the gate."""

from __future__ import annotations

import threading
from functools import partial

import pytest
from django.db import connection, transaction

from hitl_site.lib.clock import database_now
from policies.models import LedgerEntry, LedgerLink
from policies.services import checkpoints, ledger, loops
from policies.services.ledger import Actor
from reviews.choices import ActionState
from reviews.models import ActionRequest
from reviews.services import sweep
from reviews.tests.cast import Cast, held, make_cast, propose
from tests.concurrency.threads import at_once, errors, values

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def cast(transactional_db: None) -> Cast:
    return make_cast()


def link_all() -> int:
    linked = 0
    while more := ledger.link_entries(now=database_now()):
        linked += more
    return linked


def test_a_transaction_that_hangs_holds_the_chain_back_and_not_the_gate(cast: Cast) -> None:
    link_all()
    wrote, go = threading.Event(), threading.Event()

    def hang() -> None:
        try:
            with transaction.atomic():
                ledger.record(
                    actor=Actor.system(), verb="test.hung", object_kind="x", object_id="y", now=database_now()
                )
                wrote.set()
                go.wait(30)
        finally:
            connection.close()

    hung = threading.Thread(target=hang)
    hung.start()
    try:
        assert wrote.wait(10)
        before = LedgerLink.objects.count()
        allowed = [
            propose(cast, confidence=0.95, arguments={"order": f"H-{n}", "amount": 1}) for n in range(3)
        ]
        assert {action.state for action in allowed} == {ActionState.ALLOWED}
        assert held(cast).status == "open"
        assert link_all() == 0
        assert LedgerLink.objects.count() == before
        assert ledger.verify().is_intact
    finally:
        go.set()
        hung.join(30)
    waiting = LedgerEntry.objects.count() - before
    assert link_all() == waiting
    verification = ledger.verify()
    assert (verification.is_intact, verification.verified) == (True, LedgerEntry.objects.count())
    # The one that began first comes first, however late it ended.
    first = LedgerLink.objects.select_related("entry").get(seq=before + 1)
    assert first.entry.verb == "test.hung"


def test_three_of_each_loop_at_once_do_everything_once(cast: Cast) -> None:
    for number in range(6):
        held(cast, arguments={"order": f"E-{number}", "amount": 1})
    later = database_now().replace(year=database_now().year + 1)

    def sequence() -> int:
        linked = ledger.link_entries(now=database_now(), limit=5)
        checkpoints.sign_due(now=database_now())
        loops.tick("sequencer", database_now())
        return linked

    acts = [partial(sweep.run, now=later)] * 3
    ended = at_once(*acts, *([sequence] * 3))
    assert errors(ended) == []
    assert len(values(ended)) == 6
    sweep.run(now=later)
    link_all()
    assert set(ActionRequest.objects.values_list("state", flat=True)) == {ActionState.EXPIRED}
    assert LedgerEntry.objects.filter(verb="action.expired").count() == 6
    verification = ledger.verify()
    assert (verification.is_intact, verification.verified) == (True, LedgerEntry.objects.count())
