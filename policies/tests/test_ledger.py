"""The ledger: written with the change, chained afterwards, and never altered unseen."""

from __future__ import annotations

import hashlib
import hmac
import json

import pytest
import rfc8785
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection, transaction

from hitl_site.lib.strict_json import JsonValue
from policies.choices import ActorKind
from policies.models import LedgerCursor, LedgerEntry, LedgerLink, LedgerPayload
from policies.selectors import ledger as pages
from policies.services import ledger
from policies.tests.base import NOON, SYSTEM, make_agent, make_user

pytestmark = pytest.mark.django_db(transaction=True)


class ChangeFailed(Exception):
    """Something went wrong after the fact was written."""


def write(number: int = 1, *, verb: str = "test.noted", action_id: str = "") -> list[LedgerEntry]:
    """Write facts, each in a transaction of its own."""
    entries = []
    for each in range(number):
        with transaction.atomic():
            entries.append(
                ledger.record(
                    actor=SYSTEM,
                    verb=verb,
                    object_kind="thing",
                    object_id=f"thing-{each}",
                    action_id=action_id,
                    payload={"number": each, "who": "Zoë"},
                    now=NOON,
                )
            )
    return entries


def tamper(sql: str) -> None:
    """Do what only the owner of the tables can: change rows past their guards."""
    tables = ("policies_ledgerentry", "policies_ledgerlink", "policies_ledgerpayload")
    with transaction.atomic(), connection.cursor() as cursor:
        for table in tables:
            cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        cursor.execute(sql)
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute(
            "SELECT format('ALTER TABLE %s ENABLE ALWAYS TRIGGER %I', tgrelid::regclass, tgname)"
            " FROM pg_trigger WHERE NOT tgisinternal AND tgenabled = 'D'"
        )
        for (statement,) in cursor.fetchall():
            cursor.execute(statement)


def test_a_fact_outside_a_transaction_is_refused() -> None:
    with pytest.raises(ledger.NotInTransaction):
        ledger.record(actor=SYSTEM, verb="a.b", object_kind="x", object_id="y", now=NOON)
    assert not LedgerEntry.objects.exists()


def test_a_fact_goes_when_its_change_is_rolled_back() -> None:
    with pytest.raises(ChangeFailed), transaction.atomic():  # noqa: PT012 - the act, then its failure
        ledger.record(actor=SYSTEM, verb="a.b", object_kind="x", object_id="y", now=NOON)
        raise ChangeFailed
    assert not LedgerEntry.objects.exists()
    assert not LedgerPayload.objects.exists()


def test_actors_are_kept_as_text() -> None:
    alice = make_user("alice")
    agent, _ = make_agent("clerk")
    assert ledger.Actor.person(alice) == ledger.Actor(ActorKind.PERSON, str(alice.pk), "alice")
    assert ledger.Actor.agent(agent) == ledger.Actor(ActorKind.AGENT, agent.public_id, "clerk")
    assert ledger.Actor.system() == ledger.Actor(ActorKind.SYSTEM, "", "handrail")


def test_the_digests_are_those_of_the_description() -> None:
    write(2)
    assert ledger.link_entries(now=NOON) == 2
    first, second = LedgerLink.objects.select_related("entry__payload").order_by("seq")
    payload = first.entry.payload
    assert payload.salt is not None
    expected = hmac.new(bytes(payload.salt), '{"number":0,"who":"Zoë"}'.encode(), hashlib.sha256).hexdigest()
    assert first.entry.payload_digest == expected
    link: dict[str, JsonValue] = {
        "seq": 2,
        "previous_hash": first.hash,
        "entry": second.entry.pk,
        "payload_digest": second.entry.payload_digest,
        "actor": {"kind": "system", "id": "", "name": "handrail"},
        "verb": "test.noted",
        "object": {"kind": "thing", "id": "thing-1"},
        "action_id": "",
        "request_id": "",
        "occurred_at": "2026-01-01T12:00:00.000000Z",
    }
    assert second.hash == hashlib.sha256(rfc8785.dumps(link)).hexdigest()
    assert (first.seq, first.previous_hash) == (1, "0" * 64)
    assert second.previous_hash == first.hash


def test_linking_goes_on_where_it_stopped_and_then_has_nothing_to_do() -> None:
    entries = write(5)
    assert [ledger.link_entries(now=NOON, limit=2) for _ in range(4)] == [2, 2, 1, 0]
    links = LedgerLink.objects.order_by("seq")
    assert [link.entry_id for link in links] == [entry.pk for entry in entries]
    assert [link.seq for link in links] == [1, 2, 3, 4, 5]
    assert ledger.verify() == ledger.Verification(None, "", 5, links[4].hash)


def test_an_entry_of_an_open_transaction_waits() -> None:
    with transaction.atomic():
        write(1)
        assert ledger.link_entries(now=NOON) == 0
    assert ledger.link_entries(now=NOON) == 1


def test_a_ledger_restored_into_a_younger_cluster_goes_on() -> None:
    old = write(4)
    # As a dump brings them: numbers of transactions that this cluster has not come to.
    tamper("UPDATE policies_ledgerentry SET transaction_id = (900000000000 + id)::text::xid8")
    with transaction.atomic():
        # The old cluster had linked two of the four.
        for seq, entry in enumerate(LedgerEntry.objects.order_by("id")[:2], start=1):
            previous = LedgerLink.objects.get(seq=seq - 1).hash if seq > 1 else ledger.GENESIS_HASH
            digest = ledger.link_hash(seq=seq, previous_hash=previous, entry=entry)
            LedgerLink.objects.create(
                seq=seq, entry=entry, previous_hash=previous, hash=digest, linked_at=NOON
            )
    new = write(3)
    assert [ledger.link_entries(now=NOON) for _ in range(3)] == [2, 3, 0]
    newer = write(1)
    assert [ledger.link_entries(now=NOON) for _ in range(2)] == [1, 0]
    linked = [link.entry_id for link in LedgerLink.objects.order_by("seq")]
    assert linked == [entry.pk for entry in (*old, *new, *newer)]
    assert ledger.verify().verified == 8


@pytest.mark.parametrize(
    ("sql", "seq", "problem"),
    [
        (
            "UPDATE policies_ledgerentry SET actor_name = 'mallory' WHERE object_id = 'thing-2'",
            3,
            "The entry",
        ),
        ("UPDATE policies_ledgerentry SET verb = 'test.nothing' WHERE object_id = 'thing-0'", 1, "The entry"),
        (
            "UPDATE policies_ledgerpayload p SET body = '{\"number\": 7}' FROM policies_ledgerentry e"
            " WHERE e.id = p.entry_id AND e.object_id = 'thing-4'",
            5,
            "The payload is not the one",
        ),
        (
            "UPDATE policies_ledgerpayload p SET salt = NULL, body = NULL FROM policies_ledgerentry e"
            " WHERE e.id = p.entry_id AND e.object_id = 'thing-4'",
            5,
            "The payload is incomplete",
        ),
        (
            "DELETE FROM policies_ledgerpayload p USING policies_ledgerentry e"
            " WHERE e.id = p.entry_id AND e.object_id = 'thing-4'",
            5,
            "The payload is gone",
        ),
        ("DELETE FROM policies_ledgerlink WHERE seq = 3", 3, "Link 3 is missing"),
        ("DELETE FROM policies_ledgerlink WHERE seq = 1", 1, "Link 1 is missing"),
        ("UPDATE policies_ledgerlink SET hash = repeat('0', 64) WHERE seq = 2", 2, "The entry"),
        (
            "UPDATE policies_ledgerlink SET previous_hash = repeat('0', 64) WHERE seq = 4",
            4,
            "The link does not follow",
        ),
        ("UPDATE policies_ledgerlink SET seq = 9 WHERE seq = 6", 6, "Link 6 is missing"),
    ],
)
def test_what_was_tampered_with_is_named(sql: str, seq: int, problem: str) -> None:
    write(6)
    ledger.link_entries(now=NOON)
    call_command("verify_ledger")
    tamper(sql)
    found = ledger.verify()
    assert (found.first_bad_seq, found.verified) == (seq, seq - 1)
    assert found.problem.startswith(problem)
    with pytest.raises(CommandError, match=f"at seq {seq}: ") as refused:
        call_command("verify_ledger")
    assert refused.value.returncode == 1


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE policies_ledgerentry SET verb = 'x'",
        "DELETE FROM policies_ledgerentry",
        "TRUNCATE policies_ledgerlink",
        "UPDATE policies_ledgerlink SET seq = seq + 1",
        "DELETE FROM policies_ledgerpayload",
        "UPDATE policies_ledgerpayload SET body = '{}'",
    ],
)
def test_the_database_refuses_to_change_the_ledger(sql: str) -> None:
    write(2)
    ledger.link_entries(now=NOON)
    with pytest.raises(IntegrityError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(sql)
    assert ledger.verify().verified == 2


def test_an_erased_payload_is_gone_and_the_chain_still_holds() -> None:
    entry = write(3)[1]
    ledger.link_entries(now=NOON)
    ledger.erase_payload(entry=entry, actor=SYSTEM, reason="a person asked", now=NOON)
    ledger.erase_payload(entry=entry, actor=SYSTEM, reason="a person asked", now=NOON)
    payload = LedgerPayload.objects.get(entry=entry)
    assert (payload.body, payload.salt, payload.erased_at) == (None, None, NOON)
    ledger.link_entries(now=NOON)
    assert ledger.verify().verified == 4
    assert LedgerEntry.objects.filter(verb="ledger.payload_erased").count() == 1


@pytest.mark.parametrize(
    "value", [1e300, 1e21, 5e-324, -0.0, 1.0, 0.1, 2**53 - 1, 1e-7, "\ufdd0 é \U0001f600", [], {}, None, True]
)
def test_a_payload_verifies_after_its_way_through_the_database(value: JsonValue) -> None:
    with transaction.atomic():
        ledger.record(
            actor=SYSTEM, verb="a.b", object_kind="x", object_id="y", now=NOON, payload={"value": value}
        )
    ledger.link_entries(now=NOON)
    assert ledger.verify().is_intact, json.dumps(value)


def test_a_reader_goes_on_behind_its_cursor_and_never_back() -> None:
    write(3)
    ledger.link_entries(now=NOON)
    with transaction.atomic():
        first = ledger.read(reader="labels", verbs={"test.noted"}, limit=2)
        ledger.advance(reader="labels", seq=first.last)
    with transaction.atomic():
        second = ledger.read(reader="labels", verbs={"test.noted"}, limit=2)
        ledger.advance(reader="labels", seq=1)
    assert [(each.seq, each.object_id) for each in first.entries] == [(1, "thing-0"), (2, "thing-1")]
    assert [each.seq for each in second.entries] == [3]
    assert LedgerCursor.objects.get(reader="labels").seq == 2


def test_a_reader_gets_the_entries_it_asked_for_and_goes_past_the_others() -> None:
    write(2, verb="action.allowed", action_id="act_1")
    write(1, verb="decision.released", action_id="act_2")
    write(3, verb="action.allowed", action_id="act_3")
    ledger.link_entries(now=NOON)
    with transaction.atomic():
        first = ledger.read(reader="labels", verbs={"decision.released"}, limit=4)
        ledger.advance(reader="labels", seq=first.last)
    with transaction.atomic():
        second = ledger.read(reader="labels", verbs={"decision.released"}, limit=4)
        ledger.advance(reader="labels", seq=second.last)
    with transaction.atomic():
        third = ledger.read(reader="labels", verbs={"decision.released"}, limit=4)
    assert [(each.seq, each.verb, each.action_id) for each in first.entries] == [
        (3, "decision.released", "act_2")
    ]
    assert (first.after, first.last, first.length) == (0, 4, 4)
    assert (second.after, second.last, second.entries) == (4, 6, ())
    assert (third.after, third.last, third.length) == (6, 6, 0)


def test_a_reader_that_fails_reads_the_same_again() -> None:
    write(2)
    ledger.link_entries(now=NOON)
    with pytest.raises(ChangeFailed), transaction.atomic():  # noqa: PT012 - the act, then its failure
        read = ledger.read(reader="labels", verbs={"test.noted"}, limit=1)
        ledger.advance(reader="labels", seq=read.last)
        raise ChangeFailed
    with transaction.atomic():
        read = ledger.read(reader="labels", verbs={"test.noted"}, limit=5)
    assert [each.seq for each in read.entries] == [1, 2]
    with pytest.raises(ledger.NotInTransaction):
        ledger.read(reader="labels", verbs={"test.noted"}, limit=1)


def test_pages_and_stories_find_what_was_asked_for() -> None:
    write(3)
    write(2, verb="action.held", action_id="act_1")
    ledger.link_entries(now=NOON)
    write(1, verb="action.expired", action_id="act_1")

    def found(**filters: str) -> list[str]:
        return [
            entry.verb
            for entry in pages.entries(pages.LedgerFilter(**filters)).order_by("id")  # type: ignore[arg-type]  # texts alone
        ]

    assert found() == ["test.noted"] * 3 + ["action.held"] * 2 + ["action.expired"]
    assert found(verb="action.") == ["action.held"] * 2 + ["action.expired"]
    assert found(verb="action") == []
    assert found(text="Zo", object_id="thing-2") == ["test.noted"]
    assert pages.verbs() == ["action.expired", "action.held", "test.noted"]
    # Not linked yet, so not in a file that can be verified.
    assert [link.seq for link in pages.stream(pages.LedgerFilter(verb="action."))] == [4, 5]
    assert [entry.verb for entry in pages.story("act_1")] == ["action.held", "action.held", "action.expired"]


def test_progress_is_told_every_thousand_links(capsys: pytest.CaptureFixture[str]) -> None:
    with transaction.atomic():
        for each in range(1001):
            ledger.record(actor=SYSTEM, verb="a.b", object_kind="x", object_id=str(each), now=NOON)
    ledger.link_entries(now=NOON)
    call_command("verify_ledger", progress=True)
    out, err = capsys.readouterr()
    assert err == "1000 links hold so far\n"
    assert out.startswith("The ledger holds: 1001 links, last hash ")
