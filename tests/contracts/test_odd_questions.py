"""Whatever stands behind an address or in a form, no page answers with an error of ours.

Each address is asked once in peace, to learn which names it reads; then three times with something odd behind
every name, in its query or as a form. Nothing of it stays: every request is rolled back.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import quote
from zlib import crc32

import pytest
from django.contrib.auth.models import Group, User
from django.db import transaction
from django.http import QueryDict
from django.test import Client
from django.utils.datastructures import MultiValueDict

from reviews.models import Decision
from reviews.tests.cast import decide_as, held, make_cast
from tests.contracts.addresses import Undone, filled_in, routes

pytestmark = pytest.mark.django_db

FORM = "application/x-www-form-urlencoded"
# Percent-encoded, since not all of them are text: half a surrogate pair, and a byte that no UTF-8 has.
ODD = (
    *("x", "-1", "0", "NaN", "1e999", "9" * 30, "9" * 5000, "%C2%B2", "%F0%9D%9F%8F", "a" * 3000),
    *("%ED%A0%80%FF", "%EF%BF%BE", "9999-12-31T23:59", "0001-01-01", "on", "%5B%5D", "%7B%7D"),
    *("%22%5Cud800%22", "%5B%22%5Cu0000%22%5D", "%5B" * 1500, "a%00b"),
)
ROUNDS = 3
# More of a form's numbered rows tell nothing new.
LATER_ROWS = re.compile(r"-(?:[2-9]|\d{2,})-")
# Not undone with a transaction: they end the session, or its password.
NOT_ASKED = re.compile(r"logout/|login/|password")


@contextmanager
def names_read(patch: pytest.MonkeyPatch) -> Iterator[set[str]]:
    """Collect the names that views and forms look for in queries and forms."""
    names: set[str] = set()
    found, listed = MultiValueDict.__getitem__, MultiValueDict._getlist  # type: ignore[attr-defined]  # Django's own

    def look(self: MultiValueDict[str, str], name: str) -> object:
        if isinstance(self, QueryDict):
            names.add(name)
        return found(self, name)

    def look_at_all(self: MultiValueDict[str, str], name: str, *given: object, **more: object) -> object:
        if isinstance(self, QueryDict):
            names.add(name)
        return listed(self, name, *given, **more)

    def look_whether(self: QueryDict, name: object) -> bool:
        names.add(str(name))
        return dict.__contains__(self, name)

    with patch.context() as patched:
        patched.setattr(MultiValueDict, "__getitem__", look)
        patched.setattr(MultiValueDict, "_getlist", look_at_all)
        patched.setattr(QueryDict, "__contains__", look_whether, raising=False)
        yield names


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_no_odd_question_is_answered_with_an_error_of_ours(
    method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
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
    everybody = User.objects.create_superuser("everybody", password="everything")
    everybody.groups.set(Group.objects.all())
    client = Client(raise_request_exception=False)
    client.force_login(everybody)

    def ask(url: str, said: str) -> int:
        try:
            with transaction.atomic():
                if method == "GET":
                    status = client.get(f"{url}?{said}").status_code
                else:
                    status = client.generic("POST", url, said, content_type=FORM).status_code
                raise Undone
        except Undone:
            return status

    failed: list[tuple[str, dict[str, str]]] = []
    asked = 0
    for route in routes():
        if NOT_ASKED.search(route):
            continue
        url = filled_in(route, known)
        with names_read(monkeypatch) as names:
            ask(url, "")
        read = sorted(name for name in names if not LATER_ROWS.search(name))
        if not read:
            continue
        for number in range(ROUNDS):
            # The same in every run, and spread over names and addresses.
            values = {name: ODD[crc32(f"{route} {name} {number}".encode()) % len(ODD)] for name in read}
            if ask(url, "&".join(f"{quote(name)}={value}" for name, value in values.items())) >= 500:
                failed.append((url, values))
            asked += 1
    assert failed == []
    assert asked > 50
