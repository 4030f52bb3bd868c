"""Three sweepers at once: each thing that is due happens once."""

from __future__ import annotations

from datetime import timedelta
from functools import partial

import pytest

from hitl_site.lib.clock import database_now
from policies.models import LedgerEntry
from reviews.choices import ActionState
from reviews.models import ActionRequest, Execution, Incident, Permit, ReviewItem
from reviews.services import permits, sweep
from reviews.tests.cast import Cast, decide_as, held, make_cast, propose
from tests.concurrency.threads import at_once, errors, values

pytestmark = pytest.mark.django_db(transaction=True)

NUMBER = 6


@pytest.fixture
def cast(transactional_db: None) -> Cast:
    return make_cast()


def entries(verb: str) -> int:
    return LedgerEntry.objects.filter(verb=verb).count()


def test_three_sweepers_at_once_do_each_thing_once(cast: Cast) -> None:
    now = database_now()
    for _ in range(NUMBER):
        decide_as(cast.alice, held(cast, timeout="2h"), now=now)
        held(cast, timeout="1m")
        held(cast, timeout="1h")
        propose(cast, action_type="note.add", arguments={"text": "unused"})
        used = Permit.objects.get(action=propose(cast, action_type="note.add", arguments={"text": "used"}))
        permits.consume(
            permit_id=used.public_id,
            agent=cast.clerk,
            digest=used.digest,
            consume_key="k",
            now=database_now(),
        )
    later = now + timedelta(minutes=40)
    ended = at_once(*(partial(sweep.run, now=later) for _ in range(3)))
    assert errors(ended) == []
    # What one skipped because another had locked it may have been left by that one's own walk.
    total = sum(values(ended)) + sweep.run(now=later)

    assert total == 5 * NUMBER
    assert sweep.run(now=later) == 0
    verbs = ("decision.released", "action.expired", "item.reminded", "permit.expired", "incident.opened")
    assert {verb: entries(verb) for verb in verbs} == dict.fromkeys(verbs, NUMBER)
    states = ActionRequest.objects.filter(action_type=cast.refund)
    assert states.filter(state=ActionState.APPROVED).count() == NUMBER
    assert states.filter(state=ActionState.EXPIRED).count() == NUMBER
    assert ReviewItem.objects.exclude(reminded_at=None).count() == NUMBER
    assert Execution.objects.filter(outcome="unknown").count() == Incident.objects.count() == NUMBER
    assert Permit.objects.exclude(expired_at=None).count() == NUMBER
