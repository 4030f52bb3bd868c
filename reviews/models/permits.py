"""Permits, and the executions that use them up."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from hitl_site.lib import ids
from policies.models import Agent
from reviews.choices import Outcome, PermitBasis
from reviews.models.actions import ActionRequest
from reviews.models.decisions import Decision


class Permit(models.Model):
    """The right to run one action once, bound to the digest of the exact arguments."""

    public_id = models.CharField(max_length=ids.MAX_LENGTH, unique=True)
    action = models.ForeignKey(ActionRequest, on_delete=models.PROTECT, related_name="permits")
    agent = models.ForeignKey(Agent, on_delete=models.PROTECT, related_name="+", db_index=False)
    decision = models.ForeignKey(Decision, null=True, on_delete=models.PROTECT, related_name="permits")
    basis = models.CharField(max_length=16, choices=PermitBasis)
    digest = models.CharField(max_length=71)
    # The digest of what the approval binds, where the action type declares cosmetic or normalised fields.
    binding_digest = models.CharField(max_length=71, blank=True, default="")
    token = models.TextField(help_text="Compact JWS, api.md, The permit.")
    issued_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    consumed_at = models.DateTimeField(null=True)
    consume_key = models.CharField(max_length=255, blank=True)
    revoked_at = models.DateTimeField(null=True)
    revoke_reason = models.TextField(blank=True, default="")
    # When the sweeper wrote down that this ran out unused; ``expires_at`` alone says whether it is good.
    expired_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["action"], condition=Q(revoked_at=None), name="permit_one_live_per_action"
            ),
            models.CheckConstraint(
                condition=Q(basis="allowed", decision=None) | ~Q(basis="allowed") & Q(decision__isnull=False),
                name="permit_rests_on_a_decision_unless_allowed",
            ),
            models.CheckConstraint(
                condition=Q(consumed_at=None, consume_key="")
                | Q(consumed_at__isnull=False) & ~Q(consume_key=""),
                name="permit_consumed_with_its_key",
            ),
            models.CheckConstraint(
                condition=Q(expired_at=None) | Q(consumed_at=None, expired_at__gte=models.F("expires_at")),
                name="permit_expired_unused_and_after_its_time",
            ),
        ]
        indexes = [
            models.Index(
                fields=["expires_at"],
                condition=Q(consumed_at=None, revoked_at=None, expired_at=None),
                name="permit_to_expire",
            ),
        ]


class Execution(models.Model):
    """One run under one permit, and what came of it. No outcome by the end of the lease means unknown."""

    public_id = models.CharField(max_length=ids.MAX_LENGTH, unique=True)
    permit = models.OneToOneField(Permit, on_delete=models.PROTECT, related_name="execution")
    action = models.ForeignKey(ActionRequest, on_delete=models.PROTECT, related_name="executions")
    started_at = models.DateTimeField()
    lease_until = models.DateTimeField()
    heartbeat_at = models.DateTimeField(null=True)
    outcome = models.CharField(max_length=16, choices=Outcome, blank=True)
    # False when the lease ran out and Handrail wrote "unknown" by itself; the agent may still report late.
    reported = models.BooleanField(default=False)
    detail = models.JSONField(null=True)
    executed_digest = models.CharField(max_length=71, blank=True)
    mismatch = models.BooleanField(default=False, help_text="What ran is not what was decided.")
    outcome_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(outcome="", outcome_at=None) | ~Q(outcome="") & Q(outcome_at__isnull=False),
                name="execution_outcome_with_its_time",
            ),
        ]
        indexes = [
            models.Index(fields=["lease_until"], condition=Q(outcome=""), name="execution_running"),
        ]
