"""Where an item stands in a reviewer's turn, and who else is looking at it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.contrib.auth.models import User
from django.db.models import Count, Q

from reviews.models import ItemView, ReviewItem
from reviews.selectors import inbox

# A page that is open tells so twice a minute (static/js/attention.js).
PRESENT = timedelta(seconds=75)


@dataclass(frozen=True)
class Turn:
    """``position`` counts from 1, and is None for an item that does not wait for the person."""

    position: int | None
    total: int
    previous_id: str | None
    next_id: str | None


@dataclass(frozen=True)
class Presence:
    name: str
    editing: bool


def turn_of(item: ReviewItem, person: User, *, view: inbox.View | None = None) -> Turn:
    """Return the item's place among what waits for the person (in one view of the inbox): due first."""
    waiting = inbox.my_turn(person, view=view)
    before = Q(due_at__lt=item.due_at) | Q(due_at=item.due_at, pk__lt=item.pk)
    after = Q(due_at__gt=item.due_at) | Q(due_at=item.due_at, pk__gt=item.pk)
    counted = waiting.aggregate(
        total=Count("pk"), before=Count("pk", filter=before), here=Count("pk", filter=Q(pk=item.pk))
    )
    ids = waiting.values_list("public_id", flat=True)
    return Turn(
        position=counted["before"] + 1 if counted["here"] else None,
        total=counted["total"],
        previous_id=ids.filter(before).order_by("-due_at", "-pk").first(),
        next_id=ids.filter(after).order_by("due_at", "pk").first(),
    )


def others_at(item: ReviewItem, person: User, *, now: datetime) -> tuple[Presence, ...]:
    """Return who else has this item open now, each once."""
    views = (
        ItemView.objects.filter(item=item, last_seen_at__gt=now - PRESENT)
        .exclude(reviewer=person)
        .select_related("reviewer")
        .order_by("-last_seen_at")[:20]
    )
    editing: dict[str, bool] = {}
    for view in views:
        name = name_of(view.reviewer)
        editing[name] = editing.get(name, False) or view.editing
    return tuple(Presence(name=name, editing=is_editing) for name, is_editing in editing.items())


def name_of(person: User) -> str:
    """Return how a person is called on the pages."""
    return person.get_full_name() or person.get_username()
