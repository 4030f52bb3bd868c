"""Telling people: in the console, and by messages that a worker sends later (services.deliveries).

Everything here is written in the transaction of what it tells of, and once however often that is tried. No
words of an agent are in it: only which item, and what happened.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from django.db import transaction

from hitl_site.lib import ids
from reviews.choices import ItemStatus, NoticeKind
from reviews.models import Channel, Delivery, Notice, ReviewItem
from reviews.services import wakeups
from reviews.services.due_rows import work_off

if TYPE_CHECKING:
    from django.contrib.auth.models import User

# What is told of a queue within this time leaves as one message.
GROUPED: Final = timedelta(seconds=30)


def tell(
    *, user: User, kind: NoticeKind, item: ReviewItem, key: str, now: datetime, mail: bool = False
) -> None:
    """Tell a person in the console, and by mail at once where ``mail`` says so. The same key tells once."""
    notice = Notice(
        public_id=ids.new("ntc"),
        user=user,
        kind=kind,
        item=item,
        key=f"{kind}:{key}:{user.pk}",
        created_at=now,
    )
    Notice.objects.bulk_create([notice], ignore_conflicts=True)
    wakeups.notices_changed(user.pk)
    if mail:
        message = Delivery(user=user, item=item, kind=kind, key=f"mail:{key}", send_at=now, created_at=now)
        Delivery.objects.bulk_create([message], ignore_conflicts=True)


def tell_channels(*, item: ReviewItem, kind: NoticeKind, key: str, now: datetime) -> None:
    """Tell the channels of the item's queues."""
    queues = {item.queue_id, item.second_queue_id} - {None}
    Delivery.objects.bulk_create(
        [
            Delivery(
                channel=channel,
                item=item,
                kind=kind,
                key=f"{kind}:{channel.pk}:{item.pk}:{key}",
                send_at=now + GROUPED,
                created_at=now,
            )
            for channel in Channel.objects.filter(queue__in=queues, ended_at=None)
        ],
        ignore_conflicts=True,
    )


def end_claims(*, now: datetime) -> int:
    """End the claims that lapsed: who held the item is told, and its channels again. Return how many."""
    held = ReviewItem.objects.filter(status=ItemStatus.OPEN, claimed_by__isnull=False)
    return work_off(held, due="lease_expires_at", act=_end_claim, now=now)


@transaction.atomic
def _end_claim(item_pk: int, now: datetime) -> bool:
    item = (
        ReviewItem.objects.select_for_update(of=("self",), skip_locked=True)
        .select_related("claimed_by")
        .filter(pk=item_pk, status=ItemStatus.OPEN, lease_expires_at__lte=now)
        .first()
    )
    if item is None or item.claimed_by is None or item.lease_expires_at is None:
        return False
    key = f"{item.pk}:{item.lease_expires_at.timestamp()}"
    tell(user=item.claimed_by, kind=NoticeKind.CLAIM_LAPSED, item=item, key=key, now=now)
    tell_channels(item=item, kind=NoticeKind.CLAIM_LAPSED, key=key, now=now)
    item.claimed_by = None
    item.lease_expires_at = None
    item.save(update_fields=["claimed_by", "lease_expires_at"])
    wakeups.inbox_changed(item.public_id)
    return True


@transaction.atomic
def mark_read(*, user: User, now: datetime) -> int:
    """Note that the person has seen what they were told."""
    seen = Notice.objects.filter(user=user, read_at=None).update(read_at=now)
    wakeups.notices_changed(user.pk)
    return seen
