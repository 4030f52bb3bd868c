"""The register of agents: who answers for each, how much it may send, and whether it runs."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import datetime
from typing import TYPE_CHECKING, Final

from django.db import IntegrityError, transaction
from django.utils.translation import gettext

from hitl_site.lib import ids, wording
from hitl_site.lib.strict_json import JsonValue
from policies.choices import AgentState
from policies.models import Agent, AgentKey
from policies.services import kill_switch, ledger
from policies.services.agents.keys import revoke_key
from policies.services.ledger import Actor

if TYPE_CHECKING:
    from django.contrib.auth.models import User

MAX_NAME: Final = 120
_LARGEST_LIMIT: Final = 10_000_000


class UnableToCreateAgent(ValueError):
    """The agent cannot be made as asked."""


class NameTaken(UnableToCreateAgent):
    """Another agent has this name."""


class InvalidLimits(ValueError):
    """A limit is a whole number from 1 up."""


class AgentRetired(Exception):
    """A retired agent stays retired."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """An agent's own limits; None is what the settings say for every agent."""

    rate_per_minute: int | None = None
    rate_burst: int | None = None
    max_pending: int | None = None


def create_agent(
    *, name: str, owner: User | None = None, description: str = "", actor: Actor, now: datetime
) -> Agent:
    """Register an agent under a name of its own."""
    name = name.strip()
    if not name or len(name) > MAX_NAME or not name.isprintable():
        raise UnableToCreateAgent(
            gettext("An agent's name has 1 to {most} printable characters.").format(most=MAX_NAME)
        )
    with transaction.atomic():
        try:
            with transaction.atomic():
                agent = Agent.objects.create(
                    public_id=ids.new("agt"), name=name, owner=owner, description=description, created_at=now
                )
        except IntegrityError:
            raise NameTaken(gettext("There is an agent named {name} already.").format(name=name)) from None
        _record("agent.created", agent, actor=actor, now=now, owner=owner.get_username() if owner else None)
    return agent


def change_agent(
    *, agent: Agent, owner: User | None, description: str, limits: Limits, actor: Actor, now: datetime
) -> Agent:
    """Change who answers for the agent, what it is said to do, and how much it may send."""
    _check_limits(limits)
    with transaction.atomic():
        locked = Agent.objects.select_for_update(no_key=True, of=("self",)).select_related("owner")
        found = locked.get(pk=agent.pk)
        before = _details(found)
        found.owner, found.description = owner, description
        found.rate_per_minute, found.rate_burst = limits.rate_per_minute, limits.rate_burst
        found.max_pending = limits.max_pending
        after = _details(found)
        changed = sorted(name for name in after if after[name] != before[name])
        if changed:
            found.save(update_fields=["owner", "description", "rate_per_minute", "rate_burst", "max_pending"])
            ledger.record(
                actor=actor,
                verb="agent.changed",
                object_kind="agent",
                object_id=found.public_id,
                now=now,
                payload={
                    "name": found.name,
                    "before": {name: before[name] for name in changed},
                    "after": {name: after[name] for name in changed},
                },
            )
    return found


def pause_agent(*, agent: Agent, reason: str, actor: Actor, now: datetime) -> Agent:
    """Stop the agent: from now on the gate denies what it proposes and no permit of it is consumed."""
    return _move(agent, AgentState.PAUSED, "agent.paused", reason=reason, actor=actor, now=now)


def resume_agent(*, agent: Agent, reason: str, actor: Actor, now: datetime) -> Agent:
    """Let a paused agent go on."""
    return _move(agent, AgentState.ACTIVE, "agent.resumed", reason=reason, actor=actor, now=now)


def retire_agent(*, agent: Agent, reason: str, actor: Actor, now: datetime) -> Agent:
    """End the agent for good, and with it every key it has. Its record stays."""
    with transaction.atomic():
        retired = _move(agent, AgentState.RETIRED, "agent.retired", reason=reason, actor=actor, now=now)
        for key in AgentKey.objects.select_related("agent").filter(agent=agent, revoked_at=None):
            revoke_key(key=key, actor=actor, now=now)
    return retired


def _move(agent: Agent, state: AgentState, verb: str, *, reason: str, actor: Actor, now: datetime) -> Agent:
    with transaction.atomic():
        # NO KEY: actions of this agent that are coming in meanwhile are not made to wait.
        locked = Agent.objects.select_for_update(no_key=True).get(pk=agent.pk)
        if locked.state == state:
            return locked
        if locked.state == AgentState.RETIRED:
            raise AgentRetired(gettext("{name} is retired.").format(name=locked.name))
        before, locked.state = locked.state, state
        locked.save(update_fields=["state"])
        _record(verb, locked, actor=actor, now=now, reason=reason, before=before, after=state.value)
        if state != AgentState.ACTIVE:
            # As with a stop: what is being committed ends first, and nothing is committed afterwards.
            kill_switch.hold_commits()
    agent.state = state
    return locked


def _record(verb: str, agent: Agent, *, actor: Actor, now: datetime, **payload: str | None) -> None:
    ledger.record(
        actor=actor,
        verb=verb,
        object_kind="agent",
        object_id=agent.public_id,
        now=now,
        payload={"name": agent.name, **payload},
    )


def _check_limits(limits: Limits) -> None:
    given = [getattr(limits, field.name) for field in fields(limits)]
    if any(value is not None and not 1 <= value <= _LARGEST_LIMIT for value in given):
        raise InvalidLimits(
            gettext("A limit is a whole number from 1 to {most}.").format(most=wording.number(_LARGEST_LIMIT))
        )


def _details(agent: Agent) -> dict[str, JsonValue]:
    return {
        "owner": agent.owner.get_username() if agent.owner else None,
        "description": agent.description,
        "rate_per_minute": agent.rate_per_minute,
        "rate_burst": agent.rate_burst,
        "max_pending": agent.max_pending,
    }
