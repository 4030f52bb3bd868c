"""Deadlines: rows with due times, and the acts that follow when they pass. The database clock decides."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from django.db import transaction
from pydantic import JsonValue

from policies.choices import MissingLabelReason
from policies.engine.materiality import is_material
from policies.services import ledger, trust
from reviews.choices import (
    OVERRIDES,
    ActionState,
    DecisionKind,
    IncidentKind,
    ItemKind,
    ItemStatus,
    Outcome,
    PermitBasis,
)
from reviews.models import ActionRequest, Decision, Draft, Execution, Permit, ReviewItem
from reviews.selectors.actions import decided_arguments, proposed_arguments
from reviews.selectors.independence import APART
from reviews.services import incidents, permits, second_opinions, wakeups
from reviews.services.decisions import close_state
from reviews.services.due_rows import work_off
from reviews.services.locks import lock_due, standing_answers

_WHY_MISSING: Final = {
    ActionState.EXPIRED: MissingLabelReason.EXPIRED,
    ActionState.CANCELLED: MissingLabelReason.CANCELLED,
    ActionState.DENIED: MissingLabelReason.STOPPED,
}


def release_due(*, now: datetime) -> int:
    """Make final every decision whose undo window is over. Return how many this call released."""
    resting = Decision.objects.filter(terminal=True, released_at=None, undone_at=None)
    return work_off(resting, due="release_at", act=_release, now=now)


def expire_due(*, now: datetime) -> int:
    """Close what nobody decided in time: nothing runs. Return how many actions this call expired."""
    pending = ActionRequest.objects.filter(state=ActionState.PENDING_REVIEW)
    return work_off(pending, due="expires_at", act=_expire, now=now)


def end_leases(*, now: datetime) -> int:
    """Write "outcome unknown" where a run's lease passed without a report, and ask a person to find out.

    It can never be run again. Return how many leases this call ended.
    """
    running = Execution.objects.filter(outcome="")
    return work_off(running, due="lease_until", act=_end_lease, now=now)


def expire_permits(*, now: datetime) -> int:
    """Write down, once for each, that a permit ran out unused. Return how many this call wrote down.

    It was worth nothing from the moment on that it names; this only makes the end part of the record.
    """
    unused = Permit.objects.filter(consumed_at=None, revoked_at=None, expired_at=None)
    return work_off(unused, due="expires_at", act=_expire_permit, now=now)


@transaction.atomic
def _release(decision_pk: int, now: datetime) -> bool:
    due = lock_due(decision_pk, now=now)
    if due is None:
        return False
    decision, item, action = due.decision, due.item, due.action
    item.status = ItemStatus.DECIDED
    item.closed_at = now
    item.version += 1
    item.save(update_fields=["status", "closed_at", "version"])
    # The approvals that led up to this one are as final as it is; what their people had typed has gone out.
    answered = standing_answers(item)
    Draft.objects.filter(item=item, reviewer__in=[each.reviewer_id for each in answered]).delete()
    going_out = [each for each in answered if each.released_at is None]
    released_with: list[JsonValue] = [each.public_id for each in going_out if each.pk != decision.pk]
    Decision.objects.filter(pk__in=[each.pk for each in going_out]).update(released_at=now)
    if item.kind == ItemKind.GATE and action.state == ActionState.PENDING_REVIEW:
        _close(action, decision, now=now)
    # A second opinion, or a lead's answer to one, speaks of the reviewers: the agent was compared already.
    if item.kind not in APART:
        trust.observe(
            gate_check=action.gate_check,
            decision_id=decision.public_id,
            # An observed action that a policy would have held is looked at too, but nobody drew it.
            audited=item.kind == ItemKind.AUDIT and action.gate_check.audit_selected,
            error=_is_error(action, decision),
            considered=decision.considered,
            blind=decision.blind,
            reasons=decision.reasons,
            decision_ms=decision.decision_ms,
            now=now,
        )
    ledger.record(
        actor=ledger.Actor.person(decision.reviewer),
        verb="decision.released",
        object_kind="decision",
        object_id=decision.public_id,
        action_id=action.public_id,
        payload={
            "decision_id": decision.public_id,
            "item_id": item.public_id,
            "item_kind": item.kind,
            "kind": decision.kind,
            "considered": decision.considered,
            "bulk": decision.bulk,
            "final_digest": decision.final_digest,
            "released_with": released_with,
        },
        now=now,
    )
    second_opinions.follow(item=item, decision=decision, now=now)
    wakeups.action_changed(action.public_id)
    wakeups.inbox_changed(item.public_id)
    return True


def _is_error(action: ActionRequest, decision: Decision) -> bool:
    """Say whether the person objected to anything that the action type calls material."""
    if decision.kind == DecisionKind.CORRECT and action.action_type is not None:
        return is_material(
            action.action_type.material_pointers,
            before=proposed_arguments(action),
            after=decided_arguments(decision),
        )
    return decision.kind in OVERRIDES


def _close(action: ActionRequest, decision: Decision, *, now: datetime) -> None:
    """Bring the action into its final state, and issue the permit where something may run."""
    kind = DecisionKind(decision.kind)
    action.state = close_state(kind)
    action.closed_at = now
    action.version += 1
    if kind == DecisionKind.APPROVE:
        action.final_arguments_canonical = action.arguments_canonical
        action.final_digest = action.digest
    elif kind == DecisionKind.CORRECT:
        action.final_arguments_canonical = decision.final_arguments_canonical
        action.final_digest = decision.final_digest
    action.save(update_fields=["state", "closed_at", "version", "final_arguments_canonical", "final_digest"])
    # In shadow people decide as if it could run, and nothing does. A drill is no agent's to run.
    if kind != DecisionKind.REJECT and action.gate_check.level != "shadow" and not action.drill:
        permits.issue(action=action, basis=PermitBasis(action.state), decision=decision, now=now)


@transaction.atomic
def _expire(action_pk: int, now: datetime) -> bool:
    action = (
        ActionRequest.objects.select_for_update(of=("self",), skip_locked=True)
        .filter(pk=action_pk, state=ActionState.PENDING_REVIEW, expires_at__lte=now)
        .first()
    )
    if action is None:
        return False
    item = ReviewItem.objects.select_for_update().get(action=action, kind=ItemKind.GATE)
    if item.status == ItemStatus.RECORDED:
        # Somebody answered in time; the answer only waits for its undo window.
        return False
    close_undecided(action, state=ActionState.EXPIRED, now=now, actor=ledger.Actor.system())
    return True


def close_undecided(
    action: ActionRequest,
    *,
    state: ActionState,
    now: datetime,
    actor: ledger.Actor,
    payload: Mapping[str, JsonValue] | None = None,
) -> None:
    """Close a pending action and its items without a decision. The caller holds the action's lock."""
    action.state = state
    action.closed_at = now
    action.version += 1
    action.save(update_fields=["state", "closed_at", "version"])
    trust.note_missing(gate_check=action.gate_check, reason=_WHY_MISSING[state], now=now)
    status = ItemStatus.EXPIRED if state == ActionState.EXPIRED else ItemStatus.CANCELLED
    for item in ReviewItem.objects.select_for_update().filter(
        action=action, status__in=[ItemStatus.OPEN, ItemStatus.RECORDED]
    ):
        item.decisions.filter(undone_at=None, released_at=None).update(undone_at=now)
        item.status = status
        item.closed_at = now
        item.claimed_by = None
        item.lease_expires_at = None
        item.version += 1
        item.save(update_fields=["status", "closed_at", "claimed_by", "lease_expires_at", "version"])
        wakeups.inbox_changed(item.public_id)
    ledger.record(
        actor=actor,
        verb=f"action.{state.value}",
        object_kind="action",
        object_id=action.public_id,
        action_id=action.public_id,
        payload=payload,
        now=now,
    )
    wakeups.action_changed(action.public_id)


@transaction.atomic
def _end_lease(execution_pk: int, now: datetime) -> bool:
    execution = (
        Execution.objects.select_for_update(of=("self",), skip_locked=True)
        .select_related("action")
        .filter(pk=execution_pk, outcome="", lease_until__lte=now)
        .first()
    )
    if execution is None:
        return False
    execution.outcome = Outcome.UNKNOWN
    execution.outcome_at = now
    execution.save(update_fields=["outcome", "outcome_at"])
    ledger.record(
        actor=ledger.Actor.system(),
        verb="execution.outcome_unknown",
        object_kind="execution",
        object_id=execution.public_id,
        action_id=execution.action.public_id,
        payload={"lease_until": execution.lease_until.isoformat()},
        now=now,
    )
    incidents.open_incident(
        execution=execution,
        kind=IncidentKind.OUTCOME_UNKNOWN,
        detail={"lease_until": execution.lease_until.isoformat()},
        now=now,
    )
    return True


@transaction.atomic
def _expire_permit(permit_pk: int, now: datetime) -> bool:
    permit = (
        Permit.objects.select_for_update(of=("self",), skip_locked=True)
        .select_related("action")
        .filter(pk=permit_pk, consumed_at=None, revoked_at=None, expired_at=None, expires_at__lte=now)
        .first()
    )
    if permit is None:
        return False
    permit.expired_at = now
    permit.save(update_fields=["expired_at"])
    ledger.record(
        actor=ledger.Actor.system(),
        verb="permit.expired",
        object_kind="permit",
        object_id=permit.public_id,
        action_id=permit.action.public_id,
        payload={"basis": permit.basis, "expires_at": permit.expires_at.isoformat()},
        now=now,
    )
    wakeups.action_changed(permit.action.public_id)
    return True
