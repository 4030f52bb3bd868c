"""``manage.py catalogs``: the texts of the console in other languages."""

from __future__ import annotations

from pathlib import Path

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from hitl_site import catalogs


class Command(BaseCommand):
    help = (
        "merge: bring the catalogues in line with the sources. check: say what they lack."
        " compile: write what the site reads."
    )
    requires_system_checks = ()  # no database is needed

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("act", choices=("merge", "check", "compile"))

    def handle(self, *args: object, **options: object) -> None:
        base = Path(settings.BASE_DIR)
        if options["act"] == "compile":
            self.stdout.write(f"{catalogs.compile_all(base)} catalogues compiled.")
            return
        both = [(app, language) for app in catalogs.APPS for language in catalogs.LANGUAGES]
        if options["act"] == "merge":
            for app, language in both:
                catalogs.merge(base, app, language)
        found = [fault for app, language in both for fault in catalogs.faults(base, app, language)]
        for fault in found:
            self.stdout.write(str(fault))
        if found:
            raise CommandError(f"{len(found)} texts need words. They stand above.")
        self.stdout.write("Every text has its words.")
