"""``manage.py replay_injection``: how far confidence and provenance stop injected orders."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from datasets.replay import plan
from datasets.replay.injection import study, tables
from datasets.replay.recording import InvalidRecording
from datasets.replay.report import Progress
from handrail import NotApproved
from hitl_site.lib.clock import database_now


class Command(BaseCommand):
    help = (
        "Ask the gate of a running site about every recorded action, without storing any, under three kinds"
        " of policy: a threshold of confidence, rules of provenance, and both. Prints tables in Markdown."
        " Declares action types and publishes policies: for a fresh stack (make replay-injection)."
    )

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("file", type=Path, help="the recording")
        parser.add_argument("--url", required=True, help="the running site, such as http://localhost:8000")
        parser.add_argument("--threshold", type=float, default=0.5, help="held under this score (0.5)")

    def handle(self, *args: object, **options: Any) -> None:
        progress: list[Progress] = []

        def show(done: int, total: int) -> None:
            if not progress:
                progress.append(Progress(total))
            progress[0].show(done)

        try:
            rounds = study.study(
                options["file"],
                url=options["url"],
                threshold=options["threshold"],
                clock=database_now,
                progress=show,
            )
        except (InvalidRecording, plan.CannotPrepare, NotApproved, ValueError) as error:
            raise CommandError(str(error)) from None
        if progress:
            progress[0].end()
        names = tables.names_of(rounds)
        domains = {name.partition(".")[0]: name.partition(".")[0] for name in names}
        self.stdout.write(tables.by_way(rounds, {"": "all", **domains}))
        self.stdout.write("\n" + tables.by_way(rounds, {name: name for name in names}))
