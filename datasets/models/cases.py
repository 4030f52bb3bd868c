"""Labelled cases: frozen copies of what a reviewer saw and said."""

from __future__ import annotations

from django.db import models

from datasets.choices import Label, LabelSource, LabelStrength
from hitl_site.lib import ids


class LabelledCase(models.Model):
    """One decision as data. ``content`` is the canonical case (docs/cases.md); it never changes.

    Made from the ledger, once per decision: ``decision_id`` is unique, ``ledger_seq`` says where from.
    """

    public_id = models.CharField(max_length=ids.MAX_LENGTH, unique=True)
    decision_id = models.CharField(max_length=ids.MAX_LENGTH, unique=True)
    action_id = models.CharField(max_length=ids.MAX_LENGTH)
    ledger_seq = models.BigIntegerField(unique=True)
    action_type = models.CharField(max_length=120)
    agent = models.CharField(max_length=120)
    agent_version = models.CharField(max_length=120)
    label = models.CharField(max_length=16, choices=Label)
    source = models.CharField(max_length=16, choices=LabelSource)
    strength = models.CharField(max_length=16, choices=LabelStrength)
    group_key = models.CharField(max_length=200, help_text="No split may cut this group.")
    decided_at = models.DateTimeField()
    content = models.JSONField()
    content_sha256 = models.CharField(max_length=64)
    created_at = models.DateTimeField()

    class Meta:
        indexes = [
            models.Index(fields=["action_type", "label", "id"], name="case_by_type_and_label"),
            models.Index(fields=["action_id"], name="case_of_an_action"),
        ]

    def __str__(self) -> str:
        return self.public_id
