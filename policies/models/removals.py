"""Removals: taking content away for good, because a person asked or because its time was over."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q

from hitl_site.lib import ids
from policies.choices import Criterion, RemovalKind, RemovalState


class Removal(models.Model):
    """One act of taking content away; what was done and when stays, and so does the chain.

    While a transaction names a removal that is under way (the setting ``handrail.removal``), and only then,
    the database lets guarded content go, and to its erased form alone (hitl_site.lib.removal_guards).

    ``value`` is whom an erasure is about. It goes when the erasure is done: the record of an erasure must not
    keep what was erased. ``value_digest`` (HMAC under a secret of the server) stays.
    """

    public_id = models.CharField(max_length=ids.MAX_LENGTH, unique=True)
    kind = models.CharField(max_length=16, choices=RemovalKind)
    state = models.CharField(max_length=16, choices=RemovalState, default=RemovalState.RUNNING)
    criterion = models.CharField(max_length=16, choices=Criterion, blank=True, default="")
    value = models.CharField(max_length=200, blank=True, default="")
    value_digest = models.CharField(max_length=64, blank=True, default="")
    reason = models.TextField()
    legal_basis = models.CharField(max_length=200, blank=True, default="")
    # What it reached when it was asked for, and what was taken away since: names of kinds to numbers.
    found = models.JSONField(default=dict)
    removed = models.JSONField(default=dict)
    total = models.PositiveIntegerField(default=0)
    done = models.PositiveIntegerField(default=0)
    attempts = models.PositiveIntegerField(default=0)
    # What it waits for, or why the last attempt did not end.
    note = models.TextField(blank=True, default="")
    proof = models.JSONField(null=True)
    asked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+"
    )
    asked_by_name = models.CharField(max_length=200)
    asked_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(state="done", finished_at__isnull=False) | ~Q(state="done") & Q(finished_at=None),
                name="removal_done_with_its_time",
            ),
            models.CheckConstraint(condition=~Q(reason=""), name="removal_has_its_reason"),
            models.CheckConstraint(
                condition=~Q(state="done") | Q(value=""), name="removal_done_keeps_nobodys_name"
            ),
            models.UniqueConstraint(
                fields=["criterion", "value_digest"],
                condition=Q(kind="erasure") & ~Q(state="done"),
                name="removal_one_under_way_per_person",
            ),
            models.UniqueConstraint(
                fields=["kind"],
                condition=Q(kind="retention") & ~Q(state="done"),
                name="removal_one_sweep_at_a_time",
            ),
        ]
        indexes = [models.Index(fields=["id"], condition=~Q(state="done"), name="removal_to_do")]

    def __str__(self) -> str:
        return self.public_id


class RemovalTarget(models.Model):
    """One thing that a removal reached: ids alone. ``removed_at`` says when its content went."""

    removal = models.ForeignKey(Removal, on_delete=models.PROTECT, related_name="targets")
    kind = models.CharField(max_length=24)
    object_id = models.CharField(max_length=ids.MAX_LENGTH)
    removed_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["removal", "kind", "object_id"], name="removal_target_once_per_removal"
            )
        ]
        indexes = [
            models.Index(fields=["object_id", "kind"], name="removal_target_of_an_object"),
            models.Index(fields=["removal", "id"], condition=Q(removed_at=None), name="removal_target_to_do"),
        ]
