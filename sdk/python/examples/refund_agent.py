"""A first agent in five minutes: it wants to pay refunds, and a person decides.

    make run                                                            # in one terminal
    export HANDRAIL_KEY=$(.venv/bin/python manage.py create_agent refunds --print-key | tail -1)
    PYTHONPATH=sdk/python/src .venv/bin/python sdk/python/examples/refund_agent.py

Then open the inbox, look at what the agent proposes, and approve, correct or reject it. Change the amount
there and see what is paid here.
"""

from __future__ import annotations

import json
import os
from typing import Any

import handrail

URL = os.environ.get("HANDRAIL_URL", "http://127.0.0.1:8000")
client = handrail.Client(URL, os.environ["HANDRAIL_KEY"])

TICKETS = [
    {
        "order": "A-77",
        "amount": "40.00",
        "ticket": "The lamp came broken. I want my 40.00 back.",
        "sure": 0.93,
    },
    {"order": "B-12", "amount": "400.00", "ticket": "The cable is too short, it cost 4.00.", "sure": 0.41},
]


def conversation(arguments: dict[str, Any]) -> dict[str, object]:
    """What the reviewer needs to see beside the proposal; it is no part of what is approved."""
    return {
        "messages": [
            {"role": "user", "content": t["ticket"]} for t in TICKETS if t["order"] == arguments["order"]
        ]
    }


def confidence(arguments: dict[str, Any]) -> float:
    """How sure the agent is."""
    return next(float(str(t["sure"])) for t in TICKETS if t["order"] == arguments["order"])


@handrail.requires_approval(
    "refund.issue", client=client, context=conversation, confidence=confidence, wait_timeout=600
)
def issue_refund(order: str, amount: str) -> str:
    """Pay money back: nothing in here runs before a person or the policy has said yes to these arguments."""
    print(f"    >>> paying {amount} for order {order}")
    return f"refunded {amount}"


def main() -> None:
    """Propose a refund for each ticket and tell what came of it."""
    print(f"I am {client.identity().name}. A person finds my proposals at {URL}/inbox/")
    for ticket in TICKETS:
        print(f"{ticket['order']}: I propose to refund {ticket['amount']}; waiting for the answer ...")
        try:
            print("   ", issue_refund(str(ticket["order"]), str(ticket["amount"])))
        except handrail.NotApproved as refusal:
            # This is what a model should be given as the result of its tool call.
            print(json.dumps(refusal.as_tool_result(), indent=4))


if __name__ == "__main__":
    main()
