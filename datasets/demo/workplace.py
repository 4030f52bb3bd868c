"""The team at its work: who is on duty, who holds how much, what views they share."""

from __future__ import annotations

from datetime import datetime, time
from typing import Final

from django.contrib.auth.models import User
from django.db import transaction

from datasets.demo.setting_up import Stage
from reviews.models import Capacity, Queue, QueueMember, SavedView
from reviews.services import saved_views, team

LEAD: Final = "jonas"
_ZONE: Final = "Europe/Berlin"
_WEEK: Final = range(5)
# Who, from when until when on working days. Whoever is not here has no shifts, and is always on duty.
_SHIFTS: Final = (("mira", time(8), time(16)), ("sam", time(10), time(18)), ("leyla", time(12), time(20)))
_MOST_HELD: Final = (("sam", 10), ("leyla", 5))
# Access is for few; whoever set the demo up looks at everything.
_MEMBERS: Final = ("access", ("jonas", "leyla", "mira"))
# Whose, the name, the filters as the address has them, for everybody or not.
_VIEWS: Final = (
    (LEAD, "Large refunds", "type=refund.issue&why=high_risk", True),
    (LEAD, "Promises to customers", "type=email.send", True),
    ("mira", "High risk within the hour", "due=hour&risk=high", False),
)


@transaction.atomic
def arrange(stage: Stage, *, now: datetime) -> None:
    """Arrange the team as its lead would, or find it arranged."""
    if Capacity.objects.exists() or SavedView.objects.exists():
        return
    lead = stage.reviewers[LEAD]
    for name, starts, ends in _SHIFTS:
        for weekday in _WEEK:
            team.add_shift(
                person=stage.reviewers[name],
                weekday=weekday,
                on_date=None,
                starts=starts,
                ends=ends,
                time_zone=_ZONE,
                by=lead,
                now=now,
            )
    for name, most in _MOST_HELD:
        team.set_capacity(person=stage.reviewers[name], most_held=most, by=lead, now=now)
    _choose_members(stage, lead, now=now)
    for name, title, query, shared in _VIEWS:
        saved_views.save(
            person=stage.reviewers[name], name=title, query=query, order="", shared=shared, now=now
        )


def _choose_members(stage: Stage, lead: User, *, now: datetime) -> None:
    slug, names = _MEMBERS
    queue = Queue.objects.get(slug=slug)
    if QueueMember.objects.filter(queue=queue).exists():
        return
    visitors = User.objects.filter(is_superuser=True, is_active=True)
    people = [*(stage.reviewers[name] for name in names), *visitors]
    team.set_members(queue=queue, people=people, by=lead, now=now)
