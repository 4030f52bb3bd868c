"""Whole conversations, and what an agent failed to do in them."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q

from datasets.choices import ConversationState
from hitl_site.lib import ids
from policies.models import Agent, AgentVersion


class Conversation(models.Model):
    """A conversation that an agent reported as over. A random share is drawn for a person to look at whole.

    ``propensity`` is the probability with which it was drawn, known before the draw.
    """

    public_id = models.CharField(max_length=ids.MAX_LENGTH, unique=True)
    agent = models.ForeignKey(Agent, on_delete=models.PROTECT, related_name="+")
    agent_version = models.ForeignKey(AgentVersion, on_delete=models.PROTECT, related_name="+")
    conversation_id = models.CharField(max_length=200)
    messages = models.JSONField(null=True)
    body_digest = models.CharField(max_length=71)
    message_count = models.PositiveIntegerField()
    action_count = models.PositiveIntegerField()
    state = models.CharField(max_length=16, choices=ConversationState, default=ConversationState.CLOSED)
    propensity = models.FloatField()
    closed_at = models.DateTimeField()
    erased_at = models.DateTimeField(null=True)
    checked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+"
    )
    checked_by_name = models.CharField(max_length=200, blank=True, default="")
    checked_at = models.DateTimeField(null=True)
    complete = models.BooleanField(null=True, help_text="Nothing was left undone, the person says.")
    note = models.TextField(blank=True, default="")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["agent", "conversation_id"], name="conversation_one_per_agent_and_id"
            ),
            models.CheckConstraint(
                condition=Q(propensity__gte=0, propensity__lte=1),
                name="conversation_propensity_within_0_and_1",
            ),
            models.CheckConstraint(
                condition=Q(state="checked", checked_at__isnull=False, complete__isnull=False)
                | ~Q(state="checked") & Q(checked_at=None, complete=None),
                name="conversation_checked_with_its_answer",
            ),
        ]
        indexes = [
            models.Index(fields=["id"], condition=Q(state="drawn"), name="conversation_to_check"),
            models.Index(fields=["agent_version", "closed_at"], name="conversation_of_a_version"),
        ]


class Omission(models.Model):
    """One act that should have been done and was not. It becomes a case without a proposal."""

    public_id = models.CharField(max_length=ids.MAX_LENGTH, unique=True)
    conversation = models.ForeignKey(Conversation, on_delete=models.PROTECT, related_name="omissions")
    action_type = models.CharField(max_length=120)
    arguments_canonical = models.BinaryField()
    note = models.TextField(blank=True, default="")
    found_at = models.DateTimeField()
