"""What people are told, and the outbox: messages that are still to leave for a mailbox or a channel."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q

from hitl_site.lib import ids
from reviews.choices import DeliveryState, NoticeKind
from reviews.models.items import ReviewItem
from reviews.models.queues import Queue


class Notice(models.Model):
    """One thing that a person is told in the console. It holds no words of an agent: the item has those."""

    public_id = models.CharField(max_length=ids.MAX_LENGTH, unique=True)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    kind = models.CharField(max_length=16, choices=NoticeKind)
    item = models.ForeignKey(ReviewItem, on_delete=models.PROTECT, related_name="+")
    # What makes it the same notice: an act that runs twice tells once.
    key = models.CharField(max_length=200, unique=True)
    created_at = models.DateTimeField()
    read_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = [
            models.Index(fields=["user", "-id"], name="notice_of_person"),
            models.Index(fields=["user"], condition=Q(read_at=None), name="notice_unread"),
        ]


class Channel(models.Model):
    """A place outside to which a queue's news goes: Slack, Teams, a webhook.

    Its address is a secret and is in the environment alone, under ``HANDRAIL_CHANNEL_<name>``.
    """

    public_id = models.CharField(max_length=ids.MAX_LENGTH, unique=True)
    queue = models.ForeignKey(Queue, on_delete=models.PROTECT, related_name="channels")
    name = models.CharField(max_length=40)
    created_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["queue", "name"], condition=Q(ended_at=None), name="channel_once_per_queue"
            )
        ]

    def __str__(self) -> str:
        return self.name


class Delivery(models.Model):
    """One message that is to leave, for a person's mailbox or for a channel; several leave as one.

    Written in the transaction of what it tells of, sent by a worker, at least once.
    """

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    channel = models.ForeignKey(
        Channel, null=True, blank=True, on_delete=models.PROTECT, related_name="deliveries"
    )
    item = models.ForeignKey(ReviewItem, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    kind = models.CharField(max_length=16, choices=NoticeKind)
    key = models.CharField(max_length=200, unique=True)
    state = models.CharField(max_length=16, choices=DeliveryState, default=DeliveryState.WAITING)
    attempts = models.PositiveSmallIntegerField(default=0)
    send_at = models.DateTimeField()
    problem = models.CharField(max_length=200, blank=True, default="")
    created_at = models.DateTimeField()
    sent_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name_plural = "deliveries"
        constraints = [
            models.CheckConstraint(
                condition=Q(user__isnull=True, channel__isnull=False)
                | Q(user__isnull=False, channel__isnull=True),
                name="delivery_to_a_mailbox_or_a_channel",
            )
        ]
        indexes = [models.Index(fields=["send_at"], condition=Q(state="waiting"), name="delivery_due")]
