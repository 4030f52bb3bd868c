"""A row of every kind that the team and its notices have, for the tests of the administration."""

from __future__ import annotations

from datetime import time

from hitl_site.lib import ids
from hitl_site.lib.clock import database_now
from reviews.choices import NoticeKind
from reviews.models import Capacity, Channel, Delivery, Notice, Queue, QueueMember, ReviewItem, Shift, Skill
from reviews.tests.cast import make_person


def fill_team(*, item: ReviewItem, round_number: int) -> None:
    """Make them, for a person of their own."""
    now = database_now()
    user = make_person(f"Member-{round_number}")
    # A queue of their own: the cast's stays everybody's.
    slug = f"row-{round_number}"
    queue = Queue.objects.create(public_id=ids.new("que"), slug=slug, name=slug, created_at=now)
    QueueMember.objects.create(queue=queue, user=user, added_at=now)
    Skill.objects.create(user=user, action_type_name="refund.issue", added_at=now)
    Capacity.objects.create(user=user, most_held=3, updated_at=now)
    Shift.objects.create(
        public_id=ids.new("shf"),
        user=user,
        weekday=0,
        starts=time(9),
        ends=time(17),
        time_zone="UTC",
        created_at=now,
    )
    Notice.objects.create(
        public_id=ids.new("ntc"),
        user=user,
        kind=NoticeKind.ESCALATED,
        item=item,
        key=f"row-{round_number}",
        created_at=now,
    )
    channel = Channel.objects.create(
        public_id=ids.new("chn"), queue=item.queue, name=f"ROW{round_number}", created_at=now, ended_at=now
    )
    Delivery.objects.create(
        channel=channel,
        item=item,
        kind=NoticeKind.ARRIVED,
        key=f"row-{round_number}",
        send_at=now,
        created_at=now,
    )
