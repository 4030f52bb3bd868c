"""What a stop does to the items that wait in its scope, where whoever stopped it wants them closed.

The stop's row is the order; the sweep works it off for as long as the stop is in force, so that what was on
its way into the inbox at that moment is found as well. Nobody decided: there is no decision, no observation
and no labelled case, and the agents that wait are told that their actions are denied.
"""

from __future__ import annotations

import logging
from datetime import datetime

from django.db import InterfaceError, OperationalError, transaction
from django.db.models import Exists, F, OuterRef, QuerySet

from policies.choices import KillSwitchScope
from policies.models import KillSwitch
from policies.services import ledger
from reviews.choices import ActionState, ItemKind, ItemStatus
from reviews.models import ActionRequest, ReviewItem
from reviews.services.deadlines import close_undecided

logger = logging.getLogger(__name__)

_BATCH = 200


def pending_under(stop: KillSwitch) -> QuerySet[ActionRequest]:
    """Return what waits for a person in the scope of a stop.

    What somebody has answered waits for the end of its undo window alone: that answer stands, and what it
    lets run is refused for as long as the stop is in force.
    """
    answered = ReviewItem.objects.filter(
        action=OuterRef("pk"), kind=ItemKind.GATE, status=ItemStatus.RECORDED
    )
    pending = ActionRequest.objects.filter(~Exists(answered), state=ActionState.PENDING_REVIEW)
    if stop.scope == KillSwitchScope.AGENT:
        return pending.filter(agent=stop.agent_id)
    if stop.scope == KillSwitchScope.ACTION_TYPE:
        return pending.filter(action_type=stop.action_type_id)
    return pending


def close_pending(*, now: datetime) -> int:
    """Close a batch of what waits under each stop that asks for it. Return how many this call closed."""
    done = 0
    for stop in KillSwitch.objects.filter(lifted_at=None, reject_pending=True).order_by("id"):
        waiting = list(pending_under(stop).order_by("id").values_list("pk", flat=True)[:_BATCH])
        for key in waiting:
            try:
                done += _close(stop.pk, key, now)
            except (InterfaceError, OperationalError):
                raise
            except Exception:
                logger.exception("action %s under a stop failed and will be tried again", key)
        if not waiting and stop.pending_closed_at is None:
            _note_end(stop, now)
    return done


@transaction.atomic
def _close(stop_pk: int, action_pk: int, now: datetime) -> bool:
    # The stop first: lifting it waits for this one item, and after it nothing more is closed.
    stop = (
        KillSwitch.objects.select_for_update(no_key=True)
        .filter(pk=stop_pk, lifted_at=None, reject_pending=True)
        .first()
    )
    if stop is None:
        return False
    action = (
        ActionRequest.objects.select_for_update(of=("self",), skip_locked=True)
        .filter(pk=action_pk, state=ActionState.PENDING_REVIEW)
        .first()
    )
    if action is None:
        return False
    item = ReviewItem.objects.select_for_update().filter(action=action, kind=ItemKind.GATE).first()
    if item is not None and item.status == ItemStatus.RECORDED:
        return False
    close_undecided(
        action,
        state=ActionState.DENIED,
        now=now,
        actor=ledger.Actor.system(),
        payload={"stop": stop.public_id},
    )
    KillSwitch.objects.filter(pk=stop.pk).update(pending_closed=F("pending_closed") + 1)
    return True


@transaction.atomic
def _note_end(stop: KillSwitch, now: datetime) -> None:
    if not KillSwitch.objects.filter(pk=stop.pk, pending_closed_at=None).update(pending_closed_at=now):
        return
    stop.refresh_from_db(fields=["pending_closed"])
    ledger.record(
        actor=ledger.Actor.system(),
        verb="kill_switch.pending_closed",
        object_kind="kill_switch",
        object_id=stop.public_id,
        now=now,
        payload={"closed": stop.pending_closed},
    )
