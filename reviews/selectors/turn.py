"""Where an item stands in a reviewer's turn, and who else is looking at it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.contrib.auth.models import User
from django.db.models import Count, Exists, OuterRef, Q
from django.utils.translation import gettext

from reviews.models import ItemView, ReviewItem
from reviews.selectors import inbox

# A page that is open tells so twice a minute (static/js/attention.js).
PRESENT = timedelta(seconds=75)
# After that they are away, unless they have gone on to something else.
AWAY = timedelta(minutes=5)


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
    away: bool = False

    @property
    def words(self) -> str:
        """Return what they are doing."""
        if self.away:
            return gettext("is away")
        return gettext("is editing too") if self.editing else gettext("is looking too")


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
    """Return who else has this item open, each once: looking, editing, or away from it for a while."""
    later = ItemView.objects.filter(reviewer=OuterRef("reviewer"), opened_at__gt=OuterRef("opened_at"))
    views = (
        ItemView.objects.filter(item=item, last_seen_at__gt=now - AWAY)
        .exclude(reviewer=person)
        .filter(Q(last_seen_at__gt=now - PRESENT) | ~Exists(later.exclude(item=item)))
        .select_related("reviewer")
        .order_by("-last_seen_at")[:20]
    )
    found: dict[str, Presence] = {}
    for view in views:
        name, away = name_of(view.reviewer), view.last_seen_at <= now - PRESENT
        before = found.get(name)
        found[name] = Presence(
            name=name,
            editing=(view.editing and not away) or (before is not None and before.editing),
            away=away and (before is None or before.away),
        )
    return tuple(found.values())


def name_of(person: User) -> str:
    """Return how a person is called on the pages."""
    return person.get_full_name() or person.get_username()
