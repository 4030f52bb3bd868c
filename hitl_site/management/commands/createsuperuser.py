"""``manage.py createsuperuser``: Django's own would make an account that is on no record."""

from __future__ import annotations

from typing import Any, NoReturn

from django.core.management.base import BaseCommand, CommandError


class Command(BaseCommand):
    help = "Not used here: see manage.py create_user NAME --superuser."

    def handle(self, *args: Any, **options: Any) -> NoReturn:
        raise CommandError("Use manage.py create_user NAME --superuser, which keeps the record.")
