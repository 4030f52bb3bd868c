"""What the policy wants a person to have checked before an act may run."""

from __future__ import annotations

from policies.models import PolicyVersion
from policies.selectors.policies import live_document, live_version
from reviews.models import ActionRequest


def required_checks(action: ActionRequest) -> tuple[str, ...]:
    """Return the sentences of the policy that held the action, and those that the one in force adds.

    The stricter list wins: a sentence that a newer policy dropped is still asked of what an older one held.
    """
    in_force = live_version(action.action_type) if action.action_type is not None else None
    return required_under(action, in_force)


def required_under(action: ActionRequest, in_force: PolicyVersion | None) -> tuple[str, ...]:
    """Return the same for a caller who knows the policy in force."""
    held_by = action.gate_check.policy_version
    sentences: list[str] = []
    for version in (held_by, in_force):
        if version is not None:
            sentences += live_document(version).checklist
    return tuple(dict.fromkeys(sentences))
