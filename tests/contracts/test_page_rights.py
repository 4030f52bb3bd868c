"""Every address of the site against every role: who gets in, who is refused; no address is forgotten.

The expectation is ``page_rights.txt``, one line an address and method. An address whose object is not in the
cast answers 404 to those who may and 403 to others, which tells the same. Every request is rolled back.
After a change that is meant: run this test with HANDRAIL_WRITE_PAGE_RIGHTS=1 and read the difference.
"""

from __future__ import annotations

import os
from http.cookies import SimpleCookie
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.db import transaction
from django.test import Client

from hitl_site.groups import GROUPS
from policies.models import LedgerEntry
from reviews.models import Decision
from reviews.tests.cast import decide_as, held, make_cast, make_person
from tests.contracts.addresses import Undone, filled_in, routes

pytestmark = pytest.mark.django_db

GOLDEN = Path(__file__).with_name("page_rights.txt")
ANONYMOUS = "anonymous"
ROLES = (*GROUPS, "none", ANONYMOUS)


def _status(browser: Client, method: str, url: str) -> tuple[int, int]:
    """Return the status of an answer, and how many entries the request added: nothing of it stays."""
    before, signed_in = LedgerEntry.objects.count(), browser.cookies.copy()
    try:
        with transaction.atomic():
            status = browser.generic(method, url).status_code
            added = LedgerEntry.objects.count() - before
            raise Undone
    except Undone:
        # Signing out is undone as well.
        browser.cookies = SimpleCookie({name: cookie.value for name, cookie in signed_in.items()})
        return status, added


def _browser(person: User | None) -> Client:
    client = Client(raise_request_exception=False)
    if person is not None:
        client.force_login(person)
    return client


def test_every_address_answers_each_role_as_the_list_says() -> None:
    cast = make_cast()
    held(cast)
    item = held(cast)
    decide_as(cast.alice, item)
    known = {
        "item_id": item.public_id,
        "decision_id": Decision.objects.get().public_id,
        "action_id": item.action.public_id,
        "agent_id": cast.clerk.public_id,
        "name": cast.refund.name,
        "username": "alice",
        "slug": item.queue.slug,
        "number": "1",
    }
    browsers = {
        role: _browser(
            None if role == ANONYMOUS else make_person(f"Role-{role}", *([role] if role in GROUPS else []))
        )
        for role in ROLES
    }
    found: dict[str, str] = {}
    for route in routes():
        url = filled_in(route, known)
        method, answers = "GET", {}
        for role, browser in browsers.items():
            answers[role], _ = _status(browser, "GET", url)
            if answers[role] == 405:
                method = "POST"
                break
        if method == "POST":
            answers = {}
            for role, browser in browsers.items():
                answers[role], added = _status(browser, "POST", url)
                assert answers[role] < 400 or added == 0, f"{role} was refused at {url} and changed something"
        assert max(answers.values()) < 500, f"{url}: {answers}"
        found[f"{method} /{route}"] = " ".join(f"{role}={status}" for role, status in answers.items())
    lines = [f"{address}: {answers}" for address, answers in found.items()]
    if os.environ.get("HANDRAIL_WRITE_PAGE_RIGHTS"):
        GOLDEN.write_text("\n".join(lines) + "\n", encoding="utf-8")
    expected = dict(line.split(": ", 1) for line in GOLDEN.read_text(encoding="utf-8").splitlines())
    new = sorted(found.keys() - expected.keys())
    assert not new, f"New addresses without a line in page_rights.txt: say who may open them: {new}"
    gone = sorted(expected.keys() - found.keys())
    assert not gone, f"Lines of page_rights.txt about addresses that are gone: {gone}"
    differ = {address: found[address] for address in found if found[address] != expected[address]}
    assert not differ, "These addresses answer otherwise than page_rights.txt says"
