"""Queues: an operator names a stream of the inbox, and where its news goes."""

from __future__ import annotations

import os
from datetime import datetime
from typing import Final

from django.contrib.auth.models import User
from django.db import transaction
from django.utils.translation import gettext

from hitl_site.lib import ids
from policies.services import ledger
from reviews.models import Channel, Queue
from reviews.services import rights

MANAGE: Final = "reviews.manage_queues"
# What comes before a channel's name in the operator's environment.
PREFIX: Final = "HANDRAIL_CHANNEL_"


class UnknownChannel(Exception):
    """The operator has given no address under this name."""


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


@transaction.atomic
def open_queue(*, slug: str, name: str, by: User, now: datetime) -> Queue:
    """Make a queue as somebody who may."""
    by = rights.current_holder(by, MANAGE)
    return make_queue(slug=slug, name=name, icon="inbox", actor=ledger.Actor.person(by), now=now)


@transaction.atomic
def add_channel(*, queue: Queue, name: str, by: User, now: datetime) -> Channel:
    """Send the queue's news to the channel of this name. Its address stays in the environment alone."""
    by = rights.current_holder(by, MANAGE)
    if not os.environ.get(PREFIX + name):
        words = gettext("The operator has set no address for it: {variable}.")
        raise UnknownChannel(words.format(variable=f"{PREFIX}{name}"))
    channel, is_new = Channel.objects.get_or_create(
        queue=queue, name=name, ended_at=None, defaults={"public_id": ids.new("chn"), "created_at": now}
    )
    if is_new:
        _record("queue.channel_added", channel, by=by, now=now)
    return channel


@transaction.atomic
def end_channel(*, channel: Channel, by: User, now: datetime) -> None:
    """Send no more news there. Ending it twice changes nothing more."""
    by = rights.current_holder(by, MANAGE)
    if Channel.objects.filter(pk=channel.pk, ended_at=None).update(ended_at=now):
        _record("queue.channel_ended", channel, by=by, now=now)


def _record(verb: str, channel: Channel, *, by: User, now: datetime) -> None:
    ledger.record(
        actor=ledger.Actor.person(by),
        verb=verb,
        object_kind="queue",
        object_id=channel.queue.public_id,
        payload={"queue": channel.queue.slug, "channel": channel.name},
        now=now,
    )
