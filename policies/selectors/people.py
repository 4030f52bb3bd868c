"""Questions about people: who of them may publish policies."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from django.contrib.auth.models import User

MANAGE: Final = "policies.manage_policies"


def managers_among(ids: Collection[int]) -> dict[int, User]:
    """Return those of these people who may publish at this moment, by their number."""
    return holders_among(ids, MANAGE)


def holders_among(ids: Collection[int], right: str) -> dict[int, User]:
    """Return those of these people who have the right at this moment, by their number."""
    from django.contrib.auth.models import User

    # New instances: Django caches permissions on the one that came with a request.
    people = User.objects.filter(pk__in=sorted(set(ids)), is_active=True)
    return {person.pk: person for person in people if person.has_perm(right)}
