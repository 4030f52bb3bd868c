"""Questions about people and queues: to whom an item can be passed on."""

from __future__ import annotations

from django.contrib.auth.models import Permission, User
from django.db.models import Q, QuerySet

from reviews.models import Queue, ReviewItem


def reviewers() -> QuerySet[User]:
    """Return everybody who may decide review items now."""
    right = Permission.objects.filter(content_type__app_label="reviews", codename="review_item")
    return (
        User.objects.filter(is_active=True)
        .filter(Q(is_superuser=True) | Q(user_permissions__in=right) | Q(groups__permissions__in=right))
        .distinct()
    )


def receivers_of(item: ReviewItem, *, sender: User) -> QuerySet[User]:
    """Return the reviewers to whom the item can go: not the sender, not the owner of its agent."""
    people = reviewers().exclude(pk=sender.pk).order_by("first_name", "username")
    owner = item.agent.owner_id
    return people.exclude(pk=owner) if owner is not None else people


def queues_for(item: ReviewItem) -> QuerySet[Queue]:
    """Return the other queues, by name."""
    return Queue.objects.exclude(pk=item.queue_id).order_by("name", "id")
