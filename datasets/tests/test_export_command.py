from __future__ import annotations

import gzip
import hashlib
import json
import re
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from pytest_django import Settings

from datasets.models import Dataset, DatasetVersion, Export
from datasets.tests.base import Learners, decide, label, make_dataset, many_cases
from reviews.choices import DecisionKind

pytestmark = pytest.mark.django_db


def export(*arguments: str) -> tuple[str, str]:
    stdout, stderr = StringIO(), StringIO()
    call_command("export_dataset", *arguments, stdout=stdout, stderr=stderr)
    return stdout.getvalue(), stderr.getvalue()


def test_one_command_makes_freezes_and_exports_a_dataset(learners: Learners, tmp_path: Path) -> None:
    decide(learners.cast)
    decide(learners.cast, DecisionKind.REJECT)
    label()
    out = tmp_path / "here" / "refunds.jsonl"
    out.parent.mkdir()

    said, drawn = export(
        "Refunds",
        "--create",
        "--action-type",
        "refund.issue",
        "--label",
        "rejected",
        "--freeze",
        "--out",
        str(out),
    )

    manifest = Path(f"{out}.manifest.json")
    sha256 = hashlib.sha256(out.read_bytes()).hexdigest()
    assert said == f"{manifest}\n{sha256}\n"
    assert json.loads(manifest.read_text())["sha256"] == sha256
    assert [json.loads(line)["label"] for line in out.read_text().splitlines()] == ["rejected"]
    assert "1 of 1" in drawn
    assert sorted(path.name for path in out.parent.iterdir()) == [
        "refunds.jsonl",
        "refunds.jsonl.card.md",
        "refunds.jsonl.manifest.json",
    ]


def test_the_last_version_is_exported_again_in_the_same_bytes(tmp_path: Path) -> None:
    many_cases(5)
    export("All", "--create", "--freeze", "--out", str(tmp_path / "one"))

    export("All", "--out", str(tmp_path / "two"))

    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    assert DatasetVersion.objects.count() == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["Nope"], "There is no dataset 'Nope'. There are: Refunds. Add --create to make it."),
        (["Refunds"], "Nothing of 'Refunds' is frozen yet: add --freeze."),
        (["Refunds", "--freeze"], "No labelled case fits the selection of 'Refunds' yet."),
        (["Refunds", "--label", "approved"], "'Refunds' exists and keeps its selection"),
        (["New", "--create", "--action-type", "no.such"], "There is no action type 'no.such'."),
        (["New", "--create", "--decided-since", "2026-03-01"], "give a time with its zone"),
        (["New", "--create", "--decided-since", "yesterday"], "give a time with its zone"),
        (["New", "--format", "word"], "invalid choice: 'word'"),
        (["New", "--compression", "lzma"], "invalid choice: 'lzma'"),
        (["New", "--option", "naked"], "give an option as NAME=VALUE"),
    ],
)
def test_what_cannot_be_done_is_said_plainly(tmp_path: Path, arguments: list[str], message: str) -> None:
    make_dataset("Refunds")

    with pytest.raises(CommandError, match=re.escape(message)):
        export(*arguments, "--out", str(tmp_path / "out.jsonl"))

    assert Dataset.objects.count() == 1
    assert not Export.objects.exists()
    # The folder of the exports themselves may have been made; the file was not.
    assert not (tmp_path / "out.jsonl").exists()


def test_an_order_that_cannot_be_written_is_said_plainly(tmp_path: Path) -> None:
    many_cases(3)
    export("All", "--create", "--freeze", "--out", str(tmp_path / "one"))
    for arguments, message in (
        (["--since", "7"], "'All' has no version 7."),
        (["--since", "1"], "Only an earlier version of the same dataset can be the last one."),
        (["--option", "colour=red"], "colour: this format has no such option"),
    ):
        with pytest.raises(CommandError, match=re.escape(message)):
            export("All", *arguments, "--out", str(tmp_path / "two"))
    with pytest.raises(
        CommandError, match=re.escape("is not below a place that HANDRAIL_EXPORT_DESTINATIONS")
    ):
        export("All", "--to", "s3://somewhere/")
    assert Export.objects.count() == 1
    assert not (tmp_path / "two").exists()


def test_only_what_is_new_goes_to_a_destination_compressed(tmp_path: Path, settings: Settings) -> None:
    settings.EXPORT_DESTINATIONS = [f"file://{tmp_path}/out/"]
    many_cases(4)
    export("All", "--create", "--label", "approved", "--freeze", "--out", str(tmp_path / "one"))

    said, _ = export("All", "--compression", "gzip", "--to", f"file://{tmp_path}/out/daily")

    place = tmp_path / "out" / "daily" / "all-v1"
    done = Export.objects.latest("id")
    assert said == f"file://{place}/{done.public_id}.manifest.json\n{done.sha256}\n"
    assert (
        gzip.decompress((place / f"{done.public_id}.jsonl.gz").read_bytes())
        == (tmp_path / "one").read_bytes()
    )
    assert sorted(path.name for path in place.iterdir()) == [
        f"{done.public_id}.{ending}" for ending in ("card.md", "jsonl.gz", "manifest.json")
    ]


@pytest.mark.parametrize("place", [".", "no/such/folder/file"])
def test_a_place_that_cannot_take_a_file_is_refused_first(tmp_path: Path, place: str) -> None:
    with pytest.raises(CommandError, match="folder"):
        export("New", "--create", "--out", str(tmp_path / place))

    assert not Dataset.objects.exists()
