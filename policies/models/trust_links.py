"""Links by which somebody without an account reads the trust page for a while."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from hitl_site.lib import ids


class TrustLink(models.Model):
    """One such link: what it shows, for whom, until when. The address itself is signed and never stored.

    ``filters`` are those of the page, by the names that stand in its address. Who made it or may make such
    links can revoke it; from ``expires_at`` on it shows nothing.
    """

    public_id = models.CharField(max_length=ids.MAX_LENGTH, unique=True)
    filters = models.JSONField(default=dict)
    for_whom = models.CharField(max_length=200)
    made_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    made_by_name = models.CharField(max_length=200)
    made_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True)
    revoked_by_name = models.CharField(max_length=200, blank=True, default="")

    class Meta:
        permissions = [("share_trust", "Can share the trust page by a link that expires")]
        constraints = [
            models.CheckConstraint(condition=Q(expires_at__gt=F("made_at")), name="trust_link_expires_later"),
            models.CheckConstraint(
                condition=Q(revoked_at=None, revoked_by_name="")
                | Q(revoked_at__isnull=False) & ~Q(revoked_by_name=""),
                name="trust_link_revoked_by_somebody",
            ),
        ]

    def __str__(self) -> str:
        return self.public_id
