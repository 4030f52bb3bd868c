"""Labelled cases: frozen copies of what a reviewer saw and said."""

from __future__ import annotations

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchVectorField
from django.db import models
from django.db.models import F, Q
from django.db.models.expressions import Combinable

from datasets.choices import CaseKind, Label, LabelSource, LabelStrength, RevisionKind
from hitl_site.lib import ids
from policies.models import Agent


def _block(number: int) -> Combinable:
    """Return the expression of one of the four blocks of 16 bits of a case's similarity."""
    return F("similarity").bitrightshift(16 * number).bitand(65_535)


class LabelledCase(models.Model):
    """One decision as data. ``content`` is the canonical case (docs/cases.md); it never changes.

    Made from the ledger, once per decision: ``decision_id`` is unique, ``ledger_seq`` says where from.
    """

    public_id = models.CharField(max_length=ids.MAX_LENGTH, unique=True)
    kind = models.CharField(max_length=16, choices=CaseKind, default=CaseKind.PROPOSAL)
    decision_id = models.CharField(max_length=ids.MAX_LENGTH, unique=True)
    action_id = models.CharField(max_length=ids.MAX_LENGTH)
    ledger_seq = models.BigIntegerField(unique=True)
    action_type = models.CharField(max_length=120)
    agent = models.CharField(max_length=120)
    agent_version = models.CharField(max_length=120)
    label = models.CharField(max_length=16, choices=Label)
    source = models.CharField(max_length=16, choices=LabelSource)
    strength = models.CharField(max_length=16, choices=LabelStrength)
    # The same under cosmetic changes; and 64 bits that differ in few places where the texts do (SimHash).
    likeness = models.CharField(max_length=71, blank=True, default="")
    similarity = models.BigIntegerField(null=True)
    group_key = models.CharField(max_length=200, help_text="No split may cut this group.")
    decided_at = models.DateTimeField()
    content = models.JSONField()
    content_sha256 = models.CharField(max_length=64)
    created_at = models.DateTimeField()
    # What a person asked to have erased is gone from ``content``; that there was a case stays.
    erased_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            models.Index(fields=["action_type", "label", "id"], name="case_by_type_and_label"),
            models.Index(fields=["action_id"], name="case_of_an_action"),
            models.Index(fields=["agent", "agent_version", "id"], name="case_by_agent_version"),
            models.Index(fields=["group_key"], name="case_by_group"),
            models.Index(fields=["action_type", "similarity"], name="case_by_similarity"),
            # Near duplicates share at least one of four blocks of bits (services.case_index).
            *(
                models.Index(F("action_type"), _block(number), name=f"case_by_block_{number}")
                for number in range(4)
            ),
        ]

    def __str__(self) -> str:
        return self.public_id


class CaseCuration(models.Model):
    """What people made of a case since: tags, whether it is left out, whether it is disputed.

    Each change is in the ledger. A case without a row is as it came.
    """

    case = models.OneToOneField(
        LabelledCase, primary_key=True, on_delete=models.PROTECT, related_name="curation"
    )
    tags = ArrayField(models.CharField(max_length=60), default=list, blank=True)
    excluded_because = models.TextField(blank=True, default="")
    excluded_by_name = models.CharField(max_length=200, blank=True, default="")
    excluded_at = models.DateTimeField(null=True, blank=True)
    disputed_because = models.TextField(blank=True, default="")
    disputed_at = models.DateTimeField(null=True, blank=True)
    updated_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(excluded_at=None, excluded_because="")
                | Q(excluded_at__isnull=False) & ~Q(excluded_because=""),
                name="curation_excluded_with_its_reason",
            ),
        ]
        indexes = [
            GinIndex(fields=["tags"], name="curation_by_tag"),
        ]


class CaseIndex(models.Model):
    """By which words a case is found, and which say nearly the same: computed, and made again at will."""

    case = models.OneToOneField(
        LabelledCase, primary_key=True, on_delete=models.PROTECT, related_name="index"
    )
    words = SearchVectorField()
    # Cases of one group say nearly the same; the name is the first one's id. "" for a case that is alone.
    near_group = models.CharField(max_length=ids.MAX_LENGTH, blank=True, default="")
    indexed_at = models.DateTimeField()

    class Meta:
        indexes = [
            GinIndex(fields=["words"], name="case_index_by_word"),
            models.Index(fields=["near_group"], condition=~Q(near_group=""), name="case_index_by_near_group"),
        ]


class LabelRevision(models.Model):
    """A later answer to the same case; the newest one counts, and every one stays."""

    case = models.ForeignKey(LabelledCase, on_delete=models.PROTECT, related_name="revisions")
    number = models.PositiveIntegerField()
    kind = models.CharField(max_length=16, choices=RevisionKind)
    label = models.CharField(max_length=16, choices=Label)
    arguments_canonical = models.BinaryField(null=True)
    reasons = ArrayField(models.CharField(max_length=60), default=list, blank=True)
    note = models.TextField()
    author = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+"
    )
    author_name = models.CharField(max_length=200)
    created_at = models.DateTimeField()

    class Meta:
        permissions = [("curate_case", "Can tag, leave out, adjudicate and edit labelled cases")]
        constraints = [
            models.UniqueConstraint(fields=["case", "number"], name="label_revision_number_once"),
            models.CheckConstraint(
                condition=Q(label="rejected", arguments_canonical=None)
                | ~Q(label="rejected") & Q(arguments_canonical__isnull=False),
                name="label_revision_arguments_unless_rejected",
            ),
        ]


class GroundTruth(models.Model):
    """What the world said later of an action: a chargeback, a complaint, an audit. Kept apart from labels."""

    public_id = models.CharField(max_length=ids.MAX_LENGTH, unique=True)
    action_id = models.CharField(max_length=ids.MAX_LENGTH)
    agent = models.ForeignKey(Agent, on_delete=models.PROTECT, related_name="+")
    correct = models.BooleanField()
    arguments_canonical = models.BinaryField(null=True)
    source = models.CharField(max_length=60)
    detail = models.JSONField(default=dict)
    idempotency_key = models.CharField(max_length=255)
    body_digest = models.CharField(max_length=71)
    contradicts = models.BooleanField(help_text="It says otherwise than the person who approved.")
    occurred_at = models.DateTimeField(null=True)
    received_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["agent", "idempotency_key"], name="ground_truth_one_per_agent_and_key"
            )
        ]
        indexes = [models.Index(fields=["action_id", "id"], name="ground_truth_of_an_action")]
