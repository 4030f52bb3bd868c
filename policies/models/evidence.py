"""Evidence: what the ladder knows of an agent version and an action type, made of the ledger alone."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from hitl_site.lib import ids
from policies.choices import AutonomyLevel
from policies.models.action_types import ActionType
from policies.models.agents import AgentVersion
from policies.models.gate import GateCheck


class EvidenceSample(models.Model):
    """An action that a person was to look at, held or drawn, at its place in the order of sampling.

    ``seq`` is the place of the action in the ledger, ``labelled_seq`` that of the released decision: the only
    two orders that no clock and no concurrent transaction can disturb.
    """

    gate_check = models.OneToOneField(GateCheck, on_delete=models.PROTECT, related_name="sample")
    agent_version = models.ForeignKey(AgentVersion, on_delete=models.PROTECT, related_name="+")
    action_type = models.ForeignKey(ActionType, on_delete=models.PROTECT, related_name="+")
    seq = models.BigIntegerField(unique=True)
    labelled_seq = models.BigIntegerField(null=True)
    drawn = models.BooleanField(help_text="Ran alone and was drawn for a check; otherwise it was held.")
    cluster_key = models.CharField(max_length=200, blank=True)
    day = models.DateField()

    class Meta:
        indexes = [
            models.Index(fields=["agent_version", "action_type", "seq"], name="evidence_sample_in_order"),
            models.Index(
                fields=["agent_version", "action_type", "labelled_seq"],
                condition=Q(labelled_seq__isnull=False),
                name="evidence_sample_as_labelled",
            ),
            models.Index(
                fields=["agent_version", "action_type", "cluster_key", "day"],
                condition=~Q(cluster_key=""),
                name="evidence_sample_of_a_cluster",
            ),
        ]


class EvidenceTrack(models.Model):
    """How far the evidence of one agent version and action type has come since it last began anew.

    It begins anew at ``started_seq``, with every change of level. ``watermark_seq`` is the last action that
    has been taken in, in the order of sampling; ``labels_seq`` the last decision, in the order in which they
    came, which only drift looks at. ``state`` is ``statistics.tracking.Tally`` as JSON. The row can be thrown
    away and made again from the ledger (``services.evidence.rebuilt``), with the same result.
    """

    agent_version = models.ForeignKey(AgentVersion, on_delete=models.PROTECT, related_name="tracks")
    action_type = models.ForeignKey(ActionType, on_delete=models.PROTECT, related_name="tracks")
    level = models.CharField(max_length=16, choices=AutonomyLevel)
    attempt = models.PositiveSmallIntegerField(default=1)
    started_at = models.DateTimeField()
    started_seq = models.BigIntegerField()
    watermark_seq = models.BigIntegerField()
    labels_seq = models.BigIntegerField()
    state = models.JSONField(default=dict, blank=True)
    stale = models.BooleanField(default=True, help_text="There is news that has not been taken in.")
    computed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["agent_version", "action_type"], name="evidence_one_track"),
            models.CheckConstraint(
                condition=Q(attempt__gte=1, watermark_seq__gte=models.F("started_seq")),
                name="evidence_goes_forward",
            ),
        ]
        indexes = [models.Index(fields=["id"], condition=Q(stale=True), name="evidence_to_take_in")]


class EvalStanding(models.Model):
    """How one agent version does in evals, as the learning app reports it: by its newest finished run.

    ``failed_corrections`` follows what is asked, also after the run.
    """

    agent_version = models.OneToOneField(AgentVersion, on_delete=models.PROTECT, related_name="eval_standing")
    run_id = models.CharField(max_length=ids.MAX_LENGTH)
    cases = models.PositiveIntegerField()
    # Cases that a person once corrected, and that this version does not pass.
    failed_corrections = models.PositiveIntegerField()
    finished_at = models.DateTimeField()
