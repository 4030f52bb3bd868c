"""Second opinions and disagreements on the pages: what is kept from whom, and when it is shown."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.urls import reverse

from hitl_site.lib.clock import database_now
from policies.choices import Risk
from policies.models import ActionType, DoubleReview
from policies.services import action_types, policies
from policies.services.ledger import Actor
from reviews.choices import ActionState, DecisionKind, ItemKind, ItemStatus
from reviews.models import Decision, ReviewItem
from reviews.selectors.their_answers import are_hidden
from reviews.services import deadlines, decisions
from reviews.tests.browsing import browser_of, name_of, open_form, text_of, url
from reviews.tests.cast import REFUND, Cast, decide_as, held, make_person

LATER = timedelta(seconds=6)
SECRET_NOTE = "Ana was paid in May"
# With its point: three digits alone stand by chance in an id or a time of the page.
FIRST_AMOUNT = 148.75


@pytest.fixture
def lead(cast: Cast) -> User:
    return make_person("Lena", "lead")


def _release() -> None:
    """Let go out what was decided, whenever that was."""
    deadlines.release_due(now=database_now() + LATER)
    # The inbox shows what has come in so far: what the release opened came now, not in some seconds.
    ReviewItem.objects.filter(created_at__gt=database_now()).update(created_at=database_now())


def _first(cast: Cast) -> ReviewItem:
    """Let Alice correct a refund, which is drawn for a second opinion; return that one's item."""
    ActionType.objects.update(second_opinion_rate=1.0)
    decide_as(
        cast.alice,
        held(cast),
        DecisionKind.CORRECT,
        arguments={**REFUND, "amount": FIRST_AMOUNT},
        note=SECRET_NOTE,
    )
    _release()
    return ReviewItem.objects.get(kind=ItemKind.SECOND_OPINION)


def test_the_second_reviewer_sees_a_routine_check_and_nothing_of_the_first_answer(cast: Cast) -> None:
    second = _first(cast)
    bob = browser_of(cast.bob)
    page = text_of(bob.get(url("review", second)))
    assert "Routine check" in page
    for hint in (SECRET_NOTE, "148.75", "71%", "Below", "Alice", "Has run already", "corrected"):
        assert hint not in page.split("<main", 1)[1], hint

    inbox = text_of(bob.get(reverse("reviews:inbox")))
    assert "Routine check" in inbox
    assert "Second opinion" in inbox  # the way to them, in the side bar
    listed = text_of(bob.get(reverse("reviews:inbox") + "?asks=second"))
    assert second.public_id in listed
    assert "<h1>Second opinions" in listed


def test_other_pages_lead_the_second_reviewer_to_the_question_and_not_to_the_answer(cast: Cast) -> None:
    second = _first(cast)
    gate = ReviewItem.objects.get(kind=ItemKind.GATE)
    bob = browser_of(cast.bob)
    for address in (url("review", gate), reverse("reviews:action", args=[second.action.public_id])):
        answer = bob.get(address)
        assert (answer.status_code, answer["Location"]) == (302, url("review", second))
        assert SECRET_NOTE not in text_of(bob.get(address, follow=True))
    # A form of the first item that was still open somewhere is told nothing either.
    late = bob.post(url("decide", gate), {"kind": "approve", "item_version": 1, "shown_digest": "x"})
    assert late.status_code == 403
    assert SECRET_NOTE not in text_of(late)
    # Who gave the first answer, or only looks on, sees what there is.
    alice, dan = browser_of(cast.alice), browser_of(cast.dan)
    for reader in (alice, dan):
        assert SECRET_NOTE in text_of(reader.get(reverse("reviews:action", args=[gate.action.public_id])))
    assert alice.get(url("review", second)).status_code == 404


def test_after_the_answer_has_gone_out_both_stand_side_by_side(cast: Cast) -> None:
    second = _first(cast)
    bob = browser_of(cast.bob)
    fields = {**open_form(bob, second), "kind": "approve"}
    assert bob.post(url("decide", second), fields).status_code == 302
    assert SECRET_NOTE not in text_of(bob.get(url("review", second)))
    _release()
    page = text_of(bob.get(url("review", second)))
    assert "First answer: Correct it" in page
    assert "Second answer: Approve as proposed" in page
    assert SECRET_NOTE in page
    assert "148.75" in page
    assert "Drawn at random: 100.0% of such decisions are." in page


def test_a_lead_sees_both_answers_and_settles_on_the_page(cast: Cast, lead: User) -> None:
    second = _first(cast)
    decide_as(cast.bob, second, DecisionKind.REJECT, note="Not damaged")
    _release()
    item = ReviewItem.objects.get(kind=ItemKind.ADJUDICATION)
    browser = browser_of(lead)
    listed = text_of(browser.get(reverse("reviews:inbox") + "?asks=disagreement"))
    assert item.public_id in listed
    assert "Answers differ" in listed
    page = text_of(browser.get(url("review", item)))
    for shown in (
        "Which answer is right?",
        "First answer: Correct it",
        "Second answer: Reject: nothing should run",
        SECRET_NOTE,
        "Not damaged",
        "Right action, wrong details",
        "Nothing runs and nothing is stopped by it",
    ):
        assert shown in page, shown
    assert "71%" not in page

    fields = {**open_form(browser, item), "kind": "approve"}
    refused = browser.post(url("decide", item), fields)
    assert refused.status_code == 422
    assert "how you came to this" in text_of(refused)
    fields["note"] = "As the order says"
    assert browser.post(url("decide", item), fields).status_code == 302
    decision = Decision.objects.get(item=item)
    assert browser.post(reverse("reviews:undo", args=[decision.public_id])).status_code == 302
    item.refresh_from_db()
    assert item.status == ItemStatus.OPEN
    fields = {**open_form(browser, item), "kind": "correct", name_of("amount"): "150"}
    fields |= {"note": "150 was paid", "reasons": ["wrong_arguments"]}
    assert browser.post(url("decide", item), fields).status_code == 302
    _release()
    assert DoubleReview.objects.get().settled_kind == "correct"


def test_who_gave_an_answer_may_look_at_the_disagreement_and_not_settle_it(cast: Cast, lead: User) -> None:
    second = _first(cast)
    decide_as(lead, second, DecisionKind.REJECT)
    _release()
    item = ReviewItem.objects.get(kind=ItemKind.ADJUDICATION)
    page = text_of(browser_of(lead).get(url("review", item)))
    assert "One of the answers that differ is yours" in page
    assert 'name="kind"' not in page
    assert "is for leads" in text_of(browser_of(cast.bob).get(url("review", item)))


# Several people for one act.


def _payout(cast: Cast) -> ReviewItem:
    """Hold an act of critical risk, which takes two people."""
    now = database_now()
    payout = action_types.declare(
        name="payout.make",
        title="Payout",
        risk=Risk.CRITICAL,
        reading_floor_ms=0,
        argument_schema=cast.refund.argument_schema,
        actor=Actor.person(cast.olga),
        now=now,
    )
    document = {"threshold": 0.9, "audit_rate": 0.01, "undo_seconds": 5, "blind_share": 0}
    policies.put_in_force(
        action_type=payout, document=document, author=cast.olga, reason="For the tests", now=now
    )
    return held(cast, action_type="payout.make")


def _corrected(amount: float) -> dict[str, Any]:
    return {"arguments": {**REFUND, "amount": amount}}


def test_the_second_approver_of_a_critical_act_sees_neither_verdict_nor_edits_of_the_first(
    cast: Cast,
) -> None:
    item = _payout(cast)
    decide_as(cast.alice, item, DecisionKind.CORRECT, note=SECRET_NOTE, **_corrected(FIRST_AMOUNT))
    bob = browser_of(cast.bob)
    pages = [
        text_of(bob.get(url("review", item))),
        text_of(bob.get(reverse("reviews:action", args=[item.action.public_id]))),
        text_of(bob.get(reverse("reviews:inbox"))),
    ]
    for page in pages:
        body = page.split("<main", 1)[1]
        for hint in (SECRET_NOTE, "148.75", "Alice", "corrected it"):
            assert hint not in body, hint
    assert "1 of 2 approvals" in pages[0]
    assert "One answer is given." in pages[0]


def test_whoever_can_still_take_their_answer_back_learns_nothing_of_the_others(
    cast: Cast, lead: User
) -> None:
    item = _payout(cast)
    now = database_now()
    decide_as(cast.alice, item, now=now)
    decide_as(cast.bob, item, DecisionKind.CORRECT, now=now, **_corrected(148))
    item = ReviewItem.objects.select_related("action__agent").get(pk=item.pk)
    given = list(item.decisions.all())
    soon, later = now + timedelta(seconds=1), now + LATER
    assert are_hidden(item, cast.alice, given, now=soon)
    assert not are_hidden(item, cast.alice, given, now=later)
    # A third reviewer answers alone; a lead sees the two sides; who has no answer to give may look.
    assert are_hidden(item, make_person("Theo", "reviewer"), given, now=later)
    assert not are_hidden(item, lead, given, now=later)
    assert not are_hidden(item, cast.dan, given, now=later)


def test_answers_that_differ_wait_for_a_third_person_and_run_with_whom_they_agree(cast: Cast) -> None:
    theo, item = make_person("Theo", "reviewer"), _payout(cast)
    decide_as(cast.alice, item)
    assert ReviewItem.objects.get(pk=item.pk).disagreed_at is None
    second = decide_as(cast.bob, item, DecisionKind.CORRECT, **_corrected(148)).decision
    item.refresh_from_db()
    assert (item.status, item.disagreed_at) == (ItemStatus.OPEN, second.decided_at)
    page = text_of(browser_of(theo).get(url("review", item)))
    assert "Which answer is right?" not in page
    assert decide_as(theo, item, DecisionKind.CORRECT, **_corrected(148)).decision.terminal
    _release()
    item.action.refresh_from_db()
    assert item.action.state == ActionState.CORRECTED
    assert item.action.permits.get().digest == second.final_digest


def test_a_lead_settles_a_critical_act_by_joining_one_side(cast: Cast, lead: User) -> None:
    item = _payout(cast)
    decide_as(cast.alice, item, note=SECRET_NOTE)
    decide_as(cast.bob, item, DecisionKind.CORRECT, **_corrected(148))
    browser = browser_of(lead)
    listed = text_of(browser.get(reverse("reviews:inbox") + "?asks=disagreement"))
    assert item.public_id in listed
    page = text_of(browser.get(url("review", item)))
    assert "Which answer is right?" in page
    assert SECRET_NOTE in page
    # A third version has one person behind it, so nothing runs yet.
    mistaken = decide_as(lead, item, DecisionKind.CORRECT, **_corrected(150)).decision
    assert not mistaken.terminal
    decisions.undo(decision_id=mistaken.public_id, reviewer=lead, now=database_now())
    assert decide_as(lead, item).decision.terminal
    _release()
    item.action.refresh_from_db()
    assert item.action.state == ActionState.APPROVED


def test_taking_back_what_differed_ends_the_disagreement(cast: Cast) -> None:
    item = _payout(cast)
    decide_as(cast.alice, item)
    second = decide_as(cast.bob, item, DecisionKind.CORRECT, **_corrected(148)).decision
    decisions.undo(decision_id=second.public_id, reviewer=cast.bob, now=database_now())
    item.refresh_from_db()
    assert (item.status, item.disagreed_at) == (ItemStatus.OPEN, None)
    assert decide_as(cast.bob, item).decision.terminal


def test_answers_that_still_differ_at_the_deadline_run_nothing(cast: Cast) -> None:
    item = _payout(cast)
    decide_as(cast.alice, item)
    decide_as(cast.bob, item, DecisionKind.CORRECT, **_corrected(148))
    deadlines.release_due(now=item.due_at)
    assert deadlines.expire_due(now=item.due_at) == 1
    item.action.refresh_from_db()
    assert item.action.state == ActionState.EXPIRED
    assert not item.action.permits.exists()


# Passing on.


def test_an_escalated_item_says_who_passed_it_on_to_whom_and_why(cast: Cast, lead: User) -> None:
    item = held(cast)
    bob = browser_of(cast.bob)
    form = text_of(bob.get(url("escalate", item)))
    assert "Lena" in form
    assert "Carol" not in form  # owns the agent
    fields = {"to_user": lead.pk, "to_queue": "", "note": "Thin evidence", "item_version": item.version}
    assert bob.post(url("escalate", item), fields).status_code == 302
    page = text_of(browser_of(lead).get(url("review", item)))
    assert "Passed on by Bob" in page
    assert "To Lena" in page
    assert "“Thin evidence”" in page


def test_an_item_is_not_passed_on_to_somebody_who_has_answered_it(cast: Cast) -> None:
    item = _payout(cast)
    decide_as(cast.alice, item)
    item.refresh_from_db()
    bob = browser_of(cast.bob)
    assert f'<option value="{cast.alice.pk}"' not in text_of(bob.get(url("escalate", item)))
    fields = {"to_user": cast.alice.pk, "to_queue": "", "note": "?", "item_version": item.version}
    assert bob.post(url("escalate", item), fields).status_code == 422
    item.refresh_from_db()
    assert item.escalated_to is None
