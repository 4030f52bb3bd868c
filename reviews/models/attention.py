"""What a reviewer had open, and what they had typed."""

from __future__ import annotations

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from hitl_site.lib import ids
from reviews.choices import PaceAnswer
from reviews.models.items import ReviewItem


class ItemView(models.Model):
    """One opening of one item by one person. Its public id is the view token, issued by the server."""

    public_id = models.CharField(max_length=ids.MAX_LENGTH, unique=True)
    item = models.ForeignKey(ReviewItem, on_delete=models.PROTECT, related_name="views")
    reviewer = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    opened_at = models.DateTimeField()
    last_seen_at = models.DateTimeField()
    arguments_seen_at = models.DateTimeField(null=True)
    parts_opened = ArrayField(models.CharField(max_length=60), default=list)
    editing = models.BooleanField(default=False)

    class Meta:
        indexes = [
            models.Index(fields=["item", "-last_seen_at"], name="item_view_presence"),
            # When a person last opened something: whether their shift begins.
            models.Index(fields=["reviewer", "-opened_at"], name="item_view_of_a_person"),
        ]


class Draft(models.Model):
    """What a reviewer has typed so far, kept on the server so that nothing is ever lost."""

    item = models.ForeignKey(ReviewItem, on_delete=models.PROTECT, related_name="drafts")
    reviewer = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    form = models.JSONField(help_text="The posted fields, name to list of values.")
    updated_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["item", "reviewer"], name="draft_one_per_person_and_item")
        ]


class PaceNotice(models.Model):
    """Once in a sitting a person is told that they go faster than one can read; what they answered.

    Nobody else is shown it. While ``paused_until`` lies ahead, nothing new is served to them.
    """

    reviewer = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    sitting_began_at = models.DateTimeField()
    median_ms = models.PositiveIntegerField()
    usual_ms = models.PositiveIntegerField(null=True)
    shown_at = models.DateTimeField()
    answer = models.CharField(max_length=16, choices=PaceAnswer, blank=True, default="")
    answered_at = models.DateTimeField(null=True)
    paused_until = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["reviewer", "sitting_began_at"], name="pace_notice_once_per_sitting"
            ),
            models.CheckConstraint(
                condition=Q(answer="", answered_at=None) | ~Q(answer="") & Q(answered_at__isnull=False),
                name="pace_notice_answered_with_its_time",
            ),
        ]

    @property
    def seconds(self) -> float:
        """Return the middle time of the answers that were too fast, a second at the least."""
        return max(1.0, self.median_ms / 1000)

    @property
    def usual_seconds(self) -> float | None:
        """Return what this person usually takes, None where too little is known."""
        return None if self.usual_ms is None else self.usual_ms / 1000
