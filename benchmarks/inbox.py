"""The inbox with a million actions and a hundred thousand open items, beside itself with a thousand.

Rows are copied inside PostgreSQL from one that the gate made. What is measured is the whole page, from the
request to the rendered answer, without the network: the list, one filter, one search, another order; for a
person with four saved views, whose counts stand beside the list. Told are also the indexes by which the list
is found. ``BENCH_INBOX`` names another size, as in ``100000,10000``: so many actions, so many of them open.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Mapping
from typing import Final

import psycopg
from django.conf import settings
from django.contrib.auth.models import Group, User
from django.db import connection
from django.test import Client
from psycopg import sql

from benchmarks.installation import Installation
from hitl_site.lib.clock import database_now
from policies.models import AgentKey
from reviews.adapters import submission as wire
from reviews.models import ReviewItem
from reviews.selectors import inbox
from reviews.selectors.inbox_page import PAGE_ROWS
from reviews.services import ingest, saved_views

SMALL: Final = (1_000, 1_000)
_ACTIONS, _, _OPEN = os.environ.get("BENCH_INBOX", "1000000,100000").partition(",")
LARGE: Final = (int(_ACTIONS), int(_OPEN))
_ROUNDS: Final = 40
_PAGES: Final = {
    "the list": "/inbox/",
    "one action type": "/inbox/?type=bench.held",
    "a search": "/inbox/?q=held+77",
    "risk first": "/inbox/?order=risk",
}
# Copies have numbers of their own from here on.
_BASE: Final = 100_000_000


def measure(made: Installation) -> None:
    """Print p50 and p95 of each page at both sizes, and their ratio."""
    person = User.objects.create_user("bench-reviewer")
    person.groups.add(Group.objects.get(name="reviewer"))
    for number, query in enumerate(("type=bench.held", "due=hour", "risk=medium", "q=held")):
        saved_views.save(
            person=person, name=f"View {number}", query=query, order="", shared=False, now=database_now()
        )
    item = _held(made)
    slow: dict[str, list[float]] = {}
    for actions, waiting in (SMALL, LARGE):
        _fill(item, actions=actions, waiting=waiting)
        for name, address in _PAGES.items():
            p50, p95 = _times(person, address)
            slow.setdefault(name, []).append(p95)
            print(
                f"{actions:>9,} actions, {waiting:>7,} open  {name:<16} p50 {p50:6.1f} ms  p95 {p95:6.1f} ms",
                flush=True,
            )
        print(f"{'':>9} found by: {', '.join(_indexes(person))}", flush=True)
    for name, (small, large) in slow.items():
        print(f"{name:<16} {large / small:.2f} times as long")


def _indexes(person: User) -> list[str]:
    """Return the indexes that the plan of the list's own query reads, the list's table first."""
    page = inbox.my_turn(person).order_by(*inbox.DUE_FIRST)[: PAGE_ROWS + 1]
    plan = page.explain()
    connection.close()
    scans = re.findall(r"Index(?: Only)? Scan using (\w+) on (\w+)|(Seq Scan) on (\w+)", plan)
    found = [f"{index or seq} on {table or other}" for index, table, seq, other in scans]
    return sorted(dict.fromkeys(found), key=lambda each: not each.endswith("reviews_reviewitem"))


def _held(made: Installation) -> ReviewItem:
    body = wire.read({"action_type": "bench.held", "arguments": {"n": 1}, "agent_version": "1"})
    key = AgentKey.objects.filter(agent=made.agent).latest("id")
    action = ingest.submit(
        key=key, body=body, idempotency_key="inbox-bench", request_id="", now=database_now()
    ).action
    return ReviewItem.objects.get(action=action)


def _fill(item: ReviewItem, *, actions: int, waiting: int) -> None:
    """Copy the item, its action and its verdict until there are so many; ``waiting`` of them stay open."""
    first = ReviewItem.objects.filter(pk__gte=_BASE).count()
    action, now = item.action, "clock_timestamp()"
    opened = f"CASE WHEN n < {waiting} THEN 'open' ELSE 'decided' END"
    closed = f"CASE WHEN n < {waiting} THEN NULL ELSE {now} END"
    number, digits = f"{_BASE} + n", "lpad(n::text, 32, '0')"
    copies = {
        "policies_gatecheck": (
            action.gate_check_id,
            {"id": number, "public_id": f"'chk_' || {digits}", "action_id": f"'act_' || {digits}"},
        ),
        "reviews_actionrequest": (
            action.pk,
            {
                "id": number,
                "public_id": f"'act_' || {digits}",
                "idempotency_key": "'copy-' || n",
                "gate_check_id": number,
            },
        ),
        "reviews_reviewitem": (
            item.pk,
            {
                "id": number,
                "public_id": f"'itm_' || {digits}",
                "action_id": number,
                "title": "'Held ' || n",
                "status": opened,
                "closed_at": closed,
                "due_at": f"{now} + n * interval '1 second'",
                "created_at": f"{now} - n * interval '1 millisecond'",
            },
        ),
    }
    owner = settings.MIGRATION_DATABASE_URL or settings.DATABASE_URL
    with psycopg.connect(owner, autocommit=True) as line:
        for table, (template, changed) in copies.items():
            _copy_rows(line, table, template, changed, first=first, last=actions)
        line.execute(
            "UPDATE reviews_reviewitem SET status = 'open', closed_at = NULL WHERE id >= %s AND id < %s",
            [_BASE, _BASE + waiting],
        )
        for table in copies:
            line.execute(sql.SQL("VACUUM ANALYZE {}").format(sql.Identifier(table)))


def _copy_rows(
    line: psycopg.Connection, table: str, template: int, changed: Mapping[str, str], *, first: int, last: int
) -> None:
    """Insert copies of one row, numbered from ``first`` to ``last``, with some columns made anew."""
    columns = line.execute(
        "SELECT column_name FROM information_schema.columns WHERE table_schema = current_schema()"
        " AND table_name = %s AND is_generated = 'NEVER'",
        [table],
    ).fetchall()
    names = [name for (name,) in columns]
    values = [
        sql.SQL(changed[name]) if name in changed else sql.SQL("given.{}").format(sql.Identifier(name))
        for name in names
    ]
    statement = sql.SQL(
        "INSERT INTO {table} ({names}) OVERRIDING SYSTEM VALUE SELECT {values} FROM {table} AS given,"
        " generate_series(%s::bigint, %s::bigint) AS n WHERE given.id = %s"
    ).format(
        table=sql.Identifier(table),
        names=sql.SQL(", ").join(map(sql.Identifier, names)),
        values=sql.SQL(", ").join(values),
    )
    line.execute(statement, [first, last - 1, template])


def _times(person: User, address: str) -> tuple[float, float]:
    browser = Client(SERVER_NAME="localhost")
    browser.force_login(person)
    browser.get(address)
    times = []
    for _ in range(_ROUNDS):
        began = time.perf_counter()
        assert browser.get(address).status_code == 200
        times.append((time.perf_counter() - began) * 1000)
    connection.close()
    times.sort()
    return times[_ROUNDS // 2], times[int(_ROUNDS * 0.95)]
