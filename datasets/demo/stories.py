"""The stories of the demo, one maker an action type: chance decides on who, how much, and what goes wrong."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from random import Random
from typing import Final

from datasets.demo.story import (
    ITEMS,
    RIGHT,
    Document,
    Story,
    Talk,
    Verdict,
    customer,
    euros,
    judged,
    order,
    score,
)
from hitl_site.lib.strict_json import JsonValue
from reviews.choices import DecisionKind

_WRONG_SHARE: Final = 0.14
_ROUTES: Final = ("damaged item", "late delivery", "wrong item", "cancelled order")


def refund(rng: Random, at: datetime) -> Story:
    """A customer wants money back; now and then the agent takes the list price for the price paid."""
    name, _, number = customer(rng)
    order_id, item, why = order(rng), rng.choice(ITEMS), rng.choice(_ROUTES)
    paid = euros(rng.choice((14.9, 24.5, 39, 61, 89, 97.1, 118, 139, 148, 176, 212)))
    wrong = rng.random() < _WRONG_SHARE
    asked = euros(float(paid) * 1.25) if wrong else paid
    card = f"Visa ending {rng.randint(1000, 9999)}"
    first = name.split()[0]
    arguments: Document = {
        "order_id": order_id,
        "customer": name,
        "amount": asked,
        "currency": "EUR",
        "pay_back_to": card,
        "reason": why,
        "message": _refund_letter(first, item, asked, "3 working days" if wrong else "5 to 10 working days"),
    }
    talk = (
        Talk(rng, ends=at, steps=7)
        .user(f"My {item} ({order_id}) {_GRIEF[why]}. I would like my money back.")
        .tool(
            "orders.get",
            {"order_id": order_id},
            {"order_id": order_id, "item": item, "paid_total": paid, "currency": "EUR", "method": card},
        )
        .tool(
            "handbook.search",
            {"query": "refund timing"},
            "Cards: 5 to 10 working days. Refund what was paid, never the list price.",
        )
        .agent(f"I am sorry, {first}. I will ask for the refund right away.")
    )
    fixed = {
        **arguments,
        "amount": paid,
        "message": _refund_letter(first, item, paid, "5 to 10 working days"),
    }
    own = score(rng, right=not wrong)
    return Story(
        agent="support-agent",
        version="3.2",
        action_type="refund.issue",
        arguments=arguments,
        messages=talk.messages,
        facts={"paid_total": paid, "customer_since": rng.randint(2016, 2025)},
        confidence=own,
        judge=judged(rng, own, "The reason fits what the customer wrote. The amount is the point to check."),
        reason=f"The customer's {item} {_GRIEF[why]}, and the order is inside the time for returns.",
        subject=number,
        conversation=f"chat-{rng.randint(10_000, 99_999)}",
        samples=[arguments, fixed] if wrong else [],
        verdict=Verdict(
            DecisionKind.CORRECT, fixed, ("wrong_amount", "wrong_fact"), "The order says what was paid."
        )
        if wrong
        else RIGHT,
    )


def credit(rng: Random, at: datetime) -> Story:
    """A late parcel and a small credit for it; now and then nobody asked for one."""
    name, _, number = customer(rng)
    order_id, days = order(rng), rng.randint(2, 9)
    amount = euros(rng.choice((5, 7.5, 9, 10, 12.5, 15, 20, 60)))
    wrong = rng.random() < _WRONG_SHARE / 2
    agent, version = ("support-agent", "3.2") if rng.random() < 0.7 else ("billing-bot", "1.8")
    talk = (
        Talk(rng, ends=at, steps=5)
        .user(
            f"Is {order_id} on its way? No hurry, I only wondered."
            if wrong
            else f"{order_id} came {days} days late."
        )
        .tool(
            "shipping.track",
            {"order_id": order_id},
            {"order_id": order_id, "promised": "Tuesday", "days_late": 0 if wrong else days},
        )
    )
    own = score(rng, right=not wrong)
    return Story(
        agent=agent,
        version=version,
        action_type="credit.issue",
        arguments={
            "order_id": order_id,
            "customer": name,
            "amount": amount,
            "currency": "EUR",
            "note": "Late delivery" if wrong else f"Late delivery, {days} days",
        },
        messages=talk.messages,
        facts={"credits_this_month": 0 if rng.random() < 0.9 else 2},
        confidence=own,
        judge=None,
        reason="A credit keeps the customer, and costs less than the next complaint.",
        subject=number,
        conversation=f"chat-{rng.randint(10_000, 99_999)}",
        verdict=Verdict(DecisionKind.REJECT, None, ("not_needed",), "The parcel is not late.")
        if wrong
        else RIGHT,
    )


def email(rng: Random, at: datetime) -> Story:
    """An answer by mail; now and then it promises what nobody keeps."""
    name, address, number = customer(rng)
    first, order_id, item = name.split()[0], order(rng), rng.choice(ITEMS)
    subject, told = rng.choice(
        (
            ("Your order has left our house", f"your {item} left our house this morning"),
            ("Your question about the guarantee", f"your {item} has a guarantee of two years"),
            ("A copy of your invoice", f"here is the invoice for {order_id}"),
            ("Your cancellation", f"we have cancelled {order_id} as you asked"),
            ("Washing instructions", f"please wash the {item} by hand, lukewarm"),
        )
    )
    wrong = rng.random() < _WRONG_SHARE
    promise = "\n\nIf anything is wrong you will get it free of charge, whatever it is." if wrong else ""
    arguments: Document = {
        "to_name": name,
        "to": address,
        "subject": subject,
        "body": _letter(first, told + "." + promise),
    }
    agent, version = ("support-agent", "3.2") if rng.random() < 0.8 else ("billing-bot", "1.8")
    talk = (
        Talk(rng, ends=at, steps=4)
        .user(f"Hello, I have a question about {order_id}. Could you write to me?")
        .tool("orders.get", {"order_id": order_id}, {"order_id": order_id, "item": item, "state": "sent"})
    )
    own = score(rng, right=not wrong)
    fixed: Document = {**arguments, "body": _letter(first, told + ".")}
    return Story(
        agent=agent,
        version=version,
        action_type="email.send",
        arguments=arguments,
        messages=talk.messages,
        facts={"language": "en"},
        confidence=own,
        judge=judged(rng, own, "Polite, and it answers the question that was asked."),
        reason="The customer asked for an answer in writing.",
        subject=number,
        conversation=f"mail-{rng.randint(10_000, 99_999)}",
        verdict=Verdict(DecisionKind.CORRECT, fixed, ("promise",), "We do not promise that.")
        if wrong
        else RIGHT,
    )


def access(rng: Random, at: datetime) -> Story:
    """Somebody of the office needs a right; now and then the agent gives more than was asked for."""
    name, _, _ = customer(rng)
    person = (
        f"{name.split()[0][0].lower()}.{rng.choice(('okafor', 'brandt', 'silva', 'meyer'))}@northwind.example"
    )
    system = rng.choice(("warehouse", "crm", "payroll", "web shop", "file share"))
    ticket, wrong = f"IT-{rng.randint(600, 999)}", rng.random() < 0.3
    asked = rng.choice(("read", "edit"))
    arguments: Document = {
        "person": person,
        "system": system,
        "role": "admin" if wrong else asked,
        "days": rng.choice((7, 14, 30, 90)),
        "ticket": ticket,
    }
    talk = (
        Talk(rng, ends=at, steps=4)
        .tool(
            "tickets.get",
            {"ticket": ticket},
            {"ticket": ticket, "from": person, "wants": f"{asked} on {system}", "manager_agreed": True},
        )
        .tool("people.get", {"person": person}, {"person": person, "team": "Returns", "active": True})
    )
    return Story(
        agent="it-desk",
        version="0.9",
        action_type="access.grant",
        arguments=arguments,
        messages=talk.messages,
        facts={"manager_agreed": True},
        confidence=score(rng, right=not wrong),
        judge=None,
        reason=f"Asked for in {ticket}.",
        subject=person,
        conversation=ticket,
        verdict=Verdict(
            DecisionKind.CORRECT, {**arguments, "role": asked}, ("too_much",), f"The ticket asks for {asked}."
        )
        if wrong
        else RIGHT,
    )


def merge(rng: Random, at: datetime) -> Story:
    """Two records of one customer; now and then they are two people of the same name."""
    name, address, number = customer(rng)
    others: list[JsonValue] = [f"C-{rng.randint(100_000, 999_999)}" for _ in range(rng.randint(1, 2))]
    wrong = rng.random() < 0.3
    talk = Talk(rng, ends=at, steps=3).tool(
        "crm.search",
        {"name": name},
        [
            {"record": number, "name": name, "email": address, "orders": rng.randint(2, 9)},
            *(
                {
                    "record": other,
                    "name": name,
                    "email": "other@mail.example" if wrong else address,
                    "orders": 1,
                }
                for other in others
            ),
        ],
    )
    return Story(
        agent="support-agent",
        version="3.2",
        action_type="crm.merge",
        arguments={
            "customer": name,
            "keep": number,
            "merge": others,
            "matched_by": "name only" if wrong else "email",
        },
        messages=talk.messages,
        facts={},
        confidence=score(rng, right=not wrong),
        judge=None,
        reason="The same person has more than one record.",
        subject=number,
        conversation=f"crm-{rng.randint(1_000, 9_999)}",
        verdict=Verdict(DecisionKind.REJECT, None, ("wrong_person",), "Only the name is the same.")
        if wrong
        else RIGHT,
    )


def tickets(rng: Random, at: datetime) -> Story:
    """Old tickets are closed; now and then one of them is still open."""
    queue = rng.choice(("Billing", "Shipping", "Returns", "Office IT"))
    count = rng.choice((1, 2, 3, 4, 6, 9, 12, 38))
    numbers: list[JsonValue] = [f"T-{number}" for number in rng.sample(range(20_000, 29_999), count)]
    wrong = count > 1 and rng.random() < _WRONG_SHARE
    agent, version = ("it-desk", "0.9") if queue == "Office IT" else ("support-agent", "3.2")
    arguments: Document = {
        "queue": queue,
        "tickets": numbers,
        "because": "No answer for 14 days",
        "tell_customer": False,
    }
    talk = Talk(rng, ends=at, steps=3).tool(
        "tickets.list",
        {"queue": queue, "quiet_days": 14},
        {"found": count, "answered_yesterday": [numbers[-1]] if wrong else []},
    )
    return Story(
        agent=agent,
        version=version,
        action_type="ticket.close",
        arguments=arguments,
        messages=talk.messages,
        facts={},
        confidence=score(rng, right=not wrong),
        judge=None,
        reason="They have been quiet for two weeks.",
        subject=queue,
        conversation=f"batch-{rng.randint(1_000, 9_999)}",
        verdict=Verdict(
            DecisionKind.CORRECT,
            {**arguments, "tickets": numbers[:-1]},
            ("still_open",),
            "One got an answer.",
        )
        if wrong
        else RIGHT,
    )


# How often each is proposed, of a hundred.
MAKERS: Final[Mapping[Callable[[Random, datetime], Story], int]] = {
    refund: 26,
    credit: 26,
    email: 24,
    tickets: 14,
    access: 5,
    merge: 5,
}

_GRIEF: Final = {
    "damaged item": "came broken",
    "late delivery": "came two weeks late",
    "wrong item": "is not what I ordered",
    "cancelled order": "was cancelled, and still charged",
}


def any_story(rng: Random, at: datetime) -> Story:
    """Return a story as chance has it."""
    (maker,) = rng.choices(list(MAKERS), weights=list(MAKERS.values()))
    return maker(rng, at)


def _refund_letter(first: str, item: str, amount: float | int, when: str) -> str:
    return _letter(
        first, f"I am sorry about the {item}. We have refunded €{amount:.2f}; you will see it within {when}."
    )


def _letter(first: str, text: str) -> str:
    return f"Hi {first},\n\n{text[0].upper()}{text[1:]}\n\nKind regards,\nNordlys Support"
