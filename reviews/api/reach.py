"""What a key reaches: its agent's own things and, where it was made for some environments, theirs alone.

Everything else is not found, whether it is another agent's or lies in another environment. The environment of
an action never changes, so that looking first and acting then is safe.
"""

from __future__ import annotations

from hitl_site.lib import problems
from policies.models import AgentKey
from reviews.models import ActionRequest, Execution, Permit


def to_action(key: AgentKey, action_id: str) -> None:
    """Raise the 404 problem where the key was not made for the action's environment."""
    if key.environments:
        _found(
            ActionRequest.objects.filter(
                public_id=action_id, agent=key.agent, drill=False, environment__in=key.environments
            ).exists(),
            "action",
        )


def to_permit(key: AgentKey, permit_id: str) -> None:
    """As ``to_action``, for a permit."""
    if key.environments:
        _found(
            Permit.objects.filter(
                public_id=permit_id, agent=key.agent, action__environment__in=key.environments
            ).exists(),
            "permit",
        )


def to_execution(key: AgentKey, execution_id: str) -> None:
    """As ``to_action``, for an execution."""
    if key.environments:
        _found(
            Execution.objects.filter(
                public_id=execution_id, action__agent=key.agent, action__environment__in=key.environments
            ).exists(),
            "execution",
        )


def _found(is_there: bool, what: str) -> None:
    if not is_there:
        raise problems.error("not-found", f"There is no such {what}.")
