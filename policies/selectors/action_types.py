"""Questions about action types."""

from __future__ import annotations

from django.db.models import QuerySet

from policies.models import ActionType


def by_name(name: str) -> ActionType | None:
    """Return the action type of this name, or None where nobody declared it."""
    return ActionType.objects.filter(name=name).first()


def all_by_title() -> QuerySet[ActionType]:
    """Return every action type as a page lists them."""
    return ActionType.objects.order_by("title", "name")
