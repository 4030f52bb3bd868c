"""Precedents: what was decided on the most alike actions, and the mark where an answer contradicts them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection

from hitl_site.lib.clock import database_now
from policies.models import LedgerCursor, LedgerEntry, LedgerLink
from reviews.choices import DecisionKind
from reviews.engine import precedents as likeness
from reviews.models import Precedent, ReviewItem
from reviews.selectors import precedents as selector
from reviews.selectors.precedents import precedents_of
from reviews.services import deadlines, precedents
from reviews.tests.browsing import HTMX, browser_of, open_form, text_of, url
from reviews.tests.cast import REFUND, Cast, decide_as, held

LATER = timedelta(seconds=6)
REJECT, CORRECT, APPROVE = DecisionKind.REJECT, DecisionKind.CORRECT, DecisionKind.APPROVE


def remember() -> None:
    """Release what is due and let the worker follow the record."""
    now = database_now() + LATER
    deadlines.release_due(now=now)
    number_entries()
    while precedents.remember(now=now):
        pass


def number_entries() -> None:
    """Stand in for the sequencer, which leaves alone what is not committed: a test commits nothing."""
    last = LedgerLink.objects.order_by("-seq").values_list("seq", flat=True).first() or 0
    LedgerLink.objects.bulk_create(
        LedgerLink(seq=seq, entry=entry, previous_hash="", hash="", linked_at=database_now())
        for seq, entry in enumerate(LedgerEntry.objects.filter(link=None).order_by("id"), start=last + 1)
    )


def decided(cast: Cast, kind: DecisionKind, proposed: dict[str, Any], **answer: Any) -> ReviewItem:
    item = held(cast, arguments={**REFUND, **proposed})
    decide_as(cast.bob, item, kind, **answer)
    return item


def test_the_same_again_is_wholly_alike_and_another_name_hardly_matters() -> None:
    other_order = {**REFUND, "order": "SO-1"}
    assert likeness.alike(REFUND, dict(REFUND)) == 1
    assert likeness.alike(REFUND, other_order) == pytest.approx(2 / 2.15)
    assert likeness.alike(REFUND, {**other_order, "amount": 18}) < likeness.TWIN
    assert likeness.alike({}, {}) == 1


def test_tokens_know_a_value_again_however_it_is_written() -> None:
    one = likeness.tokens("refund.issue", {"order": "SO-1", "amount": 148}, "Ana")
    assert one == likeness.tokens("refund.issue", {"order": "so-1 ", "amount": 148.0}, "ANA")
    assert not set(one) & set(likeness.tokens("note.add", {"order": "SO-1", "amount": 148}, "Ana"))


def test_the_three_most_alike_decisions_come_with_what_was_decided_and_why(cast: Cast) -> None:
    decided(cast, REJECT, {"order": "A", "amount": 183}, reasons=("wrong_target",), note="Not hers.")
    decided(cast, CORRECT, {"order": "B", "amount": 180}, arguments={**REFUND, "order": "B", "amount": 148})
    decided(cast, APPROVE, {"order": "C", "amount": 90})
    decided(cast, APPROVE, {"order": "D", "amount": 2})
    remember()

    found = precedents_of(held(cast).action).found
    assert [(each.verb, each.twin) for each in found] == [
        ("rejected", True),
        ("corrected", True),
        ("approved", False),
    ]
    first, second, _ = found
    assert (first.who, first.reasons, first.note) == (
        "Bob",
        ("Wrong person, account or object",),
        "Not hers.",
    )
    assert second.corrected is not None
    assert [(line.kind, line.text) for line in second.corrected.lines] == [("del", "180"), ("ins", "148")]


def test_what_can_still_be_taken_back_is_no_precedent(cast: Cast) -> None:
    item = held(cast)
    decide_as(cast.bob, item, REJECT)
    number_entries()
    precedents.remember(now=database_now())
    assert not Precedent.objects.exists()


def test_reading_the_record_anew_makes_the_very_same_precedents(cast: Cast) -> None:
    decided(cast, REJECT, {"order": "A"})
    remember()
    before = list(Precedent.objects.values())
    LedgerCursor.objects.filter(reader=precedents.READER).update(seq=0)
    remember()
    assert list(Precedent.objects.values()) == before
    assert len(before) == 1


def test_what_is_rare_is_found_behind_many_newer_decisions(cast: Cast, monkeypatch: Any) -> None:
    decided(cast, REJECT, {"order": "SO-777"})
    for number in range(4):
        decided(cast, APPROVE, {"order": f"X-{number}", "amount": 500 + number})
    remember()
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE reviews_precedent")
    monkeypatch.setattr(selector, "_NEWEST", 2)
    first = precedents_of(held(cast, arguments={**REFUND, "order": "SO-777"}).action).found[0]
    assert first.verb == "rejected"
    assert first.alike == 1


def test_the_page_shows_them_and_marks_an_answer_that_contradicts_all_twins(cast: Cast) -> None:
    for order in "AB":
        decided(cast, REJECT, {"order": order}, reasons=("not_needed",))
    remember()
    item, client = held(cast), browser_of(cast.alice)
    page = text_of(client.get(url("review", item)))
    assert "Decided before" in page
    assert page.count("Bob rejected it") == 2
    said = "2 actions of the same kind were rejected (Not needed). Approving this would contradict that."
    assert said in page

    fields = {**open_form(client, item), "kind": "approve"}
    answer = client.post(url("decide", item), fields, headers=HTMX)
    assert answer.status_code == 409
    assert "Approve all the same" in text_of(answer)
    assert not item.decisions.exists()

    # A confirmation, not a block: the same again goes through; another answer is asked about anew.
    assert client.post(url("decide", item), {**fields, "against": "approve"}, headers=HTMX).status_code == 200
    assert item.decisions.get().kind == "approve"


def test_an_answer_like_its_twins_is_taken_at_once(cast: Cast) -> None:
    decided(cast, REJECT, {"order": "A"})
    remember()
    item, client = held(cast), browser_of(cast.alice)
    fields = {**open_form(client, item), "kind": "reject", "reasons": ["not_needed"]}
    assert client.post(url("decide", item), fields, headers=HTMX).status_code == 200
    assert item.decisions.get().kind == "reject"


def test_a_blind_item_shows_no_precedent_and_asks_nothing(cast: Cast) -> None:
    decided(cast, REJECT, {"order": "A"}, note="Bob's own words")
    remember()
    item, client = held(cast), browser_of(cast.alice)
    ReviewItem.objects.filter(pk=item.pk).update(blind=True)
    page = text_of(client.get(url("review", item)))
    assert "Decided before" not in page
    assert "own words" not in page
    fields = {**open_form(client, item), "kind": "approve"}
    assert client.post(url("decide", item), fields, headers=HTMX).status_code == 200


def test_a_precedent_that_was_blind_names_nobody(cast: Cast) -> None:
    item = held(cast)
    ReviewItem.objects.filter(pk=item.pk).update(blind=True)
    decide_as(cast.bob, item, REJECT)
    remember()
    [found] = precedents_of(held(cast, arguments={**REFUND, "order": "Z"}).action).found
    assert (found.who, found.verb) == ("", "rejected")


def test_what_is_forgotten_is_found_by_its_words_no_more(cast: Cast) -> None:
    item = decided(cast, REJECT, {})
    remember()
    assert precedents.forget(action_ids=[item.action.public_id]) == 1
    assert Precedent.objects.get().tokens == []
