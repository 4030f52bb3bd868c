"""``manage.py verify_ledger``: recompute the chain of the ledger, and compare it with signed checkpoints."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from hitl_site.lib.signed_note import InvalidKey, VerifierKey
from policies.services import checkpoints, ledger


class Command(BaseCommand):
    help = (
        "Recompute every hash of the ledger. Exits 0 when the chain holds; else 1, with the first number"
        " (seq) that does not. A chain that was cut off or computed anew holds too: --checkpoints compares it"
        " with what was signed earlier and kept elsewhere."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--progress", action="store_true", help="say on stderr how far it has come, every 1,000 links"
        )
        parser.add_argument(
            "--checkpoints", type=Path, metavar="FILE", help="signed checkpoints, as they were kept elsewhere"
        )
        parser.add_argument(
            "--key",
            action="append",
            default=[],
            metavar="KEY",
            help="a public key (name+id+base64) that you kept: every checkpoint must be signed by one of"
            " them. Without it the keys that this installation names are believed. May be repeated.",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["key"] and not options["checkpoints"]:
            raise CommandError("--key is for --checkpoints.")
        result = ledger.verify(progress=self._say if options["progress"] else None)
        if not result.is_intact:
            raise CommandError(
                f"The ledger does not hold at seq {result.first_bad_seq}: {result.problem}"
                f" {result.verified} links before it hold.",
                returncode=1,
            )
        if options["checkpoints"]:
            self._compare(options["checkpoints"], options["key"])
        self.stdout.write(f"The ledger holds: {result.verified} links, last hash {result.last_hash}.")

    def _compare(self, path: Path, texts: list[str]) -> None:
        try:
            notes = path.read_text(encoding="utf-8", errors="replace")
            keys = tuple(VerifierKey.parse(text) for text in texts) or checkpoints.known_keys()
        except OSError as problem:
            raise CommandError(f"The checkpoints cannot be read: {problem.strerror}.") from None
        except InvalidKey as problem:
            raise CommandError(str(problem)) from None
        found = checkpoints.compare(notes=notes, keys=keys, strict=bool(texts))
        if not found.holds:
            where = "" if found.first_bad_seq is None else f" at seq {found.first_bad_seq}"
            raise CommandError(
                f"The ledger is not the one of the checkpoints{where}: {found.problem}", returncode=1
            )
        if not found.compared:
            raise CommandError("The file holds no checkpoint.", returncode=1)
        unsigned = found.compared - found.signed
        note = f" ({unsigned} by a key that is not known here)" if unsigned else ""
        self.stdout.write(f"It agrees with {found.compared} checkpoints{note}.")

    def _say(self, verified: int) -> None:
        self.stderr.write(f"{verified} links hold so far", style_func=str)
