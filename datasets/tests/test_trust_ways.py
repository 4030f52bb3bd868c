"""A walk over the trust page: every number on it leads to its items and to what it means."""

from __future__ import annotations

import csv
import html
import re
from dataclasses import dataclass, field
from datetime import timedelta
from html.parser import HTMLParser

import pytest
from django.contrib.auth.models import User
from django.test import Client

from datasets.choices import CheckFinding
from datasets.models import Conversation, ConversationCheck
from hitl_site.lib import ids
from hitl_site.lib.clock import database_now
from policies.models import ActionType, AgentVersion, DrillResult, ScoreBin
from policies.services import action_types
from policies.services.ledger import Actor
from reviews.choices import DecisionKind
from reviews.services import deadlines
from reviews.tests.cast import Cast, decide_as, held, make_cast, make_person
from reviews.tests.drilling import seed, serve
from reviews.tests.test_trust_pages import browser_of, check_note, draw_everything

pytestmark = pytest.mark.django_db

# What is a number and no measure: the period, times, versions' labels, what an axis says.
_FRAME = re.compile(r"in the last \d+ days|\b95%:|\(RFC \d+\)")
_VOID = {"br", "input", "img", "link", "meta", "hr", "path", "use", "circle", "line", "rect", "polyline"}


@dataclass
class Place:
    """One open element: where it leads, and whether a definition stands at it."""

    tag: str
    href: str = ""
    classes: str = ""
    defines: bool = False
    is_definition: bool = False


@dataclass
class Walk(HTMLParser):
    """Every text with a digit in the body of the page, with its way to its items and to its definition."""

    stack: list[Place] = field(default_factory=list)
    without_items: list[str] = field(default_factory=list)
    without_meaning: list[str] = field(default_factory=list)
    numbers: int = 0

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        if tag in _VOID:
            return
        given = {name: value or "" for name, value in attributes}
        place = Place(
            tag=tag,
            href=given.get("href", ""),
            classes=given.get("class", ""),
            is_definition=given.get("id", "").startswith("def-"),
        )
        if place.href.startswith("#def-"):
            # It stands at everything beside it: up to the nearest cell, term, heading's section or paragraph.
            for outer in reversed(self.stack):
                outer.defines = True
                if outer.tag in {"p", "dl", "div", "section", "table"}:
                    break
        self.stack.append(place)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Draw nothing: a part of a picture."""

    def handle_endtag(self, tag: str) -> None:
        if tag in _VOID:
            return
        while self.stack and self.stack.pop().tag != tag:
            pass

    def handle_data(self, data: str) -> None:
        words = _FRAME.sub("", data)
        inside = [place.tag for place in self.stack]
        if not re.search(r"\d", words) or not self._is_measure(inside):
            return
        self.numbers += 1
        if not any(place.href and not place.href.startswith("#") for place in self.stack):
            self.without_items.append(" ".join(data.split()))
        if not any(place.defines for place in self.stack):
            self.without_meaning.append(" ".join(data.split()))

    def _is_measure(self, inside: list[str]) -> bool:
        if any(place.is_definition for place in self.stack):
            return False
        classes = " ".join(place.classes for place in self.stack)
        named = {"time", "script", "style", "svg", "option", "figcaption", "caption", "title"} & set(inside)
        # The name of a row, an agent's version, says which; it counts nothing.
        return not named and "th" not in inside and "mono" not in classes and "legend" not in classes


def walk(page: str) -> Walk:
    body = page[
        page.index('<p class="measure lead">') : page.rindex("</main>") if "</main>" in page else None
    ]
    start, end = body.index('id="definitions"'), body.index("</details>", body.index('id="definitions"'))
    body = body[: body.rindex("<", 0, start)] + body[end + len("</details>") :]
    found = Walk()
    # Of a table the heads say what the columns mean: each names its definition.
    for head in re.findall(r'<th scope="col[^>]*>(.*?)</th>', _without_twins(body), re.DOTALL):
        told = re.sub(r"<[^>]+>", "", head).strip()
        if 'href="#def-' not in head and told not in _NAMES:
            found.without_meaning.append(f"column {told}")
    found.feed(body)
    return found


def _without_twins(body: str) -> str:
    # A chart's heading says what its numbers are.
    return re.sub(r'<details class="twin">.*?</details>', "", body, flags=re.DOTALL)


_NAMES = {
    "Agent", "Agent, version, level", "Week of", "Risk", "Score", "Edge", "Approved", "Corrected", "Rejected",
}  # fmt: skip


@pytest.fixture
def busy(db: None) -> Cast:
    """A history in which every number of the page has something to say."""
    cast = make_cast()
    draw_everything(cast)
    action_types.change(
        action_type=cast.refund,
        value_pointer="/amount",
        currency="EUR",
        actor=Actor.person(cast.olga),
        now=database_now(),
    )
    fixed = {"order": "SO-48213", "amount": 148, "message": "Sorry!"}
    decide_as(cast.alice, held(cast), DecisionKind.APPROVE)
    decide_as(cast.bob, held(cast), DecisionKind.CORRECT, arguments=fixed)
    decide_as(cast.bob, held(cast), DecisionKind.REJECT)
    for number in range(4):
        check_note(cast, DecisionKind.APPROVE if number else DecisionKind.REJECT)
    deadlines.release_due(now=database_now() + timedelta(seconds=6))
    # As after some weeks: enough checks for rates, and the counts by day that a worker keeps.
    now, version = database_now(), AgentVersion.objects.get()
    for days, action_type, n in (
        (0, cast.note, 60),
        (7, cast.note, 50),
        (7, cast.refund, 5),
        (14, cast.note, 9),
    ):
        ScoreBin.objects.create(
            action_type=action_type,
            agent_version=version,
            day=(now - timedelta(days=days)).date(),
            bin=950,
            n=n,
            alone=n - 3,
            labelled=40 if n > 40 else 2,
            held_labels=0,
            w=40.0 if n > 40 else 2.0,
            w2=40.0 if n > 40 else 2.0,
            wy=3.0 if n > 40 else 0.0,
        )
    for number, caught in enumerate((True, True, False)):
        drill(cast.refund, cast.alice, f"act_{number}", caught=caught)
    for number, finding in enumerate((CheckFinding.MISSING, CheckFinding.COMPLETE, "")):
        talk = Conversation.objects.create(
            public_id=ids.new("cnv"),
            agent=cast.clerk,
            agent_version=version,
            conversation_id=f"talk-{number}",
            environment="",
            messages=[],
            message_count=4,
            action_count=2,
            body_digest="sha256:0",
            propensity=0.5,
            drawn=bool(finding),
            closed_at=now,
        )
        if finding:
            ConversationCheck.objects.create(
                public_id=ids.new("cck"),
                conversation=talk,
                finding=finding,
                reviewer=cast.alice,
                reviewer_name="Alice",
                asked_at=now,
                answered_at=now,
            )
    return cast


def drill(action_type: ActionType, person: User, drill_id: str, *, caught: bool) -> DrillResult:
    return DrillResult.objects.create(
        drill_id=drill_id,
        action_type=action_type,
        reviewer=person,
        error_kind="wrong_value",
        caught=caught,
        decided_at=database_now(),
    )


def test_every_number_leads_to_its_items_and_to_what_it_means(busy: Cast) -> None:
    for enough in (False, True):
        if enough:
            # The same page once there are enough checks to print rates and ranges.
            for number in range(27):
                check_note(busy, DecisionKind.APPROVE if number else DecisionKind.REJECT)
            deadlines.release_due(now=database_now() + timedelta(seconds=6))
        page = browser_of(busy.dan).get("/trust/").content.decode()
        assert ("too few checks" in page) is not enough
        found = walk(page)
        assert (found.without_items, found.without_meaning) == ([], [])
        assert found.numbers > 60
        ways = {html.unescape(way) for way in re.findall(r'href="(/(?:trust|conversations)/[^"]*)"', page)}
        assert len(ways) > 20
        browser = browser_of(busy.dan)
        for way in sorted(ways):
            if "/download/" not in way:
                assert browser.get(way).status_code == 200, way
        assert set(re.findall(r'href="#(def-[a-z]+)"', page)) <= set(re.findall(r'id="(def-[a-z]+)"', page))


def test_the_walk_finds_a_number_without_a_way() -> None:
    page = (
        '<p class="measure lead"><a href="#def-x">Of</a> <a href="/trust/items/">12</a> were 3 to 5</p>'
        '<details id="definitions">9</details><p>and <a href="/trust/items/">7</a></p>'
        '<table><thead><tr><th scope="col">Speed</th></tr></thead></table>'
    )
    found = walk(page)
    assert found.without_items == ["were 3 to 5"]
    assert found.without_meaning == ["column Speed", "7"]


def test_what_a_link_shows_leads_nowhere_and_still_says_what_each_number_means(busy: Cast) -> None:
    from policies.models import TrustLink
    from policies.services import trust_links

    browser = browser_of(busy.olga)
    made = browser.post("/trust/links/", {"for_whom": "The board", "lasts": "7"})
    assert made.status_code == 302
    address = trust_links.address_of(TrustLink.objects.get())
    page = Client().get(f"/shared/trust/{address}/").content.decode()
    assert "/trust/items/" not in page
    assert "/trust/drills/" not in page
    assert walk(page).without_meaning == []


def test_a_table_that_left_the_page_says_where_its_numbers_come_from(busy: Cast) -> None:
    browser = browser_of(busy.dan)
    text = browser.get("/trust/download/?days=7&type=note.add").content.decode()
    (row,) = csv.DictReader(text.splitlines())
    assert row["definitions"] == "http://testserver/trust/#definitions"
    version = AgentVersion.objects.get().public_id
    assert row["items"] == f"http://testserver/trust/items/?days=7&type=note.add&version={version}"
    assert browser.get(row["items"].removeprefix("http://testserver")).context["total"] == int(
        row["proposed"]
    )


# ---------------------------------------------------------------- drills


def test_a_manager_sees_the_drills_behind_the_catch_rate_and_nobodys_name(busy: Cast) -> None:
    browser = browser_of(busy.dan)
    page = browser.get("/trust/drills/?days=30&type=refund.issue").content.decode()
    told = " ".join(re.sub(r"<[^>]+>", " ", page).split())
    assert told.count("A wrong value") == 3
    assert (told.count(" Missed "), told.count(" Caught ")) == (
        2,
        4,
    )  # the filter says both, and the latter twice
    assert "Alice" not in page
    for outcome, number in (("", 3), ("caught", 2), ("missed", 1)):
        assert browser.get(f"/trust/drills/?outcome={outcome}").context["total"] == number
    assert browser.get("/trust/drills/?outcome=nonsense").status_code == 400
    assert browser.get("/trust/drills/?type=note.add").context["total"] == 0
    for name in ("alice",):
        assert browser_of(User.objects.get(username=name)).get("/trust/drills/").status_code == 403


def test_a_drill_that_somebody_may_still_answer_is_in_no_number_and_on_no_list(busy: Cast) -> None:
    """A real drill of a type that takes two: answered by one, it may still come to another."""
    seed(busy)
    item = serve(busy)
    item.approvals_required = 2
    item.save(update_fields=["approvals_required"])
    before = DrillResult.objects.count()
    decide_as(busy.alice, item)
    assert DrillResult.objects.count() == before + 1
    browser, lead = browser_of(busy.dan), browser_of(make_person("Lena", "lead"))
    answer = browser.get("/trust/drills/")
    assert (answer.context["total"], item.action.public_id in answer.content.decode()) == (3, False)
    assert browser.get("/trust/").context["report"].drills.planted == 3

    decide_as(busy.bob, item)
    deadlines.release_due(now=database_now() + timedelta(seconds=6))
    answer = browser.get("/trust/drills/")
    assert (answer.context["total"], item.action.public_id in answer.content.decode()) == (5, True)
    assert browser.get("/trust/").context["report"].drills.planted == 5
    # A lead reviews, and may meet others of its kind: which it was is not shown.
    shown = lead.get("/trust/drills/")
    assert (shown.context["total"], item.action.public_id in shown.content.decode()) == (5, False)


def test_what_was_hardly_checked_stands_high_among_what_is_at_risk(busy: Cast) -> None:
    page = browser_of(busy.dan).get("/trust/")
    assert [(each.name, each.found.alone) for each in page.context["report"].riskiest] == [("note.add", 4)]
    assert page.context["report"].riskiest[0].found.wrong_high == 3
    told = page.content.decode()
    assert "/trust/items/?days=30&amp;type=note.add&amp;state=alone" in told
