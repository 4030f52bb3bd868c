"""What a person has set for themselves: how the console looks, its keys, and the views they saved."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q

from hitl_site.lib import ids
from reviews.choices import Density, Mail, Theme


class SavedView(models.Model):
    """A reading of the inbox with a name: its filters as the address has them, and its order.

    It grants nothing: whoever opens a shared one sees in it what they may see anyway.
    """

    public_id = models.CharField(max_length=ids.MAX_LENGTH, unique=True)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="saved_views")
    name = models.CharField(max_length=80)
    query = models.CharField(max_length=1000, blank=True, default="", help_text="Filters, as in the address.")
    order = models.CharField(max_length=16, blank=True, default="")
    shared = models.BooleanField(default=False)
    created_at = models.DateTimeField()

    class Meta:
        permissions = [("share_views", "Can share saved views with everybody, and change shared ones")]
        constraints = [
            models.UniqueConstraint(fields=["owner", "name"], name="saved_view_name_once_per_person")
        ]
        indexes = [models.Index(fields=["name"], condition=Q(shared=True), name="saved_view_shared")]

    def __str__(self) -> str:
        return self.name


class Preferences(models.Model):
    """One person's settings. Without a row everything is as it comes; an empty member is not chosen.

    ``keys`` maps the name of an act to the key that the person gave it in place of the printed one.
    """

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, primary_key=True, on_delete=models.PROTECT, related_name="preferences"
    )
    theme = models.CharField(max_length=16, choices=Theme, default=Theme.SYSTEM)
    density = models.CharField(max_length=16, choices=Density, default=Density.COMFORTABLE)
    single_keys = models.BooleanField(default=True)
    keys = models.JSONField(default=dict)
    time_zone = models.CharField(max_length=64, blank=True, default="")
    language = models.CharField(max_length=16, blank=True, default="")
    # Between these no notice is sent, by the clock where the person is. Both or neither.
    quiet_from = models.TimeField(null=True, blank=True)
    quiet_until = models.TimeField(null=True, blank=True)
    mail = models.CharField(max_length=16, choices=Mail, default=Mail.DIGEST)
    # Shorter than the policy's window, never longer; not set is the policy's.
    undo_seconds = models.PositiveSmallIntegerField(null=True, blank=True)
    default_view = models.ForeignKey(
        SavedView, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    updated_at = models.DateTimeField()

    class Meta:
        verbose_name_plural = "preferences"
        constraints = [
            models.CheckConstraint(
                condition=Q(quiet_from=None, quiet_until=None)
                | Q(quiet_from__isnull=False, quiet_until__isnull=False),
                name="preferences_quiet_hours_begin_and_end",
            )
        ]

    def __str__(self) -> str:
        return str(self.user)
