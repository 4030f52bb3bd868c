"""Questions about actions."""

from __future__ import annotations

import json
from typing import cast

from django.db.models import QuerySet
from pydantic import JsonValue

from policies.models import Agent, AgentKey
from reviews.models import ActionRequest, Decision, IngestRow

Arguments = dict[str, JsonValue]


def proposed_arguments(action: ActionRequest) -> Arguments:
    """Return the proposed arguments out of their canonical bytes: exact, unlike the jsonb index."""
    return cast(Arguments, json.loads(bytes(action.arguments_canonical)))


def final_arguments(action: ActionRequest) -> Arguments:
    """Return the arguments that were decided; the proposed ones while nothing is."""
    if action.final_arguments_canonical is None:
        return proposed_arguments(action)
    return cast(Arguments, json.loads(bytes(action.final_arguments_canonical)))


def decided_arguments(decision: Decision) -> Arguments:
    """Return the arguments that this answer stands for: the person’s own, or those that were proposed."""
    if decision.final_arguments_canonical is None:
        return proposed_arguments(decision.action)
    return cast(Arguments, json.loads(bytes(decision.final_arguments_canonical)))


def of_agent(agent: Agent) -> QuerySet[ActionRequest]:
    """Return this agent's actions with what an answer needs; no other agent's are ever among them."""
    # A drill bears an agent's name, and no agent ever asked for it.
    return ActionRequest.objects.filter(agent=agent, drill=False).select_related(
        "agent", "agent_version", "action_type", "gate_check__policy_version"
    )


def of_key(key: AgentKey) -> QuerySet[ActionRequest]:
    """As ``of_agent``, of the environments alone that the key was made for where it was made for some."""
    found = of_agent(key.agent)
    return found.filter(environment__in=key.environments) if key.environments else found


def accepted_row(*, agent: Agent, action_id: str) -> IngestRow | None:
    """Return the accepted line of a batch that will become this action, while it waits to be worked off."""
    return IngestRow.objects.filter(agent=agent, public_id=action_id, action=None).first()
