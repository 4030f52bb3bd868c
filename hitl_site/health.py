"""Two questions of an operator: is the process alive, and can it keep its promises?"""

from __future__ import annotations

import logging
from dataclasses import asdict, dataclass
from datetime import timedelta
from functools import lru_cache

import redis
from django.conf import settings
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.loader import MigrationLoader
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.http import require_safe

from hitl_site.lib.clock import database_now
from hitl_site.lib.triggers import Guard
from policies.models import LoopTick
from policies.services.loops import LOOPS

logger = logging.getLogger(__name__)

# With any of them off, PostgreSQL may lose what it acknowledged (its manual, chapter 28).
DURABILITY_SETTINGS = ("fsync", "full_page_writes", "synchronous_commit")
# A loop looks again after a second at the latest; longer than this and it hangs, or no worker runs.
LOOP_IS_LATE_AFTER = timedelta(seconds=30)


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

    A missing broker, a late loop or a database without checksums is ``degraded`` and still 200: it costs
    seconds or certainty, never an answer, and taking the site out of service for it would cost answers.
    """
    needed = {
        "database": database(),
        "migrations": migrations(),
        "guards": guards(),
        "durability": durability(),
    }
    wanted = {"checksums": checksums(), "loops": loops(), "broker": broker()}
    ready = all(part.ok for part in needed.values())
    whole = ready and all(part.ok for part in wanted.values())
    status = "ok" if whole else "degraded" if ready else "unavailable"
    parts = {name: asdict(part) for name, part in (needed | wanted).items()}
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


def guards() -> Part:
    """Return whether every trigger that the migrations made stands, and holds in every session."""
    try:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT tgrelid::regclass::text, tgname FROM pg_trigger"
                " WHERE NOT tgisinternal AND tgenabled = 'A'"
            )
            standing = set(cursor.fetchall())
    except DatabaseError:
        return Part(ok=False, detail="unknown")
    missing = sorted(name for table, name in expected_guards() if (table, name) not in standing)
    if missing:
        return Part(ok=False, detail=f"missing or not ENABLE ALWAYS: {', '.join(missing)}")
    return Part(ok=True, detail=f"all {len(expected_guards())} stand")


@lru_cache(maxsize=1)
def expected_guards() -> frozenset[tuple[str, str]]:
    """Return table and name of every trigger that the migrations make."""
    return frozenset(
        (step.table, step.trigger)
        for migration in MigrationLoader(None).disk_migrations.values()
        for step in migration.operations
        if isinstance(step, Guard)
    )


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


def checksums() -> Part:
    """Return whether PostgreSQL would notice a page that the disk brought back otherwise."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SHOW data_checksums")
            (setting,) = cursor.fetchone()
    except DatabaseError:
        return Part(ok=False, detail="unknown")
    if setting != "on":
        return Part(ok=False, detail="off: a page that the disk spoils is not noticed")
    return Part(ok=True, detail="on")


def loops() -> Part:
    """Return whether the worker's loops come round: without them nothing is released, expired or linked."""
    try:
        ticks = dict(LoopTick.objects.filter(name__in=LOOPS).values_list("name", "ticked_at"))
        now = database_now()
    except DatabaseError:
        return Part(ok=False, detail="unknown")
    late = []
    for name in LOOPS:
        if name not in ticks:
            late.append(f"{name} never yet")
        elif now - ticks[name] > LOOP_IS_LATE_AFTER:
            late.append(f"{name} {int((now - ticks[name]).total_seconds())} s ago")
    if late:
        return Part(ok=False, detail=f"came round too long ago; does a worker run? {', '.join(late)}")
    return Part(ok=True, detail="all came round")


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
