"""The ledger on its page: every entry whole, filters in the address, hashes checked as they are shown."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext

from policies.choices import ActorKind
from policies.models import LedgerEntry, LedgerLink
from policies.services import ledger
from policies.services.ledger import Actor
from policies.tests.base import NOON
from policies.tests.people import browser_of, make_member, text_of

pytestmark = pytest.mark.django_db

OLGA = Actor(ActorKind.PERSON, "7", "Olga Ops")
SYSTEM = Actor.system()


@pytest.fixture
def browser(db: None) -> Client:
    return browser_of(make_member("auditor"))


def write(number: int = 1, *, actor: Actor = OLGA, verb: str = "policy.published", day: int = 0) -> None:
    """Write entries and link them, as the sequencer does after a commit."""
    with transaction.atomic():
        for at in range(number):
            ledger.record(
                actor=actor,
                verb=verb,
                object_kind="policy_version",
                object_id=f"pov_{at}",
                action_id="act_1" if at == 0 else "",
                now=NOON + timedelta(days=day),
                payload={"number": at, "reason": "<b>Because</b>\u202e"},
            )
    link()


def link() -> None:
    """Stand in for the sequencer, which leaves alone what a test has not committed."""
    last = LedgerLink.objects.order_by("-seq").first()
    seq, previous = (last.seq, last.hash) if last else (0, ledger.GENESIS_HASH)
    for entry in LedgerEntry.objects.filter(link=None).order_by("id"):
        seq += 1
        digest = ledger.link_hash(seq=seq, previous_hash=previous, entry=entry)
        LedgerLink.objects.create(seq=seq, entry=entry, previous_hash=previous, hash=digest, linked_at=NOON)
        previous = digest


def seqs(browser: Client, query: str = "") -> list[int]:
    return [link.seq for link in browser.get(f"/audit/{query}").context["page"].items]


def test_an_entry_is_shown_whole_and_as_text(browser: Client) -> None:
    write()
    page = browser.get("/audit/").content.decode()
    assert "<b>Because</b>" not in page
    assert "&lt;b&gt;Because&lt;/b&gt;" in page
    assert "U+202E" in page
    linked = LedgerLink.objects.get()
    assert linked.hash in page
    assert linked.entry.payload_digest in page
    assert "/actions/act_1/" in page
    assert "manage.py verify_ledger" in page


def test_filters_are_in_the_address(browser: Client) -> None:
    write(2)
    write(1, actor=SYSTEM, verb="permit.issued", day=1)
    write(1, verb="policy.drafted", day=2)
    assert seqs(browser) == [4, 3, 2, 1]
    assert seqs(browser, "?actor=olga+ops") == [4, 2, 1]
    assert seqs(browser, "?kind=system") == [3]
    assert seqs(browser, "?verb=policy.published") == [2, 1]
    assert seqs(browser, "?verb=policy.") == [4, 2, 1]
    assert seqs(browser, "?object=pov_1") == [2]
    assert seqs(browser, "?action=act_1") == [4, 3, 1]
    assert seqs(browser, "?since=2026-01-02&until=2026-01-02") == [3]
    assert seqs(browser, "?verb=policy.&since=2026-01-02") == [4]
    assert seqs(browser, "?verb=nothing") == []


@pytest.mark.parametrize(
    "query", ["since=yesterday", "kind=ghost", "since=2026-02-30", f"verb={'x' * 61}", "actor=%00"]
)
def test_a_filter_that_cannot_be_read_is_a_bad_request(browser: Client, query: str) -> None:
    assert browser.get(f"/audit/?{query}").status_code == 400


@pytest.mark.parametrize("query", ["since=0001-01-01", "until=9999-12-31", "since=9999-12-31"])
def test_the_ends_of_the_calendar_are_no_trouble(browser: Client, query: str) -> None:
    browser.cookies["handrail-tz"] = "Pacific/Kiritimati"
    assert browser.get(f"/audit/?{query}").status_code == 200
    browser.cookies["handrail-tz"] = "Pacific/Pago_Pago"
    assert browser.get(f"/audit/?{query}").status_code == 200


def test_pages_follow_each_other_without_gap_or_overlap_and_keep_the_filters(browser: Client) -> None:
    write(60)
    write(1, verb="policy.drafted")
    write(60)
    first = browser.get("/audit/?verb=policy.published").context["page"]
    assert [each.seq for each in first.items] == [*range(121, 71, -1)]
    query = f"?verb=policy.published&after={first.next_cursor}"
    second = browser.get(f"/audit/{query}").context["page"]
    assert [each.seq for each in second.items] == [*range(71, 61, -1), *range(60, 20, -1)]
    back = browser.get(f"/audit/?verb=policy.published&before={second.previous_cursor}").context["page"]
    assert [each.seq for each in back.items] == [each.seq for each in first.items]


def test_a_cursor_of_other_filters_leads_to_the_first_page(browser: Client) -> None:
    write(60)
    cursor = browser.get("/audit/").context["page"].next_cursor
    answer = browser.get(f"/audit/?verb=policy.&after={cursor}")
    assert (answer.status_code, answer.headers["Location"]) == (302, "/audit/?verb=policy.")


def test_the_page_says_when_what_it_shows_holds(browser: Client) -> None:
    write(3)
    assert "These entries hold" in text_of(browser.get("/audit/"))
    # Beside each other or not: each is checked against the one before it in the chain.
    assert browser.get("/audit/?object=pov_2").context["problems"] == {}


def test_the_page_names_an_entry_that_was_tampered_with(browser: Client) -> None:
    write(3)
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE policies_ledgerentry DISABLE TRIGGER ledger_entry_never_changes")
        cursor.execute("UPDATE policies_ledgerentry SET actor_name = 'Nobody' WHERE object_id = 'pov_1'")
        cursor.execute("ALTER TABLE policies_ledgerentry ENABLE ALWAYS TRIGGER ledger_entry_never_changes")
    page = browser.get("/audit/")
    assert page.context["problems"] == {2: "The entry is not the one that was linked."}
    assert "The chain does not hold on this page" in text_of(page)
    assert "These entries hold" not in text_of(page)


def test_an_erased_payload_leaves_the_entry_and_the_chain(browser: Client) -> None:
    write(2)
    ledger.erase_payload(
        entry=LedgerEntry.objects.get(object_id="pov_0"), actor=SYSTEM, reason="Asked for", now=NOON
    )
    link()
    page = browser.get("/audit/")
    assert page.context["problems"] == {}
    assert "who did what when stays" in text_of(page)


def test_a_page_costs_as_much_for_fifty_entries_as_for_one(browser: Client) -> None:
    write()
    browser.get("/audit/")
    with CaptureQueriesContext(connection) as few:
        browser.get("/audit/")
    write(49)
    with CaptureQueriesContext(connection) as many:
        browser.get("/audit/")
    assert len(many) == len(few)
