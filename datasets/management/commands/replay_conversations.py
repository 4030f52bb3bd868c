"""``manage.py replay_conversations``: what an audit of whole conversations finds, against the truth."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from datasets.replay.conversations import replay
from handrail import NotApproved


class Command(BaseCommand):
    help = (
        "Close recorded conversations (JSON Lines, gzip or plain) through a running site over HTTP, answer"
        " those that it draws by the recorded truth, and hold the omission rate against the truth of all."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path, help="the recording")
        parser.add_argument("--url", required=True, help="the running site, such as http://localhost:8000")
        parser.add_argument("--share", type=float, default=0.2, help="share of them that is read (0.2)")

    def handle(self, *args: object, **options: Any) -> None:
        try:
            lines = replay(options["file"], url=options["url"], share=options["share"])
        except (OSError, ValueError, KeyError, NotApproved) as error:
            raise CommandError(f"{type(error).__name__}: {error}") from None
        self.stdout.write("agent     closed  read  missing   rate   range (95%)       truth   holds")
        for line in lines:
            rate = 0.0 if line.rate is None else line.rate
            self.stdout.write(
                f"{line.agent:<9} {line.closed:>6} {line.drawn:>5} {line.found:>8} {rate:>6.1%}"
                f"   {line.low:.1%} to {line.high:.1%}   {line.truth:>6.1%}   {'yes' if line.holds else 'no'}"
            )
