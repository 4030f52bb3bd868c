"""``manage.py export_dataset``: a dataset into a file or to a destination, with a bar and no worker."""

from __future__ import annotations

import argparse
import sys
from datetime import datetime
from pathlib import Path
from typing import Any, NoReturn

from django.core.management.base import BaseCommand, CommandError

from datasets.choices import ExportFormat, ExportState, Label, LabelStrength, Split
from datasets.exporters import registry
from datasets.models import Dataset, DatasetVersion, Export
from datasets.selectors import exports
from datasets.selectors.selection import InvalidSelection, Selection
from datasets.services import compression, datasets, export_files, export_turns, exporting, freezing
from datasets.services.exporting import Order, Ran
from hitl_site.lib.clock import database_now

# Short, so that the bar moves.
SLICE_SECONDS = 0.5
BAR_WIDTH = 30


class Command(BaseCommand):
    help = (
        "Export a dataset's last version (or a new one, with --freeze) to a file or a folder, its manifest "
        "and data card beside it, or to a destination that HANDRAIL_EXPORT_DESTINATIONS allows."
    )

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("name", help="the name of the dataset")
        place = parser.add_mutually_exclusive_group(required=True)
        place.add_argument("--out", type=Path, metavar="FILE", help="where the file (or the folder) goes")
        place.add_argument("--to", metavar="URL", help="a destination, such as s3://bucket/handrail/refunds")
        parser.add_argument("--create", action="store_true", help="make the dataset when there is none")
        parser.add_argument(
            "--action-type",
            action="append",
            default=[],
            metavar="TYPE",
            help="with --create: only cases of this action type (may be given again; default: all)",
        )
        parser.add_argument(
            "--label", action="append", default=[], choices=Label.values, help="with --create"
        )
        parser.add_argument(
            "--strength", action="append", default=[], choices=LabelStrength.values, help="with --create"
        )
        parser.add_argument(
            "--decided-since", type=_time, metavar="TIME", help="with --create: only cases decided since"
        )
        parser.add_argument("--freeze", action="store_true", help="freeze what the dataset takes now first")
        parser.add_argument("--format", choices=registry.formats(), default=ExportFormat.JSONL.value)
        parser.add_argument(
            "--option",
            action="append",
            default=[],
            type=_option,
            metavar="NAME=VALUE",
            help="an option of the format (may be given again)",
        )
        parser.add_argument("--split", choices=[split.value for split in Split if split.value], default="")
        parser.add_argument(
            "--compression", choices=[name for name, _ in compression.choices() if name], default=""
        )
        parser.add_argument(
            "--since",
            type=int,
            metavar="NUMBER",
            help="only what is new or has changed since this version of the dataset",
        )

    def handle(self, *args: object, **options: Any) -> None:
        out: Path | None = options["out"]
        if out is not None:
            _check_place(out)
        dataset = _dataset(options)
        version = _version(dataset, freeze=options["freeze"])
        export = self._export(version, _order(dataset, options))
        if out is None:
            self.stdout.write(f"{export_turns.destination_of(export)}/{export.public_id}.manifest.json")
        else:
            name, export_id = export.file_name, export.public_id
            self.stdout.write(str(export_files.copy_out(file_name=name, export_id=export_id, to=out)))
        self.stdout.write(export.sha256)

    def _export(self, version: DatasetVersion, order: Order) -> Export:
        now = database_now()
        try:
            export = exporting.request(version_id=version.public_id, order=order, requested_by=None, now=now)
        except exporting.UnableToExport as exc:
            raise CommandError(str(exc)) from exc
        try:
            while True:
                ran = exporting.run(
                    export_id=export.public_id, clock=database_now, slice_seconds=SLICE_SECONDS
                )
                export.refresh_from_db()
                self._draw(export)
                if export.state not in exports.UNDER_WAY:
                    break
                if ran == Ran.NOT_OURS:
                    raise CommandError(
                        f"A worker is writing {export.public_id} already: try again in a moment."
                    )
        finally:
            self.stderr.write("")
        if export.state != ExportState.DONE:
            raise CommandError(f"The export {export.get_state_display().lower()}: {export.error}")
        return export

    def _draw(self, export: Export) -> None:
        progress = exports.progress(export, now=database_now())
        filled = "#" * (BAR_WIDTH * progress.percent // 100)
        line = f"\r[{filled:<{BAR_WIDTH}}] {export.rows_done:,} of {export.rows_total:,} {progress.note}"
        self.stderr.write(f"{line:<100}", ending="")
        sys.stderr.flush()


def _order(dataset: Dataset, options: dict[str, Any]) -> Order:
    since = None
    if options["since"] is not None:
        since = dataset.versions.filter(number=options["since"]).first()
        if since is None:
            raise CommandError(f"{dataset.name!r} has no version {options['since']}.")
    return Order(
        format=ExportFormat(options["format"]),
        options=dict(options["option"]),
        split=options["split"],
        compression=options["compression"],
        destination=options["to"] or "",
        since=since,
    )


def _check_place(out: Path) -> None:
    if out.is_dir():
        raise CommandError(f"{out} is a folder: name what is not there yet in it.")
    if not out.parent.is_dir():
        raise CommandError(f"There is no folder {out.parent}.")


def _dataset(options: dict[str, Any]) -> Dataset:
    name = options["name"]
    found = Dataset.objects.filter(name=name).first()
    if found is not None:
        if any(options[field] for field in ("action_type", "label", "strength", "decided_since")):
            raise CommandError(f"{name!r} exists and keeps its selection: choose only with --create.")
        return found
    if not options["create"]:
        _refuse_unknown(name)
    try:
        return datasets.create_dataset(
            name=name,
            selection=Selection(
                action_types=tuple(options["action_type"]),
                labels=tuple(options["label"]),
                strengths=tuple(options["strength"]),
                since=options["decided_since"],
            ),
            created_by=None,
            now=database_now(),
        )
    except (datasets.UnableToCreate, InvalidSelection) as exc:
        raise CommandError(str(exc)) from exc


def _refuse_unknown(name: str) -> NoReturn:
    names = ", ".join(Dataset.objects.order_by("name").values_list("name", flat=True)[:20])
    known = f"There are: {names}." if names else "There are none yet."
    raise CommandError(f"There is no dataset {name!r}. {known} Add --create to make it.")


def _version(dataset: Dataset, *, freeze: bool) -> DatasetVersion:
    if freeze:
        try:
            return freezing.freeze(dataset_id=dataset.public_id, frozen_by=None, now=database_now()).version
        except freezing.UnableToFreeze as exc:
            raise CommandError(str(exc)) from exc
    version = dataset.versions.order_by("-number").first()
    if version is None:
        raise CommandError(f"Nothing of {dataset.name!r} is frozen yet: add --freeze.")
    return version


def _option(text: str) -> tuple[str, str | bool]:
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise argparse.ArgumentTypeError("give an option as NAME=VALUE")
    return name, {"true": True, "false": False}.get(value, value)


def _time(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise argparse.ArgumentTypeError("give a time with its zone, such as 2026-03-01T00:00:00Z")
    return moment
