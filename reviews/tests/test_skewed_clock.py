"""A machine whose clock is an hour off decides as every other: the database's clock alone counts."""

from __future__ import annotations

import datetime as dt
import time
from datetime import timedelta
from typing import Self

import pytest
from django.utils import timezone

from hitl_site.lib.clock import database_now
from policies.models import LedgerEntry
from reviews.choices import DecisionKind
from reviews.models import Permit
from reviews.services import claims, permits, sweep
from reviews.tasks import sweep as sweep_task
from reviews.tests.browsing import browser_of, open_form, url
from reviews.tests.cast import Cast, decide_as, held, propose

pytestmark = pytest.mark.django_db

_TRUE_TIME = time.time


@pytest.fixture(params=[-3600.0, 3600.0], ids=["an hour behind", "an hour ahead"])
def skewed(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> float:
    """Put this machine's clock off, for all that asks Python for the time."""
    off: float = request.param

    class Skewed(dt.datetime):
        @classmethod
        def now(cls, tz: dt.tzinfo | None = None) -> Self:
            return super().now(tz) + timedelta(seconds=off)

    monkeypatch.setattr("django.utils.timezone.datetime", Skewed)
    monkeypatch.setattr(time, "time", lambda: _TRUE_TIME() + off)
    return off


def test_the_database_does_not_hear_of_it(skewed: float, db: None) -> None:
    assert abs((timezone.now() - database_now()).total_seconds() - skewed) < 300


def test_nothing_falls_due_early_or_late(cast: Cast, skewed: float) -> None:
    item = held(cast, timeout="30m")
    decide_as(cast.alice, item, DecisionKind.REJECT)
    other = held(cast, timeout="30m")
    sweep_task()
    assert not LedgerEntry.objects.filter(
        verb__in=["decision.released", "action.expired", "item.reminded", "permit.expired"]
    ).exists()
    assert sweep.run(now=other.due_at) == 2


def test_an_open_item_is_decided_in_the_browser(cast: Cast, skewed: float) -> None:
    item = held(cast, timeout="30m")
    browser = browser_of(cast.alice)
    claims.claim(item_id=item.public_id, reviewer=cast.alice, now=database_now())
    fields = open_form(browser, item)
    assert browser.post(url("decide", item), {**fields, "kind": "approve"}).status_code == 302
    assert item.decisions.get().reviewer == cast.alice


def test_a_permit_is_as_good_as_the_database_says(cast: Cast, skewed: float) -> None:
    permit = Permit.objects.get(action=propose(cast, action_type="note.add", arguments={"text": "a"}))
    permits.consume(
        permit_id=permit.public_id,
        agent=cast.clerk,
        digest=permit.digest,
        consume_key="k",
        now=database_now(),
    )
    permit.refresh_from_db()
    assert permit.consumed_at is not None
    assert permit.consumed_at < permit.expires_at
