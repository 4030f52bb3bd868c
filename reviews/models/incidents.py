"""Incidents: a run that was not what was decided, or that nobody knows the end of."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q

from hitl_site.lib import ids
from reviews.choices import IncidentKind, Resolution
from reviews.models.actions import ActionRequest
from reviews.models.items import ReviewItem
from reviews.models.permits import Execution


class Incident(models.Model):
    """Something that a person has to find out about one run. Its item stands in the inbox until then."""

    public_id = models.CharField(max_length=ids.MAX_LENGTH, unique=True)
    kind = models.CharField(max_length=24, choices=IncidentKind)
    action = models.ForeignKey(ActionRequest, on_delete=models.PROTECT, related_name="incidents")
    execution = models.ForeignKey(Execution, on_delete=models.PROTECT, related_name="incidents")
    item = models.OneToOneField(ReviewItem, on_delete=models.PROTECT, related_name="incident")
    detail = models.JSONField(default=dict)
    opened_at = models.DateTimeField()
    resolution = models.CharField(max_length=16, choices=Resolution, blank=True, default="")
    note = models.TextField(blank=True, default="")
    resolved_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    resolved_by_name = models.CharField(max_length=200, blank=True, default="")
    resolved_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["execution", "kind"], name="incident_one_of_each_kind_per_run"),
            models.CheckConstraint(
                condition=Q(resolution="", resolved_at=None)
                | ~Q(resolution="") & Q(resolved_at__isnull=False),
                name="incident_resolved_with_its_time",
            ),
        ]

    def __str__(self) -> str:
        return self.public_id
