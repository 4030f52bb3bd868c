"""A stack with people, agents and action types in it: what the tests of faults have in common."""

from __future__ import annotations

import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from datasets.replay.browser import Browser
from hitl_site.lib.supervision import wait_until
from tests.faults.stack import ROOT, Stack
from tests.faults.wire import Agent, Answer
from tests.plugins.product import Product

ALONE = "note.add"
HELD = "refund.issue"
REVIEWERS = ("rosa", "ravi", "ruth")


@dataclass(frozen=True)
class Person:
    """Somebody with a password."""

    name: str
    password: str


@dataclass(frozen=True)
class Allowed:
    """An action that may run, with what it takes to run it."""

    action_id: str
    permit_id: str
    digest: str


class Installation:
    """One stack, its cast, and the hands of its operator."""

    def __init__(self, stack: Stack, hands: Product) -> None:
        self.stack = stack
        self.hands = hands
        self.agent_name = "clerk"
        self.key = hands.create_agent(self.agent_name)
        hands.declare(ALONE, runs_alone=True)
        hands.declare(HELD, runs_alone=False)
        self.people = {
            name: Person(name, hands.create_person(name, groups=["reviewer"])) for name in REVIEWERS
        }

    @property
    def agent(self) -> Agent:
        """Return the clerk, who may do everything an agent may."""
        return Agent(self.stack.port, self.key)

    def another_agent(self) -> tuple[str, Agent]:
        """Return a new agent's name and its side of the API."""
        name = f"agent-{uuid.uuid4().hex[:8]}"
        return name, Agent(self.stack.port, self.hands.create_agent(name))

    def another_type(self, *, runs_alone: bool = False, **more: Any) -> str:
        """Declare a new action type that is always allowed, or always held; return its name."""
        name = f"type.t{uuid.uuid4().hex[:8]}"
        self.hands.declare(name, runs_alone=runs_alone, **more)
        return name

    def allowed(self, agent: Agent | None = None, action_type: str = ALONE, **more: Any) -> Allowed:
        """Propose what is allowed at once."""
        answer = (agent or self.agent).propose(action_type, {"text": uuid.uuid4().hex}, confidence=1, **more)
        assert answer.status == 201, answer
        assert answer.document["verdict"] == "allow", answer.document
        document = answer.document
        return Allowed(document["id"], document["permit"]["id"], document["digest"])

    def held(self, agent: Agent | None = None, action_type: str = HELD, **more: Any) -> str:
        """Propose what is held for a person; return the id of the action."""
        answer = (agent or self.agent).propose(action_type, {"order": uuid.uuid4().hex, "amount": 5}, **more)
        assert answer.status == 201, answer
        assert answer.document["verdict"] == "review", answer.document
        return str(answer.document["id"])

    def item(self, action_id: str) -> str:
        """Return the id of the item that waits for a person."""
        ((found,),) = self.stack.ask(
            "SELECT i.public_id FROM reviews_reviewitem i JOIN reviews_actionrequest a ON a.id = i.action_id"
            " WHERE a.public_id = %s AND i.kind = 'gate'",
            action_id,
        )
        return str(found)

    def state(self, action_id: str) -> str:
        """Return the state of an action as the database has it."""
        ((found,),) = self.stack.ask(
            "SELECT state FROM reviews_actionrequest WHERE public_id = %s", action_id
        )
        return str(found)

    def becomes(self, action_id: str, state: str, *, seconds: float = 30.0) -> bool:
        """Wait until an action has that state; say whether it came to that."""
        return wait_until(lambda: self.state(action_id) == state, seconds=seconds, every=0.05)

    def becomes_unknown(self, execution_id: str, *, seconds: float = 30.0) -> bool:
        """Wait until nobody is expected to tell the outcome of a run any more."""
        asked = "SELECT outcome FROM reviews_execution WHERE public_id = %s"
        return wait_until(
            lambda: self.stack.ask(asked, execution_id) == [("unknown",)], seconds=seconds, every=0.05
        )

    def browser(self, person: Person) -> Browser:
        """Return the browser of somebody who has signed in."""
        return signed_in(self.stack.url, person)

    def approved(self, agent: Agent | None = None, **more: Any) -> Allowed:
        """Propose what is held, have it approved, and wait for the release."""
        agent = agent or self.agent
        action_id = self.held(agent, **more)
        self.hands.decide(action_id, "approve")
        return self.permit(agent.get(action_id))

    def permit(self, answer: Answer) -> Allowed:
        """Return what an answer lets run."""
        document = answer.document
        permit = document["permit"]
        ((digest,),) = self.stack.ask("SELECT digest FROM reviews_permit WHERE public_id = %s", permit["id"])
        return Allowed(document["id"], permit["id"], str(digest))

    def ledger_is_whole(self, *, seconds: float = 60.0) -> bool:
        """Wait until every entry has its place; say whether the chain has no gap and no doubled place."""
        caught_up = wait_until(
            lambda: (
                self.stack.number(
                    "SELECT count(*) FROM policies_ledgerentry e"
                    " LEFT JOIN policies_ledgerlink l ON l.entry_id = e.id WHERE l.seq IS NULL"
                )
                == 0
            ),
            seconds=seconds,
            every=0.1,
        )
        ((first, last, count),) = self.stack.ask(
            "SELECT min(seq), max(seq), count(*) FROM policies_ledgerlink"
        )
        broken = self.stack.number(
            "SELECT count(*) FROM (SELECT previous_hash, lag(hash) OVER (ORDER BY seq) AS before, seq"
            " FROM policies_ledgerlink) AS chain WHERE before IS NOT NULL AND before <> previous_hash"
        )
        return caught_up and (first, last) == (1, count) and broken == 0


def signed_in(url: str, person: Person) -> Browser:
    """Sign in through the page."""
    browser = Browser(url)
    shown = browser.get("/login/?next=/inbox/")
    form = shown.page.form(action="/login/")
    form.fill("username", person.name)
    form.fill("password", person.password)
    shown = browser.press(shown, form)
    assert (shown.status, shown.path) == (200, "/inbox/"), (shown.status, shown.path)
    return browser


@contextmanager
def operated(stack: Stack) -> Iterator[Product]:
    """Give the hands of the stack's operator, a process of its own."""
    environment = stack.environment() | {
        "HANDRAIL_URL": stack.url,
        "DATABASE_URL": stack.server("DATABASE_URL"),
        "REDIS_URL": stack.server("REDIS_URL"),
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.product_process", "tests.faults.hands", "FaultHands"],
        cwd=ROOT,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield Product(process)
    finally:
        assert process.stdin is not None
        process.stdin.close()
        process.wait(30)


@contextmanager
def installed(stack: Stack) -> Iterator[Installation]:
    """Give the cast in a running stack."""
    with operated(stack) as hands:
        yield Installation(stack, hands)
