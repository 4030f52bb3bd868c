"""Two questions of an operator: is the process alive, and can it keep its promises?"""

from __future__ import annotations

import logging
from dataclasses import asdict, dataclass

import redis
from django.conf import settings
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.http import require_safe

logger = logging.getLogger(__name__)

# With any of them off, PostgreSQL may lose what it acknowledged (its manual, chapter 28).
DURABILITY_SETTINGS = ("fsync", "full_page_writes", "synchronous_commit")


@dataclass(frozen=True)
class Part:
    """One thing that the service stands on."""

    ok: bool
    detail: str


@require_safe
def livez(request: HttpRequest) -> HttpResponse:
    """Answer 200 while the process answers at all; it asks nothing of anybody."""
    return _uncached(JsonResponse({"status": "ok"}))


@require_safe
def readyz(request: HttpRequest) -> HttpResponse:
    """Answer 200 when the database keeps its promises, 503 when not.

    A missing broker is ``degraded`` and still 200: it costs seconds, never an answer, and taking the site out
    of service for it would cost answers.
    """
    needed = {"database": database(), "migrations": migrations(), "durability": durability()}
    broker_part = broker()
    ready = all(part.ok for part in needed.values())
    status = "unavailable" if not ready else "ok" if broker_part.ok else "degraded"
    parts = {name: asdict(part) for name, part in (needed | {"broker": broker_part}).items()}
    return _uncached(JsonResponse({"status": status, "parts": parts}, status=200 if ready else 503))


def database() -> Part:
    """Return whether the database answers."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SHOW server_version")
            (version,) = cursor.fetchone()
    except DatabaseError:
        logger.warning("readyz: the database does not answer", exc_info=True)
        return Part(ok=False, detail="does not answer")
    return Part(ok=True, detail=f"PostgreSQL {version.split()[0]}")


def migrations() -> Part:
    """Return whether the schema is the one that this code expects."""
    try:
        executor = MigrationExecutor(connection)
        missing = executor.migration_plan(executor.loader.graph.leaf_nodes())
    except DatabaseError:
        return Part(ok=False, detail="unknown")
    if missing:
        return Part(ok=False, detail=f"{len(missing)} not applied")
    return Part(ok=True, detail="all applied")


def durability() -> Part:
    """Return whether an acknowledged commit survives a crash."""
    try:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT name FROM pg_settings WHERE name = ANY(%s) AND setting = 'off' ORDER BY name",
                [list(DURABILITY_SETTINGS)],
            )
            off = [name for (name,) in cursor.fetchall()]
    except DatabaseError:
        return Part(ok=False, detail="unknown")
    if off:
        return Part(ok=False, detail=f"off: {', '.join(off)}")
    return Part(ok=True, detail="on")


def broker() -> Part:
    """Return whether the broker answers."""
    try:
        with redis.Redis.from_url(
            settings.REDIS_URL, socket_connect_timeout=1, socket_timeout=1, retry=None
        ) as client:
            client.ping()
    except (redis.RedisError, OSError):
        return Part(ok=False, detail="does not answer; work is found by the sweeper, seconds later")
    return Part(ok=True, detail="answers")


def _uncached(response: HttpResponse) -> HttpResponse:
    response["Cache-Control"] = "no-store"
    return response
