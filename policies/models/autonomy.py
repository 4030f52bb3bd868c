"""Autonomy grants: how far one agent version may go alone with one action type, and who said so."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q

from hitl_site.lib import ids
from policies.choices import AutonomyLevel, ProposalKind, ProposalState
from policies.models.action_types import ActionType
from policies.models.agents import AgentVersion


class AutonomyGrant(models.Model):
    """A level in force until it expires or is replaced. Without one the first contact level holds.

    ``threshold`` is the certified one, from which on a score runs alone; ``audit_rate`` the share of what
    runs alone that is drawn for a check: both only ever make the policy stricter, or serve where it names no
    threshold. In canary the level holds for ``canary_share`` of the actions, ``canary_base`` for the others.
    """

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
    threshold = models.FloatField(null=True, blank=True)
    audit_rate = models.FloatField(null=True, blank=True)
    canary_share = models.FloatField(default=1.0)
    canary_base = models.CharField(max_length=16, choices=AutonomyLevel, blank=True, default="")
    # When the present step of the canary began.
    canary_since = models.DateTimeField(null=True, blank=True)
    # The earlier version whose level goes on, where a person declared this one a minor change of it.
    minor_of = models.ForeignKey(
        AgentVersion, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )

    class Meta:
        permissions = [("grant_autonomy", "Can grant and take away autonomy")]
        constraints = [
            models.UniqueConstraint(
                fields=["agent_version", "action_type"],
                condition=Q(ended_at=None),
                name="autonomy_one_live_grant",
            ),
            models.CheckConstraint(
                condition=Q(canary_share__gt=0, canary_share__lte=1)
                & (Q(canary_share=1) | ~Q(canary_base="")),
                name="autonomy_canary_names_what_holds_beside",
            ),
            models.CheckConstraint(
                condition=(Q(threshold=None) | Q(threshold__gte=0, threshold__lte=1))
                & (Q(audit_rate=None) | Q(audit_rate__gte=0.01, audit_rate__lte=1)),
                name="autonomy_terms_in_range",
            ),
        ]


class AutonomyProposal(models.Model):
    """That a version has earned the next level, or the same for longer: with the evidence as it was then.

    ``evidence`` is frozen and ``evidence_digest`` its SHA-256 (RFC 8785); nothing of it changes. A person
    answers it before ``expires_at``; an alarm withdraws it.
    """

    public_id = models.CharField(max_length=ids.MAX_LENGTH, unique=True)
    agent_version = models.ForeignKey(AgentVersion, on_delete=models.PROTECT, related_name="proposals")
    action_type = models.ForeignKey(ActionType, on_delete=models.PROTECT, related_name="proposals")
    kind = models.CharField(max_length=16, choices=ProposalKind)
    state = models.CharField(max_length=16, choices=ProposalState, default=ProposalState.OPEN)
    from_level = models.CharField(max_length=16, choices=AutonomyLevel)
    to_level = models.CharField(max_length=16, choices=AutonomyLevel)
    threshold = models.FloatField(null=True, blank=True)
    evidence = models.JSONField()
    evidence_digest = models.CharField(max_length=71)
    note = models.TextField(blank=True, default="")
    proposed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    proposed_by_name = models.CharField(max_length=200)
    proposed_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True, blank=True)
    closed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    closed_by_name = models.CharField(max_length=200, blank=True, default="")
    closed_because = models.TextField(blank=True, default="")
    grant = models.OneToOneField(
        AutonomyGrant, null=True, blank=True, on_delete=models.PROTECT, related_name="proposal"
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["agent_version", "action_type"],
                condition=Q(state="open"),
                name="autonomy_one_open_proposal",
            ),
            models.CheckConstraint(
                condition=Q(state="open", closed_at=None) | ~Q(state="open") & Q(closed_at__isnull=False),
                name="autonomy_proposal_closed_with_its_time",
            ),
            models.CheckConstraint(
                condition=Q(state="approved", grant__isnull=False) | ~Q(state="approved") & Q(grant=None),
                name="autonomy_proposal_approved_with_its_grant",
            ),
        ]
        indexes = [
            models.Index(fields=["expires_at"], condition=Q(state="open"), name="autonomy_proposal_open"),
        ]
