"""What a row says beside its title: which argument, and what it is worth; what several are worth together."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

import pytest

from policies.models import ActionType
from reviews.models import ActionRequest, ReviewItem
from reviews.selectors.row_facts import amount_in, fact_of
from reviews.selectors.together import Total, totals_of
from reviews.tests.browsing import browser_of, text_of
from reviews.tests.cast import REFUND_SCHEMA, Cast, held

REFUND = ActionType(
    title_template="Refund {amount|money:currency} to {customer.name}",
    argument_schema={
        "type": "object",
        "properties": {"order": {"title": "Order"}, "message": {}, "dry_run": {}, "lines": {}, "amount": {}},
        "required": ["amount"],
    },
)

LONG = "word " * 40


@pytest.mark.parametrize(
    ("arguments", "fact"),
    [
        ({"amount": 1, "customer": {"name": "Ana"}, "message": LONG, "order": "SO-48213"}, "Order: SO-48213"),
        ({"amount": 1, "message": LONG, "dry_run": True}, "message: 40 words"),
        ({"dry_run": False, "lines": [1, 2]}, "dry run: no"),
        ({"lines": [1, 2]}, "lines: 2"),
        ({"api_key": "abcdef", "amount": 1}, "api key: ••••••"),
        ({"order": "", "note_id": 7}, "note id: 7"),
        ({"order": None, "more": {"a": 1}}, ""),
        ({"order": "two\nlines"}, "Order: 2 words"),
        ({}, ""),
    ],
)
def test_the_fact_is_the_first_argument_that_says_something(arguments: dict[str, Any], fact: str) -> None:
    assert fact_of(arguments, action_type=REFUND, title="Refund") == fact


def test_what_the_title_says_already_is_no_further_fact() -> None:
    assert fact_of({"a": "SO-48213", "b": "x"}, action_type=None, title="Refund for SO-48213") == "b: x"


def test_the_value_of_an_action_is_written_with_its_currency() -> None:
    declared = ActionType(value_pointer="/credit", currency="EUR")
    assert fact_of({"credit": Decimal("12.5")}, action_type=declared, title="") == "credit: €12.50"
    assert fact_of({"credit": "soon"}, action_type=declared, title="") == "credit: soon"


def test_a_material_argument_comes_before_a_required_one() -> None:
    declared = ActionType(
        argument_schema={"properties": {"a": {}, "b": {}}, "required": ["a"]}, material_pointers=["/b/0", ""]
    )
    assert fact_of({"a": 1, "b": "two"}, action_type=declared, title="") == "b: two"


@pytest.mark.parametrize(
    ("pointer", "arguments", "amount"),
    [
        ("/amount", {"amount": Decimal("12.5")}, Decimal("12.5")),
        ("/lines/1/net", {"lines": [{}, {"net": -3}]}, Decimal(-3)),
        ("/a~1b", {"a/b": 0}, Decimal(0)),
        ("/amount", {"amount": "12.5"}, None),
        ("/amount", {"amount": True}, None),
        ("/amount", {"amount": Decimal("1e15")}, None),
        ("/amount", {}, None),
        ("", {"amount": 1}, None),
    ],
)
def test_the_amount_is_the_number_to_which_the_declared_pointer_leads(
    pointer: str, arguments: dict[str, Any], amount: Decimal | None
) -> None:
    assert amount_in(arguments, ActionType(value_pointer=pointer)) == amount


def valued_notes(cast: Cast, *amounts: float | None) -> list[ReviewItem]:
    """Hold notes, which are of low risk, with amounts; the type says where they stand."""
    ActionType.objects.filter(pk=cast.note.pk).update(value_pointer="/amount", currency="EUR")
    given = [{"text": f"N{n}"} | ({} if each is None else {"amount": each}) for n, each in enumerate(amounts)]
    return [
        held(cast, action_type="note.add", arguments=each, confidence=0.1, idempotency_key=str(number))
        for number, each in enumerate(given)
    ]


def test_what_is_selected_is_added_up_exactly_and_what_names_no_amount_is_told(cast: Cast) -> None:
    items = valued_notes(cast, 0.1, 0.2, None, 1000)
    read = list(ReviewItem.objects.filter(pk__in=[item.pk for item in items]).order_by("pk"))
    assert totals_of(read) == [Total("EUR", Decimal("1000.3"), 1)]
    alice = browser_of(cast.alice)
    page = text_of(alice.get("/inbox/"))
    assert re.findall(r'data-amount="([^"]*)" data-money="([^"]*)"', page) == [
        ("0.1", "€0.00"),
        ("0.2", "€0.00"),
        ("1000", "€0.00"),
    ]
    chosen = "&".join(f"items={item.public_id}" for item in items)
    look = re.sub(r"<[^>]+>", "", text_of(alice.get(f"/review/several/?{chosen}")))
    assert "Total €1,000.30, 1 without an amount" in look


def test_nothing_is_said_of_a_value_where_the_action_type_declares_none(cast: Cast) -> None:
    items = valued_notes(cast, 5, 6)
    ActionType.objects.filter(pk=cast.note.pk).update(value_pointer="")
    alice = browser_of(cast.alice)
    assert "data-amount" not in text_of(alice.get("/inbox/"))
    chosen = "&".join(f"items={item.public_id}" for item in items)
    assert "Total" not in text_of(alice.get(f"/review/several/?{chosen}"))


def test_a_row_names_the_fact_what_cannot_be_undone_and_the_agent(cast: Cast) -> None:
    held(cast, arguments={"order": "A", "amount": 5, "message": "Sorry!"})
    schema = REFUND_SCHEMA | {"properties": REFUND_SCHEMA["properties"] | {"message": {"title": "Words"}}}
    ActionType.objects.filter(pk=cast.refund.pk).update(irreversible=True, argument_schema=schema)
    assert "<span>Words: Sorry! · cannot be undone · clerk" in text_of(browser_of(cast.alice).get("/inbox/"))


def test_a_proposal_too_large_for_a_glance_still_has_its_row_and_its_subject(cast: Cast) -> None:
    item = held(cast, arguments={"order": "A", "amount": 5, "message": "x" * 17_000}, subject="customer 7")
    assert len(bytes(ActionRequest.objects.get(pk=item.action_id).arguments_canonical)) > 16_384
    assert "<span>customer 7 · clerk" in text_of(browser_of(cast.alice).get("/inbox/"))
