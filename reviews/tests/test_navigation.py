"""The side bar: what each person finds there, what it counts, and that strangers and errors cost no query."""

from __future__ import annotations

import re

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from hitl_site.lib import ids
from hitl_site.lib.clock import database_now
from hitl_site.lib.navigation import NavEntry
from policies.choices import AgentState, KillSwitchScope
from policies.models import Agent
from policies.services import agents, kill_switch
from policies.services.ledger import Actor
from reviews.models import Queue, ReviewItem
from reviews.selectors.navigation import Here, fleet, home, sections
from reviews.tests.browsing import browser_of, text_of
from reviews.tests.cast import Cast, held, make_person


def entries(person: User, *, path: str = "/inbox/", **query: str) -> dict[str, NavEntry]:
    found = sections(person, here=Here(path, query), now=database_now())
    return {entry.label: entry for section in found for entry in section.entries}


def test_each_group_finds_its_own_places_and_no_link_that_it_may_not_follow(cast: Cast) -> None:
    queues = ["My turn", "Due within the hour", "Escalated to me", "Incidents", "Notices", "My decisions"]
    looking = ["Everything open", "Due within the hour", "Incidents", "Notices"]
    known = ["Autonomy", "Trust", "Capacity"]
    assert {
        "reviewer": list(entries(cast.alice)),
        "manager": list(entries(cast.dan)),
        "ops_admin": list(entries(cast.olga)),
        "lead": list(entries(make_person("Lea", "lead"))),
        "auditor": list(entries(make_person("Ada", "auditor"))),
        "ml_engineer": list(entries(make_person("Mel", "ml_engineer"))),
        "none": list(entries(make_person("Otto"))),
    } == {
        "reviewer": [*queues, "Reviewing well", "Conversations"],
        "manager": [*looking, "Policies", *known, "Agents", "Team", "Failures", "Conversations"],
        "ops_admin": [
            *looking, "Policies", *known, "Agents", "Audit log", "Team", "Drills", "Failures",
            "Conversations", "Privacy",
        ],
        "lead": [
            *queues[:3], "Everything open", *queues[3:], *known, "Reviewing well", "Team", "Datasets",
            "Failures", "Conversations",
        ],
        "auditor": [*looking, *known, "Audit log", "Failures", "Conversations", "Privacy"],
        "ml_engineer": ["Datasets", "Failures"],
        "none": [],
    }  # fmt: skip
    for person in (cast.alice, cast.dan, cast.olga):
        browser = browser_of(person)
        for label, entry in entries(person).items():
            assert browser.get(entry.url, follow=True).status_code == 200, label


def test_the_counts_are_of_what_the_person_may_decide(cast: Cast) -> None:
    money = Queue.objects.create(
        public_id=ids.new("que"), slug="money", name="Money", created_at=database_now()
    )
    first, second, third = held(cast), held(cast), held(cast)
    ReviewItem.objects.filter(pk=first.pk).update(queue=money, due_at=database_now())
    ReviewItem.objects.filter(pk=second.pk).update(escalated_to=cast.alice)
    ReviewItem.objects.filter(pk=third.pk).update(escalated_to=cast.bob)

    def counts(person: User) -> dict[str, int | None]:
        return {label: entry.count for label, entry in entries(person).items() if entry.count is not None}

    assert counts(cast.alice) == {
        "My turn": 2,
        "Due within the hour": 1,
        "General": 1,
        "Money": 1,
        "Escalated to me": 1,
    }
    assert counts(cast.dan) == {"Everything open": 3, "Due within the hour": 1, "General": 2, "Money": 1}
    assert counts(cast.carol)["My turn"] == 0


@pytest.mark.parametrize(
    ("path", "query", "label"),
    [
        ("/inbox/", {}, "My turn"),
        ("/inbox/", {"q": "x", "why": "audit"}, "My turn"),
        ("/review/itm_1/", {}, "My turn"),
        ("/inbox/", {"due": "hour"}, "Due within the hour"),
        ("/inbox/", {"queue": "general", "due": "hour"}, "General"),
        ("/inbox/", {"view": "escalated"}, "Escalated to me"),
        ("/history/", {}, "My decisions"),
        ("/incidents/", {}, "Incidents"),
        ("/incidents/inc_1/", {}, "Incidents"),
        ("/settings/appearance/", {}, None),
    ],
)
def test_one_place_at_most_is_where_the_person_is(
    cast: Cast, path: str, query: dict[str, str], label: str | None
) -> None:
    held(cast)
    current = [entry.label for entry in entries(cast.alice, path=path, **query).values() if entry.current]
    assert current == ([label] if label else [])


def test_the_rail_shows_the_turn_and_leaves_the_queues_out(cast: Cast) -> None:
    held(cast)
    assert [label for label, entry in entries(cast.alice).items() if entry.rail] == ["My turn"]


def test_the_start_is_where_a_person_works(cast: Cast) -> None:
    assert home(cast.alice) == "/inbox/"
    assert home(cast.dan) == "/inbox/"
    assert home(make_person("Mel", "ml_engineer")) == "/datasets/"


def test_the_fleet_counts_agents_that_may_act(cast: Cast) -> None:
    now, olga = database_now(), Actor.person(cast.olga)
    others = [agents.create_agent(name=name, actor=olga, now=now) for name in ("b", "c", "d")]
    Agent.objects.filter(pk=others[0].pk).update(state=AgentState.PAUSED)
    Agent.objects.filter(pk=others[1].pk).update(state=AgentState.RETIRED)

    def running() -> tuple[int, int] | None:
        state = fleet(cast.olga)
        return (state.running, state.total) if state else None

    assert running() == (2, 3)
    kill_switch.engage(
        scope=KillSwitchScope.AGENT, agent=others[2], reason="odd", engaged_by=cast.olga, now=now
    )
    assert running() == (1, 3)
    kill_switch.engage(scope=KillSwitchScope.EVERYTHING, reason="fire", engaged_by=cast.olga, now=now)
    assert running() == (0, 3)
    assert fleet(cast.alice) is None  # she may not open the page that the box leads to


def test_the_foot_of_the_side_bar_leads_those_who_may_stop_to_the_kill_switch(cast: Cast) -> None:
    def box(person: User) -> str:
        page = browser_of(person).get("/agents/").content.decode()
        return page.split('class="stopbox"')[1].split("</div>")[0]

    theirs, read = fleet(cast.olga), fleet(cast.dan)
    assert theirs is not None
    assert read is not None
    assert (theirs.stop_url, read.stop_url) == ("/stop/", "")
    assert 'href="/agents/"' in box(cast.olga)
    assert 'href="/stop/"' in box(cast.olga)
    assert "Stop agents…" in box(cast.olga)
    assert "See agents" in box(cast.dan)
    assert 'href="/stop/"' not in box(cast.dan)


def test_a_stop_is_on_every_page_until_it_is_lifted(cast: Cast) -> None:
    browser = browser_of(cast.alice)
    kill_switch.engage(
        scope=KillSwitchScope.EVERYTHING, reason="<b>fire</b>", engaged_by=cast.olga, now=database_now()
    )
    page = text_of(browser.get("/inbox/"))
    assert "Everything is stopped, by Olga: &lt;b&gt;fire&lt;/b&gt;" in page


def test_the_foot_says_who_is_signed_in_and_signs_out_by_a_form(cast: Cast) -> None:
    browser = browser_of(cast.alice)
    page = text_of(browser.get("/inbox/"))
    assert re.search(r'class="account">.*Alice</span>', page, re.DOTALL)
    assert '<form method="post" action="/logout/">' in page
    assert browser.post("/logout/")["Location"] == "/login/"
    assert browser.get("/inbox/")["Location"] == "/login/?next=/inbox/"


def test_pages_name_the_stream_to_those_who_may_follow_it(cast: Cast) -> None:
    assert 'data-live-url="http://testserver:8001/live/inbox"' in text_of(
        browser_of(cast.alice).get("/inbox/")
    )
    outsider = browser_of(make_person("Otto"))
    assert "data-live-url" not in text_of(outsider.get("/settings/appearance/"))


@pytest.mark.parametrize("url", ["/login/", "/nowhere/"])
def test_a_stranger_and_an_error_cost_no_query(client: Client, db: None, url: str) -> None:
    with CaptureQueriesContext(connection) as queries:
        client.get(url)
    assert list(queries) == []


def test_an_error_asks_nothing_of_the_side_bar(cast: Cast) -> None:
    browser = browser_of(cast.alice)
    with CaptureQueriesContext(connection) as queries:
        assert browser.get("/nowhere/").status_code == 404
    # But for the stops, whose banner is on every page, and the person with what they have set.
    assert [
        query["sql"]
        for query in queries
        if ("reviews_" in query["sql"] or "policies_" in query["sql"])
        and "killswitch" not in query["sql"]
        and "auth_user" not in query["sql"]
    ] == []
