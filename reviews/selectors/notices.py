"""What a person was told since they last looked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.contrib.auth.models import User

from hitl_site.lib.navigation import MOST_COUNTED
from reviews.models import Notice


@dataclass(frozen=True)
class Told:
    """The latest of the new notices, oldest first, ``more`` beside them, and how many are not seen yet.

    Counts are up to ``MOST_COUNTED`` and one.
    """

    fresh: Sequence[Notice]
    more: int
    unread: int
    latest: int


def told(person: User, *, after: int, most: int) -> Told:
    """Return what the person was told after the notice of that key, and has not seen: at most 4 queries."""
    own = Notice.objects.filter(user=person)
    new = own.filter(pk__gt=after, read_at=None)
    fresh = list(new.select_related("item").order_by("-pk")[:most])
    number = new.order_by("pk")[: MOST_COUNTED + 1].count() if len(fresh) == most else len(fresh)
    return Told(
        fresh=fresh[::-1],
        more=max(number - most, 0),
        unread=own.filter(read_at=None).order_by("pk")[: MOST_COUNTED + 1].count(),
        latest=own.order_by("-pk").values_list("pk", flat=True).first() or 0,
    )
