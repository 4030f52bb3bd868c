"""Autonomy grants: how far one agent version may go alone with one action type, and who said so."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q

from hitl_site.lib import ids
from policies.choices import AutonomyLevel
from policies.models.action_types import ActionType
from policies.models.agents import AgentVersion


class AutonomyGrant(models.Model):
    """A level in force until it expires or is replaced. Without one the first contact level holds."""

    public_id = models.CharField(max_length=ids.MAX_LENGTH, unique=True)
    agent_version = models.ForeignKey(AgentVersion, on_delete=models.PROTECT, related_name="grants")
    action_type = models.ForeignKey(ActionType, on_delete=models.PROTECT, related_name="grants")
    level = models.CharField(max_length=16, choices=AutonomyLevel)
    reason = models.TextField()
    certified = models.BooleanField(help_text="Rests on evidence; otherwise an operator's override.")
    granted_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+"
    )
    granted_by_name = models.CharField(max_length=200)
    granted_at = models.DateTimeField()
    expires_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        permissions = [("grant_autonomy", "Can grant and take away autonomy")]
        constraints = [
            models.UniqueConstraint(
                fields=["agent_version", "action_type"],
                condition=Q(ended_at=None),
                name="autonomy_one_live_grant",
            ),
        ]
