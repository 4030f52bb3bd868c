"""The one place that can pay: it holds the credentials, and pays only what a permit was given for.

The agent is not trusted here. It hands over a permit and what it wants paid; this process computes the digest
of what it is about to pay, checks the permit against it, uses the permit up, pays, and reports. Give it a key
of the same agent with the scopes ``permits:consume,outcomes:write`` and nothing else, and keep that key, like
the bank's, away from the agent:

    export HANDRAIL_KEY=hr_live_...
    echo '{"action_id": ..., "permit": {...}, "arguments": {...}}' |
        PYTHONPATH=sdk/python/src .venv/bin/python sdk/python/examples/refund_executor.py
"""

from __future__ import annotations

import json
import os
import sys
import time
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import handrail
from handrail.permits import Expected, check_permit, ed25519_check

ACTION_TYPE = "refund.issue"
ENVIRONMENT = "production"


@dataclass(frozen=True)
class Order:
    """What an agent hands over. Nothing in it is believed."""

    action_id: str
    permit_id: str
    token: str
    arguments: dict[str, Any]
    subject: str | None = None


class Executor:
    """Pays what was decided, once. Whatever is not certain raises a ``NotApproved`` and pays nothing."""

    def __init__(
        self,
        client: handrail.Client,
        *,
        agent: str,
        jwks: Mapping[str, object],
        pay: Callable[..., object],
    ) -> None:
        self.client = client
        self.agent = agent
        self.check_signature = ed25519_check(jwks)
        self.pay = pay

    def execute(self, order: Order) -> object:
        """Check, use the permit up, pay, and say what came of it."""
        digest = handrail.action_digest(
            agent=self.agent,
            subject=order.subject,
            action_type=ACTION_TYPE,
            environment=ENVIRONMENT,
            arguments=order.arguments,
        )
        expected = Expected(order.permit_id, order.action_id, ACTION_TYPE, ENVIRONMENT, digest)
        holder = check_permit(order.token, expected, now=time.time(), signature_check=self.check_signature)
        if holder != self.agent:
            raise handrail.PermitInvalid("the permit was given to another agent")
        # The one moment that counts: without this answer nothing is paid, whatever the permit says.
        execution = self.client.consume(order.permit_id, digest)
        try:
            receipt = self.pay(**order.arguments)
        except Exception:
            self.client.report(execution, handrail.Outcome.FAILED, executed_digest=digest)
            raise
        self.client.report(execution, handrail.Outcome.SUCCEEDED, executed_digest=digest)
        return receipt


def pay(order: str, amount: float, message: str = "") -> str:
    """Where the bank would be called."""
    print(f"    >>> paying {amount} for order {order}", flush=True)
    return f"paid {amount}"


def read_order(text: str) -> Order:
    """Read what the agent wrote."""
    given = json.loads(text)
    permit = given["permit"]
    return Order(given["action_id"], permit["id"], permit["token"], given["arguments"])


def read_jwks(url: str) -> dict[str, object]:
    """Read the public keys of the site."""
    with urllib.request.urlopen(f"{url}/.well-known/jwks.json", timeout=10) as answer:  # noqa: S310 - ours
        keys: dict[str, object] = json.load(answer)
        return keys


def main() -> None:
    """Pay one order from the standard input."""
    url = os.environ.get("HANDRAIL_URL", "http://127.0.0.1:8000")
    agent = os.environ.get("HANDRAIL_AGENT", "refunds")
    client = handrail.Client(url, os.environ["HANDRAIL_KEY"])
    executor = Executor(client, agent=agent, jwks=read_jwks(url), pay=pay)
    try:
        print(executor.execute(read_order(sys.stdin.read())))
    except handrail.NotApproved as refusal:
        sys.exit(f"Nothing was paid: {refusal}")


if __name__ == "__main__":
    main()
