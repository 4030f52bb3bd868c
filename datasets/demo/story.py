"""A story: one thing an agent of the demo proposes, and what a person would say of it. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random

from hitl_site.lib.strict_json import JsonValue
from reviews.choices import DecisionKind

Document = dict[str, JsonValue]

_FIRST = (
    "Ana", "Helio", "Priya", "Tom", "Wanjiru", "Lena", "Yuki", "Jo", "Ivo", "Dana", "Mateo", "Nour", "Signe",
    "Oluwaseun", "Bao", "Marta", "Elif", "Piotr", "Chloé", "Rafael", "Aino", "Kemal", "Ruth", "Zoë",
)  # fmt: skip
_LAST = (
    "Ruiz", "Marques", "Nair", "Leclerc", "Maina", "Vogt", "Tanaka", "Adler", "Petrov", "Weiss", "Castellano",
    "Haddad", "Lindqvist", "Adeyemi", "Tran", "Nowak", "Yıldız", "Kowalska", "Moreau", "Santos", "Korhonen",
)  # fmt: skip
ITEMS = (
    "floor lamp", "oak side table", "wool blanket", "set of six glasses", "desk chair", "bread oven",
    "linen curtains", "wall shelf", "garden bench", "enamel teapot",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a person says of a story: ``arguments`` come with a correction alone."""

    kind: DecisionKind = DecisionKind.APPROVE
    arguments: Document | None = None
    reasons: tuple[str, ...] = ()
    note: str = ""


RIGHT = Verdict()


@dataclass(frozen=True, slots=True)
class Story:
    """One proposal with its context, and the verdict it deserves."""

    agent: str
    version: str
    action_type: str
    arguments: Document
    messages: list[JsonValue]
    facts: Document
    confidence: float | None
    judge: Document | None
    reason: str
    subject: str
    conversation: str
    verdict: Verdict = RIGHT
    samples: list[JsonValue] = field(default_factory=list)

    def body(self, *, timeout: str | None = None) -> Document:
        """Return the submission as the agent would send it."""
        body: Document = {
            "action_type": self.action_type,
            "arguments": self.arguments,
            "context": {"messages": self.messages, "facts": self.facts},
            "confidence": self.confidence,
            "judge": self.judge,
            "reason": self.reason,
            "agent_version": self.version,
            "conversation_id": self.conversation,
            "subject": self.subject,
            "timeout": timeout,
        }
        if self.samples:
            body["samples"] = self.samples
        return {name: value for name, value in body.items() if value is not None}


class Talk:
    """The messages of one conversation, each some seconds after the one before."""

    def __init__(self, rng: Random, *, ends: datetime, steps: int) -> None:
        self._rng = rng
        self._now = ends - timedelta(seconds=14 * steps + 20)
        self.messages: list[JsonValue] = []

    def user(self, text: str) -> Talk:
        """Add what the customer wrote."""
        return self._add({"role": "user", "content": text})

    def agent(self, text: str) -> Talk:
        """Add what the agent wrote."""
        return self._add({"role": "assistant", "content": text})

    def tool(self, name: str, arguments: Document, result: JsonValue) -> Talk:
        """Add a call of a tool and what came back."""
        key = f"call_{len(self.messages)}"
        self._add(
            {
                "role": "assistant",
                "content": None,
                "tool_calls": [{"id": key, "name": name, "arguments": arguments}],
            }
        )
        return self._add({"role": "tool", "tool_call_id": key, "name": name, "content": result})

    def _add(self, message: Document) -> Talk:
        self._now += timedelta(seconds=self._rng.randint(2, 14))
        self.messages.append(
            {**message, "at": self._now.isoformat(timespec="seconds").replace("+00:00", "Z")}
        )
        return self


def customer(rng: Random) -> tuple[str, str, str]:
    """Return a name, an address and a customer number; all made up."""
    first, last = rng.choice(_FIRST), rng.choice(_LAST)
    number = f"C-{rng.randint(100_000, 999_999)}"
    return f"{first} {last}", f"customer{number[2:]}@mail.example", number


def order(rng: Random) -> str:
    """Return an order number."""
    return f"SO-{rng.randint(41_000, 48_999)}"


def score(rng: Random, *, right: bool) -> float:
    """Return how sure an agent is: surer where it is right, and never quite to be trusted."""
    value = rng.betavariate(14, 1.6) if right else rng.betavariate(6, 2.6)
    return round(min(value, 0.99), 2)


def judged(rng: Random, own: float, rationale: str) -> Document:
    """Return a judge's opinion near the agent's own."""
    return {
        "name": "second-reader",
        "score": round(min(0.99, max(0.05, own + rng.uniform(-0.08, 0.05))), 2),
        "rationale": rationale,
    }


def euros(amount: float) -> float | int:
    """Return an amount as JSON writes it: whole numbers without a point."""
    cents = round(amount * 100)
    return cents // 100 if cents % 100 == 0 else cents / 100
