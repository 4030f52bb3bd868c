"""Actions of one past that come at once are measured one after the other: a limit holds exactly."""

from __future__ import annotations

import threading
from decimal import Decimal
from functools import partial

import pytest
from django.db import connection, transaction

from hitl_site.lib.clock import database_now
from policies.engine.measures import Unmeasured
from policies.models import GateCheck, PolicyVersion
from policies.selectors.policies import live_document
from policies.services.gate import Proposal
from reviews.models import ActionRequest, Permit
from reviews.selectors.history import History
from reviews.services.gatekeeping import proposal_of
from reviews.tests.api_client import Api
from reviews.tests.cast import Cast, make_cast
from reviews.tests.test_history import measured, refund
from tests.concurrency.threads import at_once, errors, values

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def cast(transactional_db: None) -> Cast:
    return make_cast()


def test_twenty_refunds_of_a_hundred_at_once_pass_a_limit_of_five_hundred_five_times(cast: Cast) -> None:
    measured(cast)

    def ask(number: int) -> int:
        # Half of them name the order otherwise: it is one past all the same.
        order = "SO-1" if number % 2 else "so 1"
        arguments = {"order": order, "amount": 100}
        answer = Api(cast.token).propose(key=f"k-{number}", confidence=0.99, arguments=arguments)
        return answer.status_code

    ended = at_once(*(partial(ask, number) for number in range(20)))

    assert errors(ended) == []
    assert values(ended) == [201] * 20
    assert (
        sorted(ActionRequest.objects.values_list("state", flat=True))
        == ["allowed"] * 5 + ["pending_review"] * 15
    )
    assert Permit.objects.count() == 5
    # Each saw all that came before it: no two saw the same.
    seen = sorted(check.history["refunded"] for check in GateCheck.objects.all())
    assert seen == [100.0 * place for place in range(1, 21)]


def test_a_past_that_is_not_free_in_time_has_no_value_and_holds_the_action(cast: Cast) -> None:
    measured(cast)
    action = refund(cast)
    proposal = proposal_of(action, arguments=action.arguments)
    document = live_document(PolicyVersion.objects.get(action_type=cast.refund, state="live"))
    locked, done = threading.Event(), threading.Event()

    def hold(waiting: Proposal) -> None:
        try:
            with transaction.atomic():
                History().measure(measures=document.measures, proposal=waiting, now=database_now())
                locked.set()
                done.wait(timeout=60)
        finally:
            connection.close()

    holder = threading.Thread(target=hold, args=(proposal,))
    holder.start()
    assert locked.wait(timeout=60)
    try:
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute("SET LOCAL lock_timeout = 50")
            late = History().measure(measures=document.measures, proposal=proposal, now=database_now())
            # The transaction goes on: what comes of the action can still be written.
            assert ActionRequest.objects.count() == 1
    finally:
        done.set()
        holder.join()
    assert late == {"refunded": Unmeasured("the past could not be looked at in time")}
    after = History(waits=False).measure(measures=document.measures, proposal=proposal, now=database_now())
    assert after == {"refunded": Decimal(100)}
