"""``manage.py stop``: the kill switch from the command line. It needs the database, and nothing else."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from hitl_site.lib.clock import database_now
from policies.choices import KillSwitchScope
from policies.selectors import action_types, kill_switches
from policies.selectors import agents as found
from policies.services import drills, kill_switch
from policies.services.ledger import Actor

_SCOPES = {
    "everything": KillSwitchScope.EVERYTHING,
    "agent": KillSwitchScope.AGENT,
    "action-type": KillSwitchScope.ACTION_TYPE,
}


class Command(BaseCommand):
    help = (
        "Stop everything, one agent or one action type. Once it says so, nothing in scope is allowed and no"
        " permit is used up. Exit code 0: it is stopped; 1: it is not, and why; 2: the command line is wrong."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("scope", choices=[*_SCOPES], help="what stops")
        parser.add_argument("name", nargs="?", default="", help="the agent's or the action type's name")
        parser.add_argument("--reason", required=True, help="everybody reads it on top of every page")
        manner = parser.add_mutually_exclusive_group()
        manner.add_argument(
            "--reject-pending", action="store_true", help="close what waits for a person in the scope: denied"
        )
        manner.add_argument(
            "--drill",
            action="store_true",
            help="stop for real, measure how long it takes to hold, and lift the stop again",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        scope, name = _SCOPES[options["scope"]], options["name"]
        if (scope == KillSwitchScope.EVERYTHING) == bool(name):
            raise CommandError("Name one agent or one action type; everything has no name.", returncode=2)
        agent = found.by_name(name) if scope == KillSwitchScope.AGENT else None
        action_type = action_types.by_name(name) if scope == KillSwitchScope.ACTION_TYPE else None
        if name and agent is None and action_type is None:
            raise CommandError(f"There is no {options['scope'].replace('-', ' ')} named {name}.")
        named = {"scope": scope, "agent": agent, "action_type": action_type, "reason": options["reason"]}
        actor = Actor.system("command line")
        try:
            if options["drill"]:
                drill = drills.drill(**named, actor=actor)
                self.stdout.write(f"It held after {drill.held_after_ms} ms, and is lifted again.")
                return
            stop = kill_switch.engage(
                **named, actor=actor, reject_pending=options["reject_pending"], now=database_now()
            )
        except (kill_switch.InvalidStop, kill_switch.AlreadyStopped, drills.DidNotHold) as problem:
            raise CommandError(str(problem)) from None
        self.stdout.write(f"{kill_switches.what(stop)}.")
        self.stdout.write(f"Lift it with: manage.py lift {stop.public_id} --reason ...")
