"""Review items: places in the inbox."""

from __future__ import annotations

from django.conf import settings
from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchVectorField
from django.db import models
from django.db.models import F, Func, Q

from hitl_site.lib import ids
from policies.choices import Risk, Trigger
from policies.models import Agent
from reviews.choices import ItemKind, ItemStatus, SkipReason
from reviews.models.actions import ActionRequest
from reviews.models.queues import Queue


class Words(Func):
    """Return the words of two texts as PostgreSQL's ``tsvector``: runs of letters and digits, as they are.

    Its text search is part of every installation; the indexes for arbitrary substrings are not.
    """

    function = "to_tsvector"
    arity = 2
    template = "%(function)s('simple'::regconfig, regexp_replace(%(expressions)s, '[^[:alnum:]]+', ' ', 'g'))"
    arg_joiner = " || ' ' || "
    output_field = SearchVectorField()


class ReviewItem(models.Model):
    """One question to a person about one action.

    The columns from ``action_type_name`` to ``title`` repeat facts of the action that never change, so that
    a page of the inbox is one cheap query at any backlog. ``version`` grows with every change.
    """

    public_id = models.CharField(max_length=ids.MAX_LENGTH, unique=True)
    action = models.ForeignKey(ActionRequest, on_delete=models.PROTECT, related_name="items")
    kind = models.CharField(max_length=16, choices=ItemKind)
    status = models.CharField(max_length=16, choices=ItemStatus, default=ItemStatus.OPEN)
    queue = models.ForeignKey(Queue, on_delete=models.PROTECT, related_name="items")
    version = models.PositiveIntegerField(default=1)
    blind = models.BooleanField(default=False)
    approvals_required = models.PositiveSmallIntegerField(default=1)
    # Since when the approvals given so far are for different arguments: it takes somebody else to settle it.
    disagreed_at = models.DateTimeField(null=True, blank=True)

    action_type_name = models.CharField(max_length=120)
    agent = models.ForeignKey(Agent, on_delete=models.PROTECT, related_name="+")
    risk = models.CharField(max_length=16, choices=Risk)
    risk_rank = models.PositiveSmallIntegerField(help_text="0 critical, 1 high, 2 medium, 3 low")
    trigger = models.CharField(max_length=16, choices=Trigger)
    title = models.CharField(max_length=200)

    due_at = models.DateTimeField()
    # At half its time an open item is called to mind, and shown in a second queue where the policy names one.
    remind_at = models.DateTimeField(null=True, blank=True)
    reminded_at = models.DateTimeField(null=True, blank=True)
    second_queue = models.ForeignKey(
        Queue, null=True, blank=True, on_delete=models.PROTECT, related_name="second_items"
    )
    created_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True)
    claimed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    lease_expires_at = models.DateTimeField(null=True, blank=True)
    escalated_to = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    # A drill that begins somebody's shift is for them alone; everything else is for everybody who may.
    reserved_for = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        blank=True,
        db_index=False,
        on_delete=models.PROTECT,
        related_name="+",
    )
    # The words of title and action type, for the search of the inbox: PostgreSQL keeps it.
    words = models.GeneratedField(
        expression=Words(F("title"), F("action_type_name")), output_field=SearchVectorField(), db_persist=True
    )

    class Meta:
        permissions = [
            ("review_item", "Can decide review items"),
            ("view_any_item", "Can see every review item"),
            ("adjudicate", "Can settle what two people answered differently"),
            ("decide_in_bulk", "Can decide several low-risk items at once"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["action", "kind"],
                condition=~Q(kind__in=["incident", "second_opinion"]),
                name="item_one_of_each_kind_per_action",
            ),
            # What nobody looked at in time may be asked once more.
            models.UniqueConstraint(
                fields=["action"],
                condition=Q(kind="second_opinion", status__in=["open", "recorded", "decided"]),
                name="item_one_second_opinion_per_action",
            ),
            models.CheckConstraint(
                condition=Q(claimed_by=None, lease_expires_at=None)
                | Q(claimed_by__isnull=False, lease_expires_at__isnull=False),
                name="item_claim_and_lease_together",
            ),
            models.CheckConstraint(
                condition=Q(status__in=["open", "recorded"], closed_at=None)
                | Q(status__in=["decided", "expired", "cancelled"], closed_at__isnull=False),
                name="item_closed_exactly_when_terminal",
            ),
        ]
        indexes = [
            # The inbox: due first, at any backlog.
            models.Index(fields=["queue", "due_at", "id"], condition=Q(status="open"), name="item_inbox"),
            models.Index(fields=["due_at", "id"], condition=Q(status="open"), name="item_inbox_all"),
            models.Index(
                fields=["remind_at"],
                condition=Q(status="open", reminded_at=None, remind_at__isnull=False),
                name="item_to_remind",
            ),
            models.Index(
                fields=["risk_rank", "due_at", "id"], condition=Q(status="open"), name="item_inbox_by_risk"
            ),
            # Claims that lapse. An item that nobody holds is not in it.
            models.Index(
                fields=["lease_expires_at"],
                condition=Q(status="open", claimed_by__isnull=False),
                name="item_claim_lapses",
            ),
            # Filters, counts and the oldest, at any backlog.
            models.Index(
                fields=["action_type_name", "due_at", "id"],
                condition=Q(status="open"),
                name="item_inbox_type",
            ),
            models.Index(
                fields=["agent", "due_at", "id"], condition=Q(status="open"), name="item_inbox_agent"
            ),
            models.Index(fields=["created_at"], condition=Q(status="open"), name="item_inbox_arrived"),
            GinIndex(fields=["words"], condition=Q(status="open"), name="item_inbox_words"),
            models.Index(
                fields=["due_at", "id"],
                condition=Q(status="open", kind="second_opinion"),
                name="item_second_opinion_due",
            ),
        ]

    def __str__(self) -> str:
        return self.public_id


class Escalation(models.Model):
    """A reviewer passed an item on; it decides nothing."""

    item = models.ForeignKey(ReviewItem, on_delete=models.PROTECT, related_name="escalations")
    reviewer = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    reviewer_name = models.CharField(max_length=200)
    to_user = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+"
    )
    to_queue = models.ForeignKey(Queue, null=True, on_delete=models.PROTECT, related_name="+")
    note = models.TextField()
    escalated_at = models.DateTimeField()


class Skip(models.Model):
    """A reviewer left an item to others; it stays where it is for them."""

    item = models.ForeignKey(ReviewItem, on_delete=models.PROTECT, related_name="skips")
    reviewer = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    reason = models.CharField(max_length=16, choices=SkipReason)
    skipped_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["item", "reviewer"], name="skip_once_per_person")]
