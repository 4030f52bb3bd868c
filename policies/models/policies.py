"""Policies: the rules of one action type, as numbered texts that never change once published."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q

from hitl_site.lib import ids
from policies.choices import PolicyState
from policies.models.action_types import ActionType


class PolicyVersion(models.Model):
    """One text of an action type's policy. ``document`` has the form of ``engine.PolicyDocument``."""

    public_id = models.CharField(max_length=ids.MAX_LENGTH, unique=True)
    action_type = models.ForeignKey(ActionType, on_delete=models.PROTECT, related_name="policy_versions")
    number = models.PositiveIntegerField()
    state = models.CharField(max_length=16, choices=PolicyState, default=PolicyState.DRAFT)
    document = models.JSONField()
    content_sha256 = models.CharField(max_length=64)
    reason = models.TextField(blank=True)
    author = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="policy_versions"
    )
    author_name = models.CharField(max_length=200)
    created_at = models.DateTimeField()
    published_at = models.DateTimeField(null=True, blank=True)
    retired_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["action_type", "number"], name="policy_version_number_once"),
            models.UniqueConstraint(
                fields=["action_type"], condition=Q(state="live"), name="policy_one_live_version"
            ),
            models.UniqueConstraint(
                fields=["action_type"], condition=Q(state="draft"), name="policy_one_draft"
            ),
            models.CheckConstraint(
                condition=Q(state="draft", published_at=None)
                | Q(state__in=["live", "retired"], published_at__isnull=False),
                name="policy_version_published_with_its_time",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.action_type} version {self.number}"
