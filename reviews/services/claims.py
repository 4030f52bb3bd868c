"""Claims: holding an item for a while. A lease is a courtesy among reviewers, no lock on the decision."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction
from django.utils.translation import gettext

from reviews.choices import ItemStatus
from reviews.models import Capacity, ReviewItem
from reviews.selectors import attention, inbox, independence, team
from reviews.services import drill_bursts, wakeups
from reviews.services.rights import NotAllowed, current_reviewer


class UnableToClaim(Exception):
    """The item cannot be held by this person now."""


class OnABreak(UnableToClaim):
    """This person takes a break: nothing new is served to them until then."""

    def __init__(self, until: datetime) -> None:
        super().__init__(gettext("You are taking five."))
        self.until = until


class NothingToClaim(UnableToClaim):
    """Nothing is free."""


class AtCapacity(NothingToClaim):
    """They hold as many as their lead has set."""

    def __init__(self, most: int) -> None:
        super().__init__(
            gettext("You hold {most} items, the most set for you. Decide or release one first.").format(
                most=most
            )
        )


class ItemClosed(UnableToClaim):
    """The item is no longer open."""


class ClaimedByOther(UnableToClaim):
    """Somebody else holds it."""

    def __init__(self, name: str) -> None:
        super().__init__(gettext("{name} is on this one.").format(name=name))
        self.name = name


@transaction.atomic
def claim(*, item_id: str, reviewer: User, now: datetime, take_over: bool = False) -> ReviewItem:
    """Hold one item. The same person again prolongs the lease; ``take_over`` takes it from another."""
    reviewer = current_reviewer(reviewer)
    item = (
        inbox.visible_to(reviewer)
        .select_related("action__agent")
        .select_for_update(of=("self",))
        .get(public_id=item_id)
    )
    because = independence.why_not(item, reviewer, heed_queue=True)
    if because:
        # They cannot decide it, and holding it would only keep it from those who can.
        raise NotAllowed(because)
    if item.status != ItemStatus.OPEN:
        raise ItemClosed(gettext("This item is no longer open."))
    held = item.lease_expires_at is not None and item.lease_expires_at > now
    if held and item.claimed_by_id != reviewer.pk and not take_over:
        assert item.claimed_by is not None
        raise ClaimedByOther(item.claimed_by.get_full_name() or item.claimed_by.get_username())
    return _hold(item, reviewer=reviewer, now=now)


@transaction.atomic
def claim_next(
    *, reviewer: User, now: datetime, view: inbox.View | None = None, after: ReviewItem | None = None
) -> ReviewItem:
    """Hold the next free item of the reviewer's turn. Two people asking at once never get the same one."""
    reviewer = current_reviewer(reviewer)
    until = attention.on_a_break_until(reviewer, now=now)
    if until is not None:
        raise OnABreak(until)
    free = inbox.my_turn(reviewer, view=view).filter(inbox.free_for(reviewer, now=now))
    limit = _limit_of(reviewer)
    full = limit is not None and team.held_now(reviewer, now=now).count() >= limit
    if full:
        # They go on with what they hold.
        free = free.filter(claimed_by=reviewer, lease_expires_at__gt=now)
    else:
        drill = drill_bursts.next_drill(reviewer=reviewer, view=view, now=now)
        if drill is not None:
            return _hold(drill, reviewer=reviewer, now=now)
    if after is not None:
        free = free.exclude(pk=after.pk)
    order = view.order if view is not None else inbox.DUE_FIRST
    free = free.select_for_update(skip_locked=True, of=("self",)).order_by(*order)
    # What began their shift and was put off waits for all that is real.
    item = free.filter(reserved_for=None).first() or free.filter(reserved_for=reviewer).first()
    if item is None:
        if full and limit is not None:
            raise AtCapacity(limit)
        raise NothingToClaim(gettext("Nothing is waiting for you."))
    return _hold(item, reviewer=reviewer, now=now)


@transaction.atomic
def release(*, item_id: str, reviewer: User) -> None:
    """Let go of an item. Letting go of what one does not hold changes nothing."""
    changed = ReviewItem.objects.filter(public_id=item_id, claimed_by=reviewer).update(
        claimed_by=None, lease_expires_at=None
    )
    if changed:
        wakeups.inbox_changed(item_id)


def _hold(item: ReviewItem, *, reviewer: User, now: datetime) -> ReviewItem:
    fresh = item.claimed_by_id != reviewer.pk
    _check_capacity(item, reviewer=reviewer, now=now)
    item.claimed_by = reviewer
    item.lease_expires_at = now + timedelta(seconds=settings.CLAIM_LEASE_SECONDS)
    item.save(update_fields=["claimed_by", "lease_expires_at"])
    if fresh:
        wakeups.inbox_changed(item.public_id)
    return item


def _check_capacity(item: ReviewItem, *, reviewer: User, now: datetime) -> None:
    limit = _limit_of(reviewer)
    if limit is not None and team.held_now(reviewer, now=now).exclude(pk=item.pk).count() >= limit:
        raise AtCapacity(limit)


def _limit_of(reviewer: User) -> int | None:
    """Return the most they hold at once. The row is held: two claims of theirs are counted one by one."""
    capacity = Capacity.objects.select_for_update().filter(user=reviewer).first()
    return capacity.most_held if capacity is not None else None
