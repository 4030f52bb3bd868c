"""Exports: files made of a dataset version, absent or complete."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q

from datasets.choices import ExportFormat, ExportState
from datasets.models.datasets import DatasetVersion
from hitl_site.lib import ids


class Export(models.Model):
    """One file of one version. A worker holds it by a lease; ``epoch`` fences off one that came back late."""

    public_id = models.CharField(max_length=ids.MAX_LENGTH, unique=True)
    version = models.ForeignKey(DatasetVersion, on_delete=models.PROTECT, related_name="exports")
    format = models.CharField(max_length=16, choices=ExportFormat)
    state = models.CharField(max_length=16, choices=ExportState, default=ExportState.REQUESTED)
    rows_total = models.PositiveIntegerField()
    rows_done = models.PositiveIntegerField(default=0)
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
