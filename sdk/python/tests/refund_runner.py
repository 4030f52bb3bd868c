"""A guarded refund that counts its calls, run by the plain or the async client."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from gate_server import KEY, Gate

from handrail import AsyncClient, Client, Retries

QUICK = Retries(attempts=4, first_pause=0.01, longest_pause=2.0)
REFUND = {"order": "A-77", "amount": "40.00", "lines": [1, 2.5]}


@dataclass
class Runner:
    """Runs one refund through a client of either kind; ``ran`` holds the arguments of each call made."""

    gate: Gate
    kind: Literal["plain", "async"]
    ran: list[dict[str, Any]] = field(default_factory=list)
    client: dict[str, Any] = field(default_factory=dict)
    error: BaseException | None = None

    def refund(self, arguments: Mapping[str, object] = REFUND, **options: Any) -> str:
        options = {"wait_timeout": 5.0, **options}
        settings = {"retries": QUICK, "timeout": 2.0, **self.client}
        if self.kind == "plain":
            return Client(self.gate.url, KEY, **settings).run("refund.issue", arguments, self._pay, **options)
        return asyncio.run(self._refund_async(arguments, settings, options))

    async def _refund_async(
        self, arguments: Mapping[str, object], settings: dict[str, Any], options: dict[str, Any]
    ) -> str:
        async with AsyncClient(self.gate.url, KEY, **settings) as client:
            return await client.run("refund.issue", arguments, self._pay_async, **options)

    def _pay(self, **arguments: Any) -> str:
        self.ran.append(arguments)
        if self.error is not None:
            raise self.error
        return "paid"

    async def _pay_async(self, **arguments: Any) -> str:
        return self._pay(**arguments)
