"""``manage.py create_agent``: an agent, and a key for it."""

from __future__ import annotations

from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from hitl_site.lib.clock import database_now
from policies.choices import AGENT_SCOPES
from policies.selectors import agents as found
from policies.services import agents
from policies.services.ledger import Actor


class Command(BaseCommand):
    help = (
        "Register an agent and make a key for it, shown this once. Where the agent is there already, it gets"
        " a further key, so that keys can be changed without a pause."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", help="the agent's name, as it stands in digests and on pages")
        parser.add_argument(
            "--scopes",
            default=",".join(AGENT_SCOPES),
            metavar="A,B",
            help="what the key may be used for (default: %(default)s)",
        )
        parser.add_argument(
            "--environments", default="", metavar="A,B", help="limit the key to these (default: any)"
        )
        parser.add_argument("--expires-days", type=int, metavar="N", help="the key ends after N days")
        parser.add_argument("--description", default="", help="what the agent does, for a new one")
        parser.add_argument("--owner", default="", metavar="USERNAME", help="who answers for a new one")
        keys = parser.add_mutually_exclusive_group()
        keys.add_argument(
            "--print-key", action="store_true", help="print the key alone to stdout, all else to stderr"
        )
        keys.add_argument("--no-key", action="store_true", help="make no key")

    def handle(self, *args: Any, **options: Any) -> None:
        now = database_now()
        actor = Actor.system("command line")
        days: int | None = options["expires_days"]
        if days is not None and days < 1:
            raise CommandError("--expires-days is a whole number from 1 up.")
        say = self.stderr if options["print_key"] else self.stdout
        owner = _user(options["owner"])
        try:
            # Both or neither: a name with a misspelt scope leaves no agent behind.
            with transaction.atomic():
                agent = found.by_name(options["name"].strip())
                is_new = agent is None
                if agent is None:
                    agent = agents.create_agent(
                        name=options["name"],
                        owner=owner,
                        description=options["description"],
                        actor=actor,
                        now=now,
                    )
                token = ""
                if not options["no_key"]:
                    _, token = agents.create_key(
                        agent=agent,
                        scopes=_parts(options["scopes"]),
                        environments=_parts(options["environments"]),
                        expires_at=now + timedelta(days=days) if days is not None else None,
                        actor=actor,
                        now=now,
                    )
        except (agents.UnableToCreateAgent, agents.UnableToCreateKey) as error:
            raise CommandError(str(error)) from None
        done = "Made" if is_new else "Found"
        say.write(f"{done} the agent {agent.name} ({agent.public_id}).", style_func=str)
        if token:
            say.write("Its key is shown this once; keep it where the agent finds it:", style_func=str)
            self.stdout.write(token)


def _parts(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _user(username: str) -> Any:
    if not username:
        return None
    user = get_user_model().objects.filter(username=username).first()
    if user is None:
        raise CommandError(f"There is no user named {username}.")
    return user
