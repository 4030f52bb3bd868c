"""Decisions: what people answered."""

from __future__ import annotations

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from hitl_site.lib import ids
from policies.models import PolicyVersion
from reviews.choices import DecisionKind
from reviews.models.actions import ActionRequest
from reviews.models.items import ReviewItem


class Decision(models.Model):
    """One person's answer to one item. Nothing of it changes but ``released_at`` and ``undone_at``.

    ``terminal`` is the answer that closes the item; an approval that still needs a second person is not.
    It takes effect at ``release_at``, the end of the undo window.
    """

    public_id = models.CharField(max_length=ids.MAX_LENGTH, unique=True)
    item = models.ForeignKey(ReviewItem, on_delete=models.PROTECT, related_name="decisions")
    action = models.ForeignKey(ActionRequest, on_delete=models.PROTECT, related_name="decisions")
    reviewer = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="decisions")
    reviewer_name = models.CharField(max_length=200)
    kind = models.CharField(max_length=16, choices=DecisionKind)
    terminal = models.BooleanField()
    final_arguments_canonical = models.BinaryField(null=True)
    final_digest = models.CharField(max_length=71, blank=True)
    patch = models.JSONField(default=list)
    reasons = ArrayField(models.CharField(max_length=60), default=list)
    note = models.TextField(blank=True)

    # What the person had before them, and how it was read.
    shown_digest = models.CharField(max_length=71)
    item_version = models.PositiveIntegerField()
    blind = models.BooleanField()
    bulk = models.BooleanField(default=False)
    opened_at = models.DateTimeField(null=True)
    decision_ms = models.PositiveIntegerField(null=True)
    arguments_seen = models.BooleanField(default=False)
    parts_opened = ArrayField(models.CharField(max_length=60), default=list)
    channel = models.CharField(max_length=20, default="web")
    # The sentences of the policy's check list that the person ticked.
    checklist = models.JSONField(default=list)
    considered = models.BooleanField()
    # The policy in force when the person decided; its verdict on the final arguments was not a deny.
    policy_version = models.ForeignKey(PolicyVersion, null=True, on_delete=models.PROTECT, related_name="+")

    decided_at = models.DateTimeField()
    release_at = models.DateTimeField()
    released_at = models.DateTimeField(null=True)
    undone_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["item"],
                condition=Q(terminal=True, undone_at=None),
                name="decision_one_terminal_per_item",
            ),
            models.UniqueConstraint(
                fields=["item", "reviewer"], condition=Q(undone_at=None), name="decision_one_per_person"
            ),
            models.CheckConstraint(
                condition=Q(kind="correct", final_arguments_canonical__isnull=False)
                | ~Q(kind="correct") & Q(final_arguments_canonical=None),
                name="decision_final_arguments_only_with_correct",
            ),
            models.CheckConstraint(
                condition=Q(kind="reject", final_digest="") | ~Q(kind="reject") & ~Q(final_digest=""),
                name="decision_final_digest_unless_rejected",
            ),
            models.CheckConstraint(
                condition=Q(undone_at=None) | Q(released_at=None), name="decision_undone_or_released_not_both"
            ),
        ]
        indexes = [
            models.Index(
                fields=["release_at"],
                condition=Q(released_at=None, undone_at=None, terminal=True),
                name="decision_to_release",
            ),
            models.Index(fields=["reviewer", "-id"], name="decision_of_a_person"),
        ]

    def __str__(self) -> str:
        return self.public_id
