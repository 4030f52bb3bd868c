"""Datasets and their frozen versions."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from datasets.models.cases import LabelledCase
from hitl_site.lib import ids


class Dataset(models.Model):
    """A saved selection of cases: which action types, labels, strengths. Its versions are what is used."""

    public_id = models.CharField(max_length=ids.MAX_LENGTH, unique=True)
    name = models.CharField(max_length=120, unique=True)
    description = models.TextField(blank=True)
    # {"action_types": [...], "labels": [...], "strengths": [...], "since": iso8601 | null}; empty means all.
    selection = models.JSONField(default=dict)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+"
    )
    created_by_name = models.CharField(max_length=200)
    created_at = models.DateTimeField()

    class Meta:
        permissions = [("export_dataset", "Can freeze, export and download datasets")]

    def __str__(self) -> str:
        return self.name


class DatasetVersion(models.Model):
    """A frozen, hashed selection of cases. Membership and hash never change."""

    public_id = models.CharField(max_length=ids.MAX_LENGTH, unique=True)
    dataset = models.ForeignKey(Dataset, on_delete=models.PROTECT, related_name="versions")
    number = models.PositiveIntegerField()
    selection = models.JSONField()
    case_count = models.PositiveIntegerField()
    label_counts = models.JSONField()
    content_sha256 = models.CharField(max_length=64)
    ledger_seq = models.BigIntegerField(help_text="The cases made from the ledger up to here were looked at.")
    frozen_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+"
    )
    frozen_by_name = models.CharField(max_length=200)
    frozen_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["dataset", "number"], name="dataset_version_number_once")
        ]

    def __str__(self) -> str:
        return f"{self.dataset} version {self.number}"


class DatasetMember(models.Model):
    """A case's place in a version."""

    version = models.ForeignKey(DatasetVersion, on_delete=models.PROTECT, related_name="members")
    case = models.ForeignKey(LabelledCase, on_delete=models.PROTECT, related_name="memberships")
    position = models.PositiveIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["version", "position"], name="dataset_member_position_once"),
            models.UniqueConstraint(fields=["version", "case"], name="dataset_member_case_once"),
        ]
