"""What a policy would have done: counts of past actions by score, and what must be known of each of them.

All of it is made of the ledger, entry by entry, by one reader with a cursor: it can be made again.
"""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from hitl_site.lib import ids
from policies.choices import RunState
from policies.models.action_types import ActionType
from policies.models.agents import AgentVersion
from policies.models.policies import PolicyVersion


class ScoreBin(models.Model):
    """Counts of one day's actions of one version whose score lies in one of a thousand bins.

    Bin j holds scores from j/1000 up to but not at (j+1)/1000, the last one 1 as well; -1 those without a
    score. ``w``, ``w2``, ``wy`` are sums over labels of weight (1 / propensity), weight squared, weight where
    wrong. Drills and approvals that nobody considered are in none of it.
    """

    action_type = models.ForeignKey(ActionType, on_delete=models.PROTECT, related_name="+")
    agent_version = models.ForeignKey(AgentVersion, on_delete=models.PROTECT, related_name="+")
    policy_version = models.ForeignKey(PolicyVersion, null=True, on_delete=models.PROTECT, related_name="+")
    day = models.DateField()
    bin = models.SmallIntegerField()
    n = models.PositiveIntegerField(default=0)
    alone = models.PositiveIntegerField(default=0)
    labelled = models.PositiveIntegerField(default=0)
    # Of these, how many were held: what a label says of actions that ran alone rests on the others.
    held_labels = models.PositiveIntegerField(default=0)
    errors = models.PositiveIntegerField(default=0)
    w = models.FloatField(default=0.0)
    w2 = models.FloatField(default=0.0)
    wy = models.FloatField(default=0.0)
    # How long people took, each look counted as at most half an hour.
    handled = models.PositiveIntegerField(default=0)
    handling_ms = models.BigIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["action_type", "agent_version", "day", "policy_version", "bin"],
                nulls_distinct=False,
                name="score_bin_once",
            ),
            models.CheckConstraint(condition=Q(bin__gte=-1, bin__lt=1000), name="score_bin_of_a_thousand"),
        ]


class PastChunk(models.Model):
    """Some thousand past actions of one version as columns: only what a policy's answer depends on.

    ``columns`` and ``numbers`` are written and read by policies.statistics.columns. ``revision`` grows with
    every change, so that whoever keeps a copy knows whether it is still good.
    """

    action_type = models.ForeignKey(ActionType, on_delete=models.PROTECT, related_name="+")
    agent_version = models.ForeignKey(AgentVersion, on_delete=models.PROTECT, related_name="+")
    number = models.PositiveIntegerField()
    size = models.PositiveIntegerField()
    revision = models.PositiveIntegerField(default=1)
    first_day = models.DateField()
    last_day = models.DateField()
    first_check = models.BigIntegerField()
    last_check = models.BigIntegerField()
    # The arguments kept as numbers, by JSON pointer, in the order of the columns.
    fields = models.JSONField(default=list)
    columns = models.BinaryField()
    numbers = models.BinaryField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["action_type", "agent_version", "number"], name="past_chunk_number_once"
            ),
        ]
        indexes = [models.Index(fields=["action_type", "last_day"], name="past_chunk_by_day")]


class ConditionMatch(models.Model):
    """Which actions of a chunk one condition is true of, found by asking it again of each: a bit for each.

    A condition that gives no answer holds an action, so it counts as true. ``size`` says how many of the
    chunk's actions were asked when it was written.
    """

    chunk = models.ForeignKey(PastChunk, on_delete=models.CASCADE, related_name="matches")
    condition_sha256 = models.CharField(max_length=64)
    size = models.PositiveIntegerField()
    bits = models.BinaryField()
    asked_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["chunk", "condition_sha256"], name="condition_match_once"),
        ]
        indexes = [models.Index(fields=["asked_at"], name="condition_match_by_age")]


class WhatIfRun(models.Model):
    """The job that asks conditions of a whole history, and how far it is."""

    public_id = models.CharField(max_length=ids.MAX_LENGTH, unique=True)
    action_type = models.ForeignKey(ActionType, on_delete=models.PROTECT, related_name="+")
    # The texts in CEL, and one digest over all of them and the days looked back.
    conditions = models.JSONField()
    days = models.PositiveSmallIntegerField()
    question_sha256 = models.CharField(max_length=64)
    state = models.CharField(max_length=16, choices=RunState, default=RunState.QUEUED)
    total = models.PositiveIntegerField(default=0)
    done = models.PositiveIntegerField(default=0)
    problem = models.TextField(blank=True, default="")
    attempts = models.PositiveSmallIntegerField(default=0)
    asked_by_name = models.CharField(max_length=200)
    asked_at = models.DateTimeField()
    heartbeat_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            # Two requests at once (a double click, two tabs) are one run.
            models.UniqueConstraint(
                fields=["action_type", "question_sha256"],
                condition=Q(state__in=["queued", "running"]),
                name="what_if_run_once_at_a_time",
            ),
        ]
        indexes = [
            models.Index(
                fields=["id"], condition=Q(state__in=["queued", "running"]), name="what_if_run_to_do"
            ),
        ]
