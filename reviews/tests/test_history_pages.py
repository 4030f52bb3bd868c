"""One's own decisions, and the story of one action."""

from __future__ import annotations

import re
from datetime import timedelta

from django.urls import reverse

from hitl_site.lib.clock import database_now
from reviews.choices import DecisionKind
from reviews.models import Permit, ReviewItem
from reviews.services import deadlines
from reviews.tests.browsing import browser_of, text_of
from reviews.tests.cast import REFUND, Cast, decide_as, held, propose


def _story(cast: Cast, action_id: str) -> str:
    return text_of(browser_of(cast.dan).get(reverse("reviews:action", args=[action_id])))


def test_a_person_sees_their_own_decisions_and_can_take_the_last_one_back(cast: Cast) -> None:
    decide_as(cast.bob, held(cast, arguments={**REFUND, "order": "of-bob"}))
    decided = decide_as(cast.alice, held(cast))
    client = browser_of(cast.alice)
    page = text_of(client.get(reverse("reviews:history")))

    assert "Refund 184 for SO-48213" in page
    assert "of-bob" not in page
    assert reverse("reviews:undo", args=[decided.decision.public_id]) in page
    assert "You have decided nothing yet" in text_of(browser_of(cast.carol).get(reverse("reviews:history")))


def test_what_has_gone_out_offers_no_way_back(cast: Cast) -> None:
    decided = decide_as(cast.alice, held(cast))
    deadlines.release_due(now=database_now() + timedelta(seconds=6))
    page = text_of(browser_of(cast.alice).get(reverse("reviews:history")))

    assert "Gone out" in page
    assert reverse("reviews:undo", args=[decided.decision.public_id]) not in page


def test_a_forged_cursor_begins_again(cast: Cast) -> None:
    answer = browser_of(cast.alice).get(reverse("reviews:history"), {"after": "forged"})
    assert answer["Location"] == reverse("reviews:history")


def test_the_story_of_an_action_tells_the_gate_the_decision_and_the_permit(cast: Cast) -> None:
    item = held(cast)
    decide_as(
        cast.alice, item, DecisionKind.CORRECT, arguments={**REFUND, "amount": 148}, note="Paid 148 only."
    )
    deadlines.release_due(now=database_now() + timedelta(seconds=6))
    page = _story(cast, item.action.public_id)

    for text in ("Low confidence", "71%", "Alice corrected it", "Paid 148 only.", "amount: 148"):
        assert text in page
    for text in ("The gate held it for a person", "Answered", "The answer went out", "A permit was issued"):
        assert text in page


def test_an_action_that_ran_alone_has_a_story_too(cast: Cast) -> None:
    page = _story(cast, propose(cast, action_type="note.add", arguments={"a": 1}, confidence=0.99).public_id)
    assert "The gate allowed it" in page
    assert "Nobody has decided." in page


def test_the_story_gives_nothing_away_while_an_item_is_blind(cast: Cast) -> None:
    item = held(cast)
    ReviewItem.objects.filter(pk=item.pk).update(blind=True)
    decide_as(cast.bob, item)
    page = _story(cast, item.action.public_id)

    for secret in ("71%", "90%", "Low confidence", "low confidence", "held it"):
        assert secret not in page
    # A word of its own: three letters stand by chance in a token of the page.
    assert re.search(r"\bBob\b", page) is None


def test_only_those_who_may_look_read_a_story(cast: Cast) -> None:
    address = reverse("reviews:action", args=[held(cast).action.public_id])
    nobody = cast.alice.__class__.objects.create_user("nobody")
    assert browser_of(nobody).get(address).status_code == 403
    assert browser_of(None).get(address)["Location"].startswith(reverse("login"))
    assert browser_of(cast.alice).get(reverse("reviews:action", args=["act_nothing"])).status_code == 404


def test_a_permit_is_taken_back_on_the_page_for_as_long_as_it_is_good(cast: Cast) -> None:
    action = propose(cast, action_type="note.add", arguments={"a": 1}, confidence=0.99)
    an_hour_ago = database_now() - timedelta(hours=1)
    ran_out = propose(cast, action_type="note.add", arguments={"a": 2}, confidence=0.99, now=an_hour_ago)
    good, over = (Permit.objects.get(action=each) for each in (action, ran_out))
    olga = browser_of(cast.olga)

    page = text_of(olga.get(reverse("reviews:action", args=[action.public_id])))
    assert "Not used, good until" in page
    assert reverse("reviews:permit_revoke", args=[good.public_id]) in page

    page = text_of(olga.get(reverse("reviews:action", args=[ran_out.public_id])))
    assert "Not used, expired" in page
    assert reverse("reviews:permit_revoke", args=[over.public_id]) not in page
