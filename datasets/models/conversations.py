"""Whole conversations, and what an agent failed to do in them."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q

from datasets.choices import CheckFinding
from hitl_site.lib import ids
from policies.models import ActionType, Agent, AgentVersion


class ConversationShare(models.Model):
    """Which share of an agent's closed conversations is drawn for a person; without a row the default."""

    agent = models.OneToOneField(Agent, primary_key=True, on_delete=models.PROTECT, related_name="+")
    share = models.FloatField()
    updated_by_name = models.CharField(max_length=200)
    updated_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(share__gt=0, share__lte=1), name="conversation_share_above_0")
        ]


class Conversation(models.Model):
    """A conversation that an agent reported as over, once. It never changes; what is in it can be erased.

    ``propensity`` is the probability with which it was to be drawn for a check, known before the draw.
    """

    public_id = models.CharField(max_length=ids.MAX_LENGTH, unique=True)
    agent = models.ForeignKey(Agent, on_delete=models.PROTECT, related_name="+")
    agent_version = models.ForeignKey(AgentVersion, on_delete=models.PROTECT, related_name="+")
    # The agent's own name for it, the same as its actions carry.
    conversation_id = models.CharField(max_length=200)
    environment = models.CharField(max_length=40)
    subject = models.CharField(max_length=200, null=True)  # noqa: DJ001 - no subject is not an empty one
    messages = models.JSONField(null=True)
    message_count = models.PositiveIntegerField()
    action_count = models.PositiveIntegerField(help_text="Proposed in it when it was closed.")
    body_digest = models.CharField(max_length=71)
    propensity = models.FloatField()
    drawn = models.BooleanField()
    closed_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["agent", "conversation_id"], name="conversation_closed_once_per_agent"
            ),
            models.CheckConstraint(
                condition=Q(propensity__gt=0, propensity__lte=1), name="conversation_can_be_drawn"
            ),
        ]
        indexes = [
            models.Index(fields=["agent_version", "closed_at"], name="conversation_of_a_version"),
            models.Index(
                fields=["subject"], condition=Q(subject__isnull=False), name="conversation_of_a_subject"
            ),
        ]

    def __str__(self) -> str:
        return self.public_id


class ConversationCheck(models.Model):
    """The question to a person about a drawn conversation: was something left undone? Answered once."""

    public_id = models.CharField(max_length=ids.MAX_LENGTH, unique=True)
    conversation = models.OneToOneField(Conversation, on_delete=models.PROTECT, related_name="audit")
    finding = models.CharField(max_length=16, choices=CheckFinding, blank=True, default="")
    note = models.TextField(blank=True, default="")
    reviewer = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+"
    )
    reviewer_name = models.CharField(max_length=200, blank=True, default="")
    asked_at = models.DateTimeField()
    answered_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(finding="", answered_at=None, reviewer=None)
                | ~Q(finding="") & Q(answered_at__isnull=False, reviewer__isnull=False),
                name="conversation_check_answered_by_somebody",
            )
        ]
        indexes = [models.Index(fields=["id"], condition=Q(finding=""), name="conversation_check_open")]


class Omission(models.Model):
    """One act that should have been done in a conversation and was not: a case without a proposal."""

    public_id = models.CharField(max_length=ids.MAX_LENGTH, unique=True)
    conversation_check = models.ForeignKey(
        ConversationCheck, on_delete=models.PROTECT, related_name="omissions"
    )
    action_type = models.ForeignKey(ActionType, on_delete=models.PROTECT, related_name="+")
    arguments_canonical = models.BinaryField()
    note = models.TextField(blank=True, default="")
    reviewer = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    found_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.public_id
