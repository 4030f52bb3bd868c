"""Second opinions: why somebody else is asked about what has been decided."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q

from reviews.models.decisions import Decision
from reviews.models.items import ReviewItem


class SecondOpinion(models.Model):
    """A second look at one decision: drawn with a probability, or asked for because of something.

    Whoever answers the item sees neither this nor the first answer until theirs has gone out.
    """

    item = models.OneToOneField(ReviewItem, on_delete=models.PROTECT, related_name="second_opinion")
    first_decision = models.ForeignKey(Decision, on_delete=models.PROTECT, related_name="second_opinions")
    propensity = models.FloatField(null=True)
    because = models.TextField(blank=True)
    asked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    opened_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(propensity=None) | Q(propensity__gt=0, propensity__lte=1),
                name="second_opinion_propensity_above_0",
            ),
            models.CheckConstraint(
                condition=Q(propensity__isnull=False) | ~Q(because=""),
                name="second_opinion_drawn_or_with_a_cause",
            ),
        ]

    def __str__(self) -> str:
        return self.item.public_id
