"""The trust page: numbers of a history that can be counted by hand, and the actions behind each of them."""

from __future__ import annotations

import html
import re
from datetime import timedelta
from urllib.parse import parse_qsl, urlsplit

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from hitl_site.groups import GROUPS
from hitl_site.lib.clock import database_now
from policies.choices import AutonomyLevel, Risk, Trigger
from policies.models import AgentVersion, ScoreBin
from policies.services import action_types, agents, autonomy, policies
from policies.services.ledger import Actor
from policies.statistics.intervals import clopper_pearson
from reviews.choices import DecisionKind
from reviews.models import ActionRequest, ReviewItem
from reviews.selectors import trust
from reviews.services import deadlines
from reviews.tests.cast import Cast, decide_as, held, make_person, propose

pytestmark = pytest.mark.django_db

READERS = {"lead", "ops_admin", "manager", "auditor"}


def browser_of(person: User) -> Client:
    client = Client()
    client.force_login(person)
    return client


def draw_everything(cast: Cast) -> None:
    """From here on every note that runs alone is checked, and no check is too fast to count."""
    action_types.change(
        action_type=cast.note, reading_floor_ms=0, actor=Actor.person(cast.olga), now=database_now()
    )
    policies.put_in_force(
        action_type=cast.note,
        document={"threshold": 0.5, "audit_rate": 1.0, "undo_seconds": 0, "blind_share": 0},
        author=cast.olga,
        reason="Check all of them",
        now=database_now(),
    )


def check_note(cast: Cast, kind: DecisionKind) -> None:
    """Have a note run alone and Alice check it."""
    action = propose(cast, action_type="note.add", arguments={"text": "Called back"}, confidence=0.95)
    item = ReviewItem.objects.get(action=action)
    decide_as(cast.alice, item, kind)


@pytest.fixture
def history(cast: Cast) -> Cast:
    """Four refunds are held (one still waits), three notes run alone and are checked, one type is unknown."""
    draw_everything(cast)
    decide_as(cast.alice, held(cast), DecisionKind.APPROVE)
    corrected = {"order": "SO-48213", "amount": 148, "message": "Sorry!"}
    decide_as(cast.bob, held(cast), DecisionKind.CORRECT, arguments=corrected)
    held(cast)
    # The last of them: what is refused once is held as refused from then on.
    decide_as(cast.bob, held(cast), DecisionKind.REJECT)
    for kind in (DecisionKind.APPROVE, DecisionKind.APPROVE, DecisionKind.REJECT):
        check_note(cast, kind)
    propose(cast, action_type="never.declared", arguments={})
    deadlines.release_due(now=database_now() + timedelta(minutes=5))
    return cast


def page_for(person: User, query: str = "") -> trust.TrustPage:
    page = browser_of(person).get(f"/trust/{query}").context["trust"]
    assert isinstance(page, trust.TrustPage)
    return page


def line_of(page: trust.TrustPage, name: str) -> trust.TrustLine:
    (line,) = [line for group in page.groups if group.name == name for line in group.lines]
    return line


def test_the_numbers_are_those_of_the_history(history: Cast) -> None:
    page = page_for(history.dan)
    assert (page.proposed, page.alone, page.held, page.denied) == (8, 3, 5, 0)
    assert (page.looked, page.audited, page.audited_errors, page.overridden) == (6, 3, 1, 2)
    refunds = line_of(page, "refund.issue")
    assert refunds.row.held_by_trigger == {
        Trigger.HIGH_RISK: 0,
        Trigger.LOW_CONFIDENCE: 4,
        Trigger.POLICY_EDGE: 0,
    }
    assert (refunds.approved, refunds.corrected, refunds.rejected, refunds.looked) == (1, 1, 1, 3)
    assert refunds.waits.decisions == 3
    notes = line_of(page, "note.add")
    assert (notes.row.share_alone, notes.row.drawn, notes.looked) == (1.0, 3, 3)
    assert (notes.row.audited, notes.row.audited_errors) == (3, 1)
    assert notes.row.error_interval == clopper_pearson(1, 3)
    assert (notes.approved, notes.rejected) == (0, 0)
    assert line_of(page, "never.declared").row.held_by_trigger[Trigger.POLICY_EDGE] == 1


def test_every_number_leads_to_as_many_actions(history: Cast) -> None:
    browser = browser_of(history.dan)
    page = browser.get("/trust/").content.decode()
    links = re.findall(r'<a class="num" href="(/trust/items/[^"]*)">([\d,]+)<', page)
    assert len(links) == 15
    for address, number in links:
        answer = browser.get(html.unescape(address))
        assert answer.status_code == 200
        shown = len(answer.context["page"].items)
        assert (shown, answer.context["total"]) == (int(number), int(number)), address
    for query, number in (("", 8), ("state=alone", 3), ("state=looked", 6), ("audited=wrong", 1)):
        assert f"/trust/items/?days=30{'&amp;' if query else ''}{query}" in page
        assert browser.get(f"/trust/items/?days=30&{query}").context["total"] == number


def test_numbers_in_sentences_and_shares_lead_to_their_actions_too(history: Cast) -> None:
    browser = browser_of(history.dan)
    page = browser.get("/trust/").content.decode()
    lead = page[page.index('<p class="measure lead">') : page.index('<dl class="kpis ')]
    links = re.findall(r'<a href="(/trust/items/[^"]*)">(\d+)</a>', lead)
    assert [int(number) for _, number in links] == [8, 6, 3, 2, 3, 1]
    for address, number in links:
        assert browser.get(html.unescape(address)).context["total"] == int(number), address
    figures = page[page.index('<dl class="kpis ') : page.index('id="definitions"')]
    # Every figure has its definition, and those that rest on actions lead to them.
    assert re.findall(r'<dt>(?!<a href="#def-)', figures) == []
    wanted = {"state=answered": 3, "deadline=kept": 3, "deadline=late": 0, "audited=checked": 3}
    for query, number in wanted.items():
        assert f"?days=30&amp;{query}" in page
        assert browser.get(f"/trust/items/?days=30&{query}").context["total"] == number, query
    defined = set(re.findall(r'<dt id="(def-[a-z]+)"', page))
    assert set(re.findall(r'href="#(def-[a-z]+)"', page)) <= defined


def test_a_week_leads_to_its_actions(history: Cast) -> None:
    now = database_now()
    monday = now.date() - timedelta(days=now.date().weekday())
    ActionRequest.objects.update(created_at=now)  # also where the week ended between them
    # As the counts by day are once a worker has followed the record.
    ScoreBin.objects.create(
        action_type=history.note,
        agent_version=AgentVersion.objects.get(),
        day=now.date(),
        bin=950,
        n=3,
        alone=3,
    )
    browser = browser_of(history.dan)
    page = browser.get("/trust/?type=note.add").content.decode()
    table = page[page.index('id="weeks-h"') : page.index('class="multiples"')]
    links = re.findall(r'<a href="(/trust/items/[^"]*)">([^<]*)</a>', table)
    assert [words for _, words in links] == ["3", "100%", "0"]
    for address, _ in links[:2]:
        answer = browser.get(html.unescape(address))
        assert answer.context["total"] == 3
        assert dict(parse_qsl(urlsplit(html.unescape(address)).query))["week"] == monday.isoformat()
        assert f'<input type="hidden" name="week" value="{monday.isoformat()}">' in answer.content.decode()
    earlier = (monday - timedelta(days=7)).isoformat()
    assert browser.get(f"/trust/items/?week={earlier}").context["total"] == 0
    assert browser.get("/trust/items/?week=nonsense").status_code == 400


def test_a_listed_action_leads_to_its_page(history: Cast) -> None:
    answer = browser_of(history.dan).get("/trust/items/?state=corrected")
    (action,) = answer.context["page"].items
    assert f'href="/actions/{action.public_id}/"' in answer.content.decode()


def test_the_sentence_on_top_says_it_plainly(history: Cast) -> None:
    page = " ".join(re.sub(r"<[^>]+>", "", browser_of(history.dan).get("/trust/").content.decode()).split())
    assert (
        "Agents handled 8 actions in the last 30 days. People looked at 6 (75.0%). How many wrong actions"
        " went out cannot be said: too few checks (3). Of what was held they corrected or rejected 2. Of"
        " those that ran alone, 3 were checked at random, and 1 was wrong." in page
    )


def test_too_few_checks_give_their_number_and_no_rate(history: Cast) -> None:
    page = browser_of(history.dan).get("/trust/?type=note.add").content.decode()
    assert "Too few checks:" in page
    assert "33.3%" not in page


def test_enough_checks_give_the_rate_with_its_exact_interval(cast: Cast) -> None:
    draw_everything(cast)
    for number in range(30):
        check_note(cast, DecisionKind.REJECT if number < 3 else DecisionKind.APPROVE)
    deadlines.release_due(now=database_now() + timedelta(minutes=5))
    page = browser_of(cast.dan).get("/trust/").content.decode()
    low, high = clopper_pearson(3, 30)
    assert "10.0%" in page
    assert f"{low:.1%} to {high:.1%}" in page
    assert "Too few checks" not in page


def test_a_check_that_was_too_fast_is_counted_apart(cast: Cast) -> None:
    draw_everything(cast)
    action_types.change(
        action_type=cast.note, reading_floor_ms=60_000, actor=Actor.person(cast.olga), now=database_now()
    )
    for kind in (DecisionKind.APPROVE, DecisionKind.APPROVE, DecisionKind.REJECT):
        check_note(cast, kind)
    deadlines.release_due(now=database_now() + timedelta(minutes=5))
    line = line_of(page_for(cast.dan), "note.add")
    assert (line.row.audited, line.row.audited_errors, line.weak_checks) == (1, 1, 2)
    browser = browser_of(cast.dan)
    assert browser.get("/trust/items/?audited=weak").context["total"] == 2
    page = " ".join(re.sub(r"<[^>]+>", "", browser.get("/trust/").content.decode()).split())
    assert "1 was checked at random, and 1 was wrong; another 2 were called right too fast to count." in page


def test_a_decision_counts_once_it_is_released(cast: Cast) -> None:
    decide_as(cast.alice, held(cast), DecisionKind.APPROVE)
    assert line_of(page_for(cast.dan), "refund.issue").approved == 0
    deadlines.release_due(now=database_now() + timedelta(minutes=5))
    assert line_of(page_for(cast.dan), "refund.issue").approved == 1


def test_the_time_to_decision_is_that_of_held_actions(cast: Cast) -> None:
    for seconds in (10, 20, 60):
        item = held(cast)
        decide_as(cast.alice, item, now=item.created_at + timedelta(seconds=seconds))
    deadlines.release_due(now=database_now() + timedelta(minutes=5))
    waits = line_of(page_for(cast.dan), "refund.issue").waits
    assert (waits.decisions, waits.median, waits.p95) == (
        3,
        timedelta(seconds=20),
        timedelta(seconds=56),
    )
    assert page_for(cast.dan).waits == waits


def test_the_level_says_who_set_it_and_that_it_is_not_certified(history: Cast) -> None:
    page = browser_of(history.dan).get("/trust/?type=refund.issue")
    row = line_of(page.context["trust"], "refund.issue").row
    assert (row.level, row.grant.granted_by_name if row.grant else "") == (AutonomyLevel.THRESHOLD, "Olga")
    assert "by Olga, not certified" in " ".join(page.content.decode().split())


def test_versions_are_apart_and_an_agent_can_be_chosen(history: Cast) -> None:
    olga, now = Actor.person(history.olga), database_now()
    propose(history, agent_version="2")
    other = agents.create_agent(name="other", actor=olga, now=now)
    agents.see_version(agent=other, label="1", now=now)
    page = page_for(history.dan)
    labels = [line.row.agent_version.label for group in page.groups for line in group.lines]
    assert sorted(labels) == ["1", "1", "1", "2"]
    assert page_for(history.dan, f"?agent={history.clerk.public_id}").proposed == 9
    assert page_for(history.dan, f"?agent={other.public_id}").proposed == 0


def test_what_was_proposed_before_the_period_is_not_counted(history: Cast) -> None:
    old = database_now() - timedelta(days=20)
    propose(history, now=old)
    assert page_for(history.dan, "?days=7").proposed == 8
    assert page_for(history.dan, "?days=30").proposed == 9
    items = browser_of(history.dan).get("/trust/items/?days=7")
    assert items.context["total"] == 8


@pytest.mark.parametrize(
    "query", ["days=8", "agent=agt_0", "state=lost", "trigger=audit", "audited=maybe", "version=agv_0"]
)
def test_a_filter_that_cannot_be_read_is_a_bad_request(cast: Cast, query: str) -> None:
    assert browser_of(cast.dan).get(f"/trust/items/?{query}").status_code == 400


def test_an_empty_page_says_what_will_be_here(cast: Cast) -> None:
    assert "Nothing to measure yet" in browser_of(cast.dan).get("/trust/").content.decode()
    assert "Nothing was proposed" in browser_of(cast.dan).get("/trust/?type=x").content.decode()


@pytest.mark.parametrize("group", [*GROUPS, "nobody"])
def test_the_pages_open_for_those_who_may_read_trust(history: Cast, group: str) -> None:
    browser = browser_of(make_person("Reader", group))
    for address in ("/trust/", "/trust/items/"):
        answer = browser.get(address)
        assert answer.status_code == (200 if group in READERS else 403)
        if group not in READERS:
            assert "Can view observation" in answer.content.decode()
        assert browser.post(address).status_code == 405
    assert Client().get("/trust/").status_code == 302


def test_who_may_still_be_asked_does_not_read_why_an_item_is_held(history: Cast) -> None:
    """A routine check that waits is blind: its reason would be told by the list behind a number."""
    waiting = propose(history, action_type="note.add", arguments={"text": "x"}, confidence=0.95)
    assert ReviewItem.objects.get(action=waiting).blind
    lead, manager = browser_of(make_person("Lea", "lead")), browser_of(history.dan)
    address = "/trust/items/?audited=drawn"
    told = manager.get(address)
    assert (len(told.context["page"].items), told.context["total"]) == (4, 4)
    kept = lead.get(address)
    assert waiting not in kept.context["page"].items
    assert (len(kept.context["page"].items), kept.context["total"], kept.context["hidden"]) == (3, 4, 1)
    assert "waits for a blind decision" in kept.content.decode()


def test_words_of_an_agent_stay_text(cast: Cast) -> None:
    hostile = "<i>type</i>\u202e"
    propose(cast, arguments={"order": hostile, "amount": 1}, agent_version="<b>9</b>")
    browser = browser_of(cast.dan)
    for address in ("/trust/", "/trust/items/"):
        page = browser.get(address).content.decode()
        assert "<i>type" not in page
        assert "<b>9" not in page
        assert "&lt;b&gt;9&lt;/b&gt;" in page


def test_a_page_costs_the_same_for_one_type_as_for_eight(history: Cast) -> None:
    browser = browser_of(history.dan)
    browser.get("/trust/")
    with CaptureQueriesContext(connection) as few:
        browser.get("/trust/")
    now = database_now()
    version = agents.see_version(agent=history.clerk, label="1", now=now)
    for number in range(8):
        declared = action_types.declare(
            name=f"type.{number}", title="T", risk=Risk.LOW, actor=Actor.person(history.olga), now=now
        )
        autonomy.grant(
            agent_version=version,
            action_type=declared,
            level=AutonomyLevel.THRESHOLD,
            reason="r",
            granted_by=history.olga,
            now=now,
        )
        decide_as(history.alice, held(history, action_type=declared.name, arguments={}))
    deadlines.release_due(now=now + timedelta(minutes=5))
    with CaptureQueriesContext(connection) as many:
        browser.get("/trust/")
    assert len(many) == len(few)


def test_pages_of_items_follow_each_other(cast: Cast) -> None:
    made = [propose(cast).public_id for _ in range(60)]
    browser = browser_of(cast.dan)
    first = browser.get("/trust/items/?trigger=low_confidence")
    link = re.search(r'href="(\?[^"]*after=[^"]*)"', first.content.decode())
    assert link is not None
    query = html.unescape(link[1])
    assert dict(parse_qsl(urlsplit(query).query))["trigger"] == "low_confidence"
    second = browser.get(f"/trust/items/{query}")
    shown = [*first.context["page"].items, *second.context["page"].items]
    assert [action.public_id for action in shown] == made[::-1]
