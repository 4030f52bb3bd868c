"""The bytes of every format, for cases that never change. A difference here changes a published format.

``python -m tests.formats.test_golden`` writes the files anew; look at what it changed before committing.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from pathlib import Path

import jsonschema_rs
import pytest

from datasets.choices import ExportFormat
from datasets.exporters import registry
from datasets.exporters.base import FolderExporter, Placed, RowExporter
from tests.formats.cases import cases
from tests.formats.files import FILES, write

GOLDEN = Path(__file__).parent / "golden"
# Parquet's bytes name the library's version: they are compared by what is read back (test_tables).
COMPARED = [file.name for file in FILES if file.format != ExportFormat.PARQUET]


def _path(folder: Path, name: str) -> Path:
    return folder / name / "README.md" if name == "hub" else folder / name


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("formats")
    write(folder)
    return folder


@pytest.mark.parametrize("name", COMPARED)
def test_the_bytes_are_the_published_ones(made: Path, name: str) -> None:
    golden = GOLDEN / ("hub.md" if name == "hub" else name)
    assert _path(made, name).read_bytes().decode() == golden.read_bytes().decode()


def test_the_cases_are_valid_canonical_cases() -> None:
    schema = json.loads((Path(__file__).parents[2] / "docs" / "case.schema.json").read_text())
    validator = jsonschema_rs.validator_for(schema)
    for placed in cases():
        assert [error.message for error in validator.iter_errors(placed.case)] == []


def test_every_format_has_an_exporter() -> None:
    assert registry.formats() == tuple(ExportFormat.values)
    assert {file.format for file in FILES} == set(ExportFormat.values)


def test_a_second_writing_has_the_same_bytes(tmp_path: Path) -> None:
    def digest(folder: Path) -> str:
        folder.mkdir()
        write(folder)
        paths = sorted(path for path in folder.rglob("*") if path.is_file())
        return hashlib.sha256(b"".join(path.read_bytes() for path in paths)).hexdigest()

    assert digest(tmp_path / "first") == digest(tmp_path / "second")


@pytest.mark.parametrize("format", registry.formats())
def test_a_case_makes_rows_or_a_reason_says_why_not(format: str) -> None:
    exporter = registry.exporter(format, {})
    if isinstance(exporter, RowExporter):
        for placed in cases():
            rows = [*exporter.rows(placed.case, placed.split)]
            assert (exporter.skipped(placed.case) is None) is bool(rows)
            assert all(row.endswith(b"\n") for row in rows)
    else:
        assert isinstance(exporter, FolderExporter)
        assert all(exporter.skipped(placed.case) is None for placed in cases())


@pytest.mark.parametrize("format", registry.formats())
def test_nothing_at_all_is_a_file_too(format: str, tmp_path: Path) -> None:
    exporter = registry.exporter(format, {})
    if isinstance(exporter, RowExporter):
        assert (exporter.header() + exporter.footer()).endswith(b"\n") is (format == "csv")
    else:
        nothing: list[Placed] = []
        assert all((tmp_path / name).is_file() for name in exporter.write(iter(nothing), tmp_path))


def _write_golden() -> None:
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder))
        for name in COMPARED:
            golden = GOLDEN / ("hub.md" if name == "hub" else name)
            golden.write_bytes(_path(Path(folder), name).read_bytes())


if __name__ == "__main__":
    _write_golden()
