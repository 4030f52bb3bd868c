"""``manage.py lift``: end a stop from the command line. It needs the database, and nothing else."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from hitl_site.lib.clock import database_now
from policies.models import KillSwitch
from policies.selectors import kill_switches
from policies.services import kill_switch
from policies.services.ledger import Actor


class Command(BaseCommand):
    help = (
        "Lift a stop. Whoever has the operator's shell lifts alone; the ledger says that it was done here."
        " Exit code 0: it is lifted; 1: it is not, and why."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("id", help="the stop's id, as the page and the command `stop` show it")
        parser.add_argument("--reason", required=True, help="why it is lifted: others will read it")

    def handle(self, *args: Any, **options: Any) -> None:
        stop = KillSwitch.objects.filter(public_id=options["id"]).first()
        if stop is None:
            live = [f"{each.public_id} ({kill_switches.what(each)})" for each in kill_switches.live()]
            raise CommandError(f"There is no such stop. In force: {', '.join(live) or 'none'}.")
        try:
            kill_switch.lift(
                kill_switch=stop,
                reason=options["reason"],
                actor=Actor.system("command line"),
                now=database_now(),
            )
        except (kill_switch.InvalidStop, kill_switch.NotEngaged) as problem:
            raise CommandError(str(problem)) from None
        self.stdout.write("Lifted. What the stop denied stays denied.")
