"""Gate checks, the stored verdicts, and the kill switch."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q

from hitl_site.lib import ids
from policies.choices import AutonomyLevel, KillSwitchScope, Route, Trigger, Verdict
from policies.models.action_types import ActionType
from policies.models.agents import Agent, AgentVersion
from policies.models.policies import PolicyVersion


class GateCheck(models.Model):
    """The verdict on one action, with all that cannot be reconstructed later (docs/algorithms/gate.md).

    ``propensity`` is the probability with which a person would review this action, known before the draw;
    ``min_propensity`` the lowest that the policy could have used at that time.
    """

    public_id = models.CharField(max_length=ids.MAX_LENGTH, unique=True)
    action_id = models.CharField(max_length=ids.MAX_LENGTH, unique=True)
    action_type_name = models.CharField(max_length=120)
    # No index of their own: one below begins with the type, and nobody asks by agent or policy version alone.
    action_type = models.ForeignKey(
        ActionType, null=True, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    agent = models.ForeignKey(Agent, on_delete=models.PROTECT, related_name="+", db_index=False)
    agent_version = models.ForeignKey(AgentVersion, on_delete=models.PROTECT, related_name="+")
    policy_version = models.ForeignKey(
        PolicyVersion, null=True, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    verdict = models.CharField(max_length=16, choices=Verdict)
    route = models.CharField(max_length=16, choices=Route)
    # The trigger of the first, strictest reason; null for an allow that no audit drew.
    trigger = models.CharField(max_length=16, choices=Trigger, null=True)  # noqa: DJ001 - "none" is not ""
    reasons = models.JSONField()
    nearest_miss = models.TextField(blank=True)
    score = models.FloatField(null=True)
    score_source = models.CharField(max_length=16, blank=True)
    threshold = models.FloatField(null=True)
    level = models.CharField(max_length=16, choices=AutonomyLevel)
    propensity = models.FloatField()
    min_propensity = models.FloatField()
    audit_selected = models.BooleanField()
    blind = models.BooleanField()
    drill = models.BooleanField(default=False)
    cluster_key = models.CharField(max_length=200, blank=True)
    approvals_required = models.PositiveSmallIntegerField(default=1)
    # The measures of history that the rules saw, name to number: they cannot be measured again later.
    history = models.JSONField(default=dict)
    evaluated_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(propensity__gte=0, propensity__lte=1, min_propensity__gte=0)
                & Q(min_propensity__lte=1),
                name="gate_check_propensities_within_0_and_1",
            ),
            models.CheckConstraint(
                condition=Q(score=None) | Q(score__gte=0, score__lte=1),
                name="gate_check_score_within_0_and_1",
            ),
            models.CheckConstraint(
                condition=Q(threshold=None) | Q(threshold__gte=0, threshold__lte=1),
                name="gate_check_threshold_within_0_and_1",
            ),
            # What runs alone can always be drawn for a check: without that, no trust can be computed.
            models.CheckConstraint(
                condition=~Q(verdict="allow") | Q(propensity__gt=0), name="gate_check_an_allow_can_be_audited"
            ),
        ]
        indexes = [
            models.Index(fields=["action_type", "agent_version", "evaluated_at"], name="gate_check_by_type"),
        ]


class ShadowCheck(models.Model):
    """What a policy in shadow would have said of one action, beside what the live one did say."""

    policy_version = models.ForeignKey(PolicyVersion, on_delete=models.PROTECT, related_name="shadow_checks")
    action_id = models.CharField(max_length=ids.MAX_LENGTH)
    agent = models.ForeignKey(Agent, on_delete=models.PROTECT, related_name="+")
    verdict = models.CharField(max_length=16, choices=Verdict)
    live_verdict = models.CharField(max_length=16, choices=Verdict)
    differs = models.BooleanField()
    reasons = models.JSONField()
    score = models.FloatField(null=True)
    evaluated_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["policy_version", "action_id"], name="shadow_check_once_per_version_and_action"
            ),
        ]
        indexes = [
            models.Index(fields=["policy_version", "differs", "-id"], name="shadow_check_of_a_version"),
        ]


class KillSwitch(models.Model):
    """While one is engaged, nothing in its scope is allowed and no permit in it is consumed.

    ``reject_pending`` asks that what waits for a person in its scope is closed; ``pending_closed_at`` says
    when that was done. A ``drill`` measures how long a stop takes to hold everywhere, in ``held_after_ms``.
    """

    public_id = models.CharField(max_length=ids.MAX_LENGTH, unique=True)
    scope = models.CharField(max_length=16, choices=KillSwitchScope)
    agent = models.ForeignKey(Agent, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    action_type = models.ForeignKey(
        ActionType, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    reason = models.TextField()
    engaged_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+"
    )
    engaged_by_name = models.CharField(max_length=200)
    engaged_at = models.DateTimeField()
    reject_pending = models.BooleanField(default=False)
    pending_closed_at = models.DateTimeField(null=True, blank=True)
    pending_closed = models.PositiveIntegerField(default=0)
    drill = models.BooleanField(default=False)
    held_after_ms = models.PositiveIntegerField(null=True, blank=True)
    # Where lifting takes two people: the first one's wish, until the second confirms it.
    lift_asked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    lift_asked_by_name = models.CharField(max_length=200, blank=True, default="")
    lift_asked_at = models.DateTimeField(null=True, blank=True)
    lifted_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    lifted_at = models.DateTimeField(null=True, blank=True)
    lift_reason = models.TextField(blank=True)

    class Meta:
        permissions = [("use_kill_switch", "Can stop agents and lift a stop")]
        constraints = [
            models.CheckConstraint(
                condition=Q(scope="everything", agent=None, action_type=None)
                | Q(scope="agent", agent__isnull=False, action_type=None)
                | Q(scope="action_type", agent=None, action_type__isnull=False),
                name="kill_switch_names_exactly_its_scope",
            ),
            models.UniqueConstraint(
                fields=["scope", "agent", "action_type"],
                condition=Q(lifted_at=None),
                nulls_distinct=False,
                name="kill_switch_engaged_once_per_scope",
            ),
        ]
