"""Drill results: what a reviewer said of a seeded item whose right answer was known before."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from django.db import transaction

from policies.models import ActionType, DrillResult
from policies.services import ledger

if TYPE_CHECKING:
    from django.contrib.auth.models import User


@transaction.atomic
def record(
    *,
    drill_id: str,
    action_type: ActionType,
    reviewer: User,
    error_kind: str,
    caught: bool,
    decision_ms: int | None,
    warm_up: bool = False,
    now: datetime,
) -> DrillResult:
    """Keep what came of one seeded item, the ``drill_id`` being that of its action.

    ``error_kind`` names what was planted, "" for an item that was right as it stood; ``caught`` says that the
    person objected to what is wrong, or let pass what is right. A ``warm_up`` began a shift: no catch rate
    counts it. Of one person and item the first result stands: again, or twice at once, gives the same one.
    """
    result, fresh = DrillResult.objects.get_or_create(
        drill_id=drill_id,
        reviewer=reviewer,
        defaults={
            "action_type": action_type,
            "error_kind": error_kind,
            "caught": caught,
            "decision_ms": decision_ms,
            "warm_up": warm_up,
            "decided_at": now,
        },
    )
    if fresh:
        ledger.record(
            actor=ledger.Actor.person(reviewer),
            verb="drill.answered",
            object_kind="drill",
            object_id=drill_id,
            action_id=drill_id,
            payload={
                "action_type": action_type.name,
                "error_kind": error_kind,
                "caught": caught,
                "decision_ms": decision_ms,
                **({"warm_up": True} if warm_up else {}),
            },
            now=now,
        )
    return result
