"""Evals: how an agent version does on a frozen version of cases."""

from __future__ import annotations

from django.db import models

from datasets.choices import EvalState
from datasets.models.cases import LabelledCase
from datasets.models.datasets import DatasetVersion
from hitl_site.lib import ids
from policies.models import Agent, AgentVersion


class Grader(models.Model):
    """How answers of one action type are judged, as numbered documents; the newest is in use."""

    action_type = models.CharField(max_length=120)
    number = models.PositiveIntegerField()
    document = models.JSONField()
    created_by_name = models.CharField(max_length=200)
    created_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["action_type", "number"], name="grader_number_once")]


class EvalRun(models.Model):
    """One run of an agent version over a dataset version, with the graders as they were."""

    public_id = models.CharField(max_length=ids.MAX_LENGTH, unique=True)
    version = models.ForeignKey(DatasetVersion, on_delete=models.PROTECT, related_name="eval_runs")
    agent = models.ForeignKey(Agent, null=True, on_delete=models.PROTECT, related_name="+")
    agent_name = models.CharField(max_length=120)
    agent_version = models.CharField(max_length=120)
    # The label alone does not say which: the same one with another model, prompt or tools is another version.
    tested = models.ForeignKey(AgentVersion, null=True, on_delete=models.PROTECT, related_name="eval_runs")
    split = models.CharField(max_length=16, blank=True, default="")
    source = models.CharField(
        max_length=40, help_text="handrail, inspect, or what another runner calls itself"
    )
    graders = models.JSONField(default=dict)
    state = models.CharField(max_length=16, choices=EvalState, default=EvalState.OPEN)
    cases_total = models.PositiveIntegerField()
    cases_done = models.PositiveIntegerField(default=0)
    cases_passed = models.PositiveIntegerField(default=0)
    idempotency_key = models.CharField(max_length=255)
    body_digest = models.CharField(max_length=71)
    note = models.TextField(blank=True, default="")
    posted_by_name = models.CharField(max_length=200)
    created_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["agent", "idempotency_key"], name="eval_run_one_per_agent_and_key"
            )
        ]
        indexes = [
            models.Index(fields=["version", "-id"], name="eval_run_of_a_version"),
            models.Index(fields=["tested", "-id"], name="eval_run_of_an_agent_version"),
        ]


class EvalResult(models.Model):
    """What the agent did with one case, and what the grader said. ``passed`` None: it could not be graded."""

    run = models.ForeignKey(EvalRun, on_delete=models.PROTECT, related_name="results")
    case = models.ForeignKey(LabelledCase, on_delete=models.PROTECT, related_name="eval_results")
    acted = models.BooleanField(help_text="False: the agent chose to do nothing.")
    action_type = models.CharField(max_length=120, blank=True, default="")
    output_canonical = models.BinaryField(null=True)
    passed = models.BooleanField(null=True)
    score = models.FloatField(null=True)
    detail = models.JSONField(default=dict)
    error = models.TextField(blank=True, default="")
    received_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["run", "case"], name="eval_result_once_per_case")]
