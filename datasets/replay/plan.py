"""The plan: what a recording needs of a site before it can be replayed, and putting it there.

Through the services of the governing app, beside the running server and on its database. Safe to repeat: what
is there already stays, and another run of the same file goes on where the last one stopped.
"""

from __future__ import annotations

import random
import secrets
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, cast

from django.contrib.auth.models import Group, User

from datasets.replay.recording import Document, Ending, Record
from hitl_site.lib.strict_json import JsonValue
from policies.choices import AGENT_SCOPES, AutonomyLevel, Risk
from policies.engine.policy import PolicyDocument
from policies.models import ActionType, Agent, AgentVersion, LedgerEntry
from policies.selectors import action_types as action_type_selectors
from policies.selectors import autonomy as autonomy_selectors
from policies.selectors import policies as policy_selectors
from policies.services import action_types, agents, autonomy, policies
from policies.services.ledger import Actor
from reviews.schema_form import infer, validate
from reviews.schema_form.shapes import humanise

OPERATOR: Final = "replay-operator"
REVIEWER: Final = "replay-reviewer"
REASON: Final = "replay"
DEADLINE_SECONDS: Final = 86_400


class CannotPrepare(Exception):
    """The site cannot take this recording; the message says why and what helps."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What the operator chose on the command line."""

    threshold: float = 0.9
    audit_rate: float = 0.05
    undo_seconds: int = 1
    reviewers: int = 2
    conversation_share: float = 0.2

    def policy(self) -> PolicyDocument:
        """Return the policy of every replayed action type."""
        return PolicyDocument.from_document(
            {
                "threshold": self.threshold,
                "score": "judge",
                "audit_rate": self.audit_rate,
                "deadline_seconds": DEADLINE_SECONDS,
                "undo_seconds": self.undo_seconds,
                "rules": [
                    {
                        "code": "breaks_a_written_rule",
                        "title": "Breaks a written rule",
                        # What a checker of the written rules found, as the agent's platform states it.
                        "when": "size(context.policy_violations) > 0",
                        "then": "review",
                    }
                ],
            }
        )


@dataclass(frozen=True, slots=True)
class Survey:
    """What a recording holds: examples for the schemas, and who proposes what, record by record.

    With whole conversations: who closes them, and which action types they should have held.
    """

    examples: Mapping[str, list[JsonValue]]
    entries: Sequence[tuple[str, str, str]]  # agent, model, action type
    closing: frozenset[str] = frozenset()
    expected: frozenset[str] = frozenset()

    def choose(self, *, limit: int | None, seed: int | None) -> frozenset[int]:
        """Return which records to replay: all, the first ``limit``, or with a seed a sample of that size."""
        everything = range(len(self.entries))
        if limit is None or limit >= len(everything):
            return frozenset(everything)
        if seed is None:
            return frozenset(everything[:limit])
        return frozenset(random.Random(seed).sample(everything, limit))  # noqa: S311 - a sample, no secret


@dataclass(frozen=True, slots=True)
class Account:
    """Somebody who signs in."""

    username: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Prepared:
    """The keys of the agents by name, and the reviewers."""

    keys: dict[str, str] = field(repr=False)
    reviewers: tuple[Account, ...]


def survey(records: Iterable[Record], endings: Iterable[Ending] = ()) -> Survey:
    """Look through a whole recording, and one of conversations.

    A schema describes everything known to be acceptable, so its examples are the corrections too, and those
    of all records: a second run with more of them must not find its own action types too narrow.
    """
    examples: dict[str, list[JsonValue]] = {}
    entries: list[tuple[str, str, str]] = []
    for record in records:
        seen = examples.setdefault(record.action_type, [])
        seen.append(record.arguments)
        seen.extend(record.acceptable)
        if record.expected is not None:
            seen.append(record.expected)
        entries.append((record.agent, record.model, record.action_type))
    closing: set[str] = set()
    expected: set[str] = set()
    for ending in endings:
        closing.add(ending.agent)
        for write in ending.expected:
            expected.add(write.action_type)
            examples.setdefault(write.action_type, []).append(write.arguments)
    return Survey(examples, entries, frozenset(closing), frozenset(expected))


def prepare(found: Survey, *, chosen: Collection[int], settings: Settings, now: datetime) -> Prepared:
    """Declare, set policies, make agents with keys and levels, and the reviewers."""
    operator = make_operator(now=now)
    wanted = sorted({found.entries[at] for at in chosen})
    types: dict[str, ActionType] = {}
    for name in sorted({action_type for _, _, action_type in wanted} | found.expected):
        types[name] = _action_type(name, found.examples[name], operator, now)
        _policy(types[name], settings.policy(), operator, now)
    names = {agent_name for agent_name, _, _ in wanted} | found.closing
    keys = {agent_name: _key(agent_name, operator, now) for agent_name in sorted(names)}
    versions: dict[tuple[str, str], AgentVersion] = {}
    for agent_name, model, action_type in wanted:
        if (agent_name, model) not in versions:
            agent = Agent.objects.get(name=agent_name)
            versions[agent_name, model] = agents.see_version(agent=agent, label=model, now=now)
        _level(versions[agent_name, model], types[action_type], operator, now)
    reviewers = tuple(_reviewer(number, now=now) for number in range(1, settings.reviewers + 1))
    return Prepared(keys=keys, reviewers=reviewers)


def make_operator(*, now: datetime) -> User:
    """Return the account that declares and publishes for a replay; nobody signs in with it."""
    return _person(OPERATOR, group="ops_admin", now=now)


def _key(agent_name: str, operator: User, now: datetime) -> str:
    """Return a new key for the agent, which is made where there is none of this name."""
    actor = Actor.person(operator)
    agent = Agent.objects.filter(name=agent_name).first() or agents.create_agent(
        name=agent_name, description="Replayed from a recording", actor=actor, now=now
    )
    return agents.create_key(agent=agent, scopes=AGENT_SCOPES, actor=actor, now=now)[1]


def _action_type(name: str, examples: list[JsonValue], operator: User, now: datetime) -> ActionType:
    known = action_type_selectors.by_name(name)
    schema = infer(examples)
    if known is None:
        return action_types.declare(
            name=name,
            title=humanise(name.rpartition(".")[2]),
            title_template=_title_template(name, schema),
            risk=Risk.MEDIUM,
            argument_schema=schema,
            autonomy_cap=AutonomyLevel.THRESHOLD,
            # A script reads in no time; its answers are the recording's, and count as considered.
            reading_floor_ms=0,
            actor=Actor.person(operator),
            now=now,
        )
    misfits = sum(1 for example in examples if validate(known.argument_schema, example))
    if not misfits:
        return known
    own = LedgerEntry.objects.filter(
        verb="action_type.declared", object_id=known.public_id, actor_id=str(operator.pk)
    )
    if not own.exists():
        raise CannotPrepare(
            f"{name} is declared here, and {misfits} of the recorded arguments do not fit its schema."
            " Replay against a fresh stack (make replay)."
        )
    return action_types.change(
        action_type=known, argument_schema=schema, actor=Actor.person(operator), now=now
    )


def _title_template(name: str, schema: Document) -> str:
    """Return a sentence with the first plain required argument in it, so that items can be told apart."""
    properties = cast(Document, schema.get("properties") or {})
    for field_name in cast(list[str], schema.get("required") or []):
        kind = cast(Document, properties.get(field_name) or {}).get("type")
        if kind in ("string", "integer", "number") and field_name.isidentifier():
            return f"{humanise(name.rpartition('.')[2])}: {{{field_name}}}"[:300]
    return ""


def _policy(action_type: ActionType, policy: PolicyDocument, operator: User, now: datetime) -> None:
    live = policy_selectors.live_version(action_type)
    if live is None or policy_selectors.live_document(live) != policy:
        policies.put_in_force(
            action_type=action_type,
            document=policy.to_document(),
            author=operator,
            reason="Replay of a recording",
            now=now,
        )


def _level(version: AgentVersion, action_type: ActionType, operator: User, now: datetime) -> None:
    level, grant = autonomy_selectors.level_in_force(version, action_type, now)
    if grant is None or level != AutonomyLevel.THRESHOLD:
        # An operator's override, on record as such: no evidence stands behind it.
        autonomy.grant(
            agent_version=version,
            action_type=action_type,
            level=AutonomyLevel.THRESHOLD,
            reason=REASON,
            granted_by=operator,
            certified=False,
            now=now,
        )


def _reviewer(number: int, *, now: datetime) -> Account:
    account = Account(f"{REVIEWER}-{number}", secrets.token_urlsafe(24))
    _person(account.username, group="reviewer", now=now, password=account.password)
    return account


def _person(username: str, *, group: str, now: datetime, password: str | None = None) -> User:
    """Make a person of the replay, or find the one of an earlier run. Without a password nobody signs in."""
    user, _ = User.objects.get_or_create(username=username, defaults={"date_joined": now})
    user.is_active = True
    user.set_password(password)
    user.save(update_fields=["password", "is_active"])
    user.groups.add(Group.objects.get(name=group))
    return user
