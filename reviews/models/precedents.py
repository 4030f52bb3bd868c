"""Precedents: what was decided before, to be found by what it is like."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import models

from policies.models import ActionType
from reviews.choices import DecisionKind
from reviews.models.actions import ActionRequest
from reviews.models.decisions import Decision


class Precedent(models.Model):
    """One decided action. Made of the record alone, decision by decision, and can be made again.

    ``tokens`` stand for what the action says, each a digest of 64 bits (reviews.engine.precedents): the
    index over them finds decisions that share what is rare.
    """

    action = models.OneToOneField(
        ActionRequest, primary_key=True, on_delete=models.PROTECT, related_name="precedent"
    )
    decision = models.ForeignKey(Decision, on_delete=models.PROTECT, related_name="+")
    action_type = models.ForeignKey(ActionType, on_delete=models.PROTECT, related_name="+")
    kind = models.CharField(max_length=16, choices=DecisionKind)
    tokens = ArrayField(models.BigIntegerField())
    decided_at = models.DateTimeField()

    class Meta:
        indexes = [
            GinIndex(fields=["tokens"], name="precedent_by_what_it_says"),
            models.Index(fields=["action_type", "-action"], name="precedent_of_a_type"),
        ]

    def __str__(self) -> str:
        return self.action.public_id
