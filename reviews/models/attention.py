"""What a reviewer had open, and what they had typed."""

from __future__ import annotations

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models

from hitl_site.lib import ids
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
        indexes = [models.Index(fields=["item", "-last_seen_at"], name="item_view_presence")]


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
