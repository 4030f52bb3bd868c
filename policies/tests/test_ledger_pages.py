"""The ledger on its page: every entry whole, filters in the address, hashes checked as they are shown."""

from __future__ import annotations

import csv
import hashlib
import hmac
import io
import json
from datetime import timedelta
from pathlib import Path

import pytest
import rfc8785
from django.conf import LazySettings
from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext

from policies.choices import ActorKind
from policies.models import LedgerEntry, LedgerLink, LedgerVerification
from policies.services import ledger, verifications
from policies.services.ledger import Actor
from policies.tests.base import NOON
from policies.tests.people import browser_of, make_member, text_of

pytestmark = pytest.mark.django_db

OLGA = Actor(ActorKind.PERSON, "7", "Olga Ops")
SYSTEM = Actor.system()


@pytest.fixture(autouse=True)
def _own_folders(settings: LazySettings, tmp_path: Path) -> None:
    settings.CHECKPOINT_FILE = tmp_path / "checkpoints.txt"


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
    return [row.link.seq for row in browser.get(f"/audit/{query}").context["rows"]]


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


def test_a_filter_that_cannot_be_read_is_told_and_nothing_is_lost(browser: Client) -> None:
    page = browser.get("/audit/?actor=Olga&since=yesterday")
    assert page.status_code == 400
    text = text_of(page)
    assert "These filters cannot be read" in text
    assert 'value="Olga"' in text
    assert 'value="yesterday"' in text


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
    first = "?verb=policy.published"
    assert seqs(browser, first) == [*range(121, 71, -1)]
    after = browser.get(f"/audit/{first}").context["page"].next_cursor
    assert seqs(browser, f"{first}&after={after}") == [*range(71, 61, -1), *range(60, 20, -1)]
    before = browser.get(f"/audit/{first}&after={after}").context["page"].previous_cursor
    assert seqs(browser, f"{first}&before={before}") == seqs(browser, first)


def test_a_cursor_of_other_filters_leads_to_the_first_page(browser: Client) -> None:
    write(60)
    cursor = browser.get("/audit/").context["page"].next_cursor
    answer = browser.get(f"/audit/?verb=policy.&after={cursor}")
    assert (answer.status_code, answer.headers["Location"]) == (302, "/audit/?verb=policy.")


def test_the_page_says_when_what_it_shows_holds(browser: Client) -> None:
    write(3)
    assert "These entries hold" in text_of(browser.get("/audit/"))
    # Beside each other or not: each is checked against the one before it in the chain.
    assert browser.get("/audit/?object=pov_2").context["problems"] == []


def test_the_page_names_an_entry_that_was_tampered_with(browser: Client) -> None:
    write(3)
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE policies_ledgerentry DISABLE TRIGGER ledger_entry_never_changes")
        cursor.execute("UPDATE policies_ledgerentry SET actor_name = 'Nobody' WHERE object_id = 'pov_1'")
        cursor.execute("ALTER TABLE policies_ledgerentry ENABLE ALWAYS TRIGGER ledger_entry_never_changes")
    page = browser.get("/audit/")
    found = [(row.link.seq, row.problem) for row in page.context["problems"]]
    assert found == [(2, "The entry is not the one that was linked.")]
    assert "The chain does not hold on this page" in text_of(page)
    assert "These entries hold" not in text_of(page)


def test_an_erased_payload_leaves_the_entry_and_the_chain(browser: Client) -> None:
    write(2)
    ledger.erase_payload(
        entry=LedgerEntry.objects.get(object_id="pov_0"), actor=SYSTEM, reason="Asked for", now=NOON
    )
    link()
    page = browser.get("/audit/")
    assert page.context["problems"] == []
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


def test_what_changed_is_shown_as_fields(browser: Client) -> None:
    with transaction.atomic():
        ledger.record(
            actor=OLGA,
            verb="agent.changed",
            object_kind="agent",
            object_id="agt_1",
            now=NOON,
            payload={
                "name": "clerk",
                "before": {"rate_per_minute": 60, "environments": ["test"], "owner": "Carol"},
                "after": {"rate_per_minute": None, "environments": ["test", "live"], "owner": "Carol"},
            },
        )
    link()
    (row,) = browser.get("/audit/").context["rows"]
    assert [(change.field, change.before, change.after) for change in row.told.changes] == [
        ("environments", "test", "test, live"),
        ("rate per minute", "60", "—"),
    ]
    assert [(fact.field, fact.value) for fact in row.told.facts] == [("name", "clerk")]
    assert "2 fields changed" in text_of(browser.get("/audit/"))


def test_times_are_those_of_the_viewer(browser: Client) -> None:
    write()  # at noon UTC, 13:00 in Berlin
    browser.cookies["handrail-tz"] = "Europe/Berlin"
    assert seqs(browser, "?since=2026-01-01T13:00&until=2026-01-01T13:00") == [1]
    assert seqs(browser, "?since=2026-01-01T13:01") == []
    assert seqs(browser, "?until=2026-01-01T12:59") == []
    assert 'value="2026-01-01T13:00"' in text_of(browser.get("/audit/?since=2026-01-01T13:00"))
    assert 'value="2026-01-01T23:59"' in text_of(browser.get("/audit/?until=2026-01-01"))


def test_text_is_looked_for_as_it_stands(browser: Client) -> None:
    write(2)
    assert seqs(browser, "?text=because") == [2, 1]
    assert seqs(browser, "?text=%25") == []
    assert seqs(browser, "?text=because&object=pov_1") == [2]


def test_an_entry_has_an_address_of_its_own(browser: Client) -> None:
    write(3)
    page = browser.get("/audit/2/")
    assert "This entry holds" in text_of(page)
    assert (page.context["before"].seq, page.context["after"].seq) == (1, 3)
    assert page.context["row"].link.hash in text_of(page)
    for missing in ("0", "4", "9" * 30):
        assert browser.get(f"/audit/{missing}/").status_code == 404


def test_an_object_has_a_story(browser: Client) -> None:
    write(2)
    write(1, verb="policy.drafted", day=1)
    page = browser.get("/audit/story/policy_version/pov_0/")
    assert [row.entry.verb for row in page.context["rows"]] == ["policy.published", "policy.drafted"]
    assert browser.get("/audit/story/policy_version/pov_9/").status_code == 404


def test_an_entry_that_waits_for_its_place_is_shown_as_such(browser: Client) -> None:
    with transaction.atomic():
        ledger.record(actor=OLGA, verb="a.b", object_kind="x", object_id="y", now=NOON)
    (row,) = browser.get("/audit/").context["rows"]
    assert row.link is None
    assert "Soon" in text_of(browser.get("/audit/"))


def download(browser: Client, address: str) -> str:
    answer = browser.get(address)
    assert answer.status_code == 200
    assert "attachment" in answer.headers["Content-Disposition"]
    return b"".join(answer).decode()


def test_a_download_holds_all_that_is_needed_to_verify_it(browser: Client) -> None:
    write(3)
    ledger.erase_payload(
        entry=LedgerEntry.objects.get(object_id="pov_1"), actor=SYSTEM, reason="Asked for", now=NOON
    )
    link()
    lines = [json.loads(line) for line in download(browser, "/audit/download.jsonl").splitlines()]
    assert [line["seq"] for line in lines] == [1, 2, 3, 4]
    previous = "0" * 64
    for line in lines:
        payload, salt = line.pop("payload"), line.pop("salt")
        stated, erased_at = line.pop("hash"), line.pop("erased_at")
        assert line["previous_hash"] == previous
        assert hashlib.sha256(rfc8785.dumps(line)).hexdigest() == stated
        if erased_at is None:
            key = bytes.fromhex(salt)
            digest = hmac.new(key, rfc8785.dumps(payload), hashlib.sha256).hexdigest()
            assert digest == line["payload_digest"]
        else:
            assert (payload, salt, line["object"]["id"]) == (None, None, "pov_1")
        previous = stated


def test_a_download_follows_the_filters_and_is_recorded(browser: Client) -> None:
    write(2)
    lines = download(browser, "/audit/download.jsonl?object=pov_1").splitlines()
    assert [json.loads(line)["seq"] for line in lines] == [2]
    entry = LedgerEntry.objects.select_related("payload").get(verb="ledger.downloaded")
    assert entry.payload.body == {"format": "jsonl", "filters": {"object_id": "pov_1"}}
    assert entry.actor_name == "auditor-member"


@pytest.mark.parametrize("name", ["=LINK(1)", " =LINK(1)", "\uff1dLINK(1)", "|cmd", "%x", "'x"])
def test_no_cell_of_a_spreadsheet_is_a_formula(browser: Client, name: str) -> None:
    write(1, actor=Actor(ActorKind.PERSON, "8", name))
    (row,) = csv.DictReader(io.StringIO(download(browser, "/audit/download.csv")))
    assert (row["seq"], row["actor_name"], row["verb"]) == ("1", f"'{name}", "policy.published")
    assert row["hash"] == LedgerLink.objects.get(seq=1).hash


def test_a_download_of_nothing_known_is_refused(browser: Client) -> None:
    assert browser.get("/audit/download.xlsx").status_code == 404
    assert browser.get("/audit/download.csv?since=yesterday").status_code == 302


@pytest.mark.parametrize(
    "address", ["/audit/", "/audit/1/", "/audit/verify/", "/audit/download.csv", "/audit/story/a/b/"]
)
def test_only_those_with_the_right_see_the_ledger(db: None, address: str) -> None:
    write()
    assert browser_of(make_member("reviewer")).get(address).status_code == 403
    assert Client().get(address).status_code == 302


def test_a_verification_is_asked_for_once_and_watched(browser: Client) -> None:
    write(3)
    assert browser.get("/audit/verify/").status_code == 200
    for _ in range(2):
        answer = browser.post("/audit/verify/")
        assert (answer.status_code, answer.headers["Location"]) == (302, "/audit/verify/")
    verification = LedgerVerification.objects.get()
    address = f"/audit/verify/{verification.public_id}/"
    assert f'hx-get="{address}"' in text_of(browser.get("/audit/verify/"))
    waiting = browser.get(address, headers={"HX-Request": "true"})
    assert 'hx-trigger="every 1s"' in text_of(waiting)
    verifications.run(verification_id=verification.public_id, clock=lambda: NOON)
    done = text_of(browser.get(address, headers={"HX-Request": "true"}))
    assert "hx-get" not in done
    assert "Holds" in done
    assert browser.get(address).status_code == 302
    assert browser.get("/audit/verify/ver_none/").status_code == 404


def test_a_broken_chain_is_named_on_the_page(browser: Client) -> None:
    write(3)
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE policies_ledgerentry DISABLE TRIGGER ledger_entry_never_changes")
        cursor.execute("UPDATE policies_ledgerentry SET actor_name = 'Nobody' WHERE object_id = 'pov_1'")
        cursor.execute("ALTER TABLE policies_ledgerentry ENABLE ALWAYS TRIGGER ledger_entry_never_changes")
    browser.post("/audit/verify/")
    verifications.run(verification_id=LedgerVerification.objects.get().public_id, clock=lambda: NOON)
    text = text_of(browser.get("/audit/verify/"))
    assert "The ledger does not hold at entry 2" in text
    assert "The entry is not the one that was linked." in text
