"""``manage.py after_restore``: what has to be done before anything runs on a restored database."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from hitl_site.lib.clock import database_now
from policies.services.kill_switch import InvalidStop
from policies.services.ledger import Actor
from reviews.services import restores


class Command(BaseCommand):
    help = (
        "Stop everything and take back every permit that is out: a database restored from a backup does not"
        " know which of them were used since. Run it before web and worker start. It may be repeated."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--reason", required=True, help="everybody reads it on top of every page")
        parser.add_argument(
            "--reject-pending",
            action="store_true",
            help="close what waits for a person: it may have been decided and run since the backup",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            done = restores.begin_anew(
                reason=options["reason"],
                reject_pending=options["reject_pending"],
                actor=Actor.system("command line"),
                now=database_now(),
            )
        except InvalidStop as problem:
            raise CommandError(str(problem)) from None
        self.stdout.write(f"Everything is stopped. Permits taken back: {done.revoked}.")
        self.stdout.write(f"Lift it with: manage.py lift {done.stop.public_id} --reason ...")
