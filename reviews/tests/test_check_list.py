"""The policy's check list: each line is ticked before an act may run, and what was ticked is kept."""

from __future__ import annotations

from typing import Any

import pytest

from hitl_site.lib.clock import database_now
from policies.services import policies
from reviews.choices import DecisionKind
from reviews.models import Decision, ReviewItem
from reviews.selectors.workspace import workspace
from reviews.services import decisions
from reviews.tests.browsing import browser_of, open_form, text_of, url
from reviews.tests.cast import REFUND, Cast, decide_as, held

pytestmark = pytest.mark.django_db

ORDER, AMOUNT, FRAUD = "The order is the customer's", "The amount is not <too> high", "No sign of fraud"


def in_force(cast: Cast, *checklist: str, **document: Any) -> None:
    policies.put_in_force(
        action_type=cast.refund,
        document={
            "threshold": 0.9,
            "undo_seconds": 5,
            "blind_share": 0,
            "checklist": list(checklist),
            **document,
        },
        author=cast.olga,
        reason="check lists",
        now=database_now(),
    )


@pytest.fixture
def item(cast: Cast) -> ReviewItem:
    in_force(cast, ORDER, AMOUNT)
    return held(cast)


@pytest.mark.parametrize("kind", [DecisionKind.APPROVE, DecisionKind.CORRECT])
@pytest.mark.parametrize("ticks", [(), (ORDER,), (FRAUD,), (AMOUNT, FRAUD)])
def test_nothing_may_run_while_a_line_is_not_ticked(
    cast: Cast, item: ReviewItem, kind: DecisionKind, ticks: tuple[str, ...]
) -> None:
    changed = {**REFUND, "amount": 100} if kind == DecisionKind.CORRECT else None
    with pytest.raises(decisions.ChecksMissing) as refusal:
        decide_as(cast.alice, item, kind, arguments=changed, checks=ticks)
    assert refusal.value.sentences == tuple(line for line in (ORDER, AMOUNT) if line not in ticks)
    assert Decision.objects.count() == 0
    item.refresh_from_db()
    assert (item.status, item.version) == ("open", 1)


def test_what_was_ticked_is_kept_with_the_decision(cast: Cast, item: ReviewItem) -> None:
    decided = decide_as(cast.alice, item, checks=(FRAUD, AMOUNT, ORDER))
    assert decided.decision.checklist == [ORDER, AMOUNT]
    page = text_of(browser_of(cast.alice).get(f"/actions/{item.action.public_id}/"))
    assert "Ticked of the check list" in page
    assert "The amount is not &lt;too&gt; high" in page


def test_to_reject_nothing_needs_to_be_ticked(cast: Cast, item: ReviewItem) -> None:
    assert decide_as(cast.alice, item, DecisionKind.REJECT).decision.checklist == []


def test_many_at_once_cannot_be_approved_past_a_check_list(cast: Cast, item: ReviewItem) -> None:
    with pytest.raises(decisions.ChecksMissing):
        decide_as(cast.alice, item, bulk=True)
    assert Decision.objects.count() == 0


def test_a_line_that_the_policy_in_force_adds_is_asked_of_what_waits(cast: Cast, item: ReviewItem) -> None:
    in_force(cast, FRAUD)
    with pytest.raises(decisions.ChecksMissing) as refusal:
        decide_as(cast.alice, item, checks=(ORDER, AMOUNT))
    assert refusal.value.sentences == (FRAUD,)
    # And one that it dropped still is: looser never helps what an older policy held.
    with pytest.raises(decisions.ChecksMissing) as refusal:
        decide_as(cast.alice, item, checks=(FRAUD,))
    assert refusal.value.sentences == (ORDER, AMOUNT)
    assert Decision.objects.count() == 0
    assert decide_as(cast.alice, item, checks=(ORDER, AMOUNT, FRAUD)).decision.checklist == [
        ORDER,
        AMOUNT,
        FRAUD,
    ]


def test_a_missing_tick_is_a_form_error_and_nothing_typed_is_lost(cast: Cast, item: ReviewItem) -> None:
    browser = browser_of(cast.alice)
    fields = open_form(browser, item)
    sent = {**fields, "kind": "approve", "required": [AMOUNT], "note": "Looks fine to me"}
    answer = browser.post(url("decide", item), sent)
    page = text_of(answer)
    assert answer.status_code == 422
    assert 'href="#required"' in page
    assert "Tick the check list first: 1 line left." in page
    assert "Looks fine to me" in page
    assert Decision.objects.count() == 0
    shown = workspace(item_id=item.public_id, viewer=cast.alice, now=database_now())
    assert [(check.text, check.checked) for check in shown.required_checks] == [
        (ORDER, False),
        (AMOUNT, True),
    ]

    again = browser.post(url("decide", item), {**sent, "required": [ORDER, AMOUNT]})
    assert again.status_code == 302
    assert Decision.objects.get().checklist == [ORDER, AMOUNT]


def test_a_line_added_while_somebody_reads_comes_up_when_they_decide(cast: Cast, item: ReviewItem) -> None:
    browser = browser_of(cast.alice)
    fields = open_form(browser, item)
    in_force(cast, ORDER, AMOUNT, FRAUD)
    answer = browser.post(url("decide", item), {**fields, "kind": "approve", "required": [ORDER, AMOUNT]})
    assert answer.status_code == 422
    assert FRAUD in text_of(answer)
    assert Decision.objects.count() == 0


def test_the_page_without_a_check_list_shows_none(cast: Cast) -> None:
    page = text_of(browser_of(cast.alice).get(url("review", held(cast))))
    assert "data-required" not in page
