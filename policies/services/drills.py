"""Drills: a stop for real that lifts itself as soon as it has been seen to hold, and says how long that took.

"Seen" means: from another connection than the one that stopped, the gate denied a fresh proposal in the
scope, and the database refused there what it refuses at the commit of a run. Every web process reads the same
rows in each of its transactions and keeps nothing of them, so what one connection sees, every process sees.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final

from django.db import connection
from django.utils.translation import gettext

from hitl_site.lib import ids
from hitl_site.lib.clock import database_now
from policies.choices import AgentState, KillSwitchScope, Verdict
from policies.models import ActionType, Agent, AgentVersion, KillSwitch
from policies.services import gate, kill_switch
from policies.services.ledger import Actor

if TYPE_CHECKING:
    from django.contrib.auth.models import User

NAME: Final = "drill"
_LOOKS: Final = 50
_MILLISECOND: Final = 0.001


class DidNotHold(Exception):
    """The stop was not seen to hold. It stays in force until people have found out why and lift it."""


@dataclass(frozen=True, slots=True)
class Drill:
    """How long the stop took to hold. It is lifted, unless somebody made it a real one meanwhile."""

    stop: KillSwitch
    held_after_ms: int
    lifted: bool


def drill(
    *,
    scope: KillSwitchScope,
    agent: Agent | None = None,
    action_type: ActionType | None = None,
    reason: str,
    engaged_by: User | None = None,
    actor: Actor | None = None,
) -> Drill:
    """Stop what is in scope, see it hold, lift the stop. Raises ``DidNotHold`` and ``AlreadyStopped``.

    Not to be called within a transaction: other connections have to see the stop.
    """
    stop = kill_switch.engage(
        scope=scope,
        agent=agent,
        action_type=action_type,
        reason=reason,
        engaged_by=engaged_by,
        actor=actor,
        drill=True,
        now=database_now(),
    )
    with ThreadPoolExecutor(1, thread_name_prefix=NAME) as pool:
        seen_at = pool.submit(_first_seen, agent, action_type).result()
    if seen_at is None:
        raise DidNotHold(
            gettext("The stop was not seen to hold. It stays in force: find out why, then lift it.")
        )
    held_after_ms = max(0, round((seen_at - stop.engaged_at).total_seconds() / _MILLISECOND))
    kill_switch.note_drill(kill_switch=stop, held_after_ms=held_after_ms, now=seen_at)
    lifted = kill_switch.lift(
        kill_switch=stop,
        reason=f"The drill is over: it held after {held_after_ms} ms.",
        actor=Actor.system(NAME),
        now=database_now(),
        drill_alone=True,
    )
    return Drill(lifted.stop, held_after_ms, lifted.lifted)


def _first_seen(agent: Agent | None, action_type: ActionType | None) -> datetime | None:
    """Look from this thread's own connection until the stop holds; return when it did, or None."""
    try:
        for _ in range(_LOOKS):
            if _holds(agent, action_type):
                return database_now()
        return None
    finally:
        connection.close()


def _holds(agent: Agent | None, action_type: ActionType | None) -> bool:
    asking = agent or Agent.objects.filter(state=AgentState.ACTIVE).order_by("pk").first()
    refused = kill_switch.refuses_commits(
        agent_id=asking.pk if asking else 0, action_type_id=action_type.pk if action_type else None
    )
    version = AgentVersion.objects.filter(agent=asking).order_by("-pk").first() if asking else None
    if not refused or asking is None or version is None:
        # Nobody has called yet, so there is no proposal that the gate could be asked about.
        return refused
    outlook = gate.evaluate(
        proposal=gate.Proposal(
            action_id=ids.new("act"),
            agent=asking,
            agent_version=version,
            action_type_name=action_type.name if action_type else NAME,
            arguments={},
        ),
        now=database_now(),
    )
    return outlook.evaluation.verdict.value == Verdict.DENY
