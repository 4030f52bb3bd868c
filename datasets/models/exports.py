"""Exports: files made of a dataset version, absent or complete."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q

from datasets.choices import Cadence, Compression, ExportFormat, ExportState, Split
from datasets.models.datasets import Dataset, DatasetVersion
from hitl_site.lib import ids


class ExportSchedule(models.Model):
    """Freeze and export a dataset every day or week. With ``only_new``, what the last export did not have."""

    public_id = models.CharField(max_length=ids.MAX_LENGTH, unique=True)
    dataset = models.ForeignKey(Dataset, on_delete=models.PROTECT, related_name="schedules")
    format = models.CharField(max_length=16, choices=ExportFormat)
    options = models.JSONField(default=dict)
    split = models.CharField(max_length=16, choices=Split, blank=True, default="")
    compression = models.CharField(max_length=8, choices=Compression, blank=True, default="")
    destination = models.CharField(max_length=500, blank=True, default="")
    cadence = models.CharField(max_length=8, choices=Cadence)
    weekday = models.PositiveSmallIntegerField(default=0, help_text="0 is Monday")
    hour = models.PositiveSmallIntegerField(default=3, help_text="UTC")
    only_new = models.BooleanField(default=False)
    active = models.BooleanField(default=True)
    next_at = models.DateTimeField()
    last_error = models.TextField(blank=True, default="")
    created_by_name = models.CharField(max_length=200)
    created_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["next_at"], condition=Q(active=True), name="export_schedule_due")]


class Export(models.Model):
    """One file of one version. A worker holds it by a lease; ``epoch`` fences off one that came back late."""

    public_id = models.CharField(max_length=ids.MAX_LENGTH, unique=True)
    version = models.ForeignKey(DatasetVersion, on_delete=models.PROTECT, related_name="exports")
    format = models.CharField(max_length=16, choices=ExportFormat)
    options = models.JSONField(default=dict)
    # "" is every split.
    split = models.CharField(max_length=16, choices=Split, blank=True, default="")
    compression = models.CharField(max_length=8, choices=Compression, blank=True, default="")
    # "" is the folder of exports; else any fsspec URL the operator allows.
    destination = models.CharField(max_length=500, blank=True, default="")
    schedule = models.ForeignKey(
        ExportSchedule, null=True, blank=True, on_delete=models.PROTECT, related_name="exports"
    )
    since_version = models.ForeignKey(
        DatasetVersion, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    state = models.CharField(max_length=16, choices=ExportState, default=ExportState.REQUESTED)
    # Cases to read and cases read: a format makes none, one or several rows of each.
    rows_total = models.PositiveIntegerField()
    rows_done = models.PositiveIntegerField(default=0)
    # What the next worker has to know besides the bytes: where to go on, what was counted.
    checkpoint = models.JSONField(null=True)
    bytes_done = models.BigIntegerField(default=0)
    attempts = models.PositiveSmallIntegerField(default=0)
    epoch = models.PositiveIntegerField(default=0)
    lease_expires_at = models.DateTimeField(null=True)
    file_name = models.CharField(max_length=200, blank=True)
    sha256 = models.CharField(max_length=64, blank=True)
    manifest = models.JSONField(null=True)
    error = models.TextField(blank=True)
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+"
    )
    requested_by_name = models.CharField(max_length=200)
    requested_at = models.DateTimeField()
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=~Q(state="done") | ~Q(sha256="") & Q(manifest__isnull=False),
                name="export_done_with_its_manifest",
            ),
            models.CheckConstraint(
                condition=Q(rows_done__lte=models.F("rows_total")), name="export_rows_done_within_total"
            ),
        ]
        indexes = [
            models.Index(fields=["id"], condition=Q(state__in=["requested", "running"]), name="export_to_do"),
        ]

    def __str__(self) -> str:
        return self.public_id
