"""Why it is held: the numbers of the past in words, the refusal that an act repeats, incidents elsewhere."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from hitl_site.lib.clock import database_now
from policies.models import GateCheck
from policies.services import policies
from reviews.choices import DecisionKind
from reviews.models import Execution, Permit, ReviewItem
from reviews.services import claims, deadlines, decisions, permits
from reviews.tests.browsing import HTMX, browser_of, open_form, text_of, url
from reviews.tests.cast import REFUND, Cast, decide_as, held, propose

pytestmark = pytest.mark.django_db


def in_force(cast: Cast, **document: Any) -> None:
    policies.put_in_force(
        action_type=cast.refund,
        document={"threshold": 0.9, "undo_seconds": 0, "blind_share": 0, **document},
        author=cast.olga,
        reason="why held",
        now=database_now(),
    )


def refuse(cast: Cast, item: ReviewItem) -> None:
    decide_as(cast.alice, item, DecisionKind.REJECT, note="Paid <twice>")
    deadlines.release_due(now=database_now() + timedelta(seconds=1))


def test_the_refusal_that_an_act_repeats_is_shown_with_what_is_written_otherwise(cast: Cast) -> None:
    in_force(cast)
    first = held(cast)
    refuse(cast, first)
    again = held(cast, arguments={**REFUND, "message": "  SORRY! "})
    page = text_of(browser_of(cast.bob).get(url("review", again)))
    assert "Refused before" in page
    assert "Alice refused this before" in page
    assert "“Paid &lt;twice&gt;”" in page
    assert f'href="/actions/{first.action.public_id}/"' in page
    assert "What is written otherwise now:" in page


def test_the_very_same_act_again_says_so(cast: Cast) -> None:
    in_force(cast)
    refuse(cast, held(cast))
    page = text_of(browser_of(cast.bob).get(url("review", held(cast))))
    assert "It is the very same." in page


def test_a_blind_item_does_not_tell_of_the_refusal(cast: Cast) -> None:
    in_force(cast)
    refuse(cast, held(cast))
    again = held(cast)
    ReviewItem.objects.filter(pk=again.pk).update(blind=True)
    page = text_of(browser_of(cast.bob).get(url("review", again)))
    assert "refused this before" not in page
    assert "Refused before" not in page


def test_the_measures_that_the_rules_saw_are_shown_in_words(cast: Cast) -> None:
    in_force(
        cast,
        measures=[
            {
                "name": "today",
                "of": "agent",
                "function": "sum",
                "pointer": "/amount",
                "window_seconds": 86_400,
                "action_types": [],
            }
        ],
        rules=[
            {
                "code": "much",
                "title": "Much money today",
                "when": "history.today > 300.0",
                "then": "review",
                "trigger": "high_risk",
            }
        ],
    )
    held(cast)
    item = held(cast)
    assert GateCheck.objects.get(pk=item.action.gate_check_id).history == {"today": 368}
    page = text_of(browser_of(cast.bob).get(url("review", item)))
    assert "Much money today" in page
    assert "history.today" in page
    assert '<b class="b num">368</b>' in page
    assert "the sum of /amount by the same agent over 1 day, of this action type, this one included" in page


@pytest.fixture
def incident(cast: Cast) -> ReviewItem:
    action = propose(cast, action_type="note.add", arguments={"text": "a"})
    permit = Permit.objects.get(action=action)
    permits.consume(
        permit_id=permit.public_id,
        agent=cast.clerk,
        digest=permit.digest,
        consume_key="k",
        now=database_now(),
    )
    deadlines.end_leases(now=Execution.objects.get().lease_until)
    return ReviewItem.objects.get(action=action)


def test_an_incident_is_no_question_to_decide(cast: Cast, incident: ReviewItem) -> None:
    browser = browser_of(cast.alice)
    answer = browser.get(url("review", incident))
    assert (answer.status_code, answer.headers["Location"]) == (
        302,
        f"/incidents/{incident.incident.public_id}/",
    )
    with pytest.raises(decisions.NotForDecision):
        decide_as(cast.alice, incident)
    incident.refresh_from_db()
    assert (incident.status, incident.decisions.count()) == ("open", 0)


def test_going_on_to_an_incident_leads_to_its_page(cast: Cast, incident: ReviewItem) -> None:
    before = held(cast, timeout="1m")
    browser = browser_of(cast.alice)
    claims.claim(item_id=before.public_id, reviewer=cast.alice, now=database_now())
    fields = open_form(browser, before)
    answer = browser.post(url("decide", before), {**fields, "kind": "approve"}, headers=HTMX)
    assert answer.headers["HX-Redirect"] == url("review", incident)
