"""Fresh values: another order, another person, another amount, and the same error at the same place."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hitl_site.lib.strict_json import JsonValue
from hitl_site.lib.textdiff import json_changes
from reviews.engine.refreshing import CannotRefresh, Case, refreshed

AT = datetime(2026, 5, 14, 10, 2, 30, tzinfo=UTC)
NOW = datetime(2026, 11, 22, 16, 40, 5, tzinfo=UTC)
CONTEXT: dict[str, Any] = {
    "messages": [
        {
            "role": "user",
            "content": "Ana Ruiz here, order SO-48213 came broken.",
            "at": "2026-05-14T10:02:11Z",
        },
        {
            "role": "tool",
            "name": "get_order",
            "content": {
                "order": "SO-48213",
                "customer": {"name": "Ana Ruiz", "email": "ana.ruiz_77@example.org"},
                "paid": 148.00,
                "items": [{"name": "Lamp", "price": 100}, {"name": "Shade", "price": 48}],
                "delivered": "2026-05-02",
                "quantity": 2,
                "payment_methods": {"card_4421486": {"id": 4421486}},
            },
        },
    ]
}


def case(**changes: Any) -> Case:
    given: dict[str, Any] = {
        "arguments": {"order": "SO-48213", "amount": 184, "message": "Dear Ana, €184.00 on 14 May 2026."},
        "expected": {"order": "SO-48213", "amount": 148, "message": "Dear Ana, €184.00 on 14 May 2026."},
        "context": CONTEXT,
        "reason": "Refund of 184.00 EUR for order 48213",
        "subject": "customer:ana.ruiz_77",
        "conversation_id": "c-90211",
        "others": None,
        "at": AT,
        **changes,
    }
    return Case(**given)


def test_every_value_is_another_one_wherever_it_stands() -> None:
    fresh = refreshed(case(), key=b"k", now=NOW)
    order = str(fresh.arguments["order"])
    assert order.startswith("SO-")
    assert len(order) == 8
    whole = json.dumps([fresh.arguments, fresh.expected, fresh.context, fresh.reason, fresh.subject])
    for old in ("48213", "Ana", "Ruiz", "ruiz", "184", "148", "4421486", "90211"):
        assert old not in whole
    number = order[3:]
    assert fresh.reason.endswith(f"for order {number}")
    amount = fresh.arguments["amount"]
    assert f"€{amount}.00" in str(fresh.arguments["message"])
    assert f"Refund of {amount}.00 EUR" in fresh.reason


def test_what_was_planted_is_still_there_and_nothing_else_is() -> None:
    fresh = refreshed(case(), key=b"k", now=NOW)
    assert fresh.expected is not None
    assert [change.pointer for change in json_changes(fresh.arguments, fresh.expected)] == ["/amount"]
    told = json.loads(json.dumps(fresh.context))["messages"][1]["content"]
    # The record says what is right, its lines still add up to it, and the proposal is still too high.
    assert told["paid"] == fresh.expected["amount"]
    assert told["items"][0]["price"] + told["items"][1]["price"] == told["paid"]
    assert fresh.arguments["amount"] > fresh.expected["amount"]  # type: ignore[operator]  # both are numbers
    assert told["quantity"] == 2
    assert [item["name"] for item in told["items"]] == ["Lamp", "Shade"]


def test_what_led_to_it_ends_where_it_begins_and_days_stay_days() -> None:
    fresh = refreshed(case(), key=b"k", now=NOW)
    messages = json.loads(json.dumps(fresh.context))["messages"]
    assert messages[0]["at"] == "2026-11-22T16:39:46Z"
    assert messages[1]["content"]["delivered"] == "2026-11-10"
    assert "22 November 2026" in str(fresh.arguments["message"])


def test_names_in_an_address_and_numbers_in_a_members_name_go_along() -> None:
    told = json.loads(json.dumps(refreshed(case(), key=b"k", now=NOW).context))["messages"][1]["content"]
    first, last = told["customer"]["name"].split()
    assert told["customer"]["email"].startswith(f"{first.lower()}.{last.lower()}_77@")
    (member,) = told["payment_methods"]
    assert member == f"card_{told['payment_methods'][member]['id']}"


def test_two_keys_give_two_cases_and_one_key_the_same() -> None:
    first, again, other = (refreshed(case(), key=key, now=NOW) for key in (b"1", b"1", b"2"))
    assert first == again
    assert first.arguments["order"] != other.arguments["order"]


def test_what_holds_no_value_cannot_be_made_fresh() -> None:
    with pytest.raises(CannotRefresh, match="nothing that could be given another value"):
        refreshed(case(arguments={"text": "hello"}, expected=None, context=None), key=b"k", now=NOW)


def is_cheap(arguments: Mapping[str, JsonValue]) -> bool:
    amount = arguments["amount"]
    return isinstance(amount, int | float) and amount < 200


def test_limits_of_the_action_type_are_kept_or_nothing_is_made() -> None:
    fresh = refreshed(case(), key=b"k", now=NOW, fits=is_cheap)
    assert is_cheap(fresh.arguments)
    with pytest.raises(CannotRefresh, match="within the limits"):
        refreshed(case(), key=b"k", now=NOW, fits=lambda found: found["amount"] == 184)


def test_a_listed_value_is_never_touched() -> None:
    listed = case(arguments={"plan": "tier-1000", "order": "SO-48213"}, expected=None)
    fresh = refreshed(listed, key=b"k", now=NOW, kept=frozenset({"tier-1000"}))
    assert fresh.arguments["plan"] == "tier-1000"
    assert fresh.arguments["order"] != "SO-48213"


_ORDERS = st.from_regex(r"[A-Z]{1,3}-[1-9][0-9]{4,7}", fullmatch=True)
_CENTS = st.integers(min_value=1_000, max_value=90_000)


@settings(max_examples=60, deadline=None)
@given(
    order=_ORDERS,
    paid=_CENTS,
    extra=_CENTS,
    days=st.integers(min_value=1, max_value=300),
    key=st.binary(min_size=1, max_size=8),
)
def test_whatever_the_amounts_the_error_stays_and_the_values_go(
    order: str, paid: int, extra: int, days: int, key: bytes
) -> None:
    right, wrong = paid / 100, (paid + extra) / 100
    told = case(
        arguments={"order": order, "amount": wrong},
        expected={"order": order, "amount": right},
        context={"record": {"order": order, "paid": f"{right:.2f}", "seen": [right, wrong]}},
        reason=f"{wrong:.2f} EUR for {order}",
    )
    try:
        fresh = refreshed(told, key=key, now=AT + timedelta(days=days))
    except CannotRefresh:
        return
    assert fresh.expected is not None
    assert [change.pointer for change in json_changes(fresh.arguments, fresh.expected)] == ["/amount"]
    record = json.loads(json.dumps(fresh.context))["record"]
    assert fresh.arguments["order"] == fresh.expected["order"] == record["order"] != order
    assert float(record["paid"]) == record["seen"][0] == fresh.expected["amount"]
    assert record["seen"][1] == fresh.arguments["amount"]
    assert not {right, wrong} & {record["seen"][0], record["seen"][1]}
    assert record["seen"][1] > record["seen"][0]
    assert str(fresh.arguments["order"]) in fresh.reason


@settings(max_examples=60, deadline=None)
@given(
    text=st.text(max_size=80),
    number=st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**53) + 1, 2**53 - 1),
    name=st.text(max_size=12),
)
def test_no_text_or_number_breaks_it(text: str, number: float, name: str) -> None:
    odd = case(
        arguments={"order": "SO-48213", name: number, "note": text},
        expected=None,
        context={name: [text, number]},
    )
    try:
        fresh = refreshed(odd, key=b"k", now=NOW)
    except CannotRefresh:
        return
    assert json.dumps(fresh.arguments)
