"""``manage.py rotate_permit_key``: a new key for signing permits, while everything runs."""

from __future__ import annotations

import re
from argparse import ArgumentParser, ArgumentTypeError
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand

from hitl_site.lib.clock import database_now
from policies.services.ledger import Actor
from reviews.services import permit_keys

_LONGEST = timedelta(days=366)
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


class Command(BaseCommand):
    help = (
        "Make a new key that signs permits from now on. Web processes take it up within a second or two. The"
        " private half of the old key is destroyed; its public half stays published for --retire-after, so"
        " that permits it signed can still be verified."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--retire-after",
            type=duration,
            default=permit_keys.OVERLAP,
            metavar="25h",
            help="how long the old keys stay published: 30m, 25h, 2d; 0 for a key that was stolen (default:"
            " 25h, longer than any permit lives)",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        rotation = permit_keys.rotate(
            retire_after=options["retire_after"], actor=Actor.system("command line"), now=database_now()
        )
        self.stdout.write(f"{rotation.kid} signs from now on.")
        for kid, moment in rotation.retiring:
            self.stdout.write(f"{kid} stays published until {moment:%Y-%m-%d %H:%M:%S} UTC.")
        for kid in rotation.removed:
            self.stdout.write(f"{kid} is no longer published.")


def duration(text: str) -> timedelta:
    """Return how long ``25h`` is."""
    found = re.fullmatch(r"(\d{1,8})([smhd]?)", text, re.ASCII)
    if found is None or (not found[2] and int(found[1])):
        raise ArgumentTypeError("a number and s, m, h or d, such as 25h; or 0")
    time = timedelta(**{_UNITS[found[2] or "s"]: int(found[1])})
    if time > _LONGEST:
        raise ArgumentTypeError("at most 366d")
    return time
