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
from policies.services import policies
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


def test_pasts_that_are_named_in_another_order_never_wait_for_each_other_for_ever(cast: Cast) -> None:
    count = {"function": "count", "window_seconds": 3_600, "action_types": ["note.add", "refund.issue"]}
    named = [{"name": f"by_{of}", "of": of, **count} for of in ("agent", "subject", "conversation")]
    order = {"name": "by_order", "of": "/order", **count}
    rules = [{"code": "many", "title": "Many", "when": "history.by_order > 1000", "then": "review"}]
    for action_type, measures in ((cast.refund, [*named, order]), (cast.note, [order, *reversed(named)])):
        policies.put_in_force(
            action_type=action_type,
            document={"threshold": 0.5, "audit_rate": 0.01, "measures": measures, "rules": rules},
            author=cast.olga,
            reason="Two orders",
            now=database_now(),
        )

    def ask(number: int) -> int:
        return (
            Api(cast.token)
            .propose(
                key=f"k-{number}",
                action_type="note.add" if number % 2 else "refund.issue",
                arguments={"order": "SO-1", "amount": number},
                confidence=0.99,
                subject="anna",
                conversation_id="c-1",
            )
            .status_code
        )

    ended = at_once(*(partial(ask, number) for number in range(20)))

    assert errors(ended) == []
    assert values(ended) == [201] * 20
    # Nobody was the victim of a deadlock: each was allowed, and each saw all before it in every past.
    assert set(ActionRequest.objects.values_list("state", flat=True)) == {"allowed"}
    seen = [tuple(check.history[name] for name in sorted(check.history)) for check in GateCheck.objects.all()]
    assert sorted(seen) == [(float(place),) * 4 for place in range(1, 21)]
