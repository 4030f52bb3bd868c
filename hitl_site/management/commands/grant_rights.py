"""``manage.py grant_rights``: give the application's role exactly the rights that it needs."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import ProgrammingError

from hitl_site import database_roles


class Command(BaseCommand):
    help = (
        "As the schema's owner (HANDRAIL_MIGRATION_DATABASE_URL), give the application's role (the user of"
        " DATABASE_URL) the rights that it needs and take all others away. migrate does it too."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--list", action="store_true", help="only print what would be granted")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["list"]:
            for table, allowed in database_roles.rights().items():
                self.stdout.write(f"{table}: {', '.join(allowed)}")
            return
        role = database_roles.application_role()
        try:
            with database_roles.as_owner():
                database_roles.grant(role)
        except (database_roles.SameRole, ProgrammingError) as problem:
            raise CommandError(str(problem).strip()) from None
        self.stderr.write(f"{role} has the rights of the application, and no others.", style_func=str)
