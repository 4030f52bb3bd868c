"""At half its time an open item is called to mind, and stands in a second queue from then on."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from hitl_site.lib.clock import database_now
from policies.models import LedgerEntry, LedgerPayload
from policies.services import policies
from policies.services.ledger import Actor
from reviews.choices import ItemStatus
from reviews.models import Queue, ReviewItem
from reviews.selectors import inbox, navigation
from reviews.services import claims, deadlines, queues, reminders
from reviews.tests.browsing import browser_of, text_of
from reviews.tests.cast import Cast, decide_as, held

pytestmark = pytest.mark.django_db


def in_force(cast: Cast, **document: Any) -> None:
    policies.put_in_force(
        action_type=cast.refund,
        document={"threshold": 0.9, "undo_seconds": 5, "blind_share": 0, **document},
        author=cast.olga,
        reason="reminders",
        now=database_now(),
    )


@pytest.fixture
def seniors(cast: Cast) -> Queue:
    return queues.make_queue(
        slug="seniors", name="Seniors", icon="users", actor=Actor.person(cast.olga), now=database_now()
    )


def half_of(item: ReviewItem) -> datetime:
    return item.created_at + (item.due_at - item.created_at) / 2


def test_an_open_item_is_called_to_mind_once_at_half_its_time(cast: Cast) -> None:
    item = held(cast, timeout="1h")
    half = half_of(item)
    assert item.remind_at == half
    assert reminders.remind_due(now=half - timedelta(milliseconds=1)) == 0
    assert reminders.remind_due(now=half) == 1
    assert reminders.remind_due(now=half + timedelta(minutes=1)) == 0

    item.refresh_from_db()
    assert (item.reminded_at, item.second_queue, item.status) == (half, None, ItemStatus.OPEN)
    entry = LedgerEntry.objects.get(verb="item.reminded")
    assert (entry.actor_kind, entry.object_id, entry.occurred_at) == ("system", item.public_id, half)
    assert LedgerPayload.objects.get(entry=entry).body == {
        "queue": "general",
        "second_queue": None,
        "due_at": item.due_at.isoformat(),
    }


def test_a_reminder_does_not_disturb_who_has_the_item_open(cast: Cast) -> None:
    item = held(cast, timeout="1h")
    version = item.version
    claims.claim(item_id=item.public_id, reviewer=cast.alice, now=item.created_at)
    reminders.remind_due(now=half_of(item))
    item.refresh_from_db()
    assert (item.version, item.claimed_by) == (version, cast.alice)


def test_from_its_reminder_on_an_item_stands_in_both_queues(cast: Cast, seniors: Queue) -> None:
    in_force(cast, second_queue="seniors")
    item, other = held(cast, timeout="1h"), held(cast, timeout="4h")
    both = inbox.View(queue="general"), inbox.View(queue="seniors")
    assert [inbox.my_turn(cast.alice, view=view).count() for view in both] == [2, 0]

    assert reminders.remind_due(now=half_of(item)) == 1
    item.refresh_from_db()
    assert (item.queue.slug, item.second_queue) == ("general", seniors)
    assert [inbox.my_turn(cast.alice, view=view).count() for view in both] == [2, 1]
    # Counted in each queue, and once in the whole.
    assert _side_bar(cast) == {"My turn": 2, "General": 2, "Seniors": 1}
    claimed = claims.claim_next(reviewer=cast.alice, now=half_of(item), view=both[1])
    assert claimed == item
    assert inbox.my_turn(cast.bob).count() == 2
    assert other in inbox.my_turn(cast.bob)


def _side_bar(cast: Cast) -> dict[str, int | None]:
    here = navigation.Here("/inbox/", {})
    sections = navigation.sections(cast.alice, here=here, now=database_now())
    wanted = {"My turn", "General", "Seniors"}
    return {entry.label: entry.count for entry in sections[0].entries if entry.label in wanted}


@pytest.mark.parametrize("named", ["nobody-made-this", "general"])
def test_a_second_queue_that_is_not_another_one_changes_nothing(cast: Cast, named: str) -> None:
    in_force(cast, second_queue=named)
    item = held(cast, timeout="1h")
    assert reminders.remind_due(now=half_of(item)) == 1
    item.refresh_from_db()
    assert item.second_queue is None
    assert inbox.my_turn(cast.alice, view=inbox.View(queue="general")).count() == 1


def test_no_reminder_where_the_policy_wants_none(cast: Cast) -> None:
    in_force(cast, reminder=False)
    item = held(cast, timeout="1h")
    assert item.remind_at is None
    assert reminders.remind_due(now=item.due_at) == 0


def test_what_is_answered_or_over_is_not_called_to_mind(cast: Cast) -> None:
    answered, late = held(cast, timeout="1h"), held(cast, timeout="1h")
    decide_as(cast.alice, answered)
    assert reminders.remind_due(now=late.due_at) == 0
    deadlines.expire_due(now=late.due_at)
    assert reminders.remind_due(now=late.due_at) == 0
    assert not LedgerEntry.objects.filter(verb="item.reminded").exists()


def test_the_inbox_says_that_half_the_time_is_over(cast: Cast) -> None:
    item = held(cast, timeout="1h")
    browser = browser_of(cast.alice)
    assert "half its time is over" not in text_of(browser.get("/inbox/"))
    reminders.remind_due(now=half_of(item))
    assert "half its time is over" in text_of(browser.get("/inbox/"))
    assert "Called to mind at half its time" in text_of(browser.get(f"/actions/{item.action.public_id}/"))
