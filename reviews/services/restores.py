"""After a restore from a backup: what came after the backup is forgotten, so nothing of before may run on.

The database does not know any more which permits were used, which were taken back and what was stopped since.
So everything is stopped, and every permit that is out is taken back: what an agent still wants it proposes
again. Both are safe to repeat, also by a process that died between them.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.db import transaction

from policies.choices import KillSwitchScope
from policies.models import KillSwitch
from policies.services import kill_switch, ledger
from policies.services.ledger import Actor
from reviews.models import Permit
from reviews.services import wakeups

_WHY: Final = "Restored from a backup: nobody knows whether it was used."
_BATCH: Final = 500


@dataclass(frozen=True)
class Restored:
    """What was done: the stop that stands, and how many permits were taken back."""

    stop: KillSwitch
    revoked: int


def begin_anew(*, reason: str, reject_pending: bool = False, actor: Actor, now: datetime) -> Restored:
    """Stop everything, then take back every permit that could still be used.

    Raises ``kill_switch.InvalidStop`` without a reason. What waits for a person may have been decided and run
    already: ``reject_pending`` closes it.
    """
    stop = kill_switch.engage(
        scope=KillSwitchScope.EVERYTHING,
        reason=reason,
        reject_pending=reject_pending,
        actor=actor,
        now=now,
    )
    revoked = 0
    while taken := _take_back(stop, actor, now):
        revoked += taken
    return Restored(stop, revoked)


@transaction.atomic
def _take_back(stop: KillSwitch, actor: Actor, now: datetime) -> int:
    usable = Permit.objects.filter(consumed_at=None, revoked_at=None, expired_at=None, expires_at__gt=now)
    rows = usable.select_for_update(of=("self",)).select_related("action").order_by("pk")[:_BATCH]
    for permit in rows:
        permit.revoked_at, permit.revoke_reason = now, _WHY
        permit.save(update_fields=["revoked_at", "revoke_reason"])
        ledger.record(
            actor=actor,
            verb="permit.revoked",
            object_kind="permit",
            object_id=permit.public_id,
            action_id=permit.action.public_id,
            payload={"reason": _WHY, "digest": permit.digest, "stop": stop.public_id},
            now=now,
        )
        wakeups.action_changed(permit.action.public_id)
    return len(rows)
