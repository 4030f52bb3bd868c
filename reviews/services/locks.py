"""Locks: an action and what belongs to it, taken in one order by everybody who changes any of it.

The action comes first, then its item, then a decision. What an act has to know is read with the lock and in
one statement: as it is from then on until the commit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.contrib.auth.models import User

from hitl_site.lib import parts, rows
from hitl_site.lib.parts import Part
from policies.models import ActionType, Agent, AgentVersion, GateCheck, PolicyVersion
from reviews.models import ActionContext, ActionRequest, Decision, ReviewItem

# The index of the arguments is for searching: whoever acts reads their canonical bytes.
_ACTION: Final = Part.of(ActionRequest, "a", without=frozenset({"arguments"}), private=True)
_AGENT: Final = Part.of(Agent, "g")
_VERSION: Final = Part.of(AgentVersion, "v")
_TYPE: Final = Part.of(ActionType, "t")
_CHECK: Final = Part.of(GateCheck, "c", private=True)
# A published text is compiled once a process (policies.selectors.policies.live_document).
_POLICY: Final = Part.of(PolicyVersion, "p", without=frozenset({"document"}))
_CONTEXT: Final = Part.of(ActionContext, "x", private=True)
_ITEM: Final = Part.of(ReviewItem, "i")
_DECISION: Final = Part.of(Decision, "d", private=True)
_PERSON: Final = Part.of(User, "u", without=frozenset({"password"}))

_WHOLE_ACTION: Final = (_ACTION, _AGENT, _VERSION, _TYPE, _CHECK, _POLICY)
_WITH_ITS_ITEM: Final = (*_WHOLE_ACTION, _CONTEXT, _ITEM)
_ANSWER: Final = (_DECISION, _PERSON, _ITEM)
_JOINED: Final = """
    JOIN policies_agent g ON g.id = a.agent_id
    JOIN policies_agentversion v ON v.id = a.agent_version_id
    LEFT JOIN policies_actiontype t ON t.id = a.action_type_id
    JOIN policies_gatecheck c ON c.id = a.gate_check_id
    LEFT JOIN policies_policyversion p ON p.id = c.policy_version_id
"""
_STANDING: Final = f"""
    SELECT {parts.columns((_DECISION,))} FROM reviews_decision d
    WHERE d.item_id = $1::bigint AND d.undone_at IS NULL ORDER BY d.id
"""  # noqa: S608 - names of columns of ours; every value is a parameter
_LOCK_ACTION: Final = """
    SELECT a.id FROM reviews_actionrequest a
    WHERE a.id = (SELECT i.action_id FROM reviews_reviewitem i WHERE i.public_id = $1) FOR UPDATE
"""
_LOCK_ITEM: Final = f"""
    SELECT {parts.columns(_WITH_ITS_ITEM)}
    FROM reviews_reviewitem i JOIN reviews_actionrequest a ON a.id = i.action_id {_JOINED}
    LEFT JOIN reviews_actioncontext x ON x.action_id = a.id
    WHERE i.public_id = $1 FOR UPDATE OF i
"""  # noqa: S608 - names of columns of ours; every value is a parameter
_LOCK_WHOLE_ACTION: Final = f"""
    SELECT {parts.columns(_WHOLE_ACTION)} FROM reviews_actionrequest a {_JOINED}
    WHERE a.id = (SELECT d.action_id FROM reviews_decision d WHERE d.id = $1::bigint)
    FOR UPDATE OF a SKIP LOCKED
"""  # noqa: S608 - names of columns of ours; every value is a parameter
_LOCK_DUE: Final = f"""
    SELECT {parts.columns(_ANSWER)}
    FROM reviews_decision d JOIN reviews_reviewitem i ON i.id = d.item_id
    JOIN auth_user u ON u.id = d.reviewer_id
    WHERE d.id = $1::bigint AND d.release_at <= $2::timestamptz
      AND d.released_at IS NULL AND d.undone_at IS NULL
    FOR UPDATE OF i, d
"""  # noqa: S608 - names of columns of ours; every value is a parameter


@dataclass(frozen=True)
class DueAnswer:
    """A decision whose undo window is over, locked with the item and the action that it closes."""

    decision: Decision
    item: ReviewItem
    action: ActionRequest


def lock_item(item_id: str) -> ReviewItem:
    """Lock the item, after its action, and return it with all that is known of it.

    Raises ``ReviewItem.DoesNotExist``.
    """
    # By itself: what the next statement reads of the action is as it is under this lock.
    _one(_LOCK_ACTION, [item_id])
    row = _one(_LOCK_ITEM, [item_id])
    if row is None:
        raise ReviewItem.DoesNotExist("There is no such item.")
    *action, context, item = parts.instances(_WITH_ITS_ITEM, row)
    item.action = _linked(action)
    if context is not None:
        item.action.context = context
    assert isinstance(item, ReviewItem)
    return item


def standing_answers(item: ReviewItem) -> list[Decision]:
    """Return the answers to a locked item that stand, in their order: nobody gives or takes back another."""
    with rows.server_side_cursor() as cursor:
        cursor.execute(_STANDING, [str(item.pk)])
        found = [decision for row in cursor.fetchall() for decision in parts.instances((_DECISION,), row)]
    for decision in found:
        decision.item, decision.action = item, item.action
    return found


def lock_due(decision_pk: int, *, now: datetime) -> DueAnswer | None:
    """Lock a decision that is due, after its action and its item; None where there is nothing to do.

    Nor where somebody else is at the action: so any number of workers may call it at once.
    """
    row = _one(_LOCK_WHOLE_ACTION, [str(decision_pk)])
    if row is None:
        return None
    action = _linked(parts.instances(_WHOLE_ACTION, row))
    row = _one(_LOCK_DUE, [str(decision_pk), now.isoformat()])
    if row is None:
        return None
    decision, person, item = parts.instances(_ANSWER, row)
    item.action = action
    decision.reviewer, decision.item, decision.action = person, item, action
    return DueAnswer(decision, item, action)


def _linked(found: Sequence[Any]) -> ActionRequest:
    """Return the action with what it refers to, none of which has to be asked for again."""
    action, agent, version, action_type, check, policy = found
    version.agent = agent
    action.agent, action.agent_version, action.action_type = agent, version, action_type
    action.gate_check = check
    check.policy_version = policy
    if check.action_type_id == action.action_type_id:
        check.action_type = action_type
    assert isinstance(action, ActionRequest)
    return action


def _one(statement: str, values: Sequence[str]) -> Sequence[Any] | None:
    with rows.server_side_cursor() as cursor:
        cursor.execute(statement, values)
        row: Sequence[Any] | None = cursor.fetchone()
    return row
