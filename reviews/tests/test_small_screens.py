"""What is critical is let run from a large screen alone, unless its policies say otherwise."""

from __future__ import annotations

from typing import Any

import pytest
from django.http.response import HttpResponseBase

from hitl_site.lib.clock import database_now
from policies.choices import Risk
from policies.services import action_types, policies
from policies.services.ledger import Actor
from reviews.choices import DecisionKind, ItemStatus
from reviews.models import ReviewItem
from reviews.services import decisions
from reviews.services.decisions import Answer, Channel
from reviews.tests.browsing import HTMX, browser_of, open_form, text_of, url
from reviews.tests.cast import Cast, held

PHONE = {"Sec-CH-UA-Mobile": "?1"}
SAFARI = {"User-Agent": "Mozilla/5.0 (iPhone; like Mac OS X) Version/18.0 Mobile/15E148 Safari"}
ASKED = "Critical: open it on a larger screen to let it run."


def _declare(cast: Cast, risk: Risk) -> None:
    action_types.change(action_type=cast.refund, actor=Actor.person(cast.olga), now=database_now(), risk=risk)


def _publish(cast: Cast, *, small_screens: bool) -> None:
    policies.put_in_force(
        action_type=cast.refund,
        document={"threshold": 0.9, "small_screens": small_screens},
        author=cast.olga,
        reason="Telephones",
        now=database_now(),
    )


def _critical(cast: Cast, *, small_screens: bool | None = None) -> ReviewItem:
    _declare(cast, Risk.CRITICAL)
    if small_screens is not None:
        _publish(cast, small_screens=small_screens)
    return held(cast)


def _answer(
    cast: Cast, item: ReviewItem, kind: str, *, headers: dict[str, str] | None = None, **more: Any
) -> HttpResponseBase:
    client = browser_of(cast.alice)
    fields = {**open_form(client, item), "seen_end": "1", "kind": kind, **more}
    # As if it had been looked at for long enough: what is asked here is the screen alone.
    return client.post(url("decide", item), fields, headers={**HTMX, **(headers or {})})


@pytest.fixture(autouse=True)
def looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reviews.services.reading.LEAST_LOOK_MS", 0)


@pytest.mark.parametrize(
    ("headers", "more"),
    [(PHONE, {}), (SAFARI, {}), ({}, {"screen": "small"})],
    ids=["a hint", "a name", "a measure"],
)
def test_what_is_critical_is_not_approved_from_a_telephone(
    cast: Cast, headers: dict[str, str], more: dict[str, str]
) -> None:
    item = _critical(cast, small_screens=False)
    answer = _answer(cast, item, "approve", headers=headers, note="Looks right", **more)
    assert answer.status_code == 409
    page = text_of(answer)
    assert "This is critical: open it on a larger screen to let it run." in page
    assert 'value="Looks right"' in page
    item.refresh_from_db()
    assert (item.status, item.decisions.count()) == (ItemStatus.OPEN, 0)


def test_without_a_word_of_any_policy_it_takes_a_large_screen(cast: Cast) -> None:
    item = _critical(cast)
    assert _answer(cast, item, "approve", headers=PHONE).status_code == 409
    assert not item.decisions.exists()


def test_rejecting_works_on_a_telephone_and_where_it_was_said_is_kept(cast: Cast) -> None:
    item = _critical(cast, small_screens=False)
    answer = _answer(cast, item, "reject", headers=PHONE, reasons=["wrong_arguments"])
    assert answer.status_code == 200
    assert item.decisions.get().channel == "small_screen"


def test_a_large_screen_and_a_policy_that_allows_small_ones_take_the_approval(cast: Cast) -> None:
    large = _critical(cast, small_screens=False)
    assert _answer(cast, large, "approve", headers={"Sec-CH-UA-Mobile": "?0"}).status_code == 200
    assert large.decisions.get().channel == "web"
    small = _critical(cast, small_screens=True)
    assert _answer(cast, small, "approve", headers=PHONE).status_code == 200
    assert small.decisions.get().channel == "small_screen"


@pytest.mark.parametrize("first", [True, False])
def test_the_policy_that_held_it_and_the_one_in_force_must_both_allow_it(cast: Cast, first: bool) -> None:
    item = _critical(cast, small_screens=first)
    _publish(cast, small_screens=not first)
    assert _answer(cast, item, "approve", headers=PHONE).status_code == 409
    assert not item.decisions.exists()


def test_what_became_critical_while_it_waited_is_critical(cast: Cast) -> None:
    _declare(cast, Risk.LOW)
    _publish(cast, small_screens=False)
    item = held(cast)
    _declare(cast, Risk.CRITICAL)
    assert _answer(cast, item, "approve", headers=PHONE).status_code == 409


def test_nothing_else_asks_for_a_large_screen(cast: Cast) -> None:
    _declare(cast, Risk.HIGH)
    _publish(cast, small_screens=False)
    item = held(cast)
    assert _answer(cast, item, "approve", headers=PHONE).status_code == 200
    assert item.decisions.get().channel == "small_screen"


def test_the_page_of_a_telephone_offers_what_works_there(cast: Cast) -> None:
    item = _critical(cast, small_screens=False)
    client = browser_of(cast.alice)
    there = text_of(client.get(url("review", item), headers=PHONE))
    assert ASKED in there
    assert 'value="reject"' in there
    assert 'value="approve"' not in there
    assert 'value="correct"' not in there
    at_the_desk = text_of(client.get(url("review", item)))
    assert 'value="approve"' in at_the_desk
    allowed = _critical(cast, small_screens=True)
    assert ASKED not in text_of(client.get(url("review", allowed), headers=PHONE))


def test_whoever_calls_the_service_names_the_screen(cast: Cast) -> None:
    item = _critical(cast, small_screens=False)
    with pytest.raises(decisions.SmallScreen):
        decisions.decide(
            item_id=item.public_id,
            reviewer=cast.alice,
            answer=Answer(kind=DecisionKind.APPROVE),
            shown_digest=item.action.digest,
            item_version=item.version,
            opening=None,
            channel=Channel.SMALL_SCREEN,
            now=database_now(),
        )
    assert not item.decisions.exists()
