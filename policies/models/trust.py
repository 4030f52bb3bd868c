"""What people said: of agents (observations), of seeded items (drills), of each other (double reviews)."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q

from hitl_site.lib import ids
from policies.choices import MissingLabelReason
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
    # The loss that the person's reasons stand for, in [0, 1]; 0 for what was right.
    severity = models.FloatField(default=0.0)
    decision_ms = models.PositiveIntegerField(null=True)
    observed_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(propensity__gt=0, propensity__lte=1),
                name="observation_propensity_above_0",
            ),
            models.CheckConstraint(
                condition=Q(severity__gte=0, severity__lte=1), name="observation_severity_within_0_and_1"
            ),
        ]
        indexes = [
            models.Index(fields=["action_type", "agent_version", "observed_at"], name="observation_by_type"),
        ]


class MissingLabel(models.Model):
    """A gate check that was drawn for a person and will never be compared: it expired or was withdrawn.

    Evidence is taken in the order of sampling; without this mark it could not go on past such a check.
    """

    gate_check = models.OneToOneField(GateCheck, on_delete=models.PROTECT, related_name="missing_label")
    reason = models.CharField(max_length=16, choices=MissingLabelReason)
    noted_at = models.DateTimeField()


class DrillResult(models.Model):
    """What one reviewer said of one seeded item whose right answer was known before."""

    drill_id = models.CharField(max_length=ids.MAX_LENGTH)
    action_type = models.ForeignKey(ActionType, on_delete=models.PROTECT, related_name="+")
    reviewer = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    # The kind of error that was planted, such as "wrong_value"; "" for an item that is right as it stands.
    error_kind = models.CharField(max_length=40, blank=True, default="")
    caught = models.BooleanField(help_text="Objected to what is wrong, or let pass what is right.")
    # One of the drills that began a shift. Whoever meets several in a row expects errors, so these are kept
    # apart: no catch rate and no evidence rests on them.
    warm_up = models.BooleanField(default=False)
    decision_ms = models.PositiveIntegerField(null=True)
    decided_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["drill_id", "reviewer"], name="drill_result_once_per_person")
        ]
        indexes = [
            models.Index(fields=["action_type", "decided_at"], name="drill_result_by_type"),
            models.Index(fields=["reviewer", "decided_at"], name="drill_result_by_reviewer"),
        ]


class DoubleReview(models.Model):
    """Two people's answers to the same action, the second one blind to the first.

    ``propensity`` is the probability with which the second look was drawn; None where it was not drawn but
    asked for (a complaint, say), which says nothing of reviewers in general. The verdicts are decision kinds.
    """

    gate_check = models.OneToOneField(GateCheck, on_delete=models.PROTECT, related_name="double_review")
    action_type = models.ForeignKey(ActionType, null=True, on_delete=models.PROTECT, related_name="+")
    first_reviewer = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    second_reviewer = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    first_kind = models.CharField(max_length=16)
    second_kind = models.CharField(max_length=16)
    agreed = models.BooleanField(help_text="The same verdict and, where corrected, the same arguments.")
    # What adjudication found where they did not agree; "" until then.
    settled_kind = models.CharField(max_length=16, blank=True, default="")
    propensity = models.FloatField(null=True)
    reviewed_at = models.DateTimeField()
    settled_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(propensity=None) | Q(propensity__gt=0, propensity__lte=1),
                name="double_review_propensity_above_0",
            ),
            models.CheckConstraint(
                condition=~Q(first_reviewer=models.F("second_reviewer")),
                name="double_review_by_two_people",
            ),
            models.CheckConstraint(
                condition=Q(settled_kind="", settled_at=None)
                | ~Q(settled_kind="") & Q(settled_at__isnull=False),
                name="double_review_settled_with_its_time",
            ),
        ]
        indexes = [models.Index(fields=["action_type", "reviewed_at"], name="double_review_by_type")]
