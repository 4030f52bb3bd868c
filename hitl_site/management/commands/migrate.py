"""``manage.py migrate``: as the schema's owner where there is one, then the application's rights."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.commands import migrate
from django.db import connection

from hitl_site import database_roles


class Command(migrate.Command):
    def handle(self, *args: Any, **options: Any) -> None:
        role = database_roles.application_role()
        with database_roles.as_owner():
            with connection.cursor() as cursor:
                cursor.execute("SET statement_timeout = 0")  # the limit of requests is none for a schema
            super().handle(*args, **options)
            with connection.cursor() as cursor:
                cursor.execute("RESET statement_timeout")
            if settings.MIGRATION_DATABASE_URL and not (options["plan"] or options["check_unapplied"]):
                database_roles.grant(role)
