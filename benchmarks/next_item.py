"""From the key that answers an item to the next item painted, as a person at the keyboard has it.

A real browser at the real server: the key is pressed, the answer is recorded, the next item is chosen,
claimed and drawn, all in one request. The time is taken in the page, from the key's own event to the frame
after the new item stood in it. Asked for by name, since it needs a Chromium and answers what waits.
``BENCH_ITEMS`` names how many are answered.
"""

from __future__ import annotations

import os
import re
from typing import Any, Final

from django.conf import settings
from django.contrib.auth.models import Group, User
from django.db import connection
from django.test import Client
from playwright.sync_api import Page, sync_playwright

from benchmarks.installation import ARGUMENTS, SCHEMA, Installation
from hitl_site.lib.clock import database_now
from policies.choices import Risk
from policies.models import AgentKey
from policies.services import action_types, policies
from policies.services.ledger import Actor
from reviews.adapters import submission as wire
from reviews.services import ingest
from tests.chromium import ADVICE, LAUNCH_ARGUMENTS, find_chromium

ITEMS: Final = int(os.environ.get("BENCH_ITEMS", "60"))
LIMIT_MS: Final = 250
_WARM_UP: Final = 5
_TYPE: Final = "bench.reviewed"
_CONTEXT: Final[dict[str, Any]] = {
    "messages": [
        {"role": "user", "content": "The lamp of SO-48213 came broken. " * 8},
        {"role": "assistant", "content": "I look the order up."},
        {"role": "tool", "name": "get_order", "content": '{"order": "SO-48213", "paid_total": 184.0}'},
        {"role": "assistant", "content": "It was paid in full: a refund of the whole amount."},
    ]
}
# Resolves in the frame after another item has come; the key's time is that of its event.
_WATCH: Final = """() => {
  window.nextItem = new Promise((resolve) => {
    let pressed = 0;
    addEventListener("keydown", (event) => { pressed = event.timeStamp; }, { once: true, capture: true });
    const item = () => document.querySelector("#workspace")?.dataset.arm;
    const before = item();
    const look = () => {
      if (item() === before) requestAnimationFrame(look);
      else requestAnimationFrame(() => setTimeout(() => resolve(performance.now() - pressed)));
    };
    requestAnimationFrame(look);
  });
}"""
# Keys are dead for this long after another item has come.
_ARMED_AFTER_MS: Final = 450


def measure(made: Installation) -> None:
    """Answer the items with one key each and print p50 and p95 of what the next one took."""
    browser_path = find_chromium()
    if browser_path is None:
        raise SystemExit(f"no Chromium: {ADVICE}")
    _hold(made, ITEMS + _WARM_UP + 1)
    site = os.environ["HANDRAIL_URL"]
    cookie = {"name": settings.SESSION_COOKIE_NAME, "value": _session(), "url": site}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_path, args=LAUNCH_ARGUMENTS)
        context = browser.new_context(viewport={"width": 1440, "height": 900})
        context.add_cookies([cookie])  # type: ignore[list-item]  # a cookie of three members
        page = context.new_page()
        page.goto(f"{site}/inbox/?type={_TYPE}")
        page.keyboard.press("Enter")
        page.wait_for_url(re.compile("/review/itm_"))
        times = sorted([_answer(page) for _ in range(ITEMS + _WARM_UP)][_WARM_UP:])
        browser.close()
    p50, p95 = times[len(times) // 2], times[int(len(times) * 0.95)]
    print(f"\nKey to next item painted, {len(times)} items: p50 {p50:.0f} ms, p95 {p95:.0f} ms")
    print(f"the aim for p50 is {LIMIT_MS} ms at most")


def _answer(page: Page) -> float:
    page.wait_for_timeout(_ARMED_AFTER_MS)
    page.evaluate(_WATCH)
    page.keyboard.press("a")
    return float(page.evaluate("() => window.nextItem"))


def _session() -> str:
    person = User.objects.create_user("bench-answerer")
    person.groups.add(Group.objects.get(name="reviewer"))
    browser = Client()
    browser.force_login(person)
    connection.close()
    return browser.cookies[settings.SESSION_COOKIE_NAME].value


def _hold(made: Installation, number: int) -> None:
    """Hold so many items of low risk, which need no reading before they may run."""
    now = database_now()
    admin = User.objects.get(username="admin")
    declared = action_types.declare(
        name=_TYPE,
        title="Refund",
        title_template="Refund {amount} for {order}",
        risk=Risk.LOW,
        argument_schema=SCHEMA,
        reading_floor_ms=0,
        actor=Actor.person(admin),
        now=now,
    )
    policies.put_in_force(
        action_type=declared, document={"threshold": 0.9}, author=admin, reason="benchmark", now=now
    )
    key = AgentKey.objects.filter(agent=made.agent).latest("id")
    for each in range(number):
        arguments = {**ARGUMENTS, "order": f"SO-{each:05}"}
        given = {"action_type": _TYPE, "arguments": arguments, "agent_version": "1", "context": _CONTEXT}
        ingest.submit(
            key=key,
            body=wire.read(given),
            idempotency_key=f"next-{each}",
            request_id="",
            now=database_now(),
        )
