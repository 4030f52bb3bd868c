"""What the review page shows, and what it never shows."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from hitl_site.lib.clock import database_now
from policies.choices import Risk
from policies.services import action_types
from policies.services.ledger import Actor
from reviews.choices import DecisionKind
from reviews.models import ReviewItem
from reviews.selectors.workspace import workspace
from reviews.services import attention, claims, deadlines, passing_on
from reviews.tests.browsing import HTMX, at_noon, browser_of, name_of, open_form, text_of, url
from reviews.tests.cast import REFUND, Cast, decide_as, held

MARKUP = "<img src=x onerror=alert(1)>"
OVERRIDE = "\u202e"
LATER = timedelta(seconds=6)


def _page(item: ReviewItem, person: Any) -> str:
    return text_of(browser_of(person).get(url("review", item)))


def _blind(item: ReviewItem) -> ReviewItem:
    ReviewItem.objects.filter(pk=item.pk).update(blind=True)
    item.refresh_from_db()
    return item


def test_the_page_says_why_an_action_is_held_in_plain_words(cast: Cast) -> None:
    page = _page(held(cast), cast.alice)

    assert "Refund 184 for SO-48213" in page
    assert '<span class="big">71%</span>' in page
    assert 'needs <b class="b">90%</b>' in page
    assert "<b>Low confidence</b>" in page
    assert "Policy refund.issue, version 1" in page


def test_opening_a_page_writes_nothing(cast: Cast) -> None:
    item = held(cast)
    client = browser_of(cast.alice)
    with CaptureQueriesContext(connection) as queries:
        client.get(url("review", item))

    assert [
        q["sql"]
        for q in queries
        if not q["sql"].startswith(("SELECT", "WITH sharing", "SAVEPOINT", "RELEASE"))
    ] == []


def test_a_page_is_loaded_in_a_fixed_number_of_queries(cast: Cast, django_assert_num_queries: Any) -> None:
    item = held(cast)
    for number in range(5):
        other = held(cast, arguments={**REFUND, "order": f"SO-{number}"})
        attention.note(
            token=attention.view_token(item=item, reviewer=cast.bob, now=database_now()),
            item_id=item.public_id,
            reviewer=cast.bob,
            arguments_seen=False,
            parts_opened=(),
            editing=False,
            now=database_now(),
        )
        claims.claim(item_id=other.public_id, reviewer=cast.bob, now=database_now())
    viewer = type(cast.alice).objects.get(pk=cast.alice.pk)
    now = database_now()
    # What an answer is judged by, and four more for what only the drawn page shows.
    with django_assert_num_queries(10):
        shown = workspace(item_id=item.public_id, viewer=viewer, now=now)
    with django_assert_num_queries(4):
        assert (shown.turn.position, shown.turn.total, shown.escalation) == (1, 6, None)
    assert [other.name for other in shown.present] == ["Bob"]


def test_a_blind_item_says_routine_check_and_nothing_else(cast: Cast) -> None:
    item = _blind(held(cast, judge={"name": "j", "score": 0.42, "rationale": "I doubt it."}))
    for person in (cast.alice, cast.dan):
        page = _page(item, person)
        main = re.sub(
            r"<time .*?</time>", "", page[page.index("<main") : page.index("</main>")], flags=re.DOTALL
        )

        assert "Routine check" in main
        for secret in ("71%", "0.71", "90%", "0.9", "42%", "I doubt it", "Low confidence", "low_confidence"):
            assert secret not in main
        assert "below_threshold" not in main
        assert "Policy refund.issue" not in main


def test_a_blind_item_stays_blind_while_its_answer_can_be_taken_back(cast: Cast) -> None:
    item = _blind(held(cast))
    now = database_now()
    decide_as(cast.alice, item, now=now)
    assert "71%" not in _page(item, cast.alice)

    deadlines.release_due(now=now + LATER)
    assert "71%" in _page(item, cast.alice)


def test_every_text_of_the_agent_is_escaped_and_its_hidden_characters_are_seen(cast: Cast) -> None:
    item = held(
        cast,
        arguments={"order": MARKUP, "amount": 1, "message": f"{MARKUP}{OVERRIDE}", "extra": MARKUP},
        reason=f"{MARKUP}{OVERRIDE}",
        subject=f"{MARKUP}{OVERRIDE}",
        context={
            "messages": [
                {"role": MARKUP, "content": f"{MARKUP}{OVERRIDE}"},
                {"role": "assistant", "tool_calls": [{"name": MARKUP, "arguments": {MARKUP: MARKUP}}]},
                {"role": "tool", "name": MARKUP, "content": f'{{"a": "{MARKUP}"}}'.replace("=", "\\u003d")},
            ],
            "links": [MARKUP],
            MARKUP: MARKUP,
        },
    )
    page = _page(item, cast.alice)

    assert "<img" not in page
    assert page.count("U+202E") >= 3
    title = re.search(r"<title>(.*?)</title>", page, re.DOTALL)
    assert title is not None
    assert OVERRIDE not in title[1]


def test_what_the_agent_says_of_itself_is_marked_as_not_verified(cast: Cast) -> None:
    page = _page(held(cast, reason="The customer is right."), cast.alice)
    assert re.search(r"Agent says .*?Not verified.*?The customer is right\.", page, re.DOTALL)


def test_somebody_who_may_only_look_gets_no_form(cast: Cast) -> None:
    page = _page(held(cast), cast.dan)
    main = page[page.index("<main") : page.index("</main>")]

    assert "Refund 184 for SO-48213" in main
    assert "You may look at this item." in main
    assert 'name="kind"' not in main
    assert "data-lease" not in main.replace("data-lease-lost", "")
    assert "csrfmiddlewaretoken" not in main


def test_the_owner_of_the_agent_is_told_that_somebody_else_decides(cast: Cast) -> None:
    page = _page(held(cast), cast.carol)
    assert "You own this agent, so somebody else decides for it." in page
    assert 'name="kind"' not in page


def test_no_answer_is_chosen_beforehand_and_all_take_the_same_effort(cast: Cast) -> None:
    page = _page(held(cast), cast.alice)
    bar = page[page.index('<section class="dec"') :]

    assert "act-main" not in bar
    assert "autofocus" not in page
    assert not re.search(r'name="reasons"[^>]*checked', bar)
    assert [int(n) for n in re.findall(r'<label class="rc" data-key="(\d)"', bar)] == list(range(1, 8))
    assert re.findall(r'data-verdict="(\w+)" data-key="(\w)"', bar) == [
        ("reject", "r"),
        ("approve", "a"),
        ("correct", "c"),
    ]


def test_the_proposal_and_ones_own_version_stand_side_by_side(cast: Cast) -> None:
    fields = open_form(browser_of(cast.alice), held(cast))

    assert [fields[name_of(place)] for place in ("order", "amount", "message")] == [
        "SO-48213",
        "184",
        "Sorry!",
    ]
    assert fields["editor"] == "form"


def test_an_item_that_needs_two_people_says_so_and_that_one_has_answered(cast: Cast) -> None:
    item = held(cast)
    ReviewItem.objects.filter(pk=item.pk).update(approvals_required=2)
    assert "0 of 2 approvals" in _page(item, cast.alice)
    assert "Nobody has answered yet." in _page(item, cast.alice)
    decide_as(cast.alice, item)

    # Whoever answers next answers alone.
    assert "One answer is given." in _page(item, cast.bob)
    assert "Alice approved" not in _page(item, cast.bob)
    assert re.search(r"Alice approved it at", _page(item, cast.dan))
    assert "You have answered. 1 of 2 approvals: another person is needed" in _page(item, cast.alice)

    page = _page(_blind(item), cast.bob)
    assert "One answer is given." in page
    assert "Alice approved" not in page


def test_an_item_that_somebody_else_holds_says_who_and_offers_to_take_it_over(cast: Cast) -> None:
    item = held(cast)
    claims.claim(item_id=item.public_id, reviewer=cast.bob, now=database_now())
    client = browser_of(cast.alice)
    page = text_of(client.get(url("review", item)))
    assert "Bob is on this one" in page

    client.post(url("claim", item), {"take_over": "yes"})
    item.refresh_from_db()
    assert item.claimed_by == cast.alice


def test_an_escalated_item_shows_who_passed_it_on_and_why(cast: Cast) -> None:
    item = held(cast)
    passing_on.escalate(
        item_id=item.public_id,
        reviewer=cast.alice,
        to_user=cast.bob,
        note="You know this customer.",
        item_version=item.version,
        now=database_now(),
    )
    page = _page(item, cast.bob)
    assert "Passed on by Alice" in page
    assert "You know this customer." in page


def test_a_decided_item_shows_the_proposal_beside_what_was_decided(cast: Cast) -> None:
    item = held(cast)
    decide_as(cast.bob, item, DecisionKind.CORRECT, arguments={**REFUND, "amount": 148})
    page = _page(item, cast.alice)

    assert "Bob corrected this at" in page
    assert re.search(r"amount: 184.*amount: 148", page, re.DOTALL)
    assert 'name="kind"' not in page


def test_an_expired_item_says_when_and_that_nothing_will_run(cast: Cast) -> None:
    item = held(cast, timeout="1s")
    ReviewItem.objects.filter(pk=item.pk).update(due_at=database_now() - timedelta(seconds=1))
    page = text_of(at_noon(browser_of(cast.alice)).get(url("review", item)))
    assert re.search(r"Time ran out at \d\d:\d\d:\d\d; nothing will run", page)
    assert 'name="kind"' not in page


def test_the_check_list_of_the_action_type_is_shown(cast: Cast) -> None:
    action_types.change(
        action_type=cast.refund,
        checklist=["Amount matches", "Photo shows it"],
        risk=Risk.HIGH,
        actor=Actor.person(cast.olga),
        now=database_now(),
    )
    page = _page(held(cast), cast.alice)
    assert page.count('name="checks"') == 2
    assert "Photo shows it" in page
    assert "High risk" in page


def test_the_part_that_counts_down_comes_alone(cast: Cast) -> None:
    item, next_one = held(cast), held(cast)
    decide_as(cast.alice, item)
    answer = browser_of(cast.alice).get(url("review", next_one), {"part": "undo"}, headers=HTMX)

    assert "Goes out in" in text_of(answer)
    assert "<html" not in text_of(answer)


def test_an_unknown_item_is_not_found(cast: Cast) -> None:
    assert browser_of(cast.alice).get(reverse("reviews:review", args=["itm_nothing"])).status_code == 404


@pytest.mark.parametrize("hostile", [None, "text", [1], {"messages": "x"}, {"steps": [{"a": 1}, 2, None]}])
def test_any_context_is_shown(cast: Cast, hostile: Any) -> None:
    body = {"context": hostile} if isinstance(hostile, dict) else {"context": {"input": hostile}}
    assert "What the agent did" in _page(held(cast, **body), cast.alice)
