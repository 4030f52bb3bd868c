"""Observations: each one comparison of an agent with a person. Trust is computed from these alone."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from hitl_site.lib import ids
from policies.models.action_types import ActionType
from policies.models.agents import AgentVersion
from policies.models.gate import GateCheck


class Observation(models.Model):
    """What a person said of one action: agreed, or not. Drills, expiries and cancellations never make one."""

    public_id = models.CharField(max_length=ids.MAX_LENGTH, unique=True)
    gate_check = models.OneToOneField(GateCheck, on_delete=models.PROTECT, related_name="observation")
    action_type = models.ForeignKey(ActionType, null=True, on_delete=models.PROTECT, related_name="+")
    agent_version = models.ForeignKey(AgentVersion, on_delete=models.PROTECT, related_name="+")
    decision_id = models.CharField(max_length=ids.MAX_LENGTH, unique=True)
    audited = models.BooleanField(help_text="Drawn at random among those that ran alone, not held.")
    error = models.BooleanField(help_text="The person corrected or rejected what the agent proposed.")
    considered = models.BooleanField(help_text="False for a low-attention or bulk approval: a weak label.")
    blind = models.BooleanField()
    score = models.FloatField(null=True)
    propensity = models.FloatField()
    min_propensity = models.FloatField()
    cluster_key = models.CharField(max_length=200, blank=True)
    observed_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(propensity__gt=0, propensity__lte=1),
                name="observation_propensity_above_0",
            ),
        ]
        indexes = [
            models.Index(fields=["action_type", "agent_version", "observed_at"], name="observation_by_type"),
        ]
