"""Policies: the rules of one action type, as numbered texts that never change once published."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q

from hitl_site.lib import ids
from policies.choices import PolicyState, PublicationState
from policies.models.action_types import ActionType


class PolicyVersion(models.Model):
    """One text of an action type's policy. ``document`` has the form of ``engine.PolicyDocument``.

    A draft may be edited. In shadow it is asked about live traffic and holds nothing; its text is fixed from
    then on, since what it would have said belongs to that text. ``rollback_of`` names the version whose text
    this one repeats.
    """

    public_id = models.CharField(max_length=ids.MAX_LENGTH, unique=True)
    action_type = models.ForeignKey(ActionType, on_delete=models.PROTECT, related_name="policy_versions")
    number = models.PositiveIntegerField()
    state = models.CharField(max_length=16, choices=PolicyState, default=PolicyState.DRAFT)
    document = models.JSONField()
    content_sha256 = models.CharField(max_length=64)
    reason = models.TextField(blank=True)
    author = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="policy_versions"
    )
    author_name = models.CharField(max_length=200)
    created_at = models.DateTimeField()
    rollback_of = models.ForeignKey("self", null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    shadowed_at = models.DateTimeField(null=True, blank=True)
    published_at = models.DateTimeField(null=True, blank=True)
    retired_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["action_type", "number"], name="policy_version_number_once"),
            models.UniqueConstraint(
                fields=["action_type"], condition=Q(state="live"), name="policy_one_live_version"
            ),
            models.UniqueConstraint(
                fields=["action_type"], condition=Q(state="draft"), name="policy_one_draft"
            ),
            models.UniqueConstraint(
                fields=["action_type"], condition=Q(state="shadow"), name="policy_one_in_shadow"
            ),
            models.CheckConstraint(
                condition=Q(state="draft", published_at=None, shadowed_at=None)
                | Q(state="shadow", published_at=None, shadowed_at__isnull=False)
                | Q(state="live", published_at__isnull=False)
                | Q(state="retired") & (Q(published_at__isnull=False) | Q(shadowed_at__isnull=False)),
                name="policy_version_state_with_its_time",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.action_type} version {self.number}"


class Publication(models.Model):
    """Somebody's wish to put one version in force, now or at a time, and how many people that takes.

    The people are the author of the text, the one who asked, and those who approved: ``people_required``
    different ones. ``content_sha256`` names the text that they read.
    """

    public_id = models.CharField(max_length=ids.MAX_LENGTH, unique=True)
    action_type = models.ForeignKey(ActionType, on_delete=models.PROTECT, related_name="publications")
    version = models.ForeignKey(PolicyVersion, on_delete=models.PROTECT, related_name="publications")
    state = models.CharField(max_length=16, choices=PublicationState, default=PublicationState.OPEN)
    content_sha256 = models.CharField(max_length=64)
    reason = models.TextField()
    publish_at = models.DateTimeField(null=True, blank=True)
    loosens = models.BooleanField()
    people_required = models.PositiveSmallIntegerField()
    asked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+"
    )
    asked_by_name = models.CharField(max_length=200)
    asked_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True, blank=True)
    closed_because = models.TextField(blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["action_type"], condition=Q(state="open"), name="publication_one_open_per_type"
            ),
            models.CheckConstraint(
                condition=Q(state="open", closed_at=None) | ~Q(state="open") & Q(closed_at__isnull=False),
                name="publication_closed_with_its_time",
            ),
        ]
        indexes = [
            models.Index(fields=["publish_at"], condition=Q(state="open"), name="publication_due"),
        ]


class PublicationApproval(models.Model):
    """One person's approval of a publication: of that very text."""

    publication = models.ForeignKey(Publication, on_delete=models.PROTECT, related_name="approvals")
    person = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    person_name = models.CharField(max_length=200)
    content_sha256 = models.CharField(max_length=64)
    approved_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["publication", "person"], name="publication_approved_once_per_person"
            )
        ]
