"""Remembering what was decided: a worker follows the ledger and keeps each released decision to be found.

Nothing waits for it. A precedent is made of rows that exist already, so that a reader who starts anew makes
the very same ones.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime
from typing import Final

from django.db import transaction

from policies.services import ledger
from reviews.choices import ItemKind
from reviews.engine import precedents
from reviews.models import Decision, Precedent

READER: Final = "precedents"
VERB: Final = "decision.released"
# A second opinion is about what was decided, and decides nothing itself; where it led to a disagreement, what
# settled that comes later and counts.
_DECIDING: Final = (ItemKind.GATE, ItemKind.AUDIT, ItemKind.ADJUDICATION)


@transaction.atomic
def remember(*, now: datetime, limit: int = 500) -> int:
    """Keep the decisions of the next entries of the ledger; return how many entries were looked at."""
    stretch = ledger.read(reader=READER, verbs={VERB}, limit=limit)
    if stretch.entries:
        _keep({entry.object_id for entry in stretch.entries})
    if stretch.length:
        ledger.advance(reader=READER, seq=stretch.last)
    return stretch.length


@transaction.atomic
def forget(*, action_ids: Iterable[str]) -> int:
    """Let nothing of these actions' words be found any more; return how many were known."""
    return Precedent.objects.filter(action__public_id__in=list(action_ids)).update(tokens=[])


def _keep(public_ids: set[str]) -> None:
    rows = (
        Decision.objects.filter(
            public_id__in=public_ids,
            terminal=True,
            undone_at=None,
            item__kind__in=_DECIDING,
            action__action_type__isnull=False,
            action__gate_check__drill=False,
        )
        .select_related("action__action_type")
        .order_by("id")
    )
    kept = {decision.action_id: _precedent(decision) for decision in rows}
    Precedent.objects.bulk_create(
        kept.values(),
        update_conflicts=True,
        unique_fields=["action"],
        update_fields=["decision", "kind", "decided_at"],
    )


def _precedent(decision: Decision) -> Precedent:
    action = decision.action
    assert action.action_type is not None
    arguments = json.loads(bytes(action.arguments_canonical))
    return Precedent(
        action=action,
        decision=decision,
        action_type=action.action_type,
        kind=decision.kind,
        tokens=precedents.tokens(action.action_type_name, arguments, action.subject),
        decided_at=decision.decided_at,
    )
