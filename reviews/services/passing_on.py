"""Leaving an item to others: passed on with a note, or skipped. Neither decides anything."""

from __future__ import annotations

from datetime import datetime

from django.contrib.auth.models import User
from django.db import transaction
from django.utils.translation import gettext

from policies.services import ledger
from reviews.choices import ItemKind, ItemStatus, NoticeKind, SkipReason
from reviews.models import Escalation, Queue, ReviewItem, Skip
from reviews.selectors import independence
from reviews.services import notices, wakeups
from reviews.services.answers import InvalidAnswer
from reviews.services.locks import lock_item
from reviews.services.open_items import AlreadyDecided, StaleView, check_open
from reviews.services.rights import NotAllowed, current_reviewer


@transaction.atomic
def escalate(
    *,
    item_id: str,
    reviewer: User,
    note: str,
    item_version: int,
    now: datetime,
    to_user: User | None = None,
    to_queue: Queue | None = None,
) -> ReviewItem:
    """Pass an item on to a person or a queue, with a note. It decides nothing, and the deadline stays."""
    reviewer = current_reviewer(reviewer)
    if (to_user is None) == (to_queue is None):
        raise InvalidAnswer(gettext("Say to whom: a person or a queue."))
    if not note.strip():
        raise InvalidAnswer(gettext("Say why you pass it on."))
    item = lock_item(item_id)
    _check_sender(item, reviewer)
    _check_waits(item, now=now)
    if item_version != item.version:
        raise StaleView(gettext("This item has changed since you opened it."))
    # What began their shift and is passed on is an item like any other from now on.
    item.reserved_for = None
    if to_user is not None:
        _check_target(item, to_user, reviewer=reviewer)
        item.escalated_to = to_user
    if to_queue is not None:
        item.queue = to_queue
        item.escalated_to = None
    item.version += 1
    item.claimed_by = None
    item.lease_expires_at = None
    item.save(
        update_fields=["queue", "escalated_to", "reserved_for", "version", "claimed_by", "lease_expires_at"]
    )
    Escalation.objects.create(
        item=item,
        reviewer=reviewer,
        reviewer_name=reviewer.get_full_name() or reviewer.get_username(),
        to_user=to_user,
        to_queue=to_queue,
        note=note.strip(),
        escalated_at=now,
    )
    # Whoever passes an item on has had their say; it must not come back to them as the next one.
    Skip.objects.get_or_create(
        item=item, reviewer=reviewer, defaults={"reason": SkipReason.NOT_MY_FIELD, "skipped_at": now}
    )
    key = f"{item.pk}:{item.version}"
    if to_user is not None:
        Skip.objects.filter(item=item, reviewer=to_user).delete()
        notices.tell(user=to_user, kind=NoticeKind.ESCALATED, item=item, key=key, now=now, mail=True)
    else:
        notices.tell_channels(item=item, kind=NoticeKind.ESCALATED, key=key, now=now)
    ledger.record(
        actor=ledger.Actor.person(reviewer),
        verb="item.escalated",
        object_kind="item",
        object_id=item.public_id,
        action_id=item.action.public_id,
        payload={
            "to_user": to_user.get_username() if to_user else None,
            "to_queue": to_queue.slug if to_queue else None,
        },
        now=now,
    )
    wakeups.inbox_changed(item.public_id)
    return item


@transaction.atomic
def skip(*, item_id: str, reviewer: User, reason: SkipReason, now: datetime) -> ReviewItem:
    """Leave an item to others. For them nothing changes; skipping twice changes nothing more."""
    reviewer = current_reviewer(reviewer)
    item = lock_item(item_id)
    _check_sender(item, reviewer)
    _check_waits(item, now=now)
    _, fresh = Skip.objects.get_or_create(
        item=item, reviewer=reviewer, defaults={"reason": reason, "skipped_at": now}
    )
    if item.claimed_by_id == reviewer.pk:
        item.claimed_by = None
        item.lease_expires_at = None
        item.save(update_fields=["claimed_by", "lease_expires_at"])
        wakeups.inbox_changed(item.public_id)
    if fresh:
        ledger.record(
            actor=ledger.Actor.person(reviewer),
            verb="item.skipped",
            object_kind="item",
            object_id=item.public_id,
            action_id=item.action.public_id,
            payload={"reason": reason.value},
            now=now,
        )
    return item


def _check_waits(item: ReviewItem, *, now: datetime) -> None:
    """Raise where nothing waits any more. An incident waits for a finding, and takes no decision."""
    if item.kind != ItemKind.INCIDENT:
        check_open(item, None, now=now)
    elif item.status != ItemStatus.OPEN:
        raise AlreadyDecided(gettext("This incident has been resolved already."))


def _check_target(item: ReviewItem, target: User, *, reviewer: User) -> None:
    if target.pk == reviewer.pk:
        raise InvalidAnswer(gettext("Pass it on to somebody else."))
    if independence.owns(item.action, reviewer.pk):
        raise InvalidAnswer(
            gettext("You own this agent: pass it on to a queue; who decides is not yours to choose.")
        )
    if independence.owns(item.action, target.pk):
        raise InvalidAnswer(gettext("That person owns the agent and cannot decide for it."))
    try:
        # As they are now: the right may have gone since the page was opened.
        target = current_reviewer(target)
    except NotAllowed:
        raise InvalidAnswer(gettext("That person may not decide review items.")) from None
    if independence.why_not(item, target):
        raise InvalidAnswer(gettext("That person cannot answer this one. Choose somebody else."))
    if item.decisions.filter(reviewer=target, undone_at=None).exists():
        raise InvalidAnswer(gettext("That person has answered this one already; it waits for somebody else."))


def _check_sender(item: ReviewItem, reviewer: User) -> None:
    """Raise where an item is none of this person's business: it asks about their own answer, or is for leads.

    Or it is reserved for somebody else. Other items the agent's owner may send to a queue, never to a person.
    """
    if item.kind in independence.APART or item.reserved_for_id is not None:
        because = independence.why_not(item, reviewer)
        if because:
            raise NotAllowed(because)
