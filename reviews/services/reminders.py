"""Reminders: at half its time an open item is called to mind, and stands in a second queue as well.

The act is Handrail's own. It decides nothing, takes the item from nobody and leaves what people have open as
it is: the item's version does not change.
"""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from policies.services import ledger
from reviews.choices import ItemStatus, NoticeKind
from reviews.models import Queue, ReviewItem
from reviews.services import notices, wakeups
from reviews.services.due_rows import work_off
from reviews.services.gatekeeping import document_of


def remind_due(*, now: datetime) -> int:
    """Call to mind what nobody has answered at half its time. Return how many items this call was about."""
    waiting = ReviewItem.objects.filter(status=ItemStatus.OPEN, reminded_at=None)
    return work_off(waiting, due="remind_at", act=_remind, now=now)


@transaction.atomic
def _remind(item_pk: int, now: datetime) -> bool:
    item = (
        ReviewItem.objects.select_for_update(of=("self",), skip_locked=True)
        .select_related("action__gate_check__policy_version", "queue", "claimed_by")
        # What is past its deadline needs no reminder any more: it expires.
        .filter(pk=item_pk, status=ItemStatus.OPEN, reminded_at=None, remind_at__lte=now, due_at__gt=now)
        .first()
    )
    if item is None:
        return False
    second = _second_queue(item)
    item.reminded_at = now
    item.second_queue = second
    item.save(update_fields=["reminded_at", "second_queue"])
    ledger.record(
        actor=ledger.Actor.system(),
        verb="item.reminded",
        object_kind="item",
        object_id=item.public_id,
        action_id=item.action.public_id,
        payload={
            "queue": item.queue.slug,
            "second_queue": second.slug if second is not None else None,
            "due_at": item.due_at.isoformat(),
        },
        now=now,
    )
    if item.claimed_by is not None and item.lease_expires_at is not None and item.lease_expires_at > now:
        holder = item.claimed_by
        notices.tell(user=holder, kind=NoticeKind.HALF_TIME, item=item, key=str(item.pk), now=now)
    notices.tell_channels(item=item, kind=NoticeKind.HALF_TIME, key="", now=now)
    wakeups.inbox_changed(item.public_id)
    return True


def _second_queue(item: ReviewItem) -> Queue | None:
    """Return the other queue that the policy names, None where it names none that there is."""
    slug = document_of(item.action.gate_check).second_queue
    if not slug or slug == item.queue.slug:
        return None
    return Queue.objects.filter(slug=slug).first()
