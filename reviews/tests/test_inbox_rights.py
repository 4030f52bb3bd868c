"""Who may open the inbox, who may start, and that looking and refusing change nothing."""

from __future__ import annotations

import re

import pytest
from django.contrib.sessions.models import Session
from django.db import connection
from django.http.response import HttpResponseBase
from django.test import Client
from django.test.utils import CaptureQueriesContext

from hitl_site.lib.clock import database_now
from policies.models import LedgerEntry
from reviews.models import ReviewItem
from reviews.services import claims
from reviews.tests.browsing import HTMX, browser_of, text_of
from reviews.tests.cast import REFUND, Cast, held, make_person

PEOPLE = ("nobody", "alice", "dan", "olga", "ml", "outsider")


def browser(cast: Cast, name: str) -> Client:
    if name == "nobody":
        return browser_of(None)
    if name == "ml":
        return browser_of(make_person("Mel", "ml_engineer"))
    if name == "outsider":
        return browser_of(make_person("Otto"))
    return browser_of(getattr(cast, name))


def facts() -> list[object]:
    """Return what a refusal or a look must leave as it is."""
    return [*ReviewItem.objects.order_by("pk").values(), *LedgerEntry.objects.order_by("pk").values()]


def outcome(response: HttpResponseBase) -> object:
    return response.headers.get("Location", response.status_code)


# By person, in the order of PEOPLE.
MATRIX: dict[tuple[str, str], list[object]] = {
    ("get", "/"): ["/login/?next=/", "/inbox/", "/inbox/", "/inbox/", "/datasets/", "/inbox/"],
    ("get", "/inbox/"): ["/login/?next=/inbox/", 200, 200, 200, 403, 403],
    ("get", "/inbox/?view=all"): ["/login/?next=/inbox/%3Fview%3Dall", 200, 200, 200, 403, 403],
    ("post", "/inbox/"): ["/login/?next=/", 405, 405, 405, 403, 403],
    ("get", "/review/next/"): ["/login/?next=/review/next/", 405, 403, 403, 403, 403],
    ("post", "/review/next/"): ["/login/?next=/", "review", 403, 403, 403, 403],
    ("get", "/settings/appearance/"): ["/login/?next=/settings/appearance/", 200, 200, 200, 200, 200],
    ("post", "/settings/appearance/"): ["/login/?next=/", "/", "/", "/", "/", "/"],
}


@pytest.mark.parametrize(("method", "url"), MATRIX)
def test_each_person_gets_what_they_may_and_nothing_changes_else(cast: Cast, method: str, url: str) -> None:
    item = held(cast)
    before = facts()
    for name, wanted in zip(PEOPLE, MATRIX[method, url], strict=True):
        response = getattr(browser(cast, name), method)(url)
        if wanted == "review":
            assert response["Location"] == f"/review/{item.public_id}/"
            claims.release(item_id=item.public_id, reviewer=cast.alice)
        else:
            assert outcome(response) == wanted, name
        assert facts() == before, name


def test_a_refusal_names_the_right(cast: Cast) -> None:
    assert "right to see review items" in text_of(browser(cast, "outsider").get("/inbox/"))
    assert "reviews.review_item" in text_of(browser(cast, "dan").post("/review/next/"))


def test_a_form_without_its_token_starts_nothing(cast: Cast) -> None:
    held(cast)
    before = facts()
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(cast.alice)
    for url in ("/review/next/", "/settings/appearance/"):
        response = strict.post(url, {"theme": "dark"})
        assert response.status_code == 403
        assert "handrail-theme" not in response.cookies
    assert facts() == before


@pytest.mark.parametrize("url", ["/", "/inbox/", "/inbox/?q=x&why=audit", "/settings/appearance/"])
@pytest.mark.parametrize("headers", [{}, HTMX])
def test_looking_writes_nothing(cast: Cast, url: str, headers: dict[str, str]) -> None:
    held(cast)
    seen = browser_of(cast.alice)
    sessions = list(Session.objects.values())
    with CaptureQueriesContext(connection) as queries:
        seen.get(url, headers=headers)
    writing = re.compile(r"\b(INSERT|UPDATE|DELETE|NOTIFY|pg_notify|FOR SHARE)\b", re.IGNORECASE)
    assert [query["sql"] for query in queries if writing.search(query["sql"])] == []
    assert list(Session.objects.values()) == sessions


def test_those_who_may_only_look_see_everything_and_no_way_to_start(cast: Cast) -> None:
    item = held(cast)
    ReviewItem.objects.filter(pk=item.pk).update(escalated_to=cast.bob)
    page = text_of(browser_of(cast.dan).get("/inbox/"))
    assert "<h1>Everything open</h1>" in page
    assert item.title in page
    assert "Read only" in page
    assert "/review/next/" not in page
    assert "You decided" not in page


def test_a_reviewer_without_that_right_gets_their_turn_when_asking_for_everything(cast: Cast) -> None:
    item = held(cast)
    ReviewItem.objects.filter(pk=item.pk).update(escalated_to=cast.bob)
    page = text_of(browser_of(cast.alice).get("/inbox/?view=all"))
    assert "<h1>My turn</h1>" in page
    assert item.title not in page


def test_starting_holds_the_next_item_of_the_view_and_stays_in_it(cast: Cast) -> None:
    other = held(cast, arguments={**REFUND, "order": "A"})
    wanted = held(cast, arguments={**REFUND, "order": "B"})
    response = browser_of(cast.alice).post("/review/next/", {"q": "for B", "view": "mine"})
    assert response["Location"] == f"/review/{wanted.public_id}/?q=for+B"
    wanted.refresh_from_db()
    other.refresh_from_db()
    assert (wanted.claimed_by, other.claimed_by) == (cast.alice, None)


def test_starting_by_risk_takes_the_riskiest(cast: Cast) -> None:
    held(cast)
    risky = held(cast)
    ReviewItem.objects.filter(pk=risky.pk).update(risk="critical", risk_rank=0)
    response = browser_of(cast.alice).post("/review/next/", {"order": "risk"})
    assert response["Location"].startswith(f"/review/{risky.public_id}/")


def test_with_nothing_free_the_list_comes_back_with_a_word(cast: Cast) -> None:
    claims.claim(item_id=held(cast).public_id, reviewer=cast.bob, now=database_now())
    response = browser_of(cast.alice).post("/review/next/", {"type": "refund.issue"}, follow=True)
    assert response.redirect_chain == [("/inbox/?type=refund.issue", 302)]
    assert "Nothing here is free for you now" in text_of(response)


def test_starting_survives_nonsense(cast: Cast) -> None:
    held(cast)
    response = browser_of(cast.alice).post(
        "/review/next/",
        {"q": "\x00", "view": "all", "due": "x", "after": "x", "seen": "x", "queue": "ö" * 500},
    )
    assert response.status_code == 302
    assert response["Location"].startswith("/inbox/?queue=")
