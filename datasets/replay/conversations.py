"""Recorded conversations, closed through a running site; a random share judged by the recorded truth.

The recording says of each conversation how many writes were missing in it. All are closed over HTTP, as an
agent would; those that the site draws are answered by that truth. What the site then says of each domain
(rate and range) is held against the truth of all conversations, of which it saw a share.
"""

from __future__ import annotations

import gzip
import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, cast

from django.contrib.auth.models import Group, User

from datasets.models import ConversationCheck
from datasets.selectors import omissions
from datasets.services import conversations
from handrail import Client
from hitl_site.lib.clock import database_now
from policies.choices import AGENT_SCOPES, Risk
from policies.models import ActionType, Agent
from policies.services import action_types, agents
from policies.services.ledger import Actor

OPERATOR = "replay-operator"
READER = "replay-reader"


@dataclass(frozen=True, slots=True)
class Line:
    """Of one agent, as named here after its domain: what the site found, and what was true of all."""

    agent: str
    closed: int
    drawn: int
    found: int
    rate: float | None
    low: float
    high: float
    truth: float

    @property
    def holds(self) -> bool:
        return self.low <= self.truth <= self.high


def replay(path: Path, *, url: str, share: float) -> list[Line]:
    """Close every conversation of the recording and answer those drawn; return a line an agent."""
    rows = list(_rows(path))
    now = database_now()
    operator = _person(OPERATOR, "ops_admin")
    reader = _person(READER, "reviewer")
    clients = {
        domain: _client(domain, url, share, operator, now) for domain in {row["domain"] for row in rows}
    }
    truth: dict[str, list[bool]] = defaultdict(list)
    known = {}
    for row in rows:
        name = f"{row['run']}-{row['task_id']}-{row['trial']}"
        clients[row["domain"]].close_conversation(
            name,
            [{"role": "user", "content": row["instruction"] or "?"}],
            agent_version="recorded",
            subject=row["customer"],
        )
        truth[row["domain"]].append(row["missing_writes"] > 0)
        known[name] = row
    for check in ConversationCheck.objects.filter(finding="").select_related("conversation__agent"):
        if check.conversation.conversation_id in known:
            _answer(check, known[check.conversation.conversation_id], reader, operator)
    lines = []
    for rate in omissions.rates():
        domain = rate.agent_version.agent.name.removeprefix("replay-")
        if domain in truth:
            true = sum(truth[domain]) / len(truth[domain])
            lines.append(
                Line(domain, rate.closed, rate.checked, rate.missing, rate.rate, rate.low, rate.high, true)
            )
    return lines


def _answer(check: ConversationCheck, row: dict[str, Any], reader: User, operator: User) -> None:
    """Say what the recording knows. Which of the expected writes were missing it does not: the last ones."""
    now = database_now()
    missing = row["missing_writes"]
    expected = (row["task_expected"] or [])[-missing:] if missing else []
    if not missing:
        conversations.find_complete(check_id=check.public_id, reviewer=reader, note="", now=now)
    for write in expected or ([{"action_type": "unknown", "arguments": {}}] if missing else []):
        conversations.find_missing(
            check_id=check.public_id,
            reviewer=reader,
            action_type=_action_type(f"{row['domain']}.{write['action_type']}", operator, now),
            arguments=write["arguments"],
            note="The task wanted it.",
            now=now,
        )


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    with gzip.open(path, "rt") if path.suffix == ".gz" else path.open() as file:
        for line in file:
            yield cast(dict[str, Any], json.loads(line))


def _client(domain: str, url: str, share: float, operator: User, now: datetime) -> Client:
    actor = Actor.person(operator)
    name = f"replay-{domain}"
    agent = Agent.objects.filter(name=name).first()
    agent = agent or agents.create_agent(name=name, owner=None, actor=actor, now=now)
    conversations.set_share(agent=agent, share=share, by=operator, now=now)
    _, token = agents.create_key(agent=agent, scopes=AGENT_SCOPES, actor=actor, now=now)
    return Client(url, token)


def _action_type(name: str, operator: User, now: datetime) -> ActionType:
    found = ActionType.objects.filter(name=name).first()
    return found or action_types.declare(
        name=name, title=name, risk=Risk.LOW, actor=Actor.person(operator), now=now
    )


def _person(name: str, group: str) -> User:
    person, _ = User.objects.get_or_create(username=name)
    person.groups.add(Group.objects.get(name=group))
    return person
