"""Who is signed in: the person together with their preferences, in one query."""

from __future__ import annotations

from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.models import User


class Backend(ModelBackend):
    """Django's own, that brings along what every page asks of the person."""

    def get_user(self, user_id: int) -> User | None:
        person = User.objects.select_related("preferences").filter(pk=user_id).first()
        return person if person is not None and self.user_can_authenticate(person) else None
