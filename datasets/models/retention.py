"""How long data is kept, what may not be deleted, and what a person asked to have erased."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from datasets.choices import DataKind, ErasureState
from hitl_site.lib import ids


class RetentionRule(models.Model):
    """Keep data of one kind this many days; for one action type, or where ``action_type`` is "" for all."""

    action_type = models.CharField(max_length=120, blank=True, default="")
    kind = models.CharField(max_length=16, choices=DataKind)
    keep_days = models.PositiveIntegerField()
    updated_by_name = models.CharField(max_length=200)
    updated_at = models.DateTimeField()

    class Meta:
        permissions = [("manage_retention", "Can set retention, holds and erase data of persons")]
        constraints = [
            models.UniqueConstraint(fields=["action_type", "kind"], name="retention_rule_once"),
            models.CheckConstraint(condition=Q(keep_days__gte=1), name="retention_rule_keeps_a_day"),
        ]


class LegalHold(models.Model):
    """While it stands nothing it covers is deleted: all, one action type, or one subject."""

    public_id = models.CharField(max_length=ids.MAX_LENGTH, unique=True)
    action_type = models.CharField(max_length=120, blank=True, default="")
    subject = models.CharField(max_length=200, blank=True, default="")
    reason = models.TextField()
    placed_by_name = models.CharField(max_length=200)
    placed_at = models.DateTimeField()
    lifted_by_name = models.CharField(max_length=200, blank=True, default="")
    lifted_at = models.DateTimeField(null=True, blank=True)


class Erasure(models.Model):
    """A person's wish to be forgotten: who it is about, what was found, what was done, and the proof."""

    public_id = models.CharField(max_length=ids.MAX_LENGTH, unique=True)
    subject = models.CharField(max_length=200, blank=True)
    # Kept as a digest once it is done: the record of an erasure must not keep what was erased.
    subject_digest = models.CharField(max_length=64)
    legal_basis = models.TextField()
    state = models.CharField(max_length=16, choices=ErasureState, default=ErasureState.ASKED)
    found = models.JSONField(default=dict)
    erased = models.JSONField(default=dict)
    asked_by_name = models.CharField(max_length=200)
    asked_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True, blank=True)
