"""Legal holds: while one stands, nothing that it covers is taken away, whoever asks."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Final

from django.db import transaction
from django.utils.translation import gettext

from datasets.models import LegalHold
from datasets.services import removal_lock
from hitl_site.lib import ids
from policies.services import ledger
from policies.services.ledger import Actor
from reviews.services.rights import current_holder

if TYPE_CHECKING:
    from django.contrib.auth.models import User

RIGHT: Final = "datasets.manage_retention"


class UnableToHold(Exception):
    """The hold cannot be placed or lifted. Nothing has changed."""


@transaction.atomic
def place(
    *, action_type: str, subject: str, conversation_id: str, reason: str, by: User, now: datetime
) -> LegalHold:
    """Keep all that is of this action type, subject and conversation (those that are given)."""
    person = current_holder(by, RIGHT)
    if not (action_type or subject or conversation_id):
        raise UnableToHold(gettext("A hold names an action type, a subject or a conversation."))
    if not reason.strip():
        raise UnableToHold(gettext("A hold says why."))
    # A batch that was being taken away is gone by then; from here on nothing is.
    removal_lock.write_beside()
    actor = Actor.person(person)
    hold = LegalHold.objects.create(
        public_id=ids.new("hld"),
        action_type=action_type,
        subject=subject,
        conversation_id=conversation_id,
        reason=reason.strip(),
        placed_by_name=actor.name,
        placed_at=now,
    )
    # Whom it is about is in the row alone: what the ledger says outlives the hold.
    ledger.record(
        actor=actor,
        verb="hold.placed",
        object_kind="legal_hold",
        object_id=hold.public_id,
        now=now,
        payload={
            "action_type": action_type,
            "names_a_subject": bool(subject),
            "names_a_conversation": bool(conversation_id),
            "reason": hold.reason,
        },
    )
    return hold


@transaction.atomic
def lift(*, hold_id: str, reason: str, by: User, now: datetime) -> LegalHold:
    """Let go what the hold kept. Lifting twice is lifting once."""
    person = current_holder(by, RIGHT)
    hold = LegalHold.objects.select_for_update(of=("self",)).get(public_id=hold_id)
    if hold.lifted_at is not None:
        return hold
    if not reason.strip():
        raise UnableToHold(gettext("Say why the hold is lifted."))
    actor = Actor.person(person)
    hold.lifted_at, hold.lifted_by_name, hold.lift_reason = now, actor.name, reason.strip()
    hold.save(update_fields=["lifted_at", "lifted_by_name", "lift_reason"])
    ledger.record(
        actor=actor,
        verb="hold.lifted",
        object_kind="legal_hold",
        object_id=hold.public_id,
        now=now,
        payload={"before": {"lifted": False}, "after": {"lifted": True}, "reason": hold.lift_reason},
    )
    return hold
