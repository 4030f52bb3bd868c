"""Drills: items with a known answer, mixed in with real ones, and the past decisions they are made of."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from hitl_site.lib import ids
from policies.models import ActionType
from reviews.choices import SeedState
from reviews.models.actions import ActionRequest
from reviews.models.decisions import Decision


class DrillSeed(models.Model):
    """A past decision that drills are made from, with fresh values each time. Nothing of it is copied here.

    ``planted`` is True where the proposal is wrong: its ``error_kind`` says how. A seed without an error is a
    proposal that was right, so that objecting to everything catches nothing. An admin approves each.
    """

    public_id = models.CharField(max_length=ids.MAX_LENGTH, unique=True)
    action_type = models.ForeignKey(ActionType, on_delete=models.PROTECT, related_name="+")
    source = models.OneToOneField(Decision, on_delete=models.PROTECT, related_name="drill_seed")
    planted = models.BooleanField()
    error_kind = models.CharField(max_length=40, blank=True, default="")
    state = models.CharField(max_length=16, choices=SeedState, default=SeedState.WAITING)
    made_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    made_by_name = models.CharField(max_length=200)
    made_at = models.DateTimeField()
    judged_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+"
    )
    judged_by_name = models.CharField(max_length=200, blank=True, default="")
    judged_at = models.DateTimeField(null=True)

    class Meta:
        permissions = [("manage_drills", "Can make, approve and retire the items that drills are made from")]
        constraints = [
            models.CheckConstraint(
                condition=Q(planted=True) & ~Q(error_kind="") | Q(planted=False, error_kind=""),
                name="drill_seed_an_error_has_its_kind",
            ),
            models.CheckConstraint(
                condition=Q(state="waiting", judged_at=None)
                | ~Q(state="waiting") & Q(judged_at__isnull=False),
                name="drill_seed_in_use_only_when_judged",
            ),
        ]
        indexes = [
            models.Index(fields=["action_type", "state", "id"], name="drill_seed_by_type"),
        ]

    def __str__(self) -> str:
        return self.public_id


class DrillBurst(models.Model):
    """The few drills that begin one shift of one person, made one after the other as they go on.

    ``rested_since`` is their last work before the shift, None where there was none: it names the shift.
    ``like`` is the real action that came next when it began; the drills are proposed as it was.
    """

    public_id = models.CharField(max_length=ids.MAX_LENGTH, unique=True)
    reviewer = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    rested_since = models.DateTimeField(null=True)
    action_type = models.ForeignKey(ActionType, on_delete=models.PROTECT, related_name="+")
    like = models.ForeignKey(ActionRequest, on_delete=models.PROTECT, related_name="+")
    began_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            # At most one in a shift, whatever two tabs ask for at once.
            models.UniqueConstraint(
                fields=["reviewer", "rested_since"], nulls_distinct=False, name="drill_burst_once_per_shift"
            ),
            models.CheckConstraint(
                condition=Q(ended_at=None) | Q(ended_at__gte=F("began_at")),
                name="drill_burst_ends_after_it_began",
            ),
        ]

    def __str__(self) -> str:
        return self.public_id


class Drill(models.Model):
    """One drill: drawn when somebody decided a real item, served a while later as an item like any other.

    Or one of a ``burst``, made at the beginning of a person's shift and for that person alone.

    ``propensity`` is the probability of the draw. ``expected_canonical`` are the right arguments with the
    values of this drill, None where it should not run at all; with the action they are set once.
    """

    # The decision whose draw led to it; of a burst its id and the place in it, so that no place has two.
    drawn_by = models.CharField(max_length=ids.MAX_LENGTH, unique=True)
    action_type = models.ForeignKey(ActionType, on_delete=models.PROTECT, related_name="+")
    propensity = models.FloatField()
    drawn_at = models.DateTimeField()
    serve_at = models.DateTimeField()
    burst = models.ForeignKey(DrillBurst, null=True, on_delete=models.PROTECT, related_name="drills")
    seed = models.ForeignKey(DrillSeed, null=True, on_delete=models.PROTECT, related_name="drills")
    action = models.OneToOneField(
        ActionRequest, null=True, on_delete=models.PROTECT, related_name="served_drill"
    )
    expected_canonical = models.BinaryField(null=True)
    served_at = models.DateTimeField(null=True)
    # Why it was never served: no seed was approved, or the gate would not hold such a proposal any more.
    dropped_because = models.CharField(max_length=200, blank=True, default="")

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(served_at=None, action=None, seed=None, expected_canonical=None)
                | Q(
                    served_at__isnull=False,
                    action__isnull=False,
                    seed__isnull=False,
                    dropped_because="",
                ),
                name="drill_served_as_a_whole",
            ),
            models.CheckConstraint(
                condition=Q(propensity__gt=0, propensity__lte=1), name="drill_propensity_above_0"
            ),
        ]
        indexes = [
            models.Index(
                fields=["serve_at"], condition=Q(served_at=None, dropped_because=""), name="drill_to_serve"
            ),
        ]
