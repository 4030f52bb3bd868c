"""``manage.py changepassword NAME``: in place of Django's own, whose change would be on no record."""

from __future__ import annotations

import getpass
import sys
from argparse import ArgumentParser
from typing import Any

from django.contrib.auth.models import User
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError

from hitl_site.lib.clock import database_now
from policies.services import accounts
from policies.services.ledger import Actor


class Command(BaseCommand):
    help = "Give somebody another password, asked for twice, or the first line of stdin (--password-stdin)."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", help="the name they sign in with")
        parser.add_argument("--password-stdin", action="store_true", help="read the password from stdin")

    def handle(self, *args: Any, **options: Any) -> None:
        user = User.objects.filter(username=options["name"]).first()
        if user is None:
            raise CommandError(f"There is no user named {options['name']}.")
        # Nothing is locked while somebody types.
        password = sys.stdin.readline().rstrip("\r\n") if options["password_stdin"] else _asked_twice()
        if not password:
            raise CommandError("No password was given.")
        try:
            validate_password(password, user)
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from None
        accounts.set_password(
            user=user, password=password, actor=Actor.system("command line"), now=database_now()
        )
        self.stderr.write(f"{user.get_username()} has another password.", style_func=str)


def _asked_twice() -> str:
    first = getpass.getpass("Password: ")
    if first != getpass.getpass("Password (again): "):
        raise CommandError("These were two different passwords.")
    return first
