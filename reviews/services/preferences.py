"""What a person sets for themselves, kept on the server so that it goes with them from browser to browser."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.contrib.auth.models import User

from reviews.models import Preferences
from reviews.selectors import keys as keyboard


class UnableToSet(Exception):
    """The keys cannot be so. Nothing has changed."""


def change(*, person: User, now: datetime, **values: Any) -> Preferences:
    """Set some of the person's preferences; the others stay."""
    settings, _ = Preferences.objects.update_or_create(user=person, defaults={**values, "updated_at": now})
    return settings


def change_keys(*, person: User, given: dict[str, str], now: datetime) -> Preferences:
    """Give acts other keys. Raises ``UnableToSet`` where one is no key, is kept, or is given twice."""
    problem = keyboard.problem_with(given)
    if problem:
        raise UnableToSet(problem)
    return change(person=person, now=now, keys=keyboard.changed_only(given))
