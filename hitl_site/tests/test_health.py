"""Alive, ready, degraded, unavailable."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.conf import LazySettings
from django.db import OperationalError, connection
from django.test import Client

from hitl_site import health
from hitl_site.lib.clock import database_now
from policies.services import loops

pytestmark = pytest.mark.django_db


def durable() -> bool:
    """Throwaway servers run without fsync; a server of your own may not."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('fsync'), current_setting('full_page_writes')")
        return bool(cursor.fetchone() == ("on", "on"))


def test_alive_asks_nothing_of_the_database(client: Client) -> None:
    with connection.execute_wrapper(refuse):
        response = client.get("/livez")
    assert (response.status_code, response.json()) == (200, {"status": "ok"})


def test_ready_tells_its_parts(client: Client) -> None:
    response = client.get("/readyz")
    parts = response.json()["parts"]
    assert parts["database"]["ok"]
    assert parts["migrations"] == {"ok": True, "detail": "all applied"}
    assert parts["durability"]["ok"] is durable()
    assert response.status_code == (200 if durable() else 503)
    assert response["Cache-Control"] == "no-store"


def test_a_server_that_may_lose_commits_is_not_ready(client: Client) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL synchronous_commit = off")
    response = client.get("/readyz")
    assert response.status_code == 503
    assert response.json()["status"] == "unavailable"
    assert "synchronous_commit" in response.json()["parts"]["durability"]["detail"]


def test_a_missing_broker_alone_does_not_take_the_site_out(client: Client, settings: LazySettings) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    response = client.get("/readyz")
    assert response.json()["parts"]["broker"]["ok"] is False
    assert response.status_code == (200 if durable() else 503)
    if durable():
        assert response.json()["status"] == "degraded"


def test_without_the_database_it_is_unavailable_and_says_nothing_secret(client: Client) -> None:
    with connection.execute_wrapper(refuse):
        response = client.get("/readyz")
    assert response.status_code == 503
    assert response.json()["status"] == "unavailable"
    assert response.json()["parts"]["database"] == {"ok": False, "detail": "does not answer"}


def loop(name: str, *, ago: int) -> None:
    loops.tick(name, database_now() - timedelta(seconds=ago))


def test_a_loop_that_did_not_come_round_is_named_and_takes_nothing_out(client: Client) -> None:
    assert (
        "sequencer never yet, sweeper never yet" in client.get("/readyz").json()["parts"]["loops"]["detail"]
    )
    loop("sequencer", ago=1)
    loop("sweeper", ago=95)
    response = client.get("/readyz")
    part = response.json()["parts"]["loops"]
    assert part["ok"] is False
    assert "sweeper 9" in part["detail"]
    assert "sequencer" not in part["detail"]
    assert response.status_code == (200 if durable() else 503)
    loop("sweeper", ago=1)
    assert client.get("/readyz").json()["parts"]["loops"] == {"ok": True, "detail": "all came round"}


def test_every_guard_of_the_migrations_stands(client: Client) -> None:
    tables = {table for table, _ in health.expected_guards()}
    assert {"policies_ledgerentry", "policies_ledgerlink", "policies_ledgercheckpoint"} <= tables
    part = client.get("/readyz").json()["parts"]["guards"]
    assert part == {"ok": True, "detail": f"all {len(health.expected_guards())} stand"}


@pytest.mark.parametrize("how", ["DISABLE", "ENABLE"])  # plain ENABLE does not hold in a replication session
def test_a_guard_that_is_weakened_makes_it_unready(client: Client, how: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE policies_ledgerentry {how} TRIGGER ledger_entry_never_changes")
    response = client.get("/readyz")
    assert response.status_code == 503
    detail = response.json()["parts"]["guards"]["detail"]
    assert detail == "missing or not ENABLE ALWAYS: ledger_entry_never_changes"


def test_checksums_are_told(client: Client) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SHOW data_checksums")
        (setting,) = cursor.fetchone()
    assert client.get("/readyz").json()["parts"]["checksums"]["ok"] is (setting == "on")


def refuse(*args: object) -> object:
    raise OperationalError("connection to server failed: password=hunter2")
