"""What a permit rests on, looked at again at the moment of the run: the stricter of then and now counts."""

from __future__ import annotations

from datetime import datetime

from django.db import connection

from policies.choices import PolicyState
from policies.engine.facts import Verdict
from policies.models import Agent, PolicyVersion
from policies.selectors import owners
from policies.services import demotions, gate
from reviews.models import ActionRequest, Decision, Permit
from reviews.selectors.actions import Arguments
from reviews.services import rights
from reviews.services.gatekeeping import proposal_of


def why_not(permit: Permit, *, holder: Agent, running: Arguments, now: datetime) -> str:
    """Return why the permit's ground no longer holds for what is about to run; "" where it does.

    ``holder`` is the agent as it is now. What became looser since never helps: an allowed action must still
    be allowed; a decided one must not be denied, and as many people as are asked for now must have approved
    these very arguments, may review still (F17), and not answer for the agent.
    """
    action = permit.action
    if permit.decision is None:
        _hold_the_level(action)
    evaluation = gate.recheck(
        proposal=proposal_of(action, arguments=running),
        previous_verdict=Verdict(action.gate_check.verdict),
        now=now,
    )
    if permit.decision is None:
        if evaluation.verdict is not Verdict.ALLOW:
            return "The policy in force no longer lets this run; propose the action again."
        return ""
    if evaluation.verdict is Verdict.DENY:
        return "The policy in force forbids this, whoever approved it."
    if _is_retired(action):
        return "This action type has been retired; nothing of it runs any more."
    required = max(evaluation.approvals_required, permit.decision.item.approvals_required)
    standing = _approvals_that_stand(permit, permit.decision, holder)
    if standing < required:
        return (
            f"Approvals needed now: {required}. Of those given, {standing} still stand;"
            " propose the action again."
        )
    return ""


def _hold_the_level(action: ActionRequest) -> None:
    """Let no demotion come between this look and the commit: it comes before, and is seen, or after.

    The action first: whoever releases a decision holds it before it takes a level away.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM reviews_actionrequest WHERE id = %s FOR KEY SHARE", [action.pk])
    demotions.holding(agent_version_id=action.agent_version_id, action_type_id=action.action_type_id)


def _is_retired(action: ActionRequest) -> bool:
    """Say whether the action type had a policy and has none in force any more."""
    states = PolicyVersion.objects.filter(
        action_type_id=action.action_type_id, state__in=[PolicyState.LIVE, PolicyState.RETIRED]
    ).values_list("state", flat=True)
    return set(states) == {PolicyState.RETIRED}


def _approvals_that_stand(permit: Permit, decision: Decision, holder: Agent) -> int:
    approvers = Decision.objects.filter(
        item_id=decision.item_id, final_digest=permit.digest, undone_at=None, released_at__isnull=False
    ).values_list("reviewer_id", flat=True)
    people = owners.independent_among(approvers, holder, since=permit.action.created_at)
    return len(rights.who_may_review(people, action_type_name=permit.action.action_type_name))
