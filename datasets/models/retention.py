"""How long data is kept, and what may not be taken away."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from datasets.choices import DataKind
from hitl_site.lib import ids


class RetentionRule(models.Model):
    """Keep data of one kind for so many days: of one action type, or where it is "" of all others.

    Without a rule it is kept for ever.
    """

    action_type = models.CharField(max_length=120, blank=True, default="")
    kind = models.CharField(max_length=16, choices=DataKind)
    keep_days = models.PositiveIntegerField(null=True, help_text="None: kept for ever again.")
    updated_by_name = models.CharField(max_length=200)
    updated_at = models.DateTimeField()

    class Meta:
        permissions = [("manage_retention", "Can set how long data is kept, place holds and erase data")]
        constraints = [
            models.UniqueConstraint(fields=["action_type", "kind"], name="retention_rule_once"),
            models.CheckConstraint(
                condition=Q(keep_days=None) | Q(keep_days__gte=1), name="retention_rule_keeps_a_day"
            ),
        ]


class LegalHold(models.Model):
    """While it stands nothing is taken away of what it covers: an action type, a subject, a conversation."""

    public_id = models.CharField(max_length=ids.MAX_LENGTH, unique=True)
    action_type = models.CharField(max_length=120, blank=True, default="")
    subject = models.CharField(max_length=200, blank=True, default="")
    conversation_id = models.CharField(max_length=200, blank=True, default="")
    reason = models.TextField()
    placed_by_name = models.CharField(max_length=200)
    placed_at = models.DateTimeField()
    lift_reason = models.TextField(blank=True, default="")
    lifted_by_name = models.CharField(max_length=200, blank=True, default="")
    lifted_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=~Q(action_type="", subject="", conversation_id=""),
                name="legal_hold_covers_something",
            ),
            models.CheckConstraint(
                condition=Q(lifted_at=None, lifted_by_name="")
                | Q(lifted_at__isnull=False) & ~Q(lifted_by_name=""),
                name="legal_hold_lifted_by_somebody",
            ),
        ]

    def __str__(self) -> str:
        return self.public_id
