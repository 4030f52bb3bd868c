"""After a replay: its version in every format there is, each held against its manifest and counted."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, TypeAlias

from datasets.choices import CaseKind, ExportFormat
from datasets.exporters import registry
from datasets.exporters.composition import compose
from datasets.models import DatasetVersion, Export
from datasets.services import export_files

# What a case is to the rules of docs/formats.md: its label, or "omission".
Kind: TypeAlias = str
_BY_RULE: Final = frozenset({"approved", "rejected", "omission"})


@dataclass(frozen=True, slots=True)
class Counted:
    """One format of a version: its rows, the cases that made none and why, and what is wrong with it."""

    format: ExportFormat
    rows: int
    cases: int
    without_row: tuple[tuple[int, str], ...]
    # Whether each of those has no row because of what its label is, and none for what it lacks.
    by_rule_alone: bool
    size: int
    problems: tuple[str, ...]


def export_in_every_format(
    version: DatasetVersion, *, folder: Path, make: Callable[[ExportFormat], Export]
) -> list[Counted]:
    """Let ``make`` export the version in each format, copy what came out to ``folder``, and check it."""
    folder.mkdir(parents=True, exist_ok=True)
    cases = _cases(version)
    found = []
    for name in registry.formats():
        counted = _checked(make(ExportFormat(name)), ExportFormat(name), version, folder)
        found.append(replace(counted, problems=(*counted.problems, *_against_the_rules(counted, cases))))
    return found


def rows_by_the_rules(format: ExportFormat, cases: Mapping[Kind, int]) -> int:
    """Return how many rows these cases make in a format, by the rules of docs/formats.md."""
    return sum(number * _rows_of(format, kind) for kind, number in cases.items())


def _rows_of(format: ExportFormat, kind: Kind) -> int:
    match format, kind:
        case ExportFormat.CHAT, "rejected":
            return 0  # no call to imitate
        case ExportFormat.DPO, "approved" | "rejected" | "omission":
            return 0  # a correction alone is a pair
        case ExportFormat.KTO, "omission":
            return 0
        case ExportFormat.KTO, "corrected":
            return 2  # the proposal was wrong, and what the person made of it is right
    return 1


def _cases(version: DatasetVersion) -> Counter[Kind]:
    """Count a version's cases by what an exporter makes of them: by label, and omissions apart."""
    counted: Counter[Kind] = Counter()
    for member in version.members.select_related("case").iterator():
        label = str(compose(member.case.content, member.later)["label"])
        counted["omission" if member.case.kind == CaseKind.OMISSION else label] += 1
    return counted


def _against_the_rules(counted: Counted, cases: Mapping[Kind, int]) -> Iterator[str]:
    if counted.by_rule_alone and counted.rows != rows_by_the_rules(counted.format, cases):
        wanted = rows_by_the_rules(counted.format, cases)
        yield f"{counted.format}: {counted.rows} rows, and its cases make {wanted} by the rules"


def table(found: Sequence[Counted]) -> str:
    """Return the counts as a table in Markdown."""
    return "\n".join(
        [
            "| format | rows | bytes | cases without a row, and why |",
            "|---|--:|--:|---|",
            *(f"| {one.format.label} | {one.rows:,} | {one.size:,} | {_reasons(one)} |" for one in found),
        ]
    )


def _reasons(one: Counted) -> str:
    return "; ".join(f"{cases:,} {because}" for cases, because in one.without_row) or "none"


def _checked(export: Export, format: ExportFormat, version: DatasetVersion, folder: Path) -> Counted:
    is_file = (export_files.folder() / export.file_name).is_file()
    to = folder / f"{format}{Path(export.file_name).suffix if is_file else ''}"
    manifest: dict[str, Any] = json.loads(
        export_files.copy_out(file_name=export.file_name, export_id=export.public_id, to=to).read_bytes()
    )
    cases: dict[str, Any] = manifest["cases"]
    without_row = tuple((each["cases"], each["because"]) for each in cases["skipped"])
    skipped = sum(number for number, _ in without_row)
    rows: int = manifest["rows"]
    problems = _wrong_files(manifest, export, to)
    if cases["read"] != version.case_count:
        problems.append(f"its manifest has {cases['read']} cases, the version {version.case_count}")
    # A case may make several rows in a format, so rows are at least the cases that make some.
    if rows < version.case_count - skipped:
        problems.append(f"{rows} rows for {version.case_count - skipped} cases that are not left out")
    found = _rows(to)
    if found != rows:
        problems.append(f"{found} rows are in it, and its manifest says {rows}")
    return Counted(
        format=format,
        rows=rows,
        cases=cases["read"],
        without_row=without_row,
        by_rule_alone={each["reason"] for each in cases["skipped"]} <= _BY_RULE,
        size=manifest["bytes"],
        problems=tuple(f"{to.name}: {problem}" for problem in problems),
    )


def _wrong_files(manifest: Mapping[str, Any], export: Export, to: Path) -> list[str]:
    """Say which of the files that the manifest names differ from it."""
    problems: list[str] = []
    for file in manifest["files"]:
        path = _copied(file["name"], role=file["role"], export=export, to=to)
        content = path.read_bytes()
        if len(content) != file["bytes"] or hashlib.sha256(content).hexdigest() != file["sha256"]:
            problems.append(f"{path.name} is not as its manifest has it")
    return problems


def _copied(name: str, *, role: str, export: Export, to: Path) -> Path:
    """Return where a file of the manifest lies now."""
    if role == "card":
        return to.with_name(f"{to.name}.card.md")
    # In a folder, a name begins with the name that the folder had.
    return to if name == export.file_name else to / name.partition("/")[2]


def _rows(path: Path) -> int:
    """Count the rows that are really in a file or a folder."""
    if path.is_dir():
        return sum(_rows(each) for each in sorted(path.rglob("*.parquet")))
    return _COUNTS[path.suffix](path)


def _lines(path: Path) -> int:
    return sum(isinstance(json.loads(line), dict) for line in path.read_bytes().split(b"\n")[:-1])


def _records(path: Path) -> int:
    # Between quotes, a line end is part of a cell; doubled quotes only split a cell once more.
    outside = path.read_bytes().split(b'"')[::2]
    return sum(part.count(b"\r\n") for part in outside) - 1


def _parquet_rows(path: Path) -> int:
    # Not every installation has it; one without it made no such file.
    from pyarrow import parquet

    rows: int = parquet.read_metadata(path).num_rows
    return rows


_COUNTS: Final[Mapping[str, Callable[[Path], int]]] = {
    ".jsonl": _lines,
    ".csv": _records,
    ".parquet": _parquet_rows,
}
