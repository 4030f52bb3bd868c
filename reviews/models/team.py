"""The team: who belongs to a queue, what each may decide, how much they hold, when they are on duty."""

from __future__ import annotations

from typing import Final

from django.conf import settings
from django.core.validators import MaxValueValidator
from django.db import models
from django.db.models import Q

from hitl_site.lib import ids
from reviews.models.queues import Queue


class QueueMember(models.Model):
    """One person of a queue. A queue without members is everybody's."""

    queue = models.ForeignKey(Queue, on_delete=models.PROTECT, related_name="members")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    added_at = models.DateTimeField()

    class Meta:
        permissions = [
            ("view_team", "Can see the team and its load"),
            ("manage_team", "Can change members of queues, skills, capacity and rota"),
            ("manage_queues", "Can make queues and give them channels"),
        ]
        constraints = [models.UniqueConstraint(fields=["user", "queue"], name="queue_member_once")]


# Stands alone on the list of somebody who may decide no action type: no item has it.
NO_ACTION_TYPE: Final = ""


class Skill(models.Model):
    """One action type on the list of those that a person may decide. Who has no list may decide every one.

    A list that nothing is left on is kept as one row with ``NO_ACTION_TYPE``: taking the last skill away
    never opens what was closed.
    """

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    # As items name it: an undeclared type is nobody's skill.
    action_type_name = models.CharField(max_length=120)
    added_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "action_type_name"], name="skill_once")]


class Capacity(models.Model):
    """How many items a person holds at once, at most. Without a row there is no limit."""

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, primary_key=True, on_delete=models.PROTECT, related_name="+"
    )
    most_held = models.PositiveSmallIntegerField(null=True, validators=[MaxValueValidator(500)])
    updated_at = models.DateTimeField()

    class Meta:
        verbose_name_plural = "capacities"


class Shift(models.Model):
    """When a person is on duty: every week on a day, or once on a date, by the clock of a zone.

    One that ends at or before its start ends on the next day. A person without shifts is always on duty.
    """

    public_id = models.CharField(max_length=ids.MAX_LENGTH, unique=True)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    weekday = models.PositiveSmallIntegerField(null=True, blank=True, help_text="0 is Monday.")
    on_date = models.DateField(null=True, blank=True)
    starts = models.TimeField()
    ends = models.TimeField()
    time_zone = models.CharField(max_length=64)
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(weekday__isnull=True, on_date__isnull=False)
                | Q(weekday__lte=6, on_date__isnull=True),
                name="shift_weekly_or_dated",
            ),
            models.UniqueConstraint(
                fields=["user", "weekday", "on_date", "starts"], nulls_distinct=False, name="shift_once"
            ),
        ]
