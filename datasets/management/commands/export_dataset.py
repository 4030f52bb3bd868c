"""``manage.py export_dataset``: a dataset into a file, with a progress bar and no worker."""

from __future__ import annotations

import argparse
import sys
from datetime import datetime
from pathlib import Path
from typing import Any, NoReturn

from django.core.management.base import BaseCommand, CommandError

from datasets.choices import ExportFormat, ExportState, Label, LabelStrength
from datasets.models import Dataset, DatasetVersion, Export
from datasets.selectors import exports
from datasets.selectors.selection import InvalidSelection, Selection
from datasets.services import datasets, export_files, exporting, freezing
from datasets.services.exporting import Ran
from hitl_site.lib.clock import database_now

# Short, so that the bar moves.
SLICE_SECONDS = 0.5
BAR_WIDTH = 30


class Command(BaseCommand):
    help = (
        "Export a dataset's last version (or a new one, with --freeze) to a file with its manifest beside it."
    )

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("name", help="the name of the dataset")
        parser.add_argument("--out", required=True, type=Path, metavar="FILE", help="where the file goes")
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
        parser.add_argument("--since", type=_time, metavar="TIME", help="with --create: decided since")
        parser.add_argument("--freeze", action="store_true", help="freeze what the dataset takes now first")
        parser.add_argument("--format", choices=ExportFormat.values, default=ExportFormat.JSONL.value)

    def handle(self, *args: object, **options: Any) -> None:
        out: Path = options["out"]
        _check_place(out)
        dataset = _dataset(options)
        version = _version(dataset, freeze=options["freeze"])
        export = self._export(version, ExportFormat(options["format"]))
        manifest_path = export_files.copy_out(file_name=export.file_name, export_id=export.public_id, to=out)
        self.stdout.write(f"{manifest_path}\n{export.sha256}")

    def _export(self, version: DatasetVersion, format: ExportFormat) -> Export:
        now = database_now()
        export = exporting.request(version_id=version.public_id, format=format, requested_by=None, now=now)
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


def _check_place(out: Path) -> None:
    if out.is_dir():
        raise CommandError(f"{out} is a folder: name a file in it.")
    if not out.parent.is_dir():
        raise CommandError(f"There is no folder {out.parent}.")


def _dataset(options: dict[str, Any]) -> Dataset:
    name = options["name"]
    found = Dataset.objects.filter(name=name).first()
    if found is not None:
        if any(options[field] for field in ("action_type", "label", "strength", "since")):
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
                since=options["since"],
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


def _time(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise argparse.ArgumentTypeError("give a time with its zone, such as 2026-03-01T00:00:00Z")
    return moment
