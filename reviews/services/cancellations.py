"""Cancellations: an agent takes back what it asked for."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from policies.models import Agent
from policies.services import ledger
from reviews.choices import ActionState
from reviews.models import ActionRequest
from reviews.services.deadlines import close_undecided


class UnknownAction(Exception):
    """No action of this agent has this id."""


class TooLateToCancel(Exception):
    """The action has been decided; a decision is not taken back by the one it was made for."""


@transaction.atomic
def cancel(*, action_id: str, agent: Agent, now: datetime) -> ActionRequest:
    """Take a pending action back; an answer still in its undo window lapses. Twice changes nothing more."""
    action = (
        ActionRequest.objects.select_for_update(of=("self",))
        .select_related("agent", "agent_version", "action_type", "gate_check__policy_version")
        .filter(public_id=action_id, agent=agent, drill=False)
        .first()
    )
    if action is None:
        raise UnknownAction("There is no such action.")
    if action.state == ActionState.CANCELLED:
        return action
    if action.state != ActionState.PENDING_REVIEW:
        raise TooLateToCancel(f"This action is {action.state} already.")
    close_undecided(action, state=ActionState.CANCELLED, now=now, actor=ledger.Actor.agent(agent))
    return action
