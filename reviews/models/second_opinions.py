"""Second opinions: why somebody else is asked about what has been decided, or will be."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from hitl_site.lib import ids
from policies.models import ActionType
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


class SecondReview(models.Model):
    """For a time, a second person answers whatever one person answers: of one action type, or of all.

    It says nothing of the answers: a lead asked for it, with a reason that the person reads. It counts until
    ``ends_at`` or, where somebody ended it before, ``ended_at``; nothing else of it changes.
    """

    public_id = models.CharField(max_length=ids.MAX_LENGTH, unique=True)
    reviewer = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    # None: whatever the person answers.
    action_type = models.ForeignKey(
        ActionType, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    reason = models.TextField()
    started_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    started_by_name = models.CharField(max_length=200)
    started_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    # When it was over, and who ended it before its time; nobody where the time ran out.
    ended_at = models.DateTimeField(null=True)
    ended_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    ended_by_name = models.CharField(max_length=200, blank=True, default="")
    end_reason = models.TextField(blank=True, default="")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["reviewer", "action_type"],
                condition=Q(ended_at=None),
                nulls_distinct=False,
                name="second_review_one_at_a_time",
            ),
            models.CheckConstraint(
                condition=Q(ends_at__gt=F("started_at")) & ~Q(reason=""),
                name="second_review_has_an_end_and_a_reason",
            ),
            models.CheckConstraint(
                condition=~Q(reviewer=F("started_by")) & ~Q(reviewer=F("ended_by")),
                name="second_review_is_for_somebody_else",
            ),
            models.CheckConstraint(
                condition=Q(ended_by=None, end_reason="")
                | Q(ended_by__isnull=False, ended_at__isnull=False) & ~Q(end_reason=""),
                name="second_review_ended_with_a_reason",
            ),
        ]

    def __str__(self) -> str:
        return self.public_id
