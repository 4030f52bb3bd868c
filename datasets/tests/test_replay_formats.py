"""A version in every format after a replay: counted, and each file held against its manifest."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from datasets.choices import ExportFormat
from datasets.models import DatasetVersion, Export
from datasets.replay.every_format import Counted, export_in_every_format, rows_by_the_rules, table
from datasets.services import export_files, exporting, freezing
from datasets.services.exporting import Order
from datasets.tests.base import make_dataset, many_cases
from hitl_site.lib.clock import database_now

pytestmark = pytest.mark.django_db

# Of nine cases three each are approved, corrected and rejected.
CASES = 9


@pytest.fixture
def version() -> DatasetVersion:
    many_cases(CASES, filler='line\nbreak, "quoted",\r\n\u2028=1+1')
    return frozen("Refunds")


def frozen(name: str, **selection: tuple[str, ...]) -> DatasetVersion:
    dataset = make_dataset(name, **selection)
    return freezing.freeze(dataset_id=dataset.public_id, frozen_by=None, now=database_now()).version


def here(version: DatasetVersion) -> Callable[[ExportFormat], Export]:
    """Export at once, where a replay has the site's worker do it."""

    def make(format: ExportFormat) -> Export:
        export = exporting.request(
            version_id=version.public_id, order=Order(format=format), requested_by=None, now=database_now()
        )
        assert exporting.run(export_id=export.public_id, clock=database_now) == exporting.Ran.FINISHED
        export.refresh_from_db()
        return export

    return make


def test_every_format_has_the_rows_that_its_manifest_counts(version: DatasetVersion, tmp_path: Path) -> None:
    found = export_in_every_format(version, folder=tmp_path, make=here(version))

    assert [problem for one in found for problem in one.problems] == []
    assert [one.format for one in found] == list(ExportFormat)
    assert {one.cases for one in found} == {CASES}
    rows = {one.format: one.rows for one in found}
    assert {format: n for format, n in rows.items() if n != CASES} == {
        ExportFormat.CHAT: 6,  # what was rejected has no right answer
        ExportFormat.DPO: 3,  # a correction is a pair, an approval is not
        ExportFormat.KTO: 12,  # a correction says both
    }
    left_out = {one.format: sum(n for n, _ in one.without_row) for one in found if one.without_row}
    assert left_out == {ExportFormat.CHAT: 3, ExportFormat.DPO: 6}
    lines = table(found).splitlines()
    assert len(lines) == 2 + len(ExportFormat)
    assert lines[4] == (
        f"| Preference pairs (DPO) | 3 | {found[2].size:,} | 3 approved as proposed: no better answer stands"
        " against it, so it is no pair; 3 rejected without a correction: nobody said what would have been"
        " right |"
    )


@pytest.mark.parametrize(
    ("format", "changed", "problem"),
    [
        (ExportFormat.JSONL, "{export}.jsonl", "jsonl.jsonl: jsonl.jsonl is not as its manifest has it"),
        (ExportFormat.HUGGING_FACE, "{export}.1/README.md", "hugging_face: README.md is not as its manifest"),
        (ExportFormat.CSV, "{export}.card.md", "csv.csv: csv.csv.card.md is not as its manifest has it"),
    ],
)
def test_a_file_that_is_not_the_manifests_is_a_problem(
    version: DatasetVersion, tmp_path: Path, format: ExportFormat, changed: str, problem: str
) -> None:
    make = here(version)

    def spoilt(asked: ExportFormat) -> Export:
        export = make(asked)
        if asked == format:
            path = export_files.folder() / changed.format(export=export.public_id)
            path.write_bytes(path.read_bytes().replace(b"e", b"E", 1))
        return export

    found = export_in_every_format(version, folder=tmp_path, make=spoilt)

    (told,) = [one.problems for one in found if one.problems]
    assert told[0].startswith(problem)
    assert _formats_with_problems(found) == [format]


def test_a_file_with_a_row_too_few_is_a_problem(version: DatasetVersion, tmp_path: Path) -> None:
    make = here(version)

    def shorter(asked: ExportFormat) -> Export:
        export = make(asked)
        if asked == ExportFormat.KTO:
            path = export_files.folder() / export.file_name
            path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-1]))
        return export

    found = export_in_every_format(version, folder=tmp_path, make=shorter)

    assert _formats_with_problems(found) == [ExportFormat.KTO]
    (told,) = [one.problems for one in found if one.problems]
    assert told[1] == "kto.jsonl: 11 rows are in it, and its manifest says 12"


def test_the_rules_say_how_many_rows_each_label_makes() -> None:
    cases = {"approved": 7, "corrected": 5, "rejected": 3, "omission": 2}

    rows = {format: rows_by_the_rules(format, cases) for format in ExportFormat}

    assert {format: n for format, n in rows.items() if n != 17} == {
        ExportFormat.CHAT: 7 + 5 + 2,
        ExportFormat.DPO: 5,
        ExportFormat.KTO: 7 + 2 * 5 + 3,
    }


@pytest.mark.usefixtures("version")
def test_a_file_of_other_labels_than_the_versions_is_a_problem(tmp_path: Path) -> None:
    approvals = frozen("Approvals", labels=("approved",))
    rejections = frozen("Rejections", labels=("rejected",))

    def swapped(asked: ExportFormat) -> Export:
        return here(rejections if asked == ExportFormat.CHAT else approvals)(asked)

    found = export_in_every_format(approvals, folder=tmp_path, make=swapped)

    (told,) = [one.problems for one in found if one.problems]
    assert told == ("chat: 0 rows, and its cases make 3 by the rules",)


def test_every_format_needs_a_place_to_go() -> None:
    with pytest.raises(CommandError, match="--every-format needs --export"):
        call_command("replay", "no.jsonl", "--url", "http://localhost", "--every-format")


def _formats_with_problems(found: list[Counted]) -> list[ExportFormat]:
    return [one.format for one in found if one.problems]
