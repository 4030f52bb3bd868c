"""What the trust page adds to its counts: estimates, deadlines, reasons, money, weeks, a table and a link."""

from __future__ import annotations

import csv
import html
import re
from dataclasses import replace
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.test import Client

from hitl_site.groups import GROUPS
from hitl_site.lib import csv_cells
from hitl_site.lib.clock import database_now
from policies.choices import AutonomyLevel
from policies.models import ActionType, DrillResult, LedgerEntry, TrustLink
from policies.selectors.released import released
from policies.selectors.trust import TrustFilter
from policies.services import autonomy, trust_links
from policies.services.rights import NotAllowed
from policies.services.trust_links import NoSuchLink, UnableToShare
from policies.statistics.intervals import hajek_rate
from reviews.choices import DecisionKind
from reviews.selectors import trust_report
from reviews.selectors.trust_report import TrustReport
from reviews.services import deadlines
from reviews.tests.cast import Cast, decide_as, held, make_person, propose
from reviews.tests.test_trust_pages import browser_of, check_note, draw_everything
from reviews.views.trust_links import VISITS

pytestmark = pytest.mark.django_db


def report() -> TrustReport:
    return trust_report.report(TrustFilter(), now=database_now())


def release() -> None:
    deadlines.release_due(now=database_now() + timedelta(minutes=5))


def link_for(person: User, *, days: int = 7, **filters: str) -> TrustLink:
    return trust_links.make(
        person=person,
        for_whom="The board",
        filters={"days": "30", **filters},
        lasts=timedelta(days=days),
        now=database_now(),
    )


def address(link: TrustLink) -> str:
    return f"/shared/trust/{trust_links.address_of(link)}/"


def test_wrong_actions_that_went_out_are_estimated_from_the_checks_with_a_range(cast: Cast) -> None:
    draw_everything(cast)
    for number in range(30):
        check_note(cast, DecisionKind.REJECT if number < 3 else DecisionKind.APPROVE)
    release()
    found = report().page.released
    rate = hajek_rate([1.0] * 30, [1.0] * 3 + [0.0] * 27, delta=0.025)
    assert (found.alone, found.checks, found.found, found.wrong) == (30, 30, 3, 3)
    assert (found.low, found.high) == (rate.low, rate.high)
    assert (found.wrong_low, found.wrong_high) == (3, round(30 * rate.high))
    page = re.sub(r"<[^>]+>", "", browser_of(cast.dan).get("/trust/").content.decode())
    assert f"About 3 wrong actions went out (3 to {round(30 * rate.high)})." in " ".join(page.split())


def test_each_check_stands_for_one_over_its_propensity(cast: Cast) -> None:
    draw_everything(cast)
    check_note(cast, DecisionKind.APPROVE)
    release()
    (row,) = [line.row for group in report().page.groups for line in group.lines]
    mixed = replace(row, alone=1000, checks=((0.1, True, 2), (0.1, False, 78), (1.0, False, 200)))
    found = released([mixed])
    assert found.rate == pytest.approx(20 / 1000)
    assert found.wrong == 20


def test_deadlines_reasons_and_fields_are_counted_and_lead_to_their_items(cast: Cast) -> None:
    fixed = {"order": "SO-48213", "amount": 148, "message": "Sorry!"}
    decide_as(cast.alice, held(cast), DecisionKind.CORRECT, arguments=fixed)
    decide_as(cast.bob, held(cast), DecisionKind.REJECT)
    late = held(cast)
    decide_as(cast.bob, late, DecisionKind.APPROVE, now=database_now())
    type(late).objects.filter(pk=late.pk).update(due_at=late.created_at - timedelta(hours=1))
    release()
    found = report()
    assert found.page.late == 1
    assert found.page.deadline_kept == pytest.approx(2 / 3)
    facts = found.facts["refund.issue"]
    assert [(each.code, each.count) for each in facts.reasons] == [("wrong_arguments", 2)]
    assert [(each.name, each.count) for each in facts.fields] == [("/amount", 1)]
    browser = browser_of(cast.dan)
    for query, number in (
        ("deadline=late", 1),
        ("deadline=kept", 2),
        ("reason=wrong_arguments", 2),
        ("field=/amount", 1),
        ("incidents=on", 0),
    ):
        assert browser.get(f"/trust/items/?{query}").context["total"] == number, query


def test_money_is_counted_only_where_the_type_says_where_it_stands(cast: Cast) -> None:
    decide_as(cast.bob, held(cast), DecisionKind.REJECT)
    release()
    assert report().facts["refund.issue"].stake is None
    ActionType.objects.filter(pk=cast.refund.pk).update(value_pointer="/amount", currency="EUR")
    propose(cast, arguments={"order": "SO-1", "amount": 16}, confidence=0.95)
    stake = report().facts["refund.issue"].stake
    assert stake is not None
    assert (stake.currency, stake.proposed, stake.alone, stake.stopped, stake.counted) == (
        "EUR", 200.0, 16.0, 184.0, 2,
    )  # fmt: skip


def test_drills_promotions_and_demotions_stand_beside(cast: Cast) -> None:
    now = database_now()
    propose(cast)
    for number in range(4):
        DrillResult.objects.create(
            drill_id=f"act_{number}",
            action_type=cast.refund,
            reviewer=cast.alice,
            error_kind="wrong_value",
            caught=number < 3,
            decided_at=now - timedelta(hours=1),
        )
    version = cast.clerk.versions.get(label="1")
    autonomy.grant(
        agent_version=version,
        action_type=cast.refund,
        level=AutonomyLevel.REVIEW_ALL,
        reason="Too many errors",
        granted_by=cast.olga,
        now=now,
    )
    found = trust_report.report(TrustFilter(), now=now)
    drills = found.facts["refund.issue"].drills
    assert drills is not None
    assert (drills.planted, drills.caught) == (4, 3)
    refunds = [step for step in found.steps if step.action_type == "refund.issue"]
    assert [(step.up, step.before, step.after) for step in refunds] == [
        (False, "Threshold", "Review all"),
        (True, "Review all", "Threshold"),
    ]


def test_the_table_runs_nothing_in_a_spreadsheet(cast: Cast) -> None:
    propose(cast, agent_version="=HYPERLINK(1)")
    answer = browser_of(cast.dan).get("/trust/download/?days=30")
    assert answer["Content-Type"].startswith("text/csv")
    (row,) = csv.DictReader(answer.content.decode().splitlines())
    assert (row["version"], row["proposed"], row["released_wrong"]) == ("'=HYPERLINK(1)", "1", "")
    for text in ("=1", " +1", "\u00a0@x", "\t=1", "-2", "|x", "＝1", "'x"):
        assert csv_cells.neutralised(text) == f"'{text}"
    assert csv_cells.neutralised("refund.issue") == "refund.issue"
    assert csv_cells.table(["n"], [[-2]]) == "n\r\n-2\r\n"


@pytest.mark.parametrize("group", GROUPS)
def test_only_those_who_may_share_make_links(cast: Cast, group: str) -> None:
    browser = browser_of(make_person("Reader", group))
    may = group in {"manager", "ops_admin"}
    answer = browser.post("/trust/links/?days=7", {"for_whom": "The board", "lasts": "7"})
    assert answer.status_code == (302 if may else 403)
    assert TrustLink.objects.count() == (1 if may else 0)


def test_a_link_shows_the_page_without_an_account_and_leads_nowhere(cast: Cast) -> None:
    VISITS.forget()
    held(cast)
    answer = Client().get(address(link_for(cast.dan)))
    page = answer.content.decode()
    assert answer.status_code == 200
    assert 'handled</a> <b class="b num">1</b> action' in page
    assert [link for link in re.findall(r'<a [^>]*href="([^"]*)"', page) if not link.startswith("#")] == []
    assert "<form" not in page
    assert "<script" not in page
    assert "noindex" in answer["X-Robots-Tag"]
    assert (answer["Referrer-Policy"], answer["Cache-Control"]) == ("no-referrer", "private, no-store")
    # Its filters are those that it was made with: the address takes none.
    only = link_for(cast.dan, type="note.add")
    assert "Nothing to measure yet" in Client().get(f"{address(only)}?type=refund.issue").content.decode()


def test_a_link_ends_is_revoked_and_cannot_be_made_up(cast: Cast) -> None:
    VISITS.forget()
    now = database_now()
    link = link_for(cast.dan)
    good = trust_links.address_of(link)
    assert trust_links.opened(address=good, now=now).pk == link.pk
    for wrong in (link.public_id, good[:-1], f"{good}x", good.replace("tlk_", "tlk_0"), "", "a.b", "\x00"):
        with pytest.raises(NoSuchLink):
            trust_links.opened(address=wrong, now=now)
    with pytest.raises(NoSuchLink):
        trust_links.opened(address=good, now=link.expires_at)
    assert browser_of(cast.olga).post(f"/trust/links/{link.public_id}/revoke/").status_code == 302
    answer = Client().get(address(link))
    assert (answer.status_code, "shows nothing" in answer.content.decode()) == (404, True)
    first = TrustLink.objects.get().revoked_at
    trust_links.revoke(link_id=link.public_id, person=cast.dan, now=database_now())
    assert TrustLink.objects.get().revoked_at == first
    verbs = LedgerEntry.objects.filter(object_id=link.public_id).order_by("id").values_list("verb", flat=True)
    assert list(verbs) == ["trust_link.made", "trust_link.revoked"]


def test_a_link_shows_nothing_while_who_made_it_may_not_share(cast: Cast) -> None:
    link = link_for(cast.dan)
    assert Client().get(address(link)).status_code == 200
    groups = list(cast.dan.groups.all())
    cast.dan.groups.clear()
    assert Client().get(address(link)).status_code == 404
    cast.dan.groups.set(groups)
    User.objects.filter(pk=cast.dan.pk).update(is_active=False)
    assert Client().get(address(link)).status_code == 404
    User.objects.filter(pk=cast.dan.pk).update(is_active=True)
    assert Client().get(address(link)).status_code == 200


def test_a_link_that_cannot_be_is_not_made(cast: Cast) -> None:
    now = database_now()
    for name, days in ((" ", 7), ("x" * 201, 7), ("Board", 91), ("Board", 0)):
        with pytest.raises(UnableToShare):
            trust_links.make(person=cast.dan, for_whom=name, filters={}, lasts=timedelta(days=days), now=now)
    with pytest.raises(NotAllowed):
        link_for(cast.alice)
    assert not TrustLink.objects.exists()


def test_a_link_that_is_opened_all_the_time_has_to_wait(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    VISITS.forget()
    monkeypatch.setattr("hitl_site.lib.visits.time.monotonic", lambda: 600.0)
    link = link_for(cast.dan)
    for _ in range(VISITS.per_minute):
        assert VISITS.allows(link.public_id)
    answer = Client().get(address(link))
    assert (answer.status_code, answer["Retry-After"]) == (429, "60")
    monkeypatch.setattr("hitl_site.lib.visits.time.monotonic", lambda: 660.0)
    assert Client().get(address(link)).status_code == 200
    VISITS.forget()


def test_the_page_offers_what_a_person_may(cast: Cast) -> None:
    held(cast)
    manager = browser_of(cast.dan).get("/trust/").content.decode()
    lead = browser_of(make_person("Lea", "lead")).get("/trust/").content.decode()
    assert "/trust/links/?days=30" in html.unescape(manager)
    assert "/trust/links/" not in lead
    assert "/trust/download/?days=30" in lead
