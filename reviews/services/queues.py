"""Queues: an operator names a stream of the inbox."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from hitl_site.lib import ids
from policies.services import ledger
from reviews.models import Queue


@transaction.atomic
def make_queue(*, slug: str, name: str, icon: str, actor: ledger.Actor, now: datetime) -> Queue:
    """Make the queue of this slug, or return the one there is."""
    queue, is_new = Queue.objects.get_or_create(
        slug=slug, defaults={"public_id": ids.new("que"), "name": name, "icon": icon, "created_at": now}
    )
    if is_new:
        ledger.record(
            actor=actor,
            verb="queue.created",
            object_kind="queue",
            object_id=queue.public_id,
            payload={"slug": slug, "name": name},
            now=now,
        )
    return queue
