"""``manage.py verify_ledger``: recompute the chain of the ledger."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from policies.services import ledger


class Command(BaseCommand):
    help = (
        "Recompute every hash of the ledger. Exits 0 when the chain holds; else 1, with the first number"
        " (seq) that does not. Compare the last hash with one kept elsewhere: that shows a cut-off end."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--progress", action="store_true", help="say on stderr how far it has come, every 1,000 links"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        result = ledger.verify(progress=self._say if options["progress"] else None)
        if not result.is_intact:
            raise CommandError(
                f"The ledger does not hold at seq {result.first_bad_seq}: {result.problem}"
                f" {result.verified} links before it hold.",
                returncode=1,
            )
        self.stdout.write(f"The ledger holds: {result.verified} links, last hash {result.last_hash}.")

    def _say(self, verified: int) -> None:
        self.stderr.write(f"{verified} links hold so far", style_func=str)
