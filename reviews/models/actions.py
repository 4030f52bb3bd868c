"""Actions: what agents asked leave for."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from hitl_site.lib import ids
from policies.models import ActionType, Agent, AgentKey, AgentVersion, GateCheck
from reviews.choices import ActionState, IngestState, Mode


class ActionRequest(models.Model):
    """One act that an agent asked leave for.

    ``arguments_canonical`` holds the exact RFC 8785 bytes, the truth; ``arguments`` is an index of them.
    The digest binds agent, subject, action type, environment and arguments (lib.canonical.action_digest).
    ``final_*`` are what was decided, once it was: equal to the proposal unless a person corrected it.
    """

    public_id = models.CharField(max_length=ids.MAX_LENGTH, unique=True)
    # No index of their own: every action pays for one, and those below begin with what is asked for.
    agent = models.ForeignKey(Agent, on_delete=models.PROTECT, related_name="+", db_index=False)
    agent_version = models.ForeignKey(
        AgentVersion, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    agent_key = models.ForeignKey(
        AgentKey, null=True, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    action_type_name = models.CharField(max_length=120)
    action_type = models.ForeignKey(
        ActionType, null=True, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    gate_check = models.OneToOneField(GateCheck, on_delete=models.PROTECT, related_name="action")
    mode = models.CharField(max_length=16, choices=Mode)
    # Made up from an earlier case for the reviewers alone: no agent sees it, nothing of it is ever run.
    drill = models.BooleanField(default=False)
    state = models.CharField(max_length=16, choices=ActionState)
    version = models.PositiveIntegerField(default=1)
    title = models.CharField(max_length=200)

    arguments_canonical = models.BinaryField()
    arguments = models.JSONField()
    digest = models.CharField(max_length=71)
    final_arguments_canonical = models.BinaryField(null=True)
    final_digest = models.CharField(max_length=71, blank=True)
    # What stays equal under cosmetic changes (reviews.selectors.likeness), to know a refused act again.
    likeness = models.CharField(max_length=71, blank=True, default="")

    environment = models.CharField(max_length=40)
    subject = models.CharField(max_length=200, null=True)  # noqa: DJ001 - no subject is not an empty one
    conversation_id = models.CharField(max_length=200, blank=True)
    parent_action_id = models.CharField(max_length=ids.MAX_LENGTH, blank=True)
    confidence = models.FloatField(null=True)
    judge_score = models.FloatField(null=True)
    # The share of the agent's samples of this step that propose the same as this action.
    sample_agreement = models.FloatField(null=True)

    idempotency_key = models.CharField(max_length=255)
    body_digest = models.CharField(max_length=71)
    request_id = models.CharField(max_length=64, blank=True)
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["idempotency_key", "agent"], name="action_one_per_agent_and_idempotency_key"
            ),
            models.CheckConstraint(
                condition=Q(confidence=None) | Q(confidence__gte=0, confidence__lte=1),
                name="action_confidence_within_0_and_1",
            ),
            models.CheckConstraint(
                condition=Q(judge_score=None) | Q(judge_score__gte=0, judge_score__lte=1),
                name="action_judge_score_within_0_and_1",
            ),
            models.CheckConstraint(
                condition=Q(final_arguments_canonical=None, final_digest="")
                | Q(final_arguments_canonical__isnull=False) & ~Q(final_digest=""),
                name="action_final_arguments_with_their_digest",
            ),
            models.CheckConstraint(
                condition=Q(state="pending_review", closed_at=None)
                | ~Q(state="pending_review") & Q(closed_at__isnull=False),
                name="action_closed_exactly_when_terminal",
            ),
            models.CheckConstraint(
                condition=Q(drill=False)
                | Q(mode="gated", likeness="") & ~Q(state__in=["allowed", "observed"]),
                name="action_a_drill_never_ran",
            ),
        ]
        indexes = [
            models.Index(fields=["agent", "-id"], name="action_of_an_agent"),
            models.Index(fields=["action_type", "-id"], name="action_of_a_type"),
            # Measures of history: this agent, this type or this subject, over a window of time.
            models.Index(fields=["agent", "created_at"], name="action_of_an_agent_by_time"),
            models.Index(fields=["action_type", "created_at"], name="action_of_a_type_by_time"),
            # However it is written: a limit by subject holds for every spelling (migration 0005).
            models.Index(
                models.Func("subject", function="handrail_folded"),
                models.F("created_at"),
                condition=Q(subject__isnull=False),
                name="action_of_a_subject_folded",
            ),
            models.Index(
                fields=["likeness", "closed_at"],
                condition=Q(state__in=["rejected", "denied"]) & ~Q(likeness=""),
                name="action_refused_by_likeness",
            ),
            models.Index(
                fields=["agent"],
                condition=Q(state="pending_review", drill=False),
                name="action_pending_of_an_agent",
            ),
            # The sweeper's question: what ran out of time?
            models.Index(
                fields=["expires_at"], condition=Q(state="pending_review"), name="action_pending_by_expiry"
            ),
        ]

    def __str__(self) -> str:
        return self.public_id


class ActionContext(models.Model):
    """What the agent said around its proposal: shown to the reviewer, not part of the digest."""

    action = models.OneToOneField(
        ActionRequest, primary_key=True, on_delete=models.PROTECT, related_name="context"
    )
    context = models.JSONField(null=True)
    judge = models.JSONField(null=True)
    samples = models.JSONField(null=True)
    reason = models.TextField(blank=True)
    reported_outcome = models.JSONField(null=True)


class IngestRow(models.Model):
    """One accepted line of a batch of observed actions: stored before the answer, worked off by Celery."""

    public_id = models.CharField(max_length=ids.MAX_LENGTH, unique=True)
    batch_id = models.CharField(max_length=ids.MAX_LENGTH)
    # Neither is checked for each line of a thousand: they are those that the request was let in with, and the
    # product's role cannot delete agents or keys.
    agent = models.ForeignKey(
        Agent, on_delete=models.PROTECT, related_name="+", db_index=False, db_constraint=False
    )
    agent_key = models.ForeignKey(
        AgentKey,
        null=True,
        on_delete=models.PROTECT,
        related_name="+",
        db_index=False,
        db_constraint=False,
    )
    idempotency_key = models.CharField(max_length=255)
    body_digest = models.CharField(max_length=71)
    # The canonical text that the digest is over, since jsonb would write numbers anew; "" once it is worked
    # off or erased.
    body = models.TextField(blank=True)
    request_id = models.CharField(max_length=64, blank=True)
    state = models.CharField(max_length=16, choices=IngestState, default=IngestState.ACCEPTED)
    attempts = models.PositiveSmallIntegerField(default=0)
    last_error = models.TextField(blank=True)
    action = models.ForeignKey(
        ActionRequest, null=True, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    accepted_at = models.DateTimeField()
    done_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["idempotency_key", "agent"], name="ingest_row_one_per_agent_and_key"
            ),
            # What waits has none yet, and pays for no entry.
            models.UniqueConstraint(
                fields=["action"], condition=Q(action__isnull=False), name="ingest_row_one_per_action"
            ),
            models.CheckConstraint(
                condition=~Q(state="done") | Q(action__isnull=False), name="ingest_row_done_with_its_action"
            ),
        ]
        indexes = [
            # Ids of batches sort by time: the same order serves one batch and all of them.
            models.Index(
                fields=["batch_id", "id"], condition=Q(state="accepted"), name="ingest_row_to_do_of_batch"
            ),
        ]
