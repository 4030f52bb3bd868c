"""The list: who sees which items, in which order, and what a row tells and does not tell."""

from __future__ import annotations

import html
import re
from datetime import datetime, time, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit
from zoneinfo import ZoneInfo

import pytest
from django.db import connection
from django.http.response import HttpResponseBase
from django.test import Client
from django.test.utils import CaptureQueriesContext

from hitl_site.lib import ids
from hitl_site.lib.clock import database_now
from policies.models import Agent
from policies.services import policies
from reviews.choices import SkipReason
from reviews.models import Escalation, Queue, ReviewItem, Skip
from reviews.services import claims
from reviews.tests.browsing import HTMX, at_noon, browser_of, text_of
from reviews.tests.cast import REFUND, Cast, decide_as, held
from reviews.views.inbox_query import InboxQuery

MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)


def titles(response: HttpResponseBase) -> list[str]:
    return [html.unescape(found) for found in re.findall(r'class="ttl" [^>]*>([^<]*)<', text_of(response))]


def groups(response: HttpResponseBase) -> list[str]:
    return re.findall(r'<tr class="grp"[^>]*><td[^>]*>([^<]*)<', text_of(response))


def row_of(response: HttpResponseBase, item: ReviewItem) -> str:
    page = text_of(response)
    start = page.index(f'id="row-{item.public_id}"')
    return page[start : page.index("</tr>", start)]


def refund(cast: Cast, order: str, **body: Any) -> ReviewItem:
    return held(cast, arguments={**REFUND, "order": order}, **body)


def due_in(item: ReviewItem, left: timedelta) -> None:
    ReviewItem.objects.filter(pk=item.pk).update(due_at=database_now() + left)


def test_my_turn_is_due_first_in_groups_of_the_time_left(cast: Cast) -> None:
    browser = browser_of(cast.alice)
    for order, left in (("D", 3 * DAY), ("B", 20 * MINUTE), ("A", -5 * MINUTE), ("C", 29 * MINUTE)):
        due_in(refund(cast, order), left)
    response = browser.get("/inbox/")
    assert titles(response) == [f"Refund 184 for {order}" for order in "ABCD"]
    assert groups(response) == ["Overdue", "Due within 30 minutes", "Later"]


def test_today_ends_at_midnight_where_the_viewer_is(cast: Cast) -> None:
    item, browser = refund(cast, "A"), browser_of(cast.alice)
    for zone in ("UTC", "Pacific/Kiritimati", "Pacific/Pago_Pago"):
        here = database_now().astimezone(ZoneInfo(zone))
        midnight = datetime.combine(here.date() + DAY, time.min, tzinfo=ZoneInfo(zone))
        browser.cookies["handrail-tz"] = zone
        for due_at, title in ((midnight + MINUTE, "Later"), (midnight - MINUTE, "Today")):
            if due_at > here + 31 * MINUTE:  # nearer ones have a group of their own
                ReviewItem.objects.filter(pk=item.pk).update(due_at=due_at)
                assert groups(browser.get("/inbox/")) == [title], zone


def test_risk_first_puts_the_highest_risk_on_top(cast: Cast) -> None:
    first, second = refund(cast, "A"), refund(cast, "B")
    ReviewItem.objects.filter(pk=second.pk).update(risk="critical", risk_rank=0)
    response = browser_of(cast.alice).get("/inbox/?order=risk")
    assert titles(response) == [second.title, first.title]
    assert groups(response) == ["Critical risk", "Medium risk"]


def test_a_row_says_what_why_how_likely_and_by_when(cast: Cast) -> None:
    item = refund(cast, "A")
    row = row_of(browser_of(cast.alice).get("/inbox/"), item)
    assert "Refund 184 for A" in row
    assert '<span class="mono">refund.issue</span>' in row
    assert "<span>Message to customer: Sorry! · clerk" in row
    assert "Below threshold" in row
    assert 'aria-label="71%, needs 90%"' in row
    assert 'class="due due-ok"' in row
    assert f'href="/review/{item.public_id}/"' in row
    assert "check" not in re.findall(r'type="(\w+)"', row)


def test_an_item_without_a_score_shows_no_number(cast: Cast) -> None:
    item = refund(cast, "A", confidence=None)
    row = row_of(browser_of(cast.alice).get("/inbox/"), item)
    assert "Not enough history" in row
    assert "%" not in row


def blind_policy(cast: Cast) -> None:
    policies.put_in_force(
        action_type=cast.refund,
        document={"threshold": 0.9, "audit_rate": 0.01, "blind_share": 1.0},
        author=cast.olga,
        reason="All of it blind",
        now=database_now(),
    )


def test_a_blind_item_tells_neither_its_chance_nor_its_reason(cast: Cast) -> None:
    blind_policy(cast)
    item = refund(cast, "A")
    assert item.blind
    browser = browser_of(cast.alice)
    row = row_of(browser.get("/inbox/"), item)
    assert "Routine check" in row
    assert "Shown afterwards" in row
    for hint in ("71%", "90%", "Below", "threshold", "confidence"):
        assert hint not in row
    shown = {
        why: titles(browser.get(f"/inbox/?why={why}"))
        for why in ("high_risk", "low_confidence", "policy_edge")
    }
    assert shown == {"high_risk": [], "low_confidence": [], "policy_edge": []}
    assert titles(browser.get("/inbox/?why=audit")) == [item.title]
    assert titles(browser.get("/inbox/?q=threshold")) == []


def test_whoever_holds_an_item_is_named_until_the_lease_ends(cast: Cast) -> None:
    item, now = refund(cast, "A"), database_now()
    claims.claim(item_id=item.public_id, reviewer=cast.bob, now=now)
    assert "Claimed by Bob" in row_of(browser_of(cast.alice).get("/inbox/"), item)
    assert "Yours" in row_of(browser_of(cast.bob).get("/inbox/"), item)
    ReviewItem.objects.filter(pk=item.pk).update(lease_expires_at=now - MINUTE)
    assert "avatar" not in row_of(browser_of(cast.alice).get("/inbox/"), item)


def test_text_of_an_agent_is_escaped_and_its_hidden_characters_are_visible(cast: Cast) -> None:
    item = refund(cast, "A")
    Agent.objects.filter(pk=cast.clerk.pk).update(name="<b>clerk\u202e</b>")
    ReviewItem.objects.filter(pk=item.pk).update(
        title="<script>alert(1)</script>\u200b", action_type_name="a<img src=x>\u2066"
    )
    page = text_of(browser_of(cast.alice).get("/inbox/"))
    assert "<script>alert" not in page
    assert "<img" not in page
    assert "<b>clerk" not in page
    assert not set("\u202e\u200b\u2066") & set(page)
    row = page[page.index('id="row-') :]
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in row
    for code in ("U+200B", "U+202E", "U+2066"):
        assert code in row


def test_an_item_passed_on_shows_by_whom_and_why_to_that_person_alone(cast: Cast) -> None:
    item, other = refund(cast, "A"), refund(cast, "B")
    Escalation.objects.create(
        item=item,
        reviewer=cast.bob,
        reviewer_name="Bob",
        to_user=cast.alice,
        note="thin evidence <i>",
        escalated_at=database_now(),
    )
    ReviewItem.objects.filter(pk=item.pk).update(escalated_to=cast.alice)
    browser = browser_of(cast.alice)
    row = row_of(browser.get("/inbox/"), item)
    assert "Escalated to you" in row
    assert "escalated by Bob: “thin evidence &lt;i&gt;”" in row
    assert titles(browser.get("/inbox/?view=escalated")) == [item.title]
    assert titles(browser_of(cast.bob).get("/inbox/")) == [other.title]


def test_my_turn_leaves_out_what_the_person_may_not_or_did_decide_or_skipped(cast: Cast) -> None:
    decided, skipped, left = (refund(cast, order) for order in "ABC")
    decide_as(cast.alice, decided)
    Skip.objects.create(
        item=skipped, reviewer=cast.alice, reason=SkipReason.NEED_TIME, skipped_at=database_now()
    )
    assert titles(browser_of(cast.alice).get("/inbox/")) == [left.title]
    assert titles(browser_of(cast.bob).get("/inbox/")) == [skipped.title, left.title]
    assert titles(browser_of(cast.carol).get("/inbox/")) == []  # they are of her own agent


def test_the_counts_are_of_the_view(cast: Cast) -> None:
    now = database_now()
    for order, left in (("A", 10 * MINUTE), ("B", DAY)):
        item = refund(cast, order)
        ReviewItem.objects.filter(pk=item.pk).update(due_at=now + left, created_at=now - 42 * MINUTE)
    done = refund(cast, "C")
    decide_as(cast.alice, done)
    page = re.sub(r"<[^>]+>", "", text_of(at_noon(browser_of(cast.alice)).get("/inbox/")))
    assert "2 waiting1 due within the hourOldest 42 minYou decided 1 today" in page
    narrowed = re.sub(r"<[^>]+>", "", text_of(browser_of(cast.alice).get("/inbox/?q=B")))
    assert "1 waiting0 due within the hour" in narrowed


FILTERS = {
    "q=SO-1": ["A"],
    "q=so-1+refund": ["A"],
    "type=note.add": ["N"],
    "agent=clerk&type=refund.issue": ["A", "B"],
    "agent=nobody": [],
    "risk=low": ["N"],
    "why=low_confidence": ["A", "B", "N"],
    "why=high_risk": [],
    "queue=general": ["A", "B", "N"],
    "queue=empty": [],
    "due=hour": ["B"],
    # What makes no sense is no filter.
    "risk=nonsense": ["A", "B", "N"],
    "why=&due=never&view=nowhere&order=x": ["A", "B", "N"],
    "view=all": ["A", "B", "N"],
    "seen=yesterday": ["A", "B", "N"],
    "seen=0001-01-01T00:00:00%2B14:00": ["A", "B", "N"],
    "seen=9999-12-31T23:59:59-14:00": ["A", "B", "N"],
    "q=%F0%9F%98%80%FF": [],
    "q=" + "x" * 3000: [],
}


@pytest.mark.parametrize("query", FILTERS)
def test_a_filter_leaves_what_it_names(cast: Cast, query: str) -> None:
    named = {
        "A": refund(cast, "SO-1"),
        "B": refund(cast, "SO-2"),
        "N": held(cast, action_type="note.add", arguments={"text": "x"}, confidence=0.1),
    }
    due_in(named["B"], 59 * MINUTE)
    response = browser_of(cast.alice).get(f"/inbox/?{query}")
    assert response.status_code == 200
    assert sorted(titles(response)) == sorted(named[name].title for name in FILTERS[query])


def test_a_query_with_u0000_is_refused(cast: Cast) -> None:
    assert browser_of(cast.alice).get("/inbox/?q=%00").status_code == 400


def test_filters_stay_in_the_menus_the_search_and_the_way_to_the_next_item(cast: Cast) -> None:
    refund(cast, "A")
    page = text_of(browser_of(cast.alice).get("/inbox/?type=refund.issue&order=risk&q=A"))
    assert 'href="?q=A&amp;type=refund.issue&amp;order=risk&amp;agent=clerk"' in page
    assert 'href="?q=A&amp;order=risk"' in page  # "Any" action type
    start = page[page.index('action="/review/next/"') :]
    start = start[: start.index("</form>")]
    hidden = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', start))
    assert {name: hidden[name] for name in ("q", "type", "order")} == {
        "q": "A",
        "type": "refund.issue",
        "order": "risk",
    }


def many(cast: Cast, number: int) -> None:
    for each in range(number):
        refund(cast, f"SO-{each:03}", idempotency_key=f"many-{each}")


def page_links(response: HttpResponseBase) -> dict[str, str]:
    found = re.findall(r'href="([^"]*)" rel="(next|prev)"', text_of(response))
    return {rel: html.unescape(url) for url, rel in found}


@pytest.mark.parametrize("order", ["", "risk"])
def test_pages_of_fifty_show_every_item_once_and_lead_back(cast: Cast, order: str) -> None:
    many(cast, 53)
    browser = browser_of(cast.alice)
    first = browser.get(f"/inbox/?type=refund.issue&order={order}")
    assert len(titles(first)) == 50
    assert "50 of 53" in text_of(first)
    second = browser.get(page_links(first)["next"])
    assert titles(first) + titles(second) == [f"Refund 184 for SO-{each:03}" for each in range(53)]
    assert page_links(second).keys() == {"prev"}
    assert titles(browser.get(page_links(second)["prev"])) == titles(first)


def test_a_cursor_of_another_list_or_of_nobody_leads_to_the_first_page(cast: Cast) -> None:
    many(cast, 51)
    browser = browser_of(cast.alice)
    cursor = parse_qs(urlsplit(page_links(browser.get("/inbox/"))["next"]).query)["after"][0]
    for query, first in (
        (f"after={cursor}x", "/inbox/"),
        (f"type=refund.issue&after={cursor}", "/inbox/?type=refund.issue"),
        (f"order=risk&after={cursor}", "/inbox/?order=risk"),
        ("after=%FF", "/inbox/"),
    ):
        response = browser.get(f"/inbox/?{query}")
        assert (response.status_code, response["Location"].removeprefix("/inbox/")) == (
            302,
            first.removeprefix("/inbox/"),
        )


def test_a_page_whose_items_are_all_gone_leads_to_the_first(cast: Cast) -> None:
    many(cast, 51)
    browser = browser_of(cast.alice)
    url = page_links(browser.get("/inbox/"))["next"]
    decide_as(cast.bob, ReviewItem.objects.get(title__endswith="SO-050"))
    assert browser.get(url).status_code == 302
    assert len(titles(browser.get(url, follow=True))) == 50


def live_url(response: HttpResponseBase) -> str:
    found = re.search(r'id="items"[^>]*hx-get="([^"]*)"', text_of(response))
    assert found is not None
    return html.unescape(found[1])


def test_what_arrives_later_is_counted_and_does_not_move_the_rows(cast: Cast) -> None:
    old = refund(cast, "OLD")
    browser = browser_of(cast.alice)
    url = live_url(browser.get("/inbox/?type=refund.issue"))
    new = refund(cast, "NEW")
    due_in(new, MINUTE)  # it would be the first
    held(cast, action_type="note.add", arguments={"text": "x"}, confidence=0.1)  # not of this view
    part = browser.get(url, headers=HTMX)
    assert titles(part) == [old.title]
    assert "1 new</a>" in text_of(part)
    assert '<b class="num">2</b> waiting' in text_of(part)
    assert live_url(part) == url
    pill = re.search(r'class="btn btn-sm newpill" href="([^"]*)"', text_of(part))
    assert pill is not None
    fresh = browser.get(html.unescape(pill[1]), headers=HTMX)
    assert titles(fresh) == [new.title, old.title]
    assert "newpill" not in text_of(fresh)


def test_what_was_decided_leaves_the_list_at_the_next_look(cast: Cast) -> None:
    gone, left = refund(cast, "A"), refund(cast, "B")
    browser = browser_of(cast.alice)
    url = live_url(browser.get("/inbox/"))
    decide_as(cast.bob, gone)
    assert titles(browser.get(url, headers=HTMX)) == [left.title]


def test_the_part_for_htmx_is_no_page_and_no_cache_mixes_them_up(cast: Cast) -> None:
    refund(cast, "A")
    browser = browser_of(cast.alice)
    part, page = browser.get("/inbox/", headers=HTMX), browser.get("/inbox/")
    assert "<!doctype" not in text_of(part)
    assert "<title>My turn (1) · Handrail</title>" in text_of(part)
    assert 'hx-target="#side-nav"' in text_of(part)
    assert "<!doctype" in text_of(page)
    for response in (part, page):
        assert "HX-Request" in response["Vary"]
        assert response["Cache-Control"] == "no-store"


def test_a_page_costs_as_many_queries_for_sixty_items_as_for_five(cast: Cast) -> None:
    browser = browser_of(cast.alice)
    counted = []
    for number in (5, 60):
        many(cast, number)
        claims.claim_next(reviewer=cast.bob, now=database_now())
        with CaptureQueriesContext(connection) as queries:
            assert len(titles(browser.get("/inbox/"))) == min(number, 50)
        counted.append(len(queries))
    # Session, person, rights 4, clock 1, rows 2, what they say 2, who looks 1, counts 2, today 1, menus 2,
    # pace 1, side bar, incidents, stops 3.
    assert counted == [19, 19]


def test_an_empty_list_says_why(cast: Cast) -> None:
    browser = browser_of(cast.alice)
    assert "Nothing is waiting for you" in text_of(browser.get("/inbox/"))
    refund(cast, "A")
    refund(cast, "B")
    filtered = text_of(browser.get("/inbox/?q=zzz"))
    assert "No items match" in filtered
    assert "2 wait without these filters." in filtered
    assert "Clear filters" in filtered


def test_a_site_without_agents_explains_the_first_steps(client: Client, db: None) -> None:
    from reviews.tests.cast import make_person

    client.force_login(make_person("Nell", "reviewer"))
    page = text_of(client.get("/inbox/"))
    assert "manage.py create_agent support-agent --print-key" in page
    assert "handrail.requires_approval" in page


def test_the_heading_names_the_view(cast: Cast) -> None:
    Queue.objects.create(public_id=ids.new("que"), slug="money", name="Money <1>", created_at=database_now())
    browser = browser_of(cast.alice)
    headings = {
        query: re.findall(r"<h1>(.*?)</h1>", text_of(browser.get(f"/inbox/?{query}")))[0]
        for query in ("", "due=hour", "queue=money", "queue=unknown", "view=escalated")
    }
    assert headings == {
        "": "My turn",
        "due=hour": "Due within the hour",
        "queue=money": "Money &lt;1&gt;",
        "queue=unknown": "My turn",
        "view=escalated": "Escalated to me",
    }


def test_a_moment_is_taken_only_when_the_page_can_be_that_old(cast: Cast) -> None:
    from django.http import QueryDict

    now = database_now()

    def seen(moment: datetime) -> datetime | None:
        given = QueryDict(mutable=True)
        given["seen"] = moment.isoformat()
        return InboxQuery.read(given, person=cast.alice, now=now).seen

    assert seen(now - MINUTE) == now - MINUTE
    assert seen(now + MINUTE) is None
    assert seen(now - 3 * DAY) is None
    assert seen((now - MINUTE).replace(tzinfo=None)) is None
