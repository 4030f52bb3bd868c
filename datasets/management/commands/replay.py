"""``manage.py replay``: recorded behaviour of agents through the running product, and what became of it."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from datasets.replay import confidence, every_format, omissions, plan
from datasets.replay.browser import Unreachable
from datasets.replay.export_check import Checked, NotExported, export_and_check, export_by_worker
from datasets.replay.html_forms import NoSuchControl
from datasets.replay.omissions import LeftUndone
from datasets.replay.reconciliation import Found, reconcile
from datasets.replay.recording import InvalidRecording
from datasets.replay.report import Figures, table
from datasets.replay.reviewer import CannotSignIn
from datasets.replay.run import Replayed, replay
from datasets.services.conversations import BadShare
from hitl_site.lib.clock import database_now

MOST_PROBLEMS_SHOWN = 40


class Command(BaseCommand):
    help = (
        "Feed recorded behaviour of agents (JSON Lines, gzip or plain) through a running site over HTTP."
        " Agents propose with the client, scripted reviewers decide on the pages by the recording's ground"
        " truth. Runs beside the site, on its DATABASE_URL. Exits with 1 when anything was lost, decided"
        " twice, or ran other than as decided. Running it again goes on where it stopped."
    )

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("file", type=Path, help="the recording")
        parser.add_argument("--url", required=True, help="the running site, such as http://localhost:8000")
        parser.add_argument("--limit", type=_count, metavar="N", help="only the first N records")
        parser.add_argument(
            "--seed", type=int, help="with --limit: N records drawn at random, the same each time"
        )
        parser.add_argument("--speed", type=float, metavar="R", help="at most R proposals a second")
        parser.add_argument("--reviewers", type=_count, default=2, metavar="N", help="how many (2)")
        parser.add_argument(
            "--threshold", type=float, default=0.9, help="held under this judge's score (0.9)"
        )
        parser.add_argument(
            "--audit-rate", type=float, default=0.05, help="share of allowed ones checked (0.05)"
        )
        parser.add_argument(
            "--export", type=Path, metavar="DIR", help="then export the cases there and check them"
        )
        parser.add_argument(
            "--every-format",
            action="store_true",
            help="with --export: in every format there is, into DIR/formats, with a table of counts",
        )
        parser.add_argument(
            "--conversations",
            type=Path,
            metavar="FILE",
            help="then close these recorded conversations, read those that are drawn, and hold the omission"
            " rate against the truth of all; what was missing is exported with the rest",
        )
        parser.add_argument(
            "--conversation-share",
            type=float,
            default=0.2,
            metavar="SHARE",
            help="with --conversations: share of them that is read (0.2)",
        )

    def handle(self, *args: object, **options: Any) -> None:
        path: Path = options["file"]
        if options["every_format"] and options["export"] is None:
            raise CommandError("--every-format needs --export: where do the files go?")
        settings = plan.Settings(
            threshold=options["threshold"],
            audit_rate=options["audit_rate"],
            reviewers=options["reviewers"],
            conversation_share=options["conversation_share"],
        )
        try:
            settings.policy()
            replayed = replay(
                path,
                url=options["url"],
                settings=settings,
                limit=options["limit"],
                seed=options["seed"],
                speed=options["speed"],
                conversations=options["conversations"],
            )
        except (
            BadShare,
            InvalidRecording,
            plan.CannotPrepare,
            CannotSignIn,
            Unreachable,
            NoSuchControl,
            ValueError,
        ) as error:
            raise CommandError(str(error)) from None
        found = reconcile(replayed.played)
        self.stdout.write(table(found.lines, _figures(replayed, found)))
        records = [one.record for one in replayed.played]
        self.stdout.write("\n" + confidence.section("judge's score", confidence.judged(records)))
        self.stdout.write(confidence.section("agents' own score", confidence.own(records)))
        problems = [*found.problems, *(problem for tally in replayed.tallies for problem in tally.problems)]
        if replayed.left_undone is not None:
            self._say_what_was_left_undone(replayed.left_undone)
            problems += replayed.left_undone.problems
        if options["export"] is not None:
            problems += self._export(
                replayed, path, options["export"], every_format_too=options["every_format"]
            )
        if problems:
            shown = "\n".join(problems[:MOST_PROBLEMS_SHOWN])
            more = len(problems) - MOST_PROBLEMS_SHOWN
            rest = f"\nand {more:,} more" if more > 0 else ""
            raise CommandError(f"{len(problems):,} problems:\n{shown}{rest}")
        self.stdout.write("\nNothing was lost, nothing decided twice, and what ran is what was decided.")

    def _say_what_was_left_undone(self, found: LeftUndone) -> None:
        line = found.together()
        self.stdout.write(
            f"\n{line.closed:,} conversations closed, {line.read:,} drawn and read, {line.missing:,} of these"
            f" with something missing: {found.omissions:,} calls that should have been made\n"
        )
        self.stdout.write(omissions.table(found))

    def _export(self, replayed: Replayed, path: Path, folder: Path, *, every_format_too: bool) -> list[str]:
        now = database_now()
        missed = {} if replayed.left_undone is None else replayed.left_undone.missed
        name = f"Replay of {path.name.removesuffix('.gz')[:60]} {now:%Y-%m-%d %H:%M:%S}"
        try:
            checked = export_and_check(replayed.played, missed, name=name, folder=folder, now=now)
            self.stdout.write(
                f"\nexported {checked.rows:,} cases to {checked.path};"
                f" {checked.corrected:,} corrected ones compared with the recording: input, what the agent"
                " did, what it should have done"
                + (f"; {checked.omissions:,} omissions, each with its conversation" if missed else "")
            )
            more = self._export_in_every_format(checked, folder / "formats") if every_format_too else []
        except NotExported as error:
            return [str(error)]
        return [*checked.problems, *more]

    def _export_in_every_format(self, checked: Checked, folder: Path) -> list[str]:
        found = every_format.export_in_every_format(
            checked.version,
            folder=folder,
            make=lambda format: export_by_worker(checked.version, format=format, now=database_now()),
        )
        self.stdout.write(f"\nin every format, in {folder}, each as its manifest says:")
        self.stdout.write(every_format.table(found))
        return [problem for one in found for problem in one.problems]


def _figures(replayed: Replayed, found: Found) -> Figures:
    return Figures(
        decisions=sum(tally.decisions for tally in replayed.tallies),
        # Reviewers work at once: their rates add up, so their times are averaged.
        reviewing_seconds=sum(tally.busy_seconds for tally in replayed.tallies) / len(replayed.tallies),
        reviewers=len(replayed.tallies),
        gate_ms=[one.gate_ms for one in replayed.played if one.action_id],
        audits=sum(line.audits for line in found.lines.values()),
        seconds=replayed.seconds,
    )


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("at least 1")
    return number
