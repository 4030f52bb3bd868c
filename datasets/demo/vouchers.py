"""The voucher weekend: forty refunds of orders with a voucher, which version 3.2 of the agent reads badly.

They are what the demo learns from: thirty-six become its golden cases, the others show what may come to a
case afterwards. Everything about them is the same in every demo.
"""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from typing import Final

from django.db import transaction

from datasets.demo import acting
from datasets.demo.setting_up import Stage
from datasets.demo.story import ITEMS, RIGHT, Document, Story, Talk, Verdict, customer, euros, order
from datasets.models import LabelledCase
from reviews.choices import DecisionKind, ItemKind, ItemStatus
from reviews.models import ActionRequest
from reviews.services import deadlines

AGENT: Final = "support-agent"
TYPE: Final = "refund.issue"
KEYS: Final = "demo-voucher-"
DAYS_AGO: Final = 3
GOLDEN: Final = range(36)
# What comes to one of the others later: it is left out, charged back, erased, answered anew.
LEFT_OUT, CHARGED_BACK, ERASED, ANSWERED_ANEW = range(36, 40)
# The list price was paid back instead of what was paid.
_WRONG: Final = frozenset({1, 4, 8, 11, 15, 19, 22, 26, 29, 33})
# The order record does not say what was paid: whoever reads it has to work the voucher out.
UNSAID: Final = 8
# A part was paid back before, so that less than what was paid is right.
PARTLY_PAID_BACK: Final = 20
_OFF: Final = 0.2
_PRICES: Final = (35, 45, 60, 75, 95, 110, 140, 165, 180)


def act_out(stage: Stage, *, base: datetime) -> None:
    """Act all of it out, or nothing; once."""
    rng = random.Random("demo vouchers")  # noqa: S311 - the same demo everywhere, no secret
    begin = base - timedelta(days=DAYS_AGO, hours=7)
    with transaction.atomic():
        if acting.exists(key_of(0)):
            return
        for place in range(ANSWERED_ANEW + 1):
            at = begin + timedelta(minutes=4 * place)
            story = _story(place, at)
            action = acting.propose(stage, story, key=key_of(place), now=at)
            decided_at = acting.settle(stage, story, action, rng)
            _agree(stage, story, action, rng, now=decided_at + timedelta(hours=2))


def _agree(stage: Stage, story: Story, action: ActionRequest, rng: random.Random, *, now: datetime) -> None:
    """Have somebody else say the same where a second opinion was drawn: what is golden is beyond doubt."""
    item = action.items.filter(kind=ItemKind.SECOND_OPINION, status=ItemStatus.OPEN).first()
    if item is None:
        return
    answered = set(action.decisions.values_list("reviewer__username", flat=True))
    person = rng.choice([each for name, each in stage.reviewers.items() if name not in answered])
    acting.answer(item, person, story.verdict, now=now, rng=rng)
    deadlines.release_due(now=now + acting.UNDO)


def key_of(place: int) -> str:
    """Return the key under which the agent proposed it."""
    return f"{KEYS}{place}"


def action_at(place: int) -> ActionRequest:
    """Return what was proposed at a place of the weekend."""
    return ActionRequest.objects.select_related("agent").get(idempotency_key=key_of(place))


def case_at(place: int) -> LabelledCase:
    """Return the case that it became."""
    return LabelledCase.objects.get(action_id=action_at(place).public_id)


def letter(name: str, item: str, amount: float | int) -> str:
    """Return what the customer is told."""
    return (
        f"Hi {name.split()[0]},\n\nI am sorry about the {item}. We have refunded €{amount:.2f}; you will see"
        " it within 5 to 10 working days.\n\nKind regards,\nNordlys Support"
    )


def _story(place: int, at: datetime) -> Story:
    rng = random.Random(f"demo voucher {place}")  # noqa: S311 - the same demo everywhere, no secret
    name, _, number = customer(rng)
    order_id, item, price = order(rng), ITEMS[place % len(ITEMS)], _PRICES[place % len(_PRICES)]
    paid = euros(price * (1 - _OFF))
    before = euros(paid / 4) if place == PARTLY_PAID_BACK else 0
    due = euros(paid - before)
    wrong = place in _WRONG
    card = f"Visa ending {rng.randint(1000, 9999)}"
    record: Document = {
        "order_id": order_id,
        "item": item,
        "list_price": price,
        "voucher": "AUTUMN20: 20% off",
        "currency": "EUR",
        "method": card,
    }
    if place != UNSAID:
        record["paid_total"] = paid
    if before:
        record["refunded_before"] = before
    right: Document = {
        "order_id": order_id,
        "customer": name,
        "amount": due,
        "currency": "EUR",
        "pay_back_to": card,
        "reason": "damaged item",
        "message": letter(name, item, due),
    }
    asked: Document = {**right, "amount": price, "message": letter(name, item, price)} if wrong else right
    talk = (
        Talk(rng, ends=at, steps=4)
        .user(f"My {item} ({order_id}) came broken. I ordered it with the voucher AUTUMN20.")
        .tool("orders.get", {"order_id": order_id}, record)
    )
    return Story(
        agent=AGENT,
        version="3.2",
        action_type=TYPE,
        arguments=asked,
        messages=talk.messages,
        facts={"paid_total": paid, "customer_since": rng.randint(2016, 2025)},
        # Under the threshold: a person decides each of them.
        confidence=round(rng.uniform(0.58, 0.78), 2),
        judge=None,
        reason=f"The customer's {item} came broken, and the order is inside the time for returns.",
        subject=number,
        conversation=f"chat-2{place:04}",
        verdict=Verdict(DecisionKind.CORRECT, right, ("wrong_amount",), "The voucher was not taken off.")
        if wrong
        else RIGHT,
    )
