"""``manage.py simulate``: an agent world through the real product, on servers that are made for it."""

from __future__ import annotations

import argparse
import hashlib
import os
import subprocess
import sys
from typing import Any, Final

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import connection

from datasets.replay.report import Progress
from datasets.simulation.running import Run, run
from datasets.simulation.stage import Rules
from datasets.simulation.table import story, table
from datasets.simulation.world import WORLDS, Crew
from hitl_site import servers

# What would lead to an operator's database or keys: the servers of a simulation know none of them.
_NOT_PASSED_ON: Final = (
    "DATABASE_URL",
    "REDIS_URL",
    "HANDRAIL_HOME",
    "HANDRAIL_MIGRATION_DATABASE_URL",
    "HANDRAIL_PERMIT_KEYS",
    "HANDRAIL_CHECKPOINT_KEYS",
)


class Command(BaseCommand):
    help = (
        "Have a simulated agent propose thousands of actions to the real product, with reviewers who miss"
        " errors and answer late, and print what the ladder made of it. Starts servers of its own and removes"
        " them afterwards: it never touches a database that holds anything."
    )

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument(
            "--world", choices=[*WORLDS, "all"], default="all", help="which agent (all, one after the other)"
        )
        parser.add_argument("--actions", type=_count, default=5_000, metavar="N", help="in each run (5000)")
        parser.add_argument("--seed", type=int, default=1, help="of the first run (1)")
        parser.add_argument("--runs", type=_count, default=1, metavar="N", help="of each world (1)")
        parser.add_argument(
            "--per-day", type=float, default=60.0, metavar="N", help="actions of a simulated day (60)"
        )
        parser.add_argument("--catch-rate", type=float, default=0.9, help="of errors by reviewers (0.9)")

    def handle(self, *args: object, **options: Any) -> None:
        if os.environ.get(servers.THROWAWAY) != "1":
            self._on_own_servers(options)
            return
        _refuse_what_holds_anything()
        call_command("migrate", interactive=False, verbosity=0)
        worlds = list(WORLDS.values()) if options["world"] == "all" else [WORLDS[options["world"]]]
        crew, rules = Crew(catch_rate=options["catch_rate"]), Rules(per_day=options["per_day"])
        runs: list[Run] = []
        for world in worlds:
            for seed in range(options["seed"], options["seed"] + options["runs"]):
                bar = Progress(options["actions"], out=self.stderr)  # type: ignore[arg-type]  # it writes as a text stream does
                self.stderr.write(f"{world.title}, seed {seed}", style_func=str)
                told = run(
                    world,
                    actions=options["actions"],
                    seed=seed,
                    rules=rules,
                    crew=crew,
                    progress=bar.show,
                )
                bar.end()
                runs.append(told)
                self.stdout.write(story(told) + "\n")
        self.stdout.write(table(runs))
        if not all(told.intact for told in runs):
            raise CommandError("The ledger is not intact.")

    def _on_own_servers(self, options: dict[str, Any]) -> None:
        """Run the same command again in an environment that knows of no other database."""
        command = [sys.executable, str(settings.BASE_DIR / "manage.py"), "simulate"]
        for name in ("world", "actions", "seed", "runs", "per_day", "catch_rate"):
            command += [f"--{name.replace('_', '-')}", str(options[name])]
        for name in _NOT_PASSED_ON:
            os.environ.pop(name, None)
        with servers.ephemeral() as environment:
            # The draws of the gate are made with a secret: this one makes a run the same each time.
            secret = hashlib.sha256(b"a simulation has nothing to hide").hexdigest()
            done = subprocess.run(command, env={**environment, "HANDRAIL_SECRET_KEY": secret}, check=False)  # noqa: S603 - our own command, no shell
        if done.returncode:
            raise SystemExit(done.returncode)


def _refuse_what_holds_anything() -> None:
    """Raise ``CommandError`` where there is a single table: a simulation makes its own."""
    found = connection.introspection.table_names()
    if found:
        raise CommandError(
            f"The database {connection.settings_dict['NAME']} holds {len(found):,} tables."
            " A simulation runs in an empty one."
        )


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("at least 1")
    return number
