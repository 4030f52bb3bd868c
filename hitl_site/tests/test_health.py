"""Alive, ready, degraded, unavailable."""

from __future__ import annotations

import pytest
from django.conf import LazySettings
from django.db import OperationalError, connection
from django.test import Client

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


def refuse(*args: object) -> object:
    raise OperationalError("connection to server failed: password=hunter2")
