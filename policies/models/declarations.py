"""Changes to a declaration that wait for further people, since they loosen it."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q

from hitl_site.lib import ids
from hitl_site.lib.fields import OrderedJSONField
from policies.choices import PublicationState
from policies.models.action_types import ActionType


class DeclarationChange(models.Model):
    """Somebody's wish to loosen what is declared of an action type, and how many people that takes.

    ``before`` and ``after`` hold the fields that would change, frozen as they were asked for; ``loosening``
    says in sentences what that lets pass. ``content_sha256`` names what people read, ``declared_sha256`` the
    whole declaration that it was asked against: another one makes the wish stale.
    """

    public_id = models.CharField(max_length=ids.MAX_LENGTH, unique=True)
    action_type = models.ForeignKey(ActionType, on_delete=models.PROTECT, related_name="declaration_changes")
    state = models.CharField(max_length=16, choices=PublicationState, default=PublicationState.OPEN)
    before = OrderedJSONField()
    after = OrderedJSONField()
    loosening = models.JSONField()
    content_sha256 = models.CharField(max_length=64)
    declared_sha256 = models.CharField(max_length=64)
    reason = models.TextField()
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
                fields=["action_type"], condition=Q(state="open"), name="declaration_change_one_open_per_type"
            ),
            models.CheckConstraint(
                condition=Q(state="open", closed_at=None) | ~Q(state="open") & Q(closed_at__isnull=False),
                name="declaration_change_closed_with_its_time",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.action_type}: {', '.join(self.after)}"


class DeclarationApproval(models.Model):
    """One person's approval of a change to a declaration: of those very fields."""

    change = models.ForeignKey(DeclarationChange, on_delete=models.PROTECT, related_name="approvals")
    person = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    person_name = models.CharField(max_length=200)
    content_sha256 = models.CharField(max_length=64)
    approved_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["change", "person"], name="declaration_change_approved_once_per_person"
            )
        ]
