"""Datasets and their frozen versions."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q

from datasets.choices import FreezingState, Split
from datasets.models.cases import LabelledCase, LabelRevision
from hitl_site.lib import ids


class RedactionProfile(models.Model):
    """What is replaced in exported texts, as numbered documents; the newest of a name is in use."""

    public_id = models.CharField(max_length=ids.MAX_LENGTH, unique=True)
    name = models.CharField(max_length=120)
    number = models.PositiveIntegerField()
    document = models.JSONField()
    created_by_name = models.CharField(max_length=200)
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["name", "number"], name="redaction_profile_number_once")
        ]

    def __str__(self) -> str:
        return f"{self.name} {self.number}"


class Dataset(models.Model):
    """A saved selection of cases: which action types, labels, strengths. Its versions are what is used."""

    public_id = models.CharField(max_length=ids.MAX_LENGTH, unique=True)
    name = models.CharField(max_length=120, unique=True)
    description = models.TextField(blank=True)
    # Which cases it takes (selectors.selection); empty means all.
    selection = models.JSONField(default=dict)
    # How its versions are split, and what is done about near duplicates (services.splitting).
    choices = models.JSONField(default=dict)
    redaction = models.ForeignKey(
        RedactionProfile, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
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
    choices = models.JSONField(default=dict)
    redaction = models.ForeignKey(
        RedactionProfile, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    split_counts = models.JSONField(default=dict)
    # Why cases that the selection took are not in it: reason to number.
    left_out = models.JSONField(default=dict)
    # Against the version before: {"added", "removed", "relabelled"}, numbers.
    difference = models.JSONField(default=dict)
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
    split = models.CharField(max_length=16, choices=Split, default=Split.NONE, blank=True)
    revision = models.ForeignKey(
        LabelRevision, null=True, on_delete=models.PROTECT, related_name="memberships"
    )
    # What was known by then beyond the case itself: outcome, ground truth, revisions. Frozen too.
    later = models.JSONField(default=dict)
    content_sha256 = models.CharField(max_length=64, blank=True, default="")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["version", "position"], name="dataset_member_position_once"),
            models.UniqueConstraint(fields=["version", "case"], name="dataset_member_case_once"),
        ]


class Freezing(models.Model):
    """The making of a large version, by a worker. The version comes whole or not at all.

    ``cases_done`` tells progress alone: it is written beside the transaction that makes the version.
    """

    public_id = models.CharField(max_length=ids.MAX_LENGTH, unique=True)
    dataset = models.ForeignKey(Dataset, on_delete=models.PROTECT, related_name="freezings")
    state = models.CharField(max_length=16, choices=FreezingState, default=FreezingState.REQUESTED)
    cases_total = models.PositiveIntegerField()
    cases_done = models.PositiveIntegerField(default=0)
    attempts = models.PositiveSmallIntegerField(default=0)
    version = models.ForeignKey(DatasetVersion, null=True, on_delete=models.PROTECT, related_name="+")
    error = models.TextField(blank=True, default="")
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+"
    )
    requested_by_name = models.CharField(max_length=200)
    requested_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["dataset"], condition=Q(state="requested"), name="freezing_one_at_a_time_per_dataset"
            ),
            models.CheckConstraint(
                condition=Q(state="done", version__isnull=False) | ~Q(state="done") & Q(version=None),
                name="freezing_done_with_its_version",
            ),
        ]

    def __str__(self) -> str:
        return self.public_id


class VersionMark(models.Model):
    """A note that a frozen version can no longer be exported as it was: an erasure reached cases of it."""

    version = models.ForeignKey(DatasetVersion, on_delete=models.PROTECT, related_name="marks")
    erasure_id = models.CharField(max_length=ids.MAX_LENGTH)
    cases = models.PositiveIntegerField()
    marked_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["version", "erasure_id"], name="version_mark_once_per_erasure")
        ]
