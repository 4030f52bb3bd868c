"""Until the answer nothing tells a drill from a real item: not the inbox, not the page, not the story."""

from __future__ import annotations

import re
import threading

import pytest
from django.db import connection
from django.test import Client
from django.urls import reverse

from hitl_site.lib.clock import database_now
from policies.models import DrillResult
from reviews.choices import DecisionKind
from reviews.models import ActionRequest, ReviewItem
from reviews.selectors.actions import proposed_arguments
from reviews.services import claims, decisions
from reviews.tests.browsing import browser_of
from reviews.tests.cast import Cast, decide_as, held, make_cast
from reviews.tests.drilling import seed, serve

pytestmark = pytest.mark.django_db


def twins(cast: Cast) -> tuple[ReviewItem, ReviewItem]:
    """Return a drill, and a real item that proposes the very same a moment later."""
    seed(cast)
    drill = serve(cast)
    real = held(
        cast,
        arguments=proposed_arguments(drill.action),
        context=drill.action.context.context,
        reason=drill.action.context.reason,
    )
    return drill, real


def bare(page: str, item: ReviewItem) -> str:
    """Return a page without what differs between any two items: ids, keys, tokens, times and places."""
    page = page.replace(item.public_id, "ITEM").replace(item.action.public_id, "ACTION")
    page = re.sub(r"(csrf[\w-]*\W+(?:value|content)=)\"[^\"]+\"", r"\1", page, flags=re.IGNORECASE)
    page = re.sub(r"name=\"token\" value=\"[^\"]+\"", "TOKEN", page)
    page = re.sub(r"nonce=\"[^\"]+\"|nonce-[\w-]+", "NONCE", page)
    page = re.sub(r"\b(?:itm|act|dec)_[0-9a-f]{32}", "OTHER", page)
    page = re.sub(
        r"<time[^>]*>[^<]*</time>|data-server-time=\"[^\"]*\"|\d{4}-\d\d-\d\dT[\d:.+Z-]+", "TIME", page
    )
    page = re.sub(r"no\. [\d,]+", "NO", page)
    return re.sub(r"<header id=\"bar\".*?</header>", "BAR", page, flags=re.DOTALL)


def test_the_page_of_a_drill_is_the_page_of_a_real_item(cast: Cast) -> None:
    drill, real = twins(cast)
    alice = browser_of(cast.alice)
    pages = [
        bare(alice.get(reverse("reviews:review", args=[item.public_id])).content.decode(), item)
        for item in (drill, real)
    ]
    assert pages[0] == pages[1]
    assert "drill" not in pages[0].lower()


def test_the_story_of_a_drill_is_that_of_an_action_that_was_held(cast: Cast) -> None:
    drill, real = twins(cast)
    alice = browser_of(cast.alice)
    pages = [
        bare(alice.get(reverse("reviews:action", args=[item.action.public_id])).content.decode(), item)
        for item in (drill, real)
    ]
    assert pages[0] == pages[1]
    assert "The gate held it for a person" in pages[0]
    assert "drill" not in pages[0].lower()


def test_a_row_of_the_inbox_and_its_filters_say_the_same(cast: Cast) -> None:
    drill, real = twins(cast)
    page = browser_of(cast.alice).get(reverse("reviews:inbox")).content.decode()
    assert "drill" not in page.lower()
    rows = {
        item.pk: bare(found[0], item)
        for item in (drill, real)
        if (found := re.search(rf"<tr[^>]*data-row=\"{item.public_id}\".*?</tr>", page, re.DOTALL))
    }
    # The first row has the cursor, whatever it is.
    assert rows[drill.pk].replace("row cur", "row") == rows[real.pk].replace("row cur", "row")


def test_a_row_of_the_database_differs_in_nothing_that_a_page_reads(cast: Cast) -> None:
    drill, real = twins(cast)
    own = {"id", "public_id", "action", "due_at", "created_at", "remind_at", "version"}
    fields = [field.name for field in ReviewItem._meta.concrete_fields if field.name not in own]
    assert {name: getattr(drill, name) for name in fields} == {name: getattr(real, name) for name in fields}
    assert drill.due_at - drill.created_at == real.due_at - real.created_at
    checks = (drill.action.gate_check, real.action.gate_check)
    told = (
        "verdict",
        "route",
        "trigger",
        "reasons",
        "score",
        "threshold",
        "level",
        "blind",
        "approvals_required",
    )
    assert [getattr(checks[0], name) for name in told] == [getattr(checks[1], name) for name in told]


def test_an_agent_gets_404_for_a_drill_under_its_name(cast: Cast) -> None:
    seed(cast)
    drill = serve(cast)
    key = {"Authorization": f"Bearer {cast.token}"}
    agent = Client()
    assert agent.get(f"/api/v1/actions/{drill.action.public_id}", headers=key).status_code == 404
    assert agent.post(f"/api/v1/actions/{drill.action.public_id}/cancel", headers=key).status_code == 404
    listed = agent.get("/api/v1/actions?limit=100", headers=key).content.decode()
    assert drill.action.public_id not in listed
    drill.refresh_from_db()
    assert drill.status == "open"


def test_the_answer_is_followed_by_what_was_right_and_no_way_back(cast: Cast) -> None:
    seed(cast)
    drill = serve(cast)
    alice = browser_of(cast.alice)
    decide_as(cast.alice, drill, DecisionKind.APPROVE)
    page = alice.get(reverse("reviews:done")).content.decode()
    assert "This was a drill." in page
    assert "You approved it." in page
    assert "undo-form" not in page
    history = alice.get(reverse("reviews:history")).content.decode()
    assert "Drill: missed" in history
    # Until it is closed for everybody, others read nothing of it.
    assert (
        "drill"
        not in browser_of(cast.bob)
        .get(reverse("reviews:action", args=[drill.action.public_id]))
        .content.decode()
        .lower()
    )


def test_a_drill_never_stands_among_the_actions_of_the_trust_page(cast: Cast) -> None:
    seed(cast)
    drill = serve(cast)
    page = browser_of(cast.dan).get(reverse("reviews:trust_items")).content.decode()
    assert drill.action.public_id not in page


def test_claims_serve_a_drill_like_any_item(cast: Cast) -> None:
    seed(cast)
    drill = serve(cast)
    assert claims.claim_next(reviewer=cast.alice, now=database_now()) == drill


@pytest.mark.django_db(transaction=True)
def test_of_two_who_answer_at_once_one_is_taken_and_counted() -> None:
    cast = make_cast()
    seed(cast)
    drill = serve(cast)
    barrier, outcomes = threading.Barrier(2), []

    def answer(person: str) -> None:
        try:
            barrier.wait()
            decide_as(getattr(cast, person), ReviewItem.objects.get(pk=drill.pk))
            outcomes.append("taken")
        except decisions.UnableToDecide:
            outcomes.append("refused")
        finally:
            connection.close()

    threads = [threading.Thread(target=answer, args=[name]) for name in ("alice", "bob")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["refused", "taken"]
    assert DrillResult.objects.count() == 1
    assert ActionRequest.objects.filter(drill=True).count() == 1
