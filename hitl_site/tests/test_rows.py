"""Rows that belong together: one statement writes them all, or none; no column can be forgotten."""

from __future__ import annotations

import pytest
from django.apps import apps
from django.db import DatabaseError, OperationalError, connection, transaction
from django.db.models import Model

from hitl_site.lib import ids, parts, rows
from hitl_site.lib.clock import database_now
from hitl_site.lib.parts import Part
from policies.choices import ActorKind
from policies.models import Agent, AgentKey, LedgerEntry, LedgerLink, LedgerPayload

pytestmark = pytest.mark.django_db

HOT = (
    "policies.GateCheck",
    "policies.LedgerEntry",
    "policies.LedgerPayload",
    "policies.LedgerLink",
    "policies.Observation",
    "reviews.ActionContext",
    "reviews.ActionRequest",
    "reviews.Decision",
    "reviews.IngestRow",
    "reviews.Permit",
    "reviews.ReviewItem",
)


def entry(verb: str = "test.done", *, actor_id: str = "", action_id: str = "") -> LedgerEntry:
    return LedgerEntry(
        actor_kind=ActorKind.SYSTEM,
        actor_name="test",
        verb=verb,
        object_kind="thing",
        object_id="1",
        payload_digest="0" * 64,
        occurred_at=database_now(),
        actor_id=actor_id,
        action_id=action_id,
    )


@pytest.mark.parametrize("label", HOT)
def test_every_column_of_the_database_is_named(label: str) -> None:
    model: type[Model] = apps.get_model(label)
    table = rows.table_of(model)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT column_name FROM information_schema.columns"
            " WHERE table_name = %s AND is_generated = 'NEVER'",
            [table.name],
        )
        existing = {name for (name,) in cursor.fetchall()}
        named = {column.name for column in table.columns} | ({table.key} if table.sequence else set())
        assert named == existing
        if table.sequence is not None:
            cursor.execute("SELECT pg_get_serial_sequence(%s, %s)", [table.name, table.key])
            assert cursor.fetchone()[0].rpartition(".")[2] == table.sequence


def test_rows_that_refer_to_each_other_are_linked_by_their_new_keys() -> None:
    told = entry(actor_id='quote " and \\ backslash', action_id="ä😀")
    said = LedgerPayload(entry=told, salt=b"\x00\xff" * 16, body={"text": "a\\b\n", "n": 1e300, "none": None})

    assert rows.insert(told, said) is True

    assert (said.pk, said.entry) == (told.pk, told)
    stored = LedgerEntry.objects.select_related("payload").get(pk=told.pk)
    assert (stored.actor_id, stored.action_id) == ('quote " and \\ backslash', "ä😀")
    assert stored.occurred_at == told.occurred_at
    assert stored.payload.salt is not None
    assert bytes(stored.payload.salt) == b"\x00\xff" * 16
    assert stored.payload.body == {"text": "a\\b\n", "n": 10**300, "none": None}
    assert stored.payload.erased_at is None
    assert isinstance(stored.transaction_id, int)


def test_a_text_in_a_json_column_stays_a_text() -> None:
    told = entry()
    rows.insert(told, LedgerPayload(entry=told, salt=b"", body="null"))
    assert LedgerPayload.objects.get(entry=told).body == "null"


def test_the_texts_of_an_array_come_as_they_are() -> None:
    texts = ["", "NULL", 'a"b', "c\\d", "{e,f}", " g ", "h\ni", "Zoë", '\\"']
    columns = rows.table_of(apps.get_model("reviews.Decision")).columns
    adapt = next(column.adapt for column in columns if column.name == "reasons")
    with rows.server_side_cursor() as cursor:
        for value in ([], texts):
            cursor.execute("SELECT $1::varchar(60)[]", [adapt(value)])
            assert cursor.fetchone() == (value,)


def test_nothing_is_written_where_the_lead_is_taken() -> None:
    first = Agent(public_id=ids.new("agt"), name="clerk", created_at=database_now())
    again = Agent(public_id=ids.new("agt"), name="clerk", created_at=database_now())
    told = entry()

    assert rows.insert(first, unless_taken=["name"]) is True
    assert rows.insert(again, told, unless_taken=["name"]) is False

    assert not Agent.objects.filter(public_id=again.public_id).exists()
    assert Agent.objects.get().public_id == first.public_id
    assert LedgerEntry.objects.count() == 0


def test_one_row_that_the_database_refuses_takes_the_others_with_it() -> None:
    with pytest.raises(DatabaseError), transaction.atomic():
        rows.insert(entry("test.good"), entry("v" * 61))
    assert LedgerEntry.objects.count() == 0


def test_many_rows_come_by_copy_as_they_are() -> None:
    entries = [entry(f"test.{number}") for number in range(3)]
    for each in entries:
        rows.insert(each)
    now = database_now()

    rows.copy(
        LedgerLink,
        [
            {
                "seq": number + 1,
                "entry_id": each.pk,
                "previous_hash": "tab\t and \\N",
                "hash": "h",
                "linked_at": now,
            }
            for number, each in enumerate(entries)
        ],
    )
    rows.copy(LedgerLink, [])

    links = list(LedgerLink.objects.order_by("seq"))
    assert [link.entry for link in links] == entries
    assert {(link.previous_hash, link.linked_at) for link in links} == {("tab\t and \\N", now)}


def test_what_is_alike_in_all_rows_is_given_once() -> None:
    entries = [entry(f"test.{number}") for number in range(2)]
    for each in entries:
        rows.insert(each)
    now = database_now()

    rows.copy(
        LedgerLink,
        ({"seq": number + 1, "entry_id": each.pk} for number, each in enumerate(entries)),
        alike={"previous_hash": "", "hash": "same", "linked_at": now},
    )

    found = LedgerLink.objects.order_by("seq").values_list("seq", "entry_id", "hash", "linked_at")
    assert list(found) == [(1, entries[0].pk, "same", now), (2, entries[1].pk, "same", now)]


def test_what_is_alike_is_a_column() -> None:
    with pytest.raises(ValueError, match="no such column"):
        rows.copy(LedgerLink, [{"seq": 1}], alike={"hash": "h", "hush": "h"})


def test_a_copied_row_names_every_column() -> None:
    with pytest.raises(ValueError, match="every column"):
        rows.copy(LedgerLink, [{"seq": 1, "hash": "h"}])


def test_models_come_out_of_one_row_as_the_orm_makes_them() -> None:
    agent = Agent.objects.create(public_id=ids.new("agt"), name="clerk", created_at=database_now())
    found = (Part.of(Agent, "a"), Part.of(AgentKey, "k"))
    statement = (
        f"SELECT {parts.columns(found)} FROM policies_agent a"
        " LEFT JOIN policies_agentkey k ON k.agent_id = a.id WHERE a.name = $1"
    )
    made, key = parts.instances(found, rows.first_answer(statement, ["clerk"]))
    assert (made, made.name, made.created_at, key) == (agent, "clerk", agent.created_at, None)
    assert parts.width(found) == len(Agent._meta.concrete_fields) + len(AgentKey._meta.concrete_fields)


_WHOSE = "SELECT pg_backend_pid(), $1"


def end_connection() -> int:
    """End the connection of this thread from another one, as a database that restarts does."""
    pid, _ = rows.first_answer(_WHOSE, [""])
    beside = connection.copy()
    try:
        with beside.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])
            assert cursor.fetchone() == (True,)
    finally:
        beside.close()
    assert isinstance(pid, int)
    return pid


@pytest.mark.django_db(transaction=True)
def test_a_connection_that_died_unused_is_replaced_and_the_question_put_again() -> None:
    ended = end_connection()
    pid, said = rows.first_answer(_WHOSE, ["hello"])
    assert (said, pid == ended) == ("hello", False)


@pytest.mark.django_db(transaction=True)
def test_a_connection_that_dies_inside_a_transaction_takes_it_along() -> None:
    # To go on with another would be to forget what the transaction has done.
    @transaction.atomic
    def act() -> None:
        end_connection()
        rows.first_answer(_WHOSE, ["hello"])

    with pytest.raises(OperationalError):
        act()
    assert rows.first_answer(_WHOSE, ["hello"])[1] == "hello"


@pytest.mark.django_db(transaction=True)
def test_a_question_that_fails_on_a_living_connection_is_not_put_again() -> None:
    pid, _ = rows.first_answer(_WHOSE, [""])
    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = 20")
    with pytest.raises(OperationalError, match="statement timeout"):
        rows.first_answer("SELECT pg_sleep(600), $1", [""])
    with connection.cursor() as cursor:
        cursor.execute("RESET statement_timeout")
    assert rows.first_answer(_WHOSE, [""])[0] == pid
