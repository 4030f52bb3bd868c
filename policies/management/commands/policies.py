"""``manage.py policies export|import|check``: policies as files, for review in git."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from hitl_site.lib.clock import database_now
from hitl_site.lib.strict_yaml import YamlError
from policies.engine.difference import Effect
from policies.selectors import action_types as types
from policies.selectors import policies as versions
from policies.services import policy_examples, policy_files
from policies.services.action_types import InvalidActionType, as_declared
from policies.services.gate import action_type_facts
from policies.services.policy_examples import Judged, Result
from policies.services.policy_files import FaultyFile, Imported, PolicyFile

_EFFECTS = {Effect.LOOSENS: "looser", Effect.TIGHTENS: "stricter", Effect.NEITHER: "-"}


class Command(BaseCommand):
    help = "Write policies to files, read them back as drafts, and check them against a table of examples."

    def add_arguments(self, parser: ArgumentParser) -> None:
        acts = parser.add_subparsers(dest="act", required=True, metavar="export|import|check")
        export = acts.add_parser("export", help="write one file an action type")
        export.add_argument("folder", type=Path, help="where the files go; it is made when it is missing")
        export.add_argument("names", nargs="*", metavar="NAME", help="action types (default: all)")
        export.add_argument(
            "--draft", action="store_true", help="the draft where there is one, else what is in force"
        )
        imported = acts.add_parser("import", help="read files as drafts; nothing is ever published")
        imported.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="files, or folders of them")
        imported.add_argument("--shadow", action="store_true", help="put them in shadow")
        imported.add_argument("--dry-run", action="store_true", help="say what it would do and do nothing")
        imported.add_argument("--reason", default="", help="kept with the drafts")
        imported.add_argument(
            "--replace-drafts", action="store_true", help="write over drafts that lie there"
        )
        imported.add_argument(
            "--declarations",
            action="store_true",
            help="change the declarations of types that exist; this counts at once",
        )
        check = acts.add_parser("check", help="compare a table of example actions with what policies say")
        check.add_argument("tables", nargs="+", type=Path, metavar="TABLE", help="YAML files of examples")
        check.add_argument(
            "--files",
            nargs="+",
            type=Path,
            metavar="PATH",
            help="ask the policies of these files or folders, without a database (default: those in force)",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            {"export": self._export, "import": self._import, "check": self._check}[options["act"]](options)
        except FaultyFile as faulty:
            raise CommandError(str(faulty)) from None
        except OSError as error:
            raise CommandError(f"{error.filename}: {error.strerror}") from None

    def _export(self, options: dict[str, Any]) -> None:
        names = set(options["names"])
        found = [each for each in types.all_by_title() if not names or each.name in names]
        unknown = sorted(names - {each.name for each in found})
        if unknown:
            raise CommandError(f"There is no action type {', '.join(unknown)}.")
        folder: Path = options["folder"]
        folder.mkdir(parents=True, exist_ok=True)
        for action_type in found:
            version = versions.draft_version(action_type) if options["draft"] else None
            version = version or versions.live_version(action_type)
            path = folder / policy_files.file_name(action_type.name)
            path.write_text(policy_files.export(action_type, version), encoding="utf-8", newline="\n")
            self.stdout.write(f"{path}: {version or f'{action_type}, no policy in force'}")

    def _import(self, options: dict[str, Any]) -> None:
        files = _read(options["paths"])
        try:
            # All files or none.
            with transaction.atomic():
                done = [
                    policy_files.apply(
                        file,
                        shadow=options["shadow"],
                        change_declaration=options["declarations"],
                        replace_draft=options["replace_drafts"],
                        reason=options["reason"],
                        now=database_now(),
                    )
                    for file in files
                ]
                transaction.set_rollback(options["dry_run"])
        except (policy_files.DraftInTheWay, InvalidActionType) as error:
            raise CommandError(str(error)) from None
        for each in done:
            self._say(each, dry_run=options["dry_run"])

    def _say(self, done: Imported, *, dry_run: bool) -> None:
        version = done.version
        if version is None:
            state = "no policy" if done.file.policy is None else "unchanged: its text is in force"
        else:
            state = f"version {version.number}, {version.get_state_display().lower()}"
        self.stdout.write(f"{done.file.action_type}: {state}{' (not written)' if dry_run else ''}")
        for each in done.differences:
            self.stdout.write(f"  {_EFFECTS[each.effect]:>8}  {each.sentence}")
        if done.declaration:
            what = "changed" if done.declared else "differs and was left as it is (--declarations changes it)"
            self.stdout.write(f"  declaration {what}: {', '.join(done.declaration)}")
        elif done.declared:
            self.stdout.write("  declared: a new action type")

    def _check(self, options: dict[str, Any]) -> None:
        examples = tuple(
            example
            for path in options["tables"]
            for example in policy_examples.read(_text(path), name=str(path))
        )
        if options["files"]:
            by_name = {file.action_type: file for file in _read(options["files"])}
            results = policy_examples.check(examples, lambda name: _by_file(by_name.get(name)))
        else:
            results = policy_examples.check(examples, _in_force)
        for result in results:
            self._tell(result)
        wrong = sum(not result.is_as_expected for result in results)
        if wrong:
            raise CommandError(f"{wrong} of {len(results)} examples are not as expected.")
        self.stdout.write(f"All {len(results)} examples are as expected.")

    def _tell(self, result: Result) -> None:
        example, found = result.example, result.evaluation
        mark = "ok  " if result.is_as_expected else "FAIL"
        self.stdout.write(f"{mark}  {found.verdict.value:<6}  {example.action_type}: {example.title}")
        if result.is_as_expected:
            return
        expected = "" if example.reasons is None else f", {', '.join(sorted(example.reasons)) or 'no reason'}"
        self.stdout.write(f"      expected {example.verdict.value}{expected} (line {example.line})")
        self.stdout.write(f"      found    {found.verdict.value}, {', '.join(result.codes) or 'no reason'}")
        for reason in found.reasons:
            self.stdout.write(f"        {reason.title}. {reason.detail}")


def _files(paths: Iterable[Path]) -> list[Path]:
    found: list[Path] = []
    for path in paths:
        found += sorted(path.glob("*.yaml")) if path.is_dir() else [path]
    return found


def _read(paths: Iterable[Path]) -> list[PolicyFile]:
    """Return every file, or raise the faults of all of them."""
    files: list[PolicyFile] = []
    faults: list[YamlError] = []
    for path in _files(paths):
        try:
            files.append(policy_files.read(_text(path), name=str(path)))
        except FaultyFile as faulty:
            faults += faulty.faults
    if faults:
        raise FaultyFile(faults)
    if not files:
        raise CommandError("There is no policy file.")
    names = [file.action_type for file in files]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise CommandError(f"More than one file has the action type {', '.join(twice)}.")
    return files


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise CommandError(f"{path}: it is not UTF-8 (byte {error.start}).") from None


def _by_file(file: PolicyFile | None) -> Judged:
    if file is None:
        return Judged(action_type=None, policy=None)
    declared = as_declared(name=file.action_type, **file.declaration)
    return Judged(action_type=action_type_facts(declared), policy=file.policy)


def _in_force(name: str) -> Judged:
    action_type = types.by_name(name)
    if action_type is None:
        return Judged(action_type=None, policy=None)
    live = versions.live_version(action_type)
    document = versions.live_document(live) if live is not None else None
    number = live.number if live is not None else None
    return Judged(action_type=action_type_facts(action_type), policy=document, version=number)
