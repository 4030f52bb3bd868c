"""The tour's leg through the team: members, skills, capacity, a shift, a queue, its channel, saved views."""

from __future__ import annotations

import os
from datetime import time, timedelta

from django.contrib.auth.models import Group

from hitl_site.lib.clock import database_now
from policies.services import accounts
from policies.services.ledger import Actor
from reviews.models import Queue
from reviews.services import queues, revealing, saved_views, second_reviews, team
from reviews.tests.cast import Cast, held


def lead(cast: Cast) -> None:
    """Change everything about the team, and change it back."""
    now = database_now()
    by = accounts.make_person(
        name="leonie",
        password="a long enough password",
        groups=Group.objects.filter(name="lead"),
        actor=Actor.person(cast.olga),
        now=now,
    )
    queue = queues.open_queue(slug="tour", name="Tour", by=cast.olga, now=now)
    os.environ["HANDRAIL_CHANNEL_TOUR"] = "json://localhost"
    try:
        channel = queues.add_channel(queue=queue, name="TOUR", by=cast.olga, now=now)
    finally:
        del os.environ["HANDRAIL_CHANNEL_TOUR"]
    queues.end_channel(channel=channel, by=cast.olga, now=now)
    for people in ([cast.alice], None):
        team.set_members(queue=Queue.objects.get(slug="tour"), people=people, by=by, now=now)
    for names in (["refund.issue"], [], None):
        team.set_skills(person=cast.alice, names=names, by=by, now=now)
    for most in (5, None):
        team.set_capacity(person=cast.alice, most_held=most, by=by, now=now)
    shift = team.add_shift(
        person=cast.alice,
        weekday=0,
        on_date=None,
        starts=time(9),
        ends=time(17),
        time_zone="UTC",
        by=by,
        now=now,
    )
    team.remove_shift(person=cast.alice, shift_id=shift.public_id, by=by, now=now)
    for reason in ("Missed drills", "Again"):
        review = second_reviews.start(
            reviewer=cast.alice,
            action_type=cast.refund,
            reason=reason,
            ends_at=now + timedelta(days=7),
            by=by,
            now=now,
        )
        if reason == "Again":
            second_reviews.end_due(now=review.ends_at)
        else:
            second_reviews.end(review_id=review.public_id, reason="We talked", by=by, now=now)
    view = saved_views.save(person=by, name="Tour", query="risk=high", order="", shared=True, now=now)
    saved_views.change(view_id=view.public_id, person=by, name="The tour", shared=False, now=now)
    saved_views.start_with(view_id=view.public_id, person=by, now=now)
    saved_views.delete(view_id=view.public_id, person=by, now=now)


def uncover(cast: Cast) -> None:
    """Look at what is covered in the context of an item."""
    revealing.reveal(item_id=held(cast).public_id, reviewer=cast.alice, now=database_now())
