"""``manage.py create_user``: somebody who can sign in, with the rights of groups."""

from __future__ import annotations

import secrets
import sys
from argparse import ArgumentParser
from typing import Any

from django.contrib.auth.models import Group, User
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.db import IntegrityError

from hitl_site.groups import GROUPS
from hitl_site.lib import env
from hitl_site.lib.clock import database_now
from policies.services import accounts
from policies.services.ledger import Actor

PASSWORD_VARIABLE = "HANDRAIL_USER_PASSWORD"  # noqa: S105 - the name of it, not a password


class Command(BaseCommand):
    help = (
        f"Make somebody who can sign in. The password is the first line of stdin (--password-stdin), else"
        f" {PASSWORD_VARIABLE}, else a random one, printed alone on the last line."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", help="the name to sign in with")
        parser.add_argument(
            "--group",
            action="append",
            default=[],
            metavar="GROUP",
            help=f"what they may do: {', '.join(GROUPS)}; may be given several times",
        )
        parser.add_argument("--email", default="")
        parser.add_argument("--superuser", action="store_true", help="they may do everything")
        parser.add_argument("--password-stdin", action="store_true", help="read the password from stdin")

    def handle(self, *args: Any, **options: Any) -> None:
        groups = self._groups(options["group"])
        given = self._given_password(from_stdin=options["password_stdin"])
        password = given or secrets.token_urlsafe(12)
        try:
            validate_password(password, User(username=options["name"], email=options["email"]))
            user = accounts.make_person(
                name=options["name"],
                password=password,
                email=options["email"],
                groups=groups,
                is_superuser=options["superuser"],
                actor=Actor.system("command line"),
                now=database_now(),
            )
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from None
        except IntegrityError:
            raise CommandError(f"There is a user named {options['name']} already.") from None
        names = ", ".join(group.name for group in groups) or "no group"
        rights = "superuser" if options["superuser"] else names
        self.stderr.write(f"Made the user {user.get_username()} ({rights}).", style_func=str)
        if not given:
            self.stderr.write("The password is shown this once:", style_func=str)
            self.stdout.write(password)

    def _groups(self, names: list[str]) -> list[Group]:
        found = {group.name: group for group in Group.objects.filter(name__in=names)}
        unknown = [name for name in names if name not in found]
        if unknown:
            known = ", ".join(Group.objects.order_by("name").values_list("name", flat=True))
            raise CommandError(f"There is no group named {', '.join(unknown)}; there are {known}.")
        return list(found.values())

    def _given_password(self, *, from_stdin: bool) -> str:
        if not from_stdin:
            return env.text(PASSWORD_VARIABLE)
        password = sys.stdin.readline().rstrip("\r\n")
        if not password:
            raise CommandError("No password came in on stdin.")
        return password
