from __future__ import annotations

import gzip
import hashlib
import importlib.util
import json
from pathlib import Path
from typing import Any

import fsspec
import pytest
from django.conf import settings as site
from pytest_django import Settings

from datasets.choices import ExportFormat
from datasets.exporters import registry
from datasets.exporters.base import SKIP_REASONS, RowExporter
from datasets.models import Dataset, DatasetVersion, Export, RedactionProfile, VersionMark
from datasets.selectors import exports
from datasets.services import (
    compression,
    destinations,
    export_claims,
    export_files,
    export_writing,
    exporting,
    freezing,
)
from datasets.services.destinations import UnusableDestination
from datasets.services.export_claims import MAX_ATTEMPTS
from datasets.services.exporting import Order, Ran, UnableToExport
from datasets.tests.base import make_dataset, many_cases
from hitl_site.lib import ids
from hitl_site.lib.clock import database_now

pytestmark = pytest.mark.django_db
CASES = 60
HOSTILE = "[click](javascript:alert(1)) <img src=x> | `code` ![x](http://evil) # \u202eevil\nsecond line"


def freeze(dataset: Dataset) -> DatasetVersion:
    return freezing.freeze(dataset_id=dataset.public_id, frozen_by=None, now=database_now()).version


@pytest.fixture
def version() -> DatasetVersion:
    many_cases(CASES, filler="x" * 50)
    return freeze(make_dataset())


def made(version: DatasetVersion, **chosen: Any) -> Export:
    export = exporting.request(
        version_id=version.public_id, order=Order(**chosen), requested_by=None, now=database_now()
    )
    assert exporting.run(export_id=export.public_id, clock=database_now) == Ran.FINISHED
    export.refresh_from_db()
    return export


def content(export: Export) -> bytes:
    return (Path(site.EXPORT_DIR) / export.file_name).read_bytes()


def manifest(export: Export) -> dict[str, Any]:
    assert export.manifest is not None
    return dict(export.manifest)


def card(export: Export) -> str:
    return (Path(site.EXPORT_DIR) / f"{export.public_id}.card.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("format", registry.formats())
def test_every_format_is_the_same_bytes_twice_and_its_manifest_names_every_file(
    version: DatasetVersion, format: str
) -> None:
    if format in {"parquet", "hugging_face"} and importlib.util.find_spec("pyarrow") is None:
        with pytest.raises(UnableToExport, match="needs the package pyarrow"):
            made(version, format=ExportFormat(format))
        return
    first, second = made(version, format=ExportFormat(format)), made(version, format=ExportFormat(format))

    assert first.sha256 == second.sha256
    assert manifest(first)["rows"] > 0
    for file in manifest(first)["files"]:
        written = (Path(site.EXPORT_DIR) / file["name"]).read_bytes()
        assert (len(written), hashlib.sha256(written).hexdigest()) == (file["bytes"], file["sha256"])
    told = manifest(first)["cases"]
    skipped = {one["reason"]: one["cases"] for one in told["skipped"]}
    assert set(skipped) <= set(SKIP_REASONS)
    assert told["read"] == CASES
    # A card tells nothing that differs between two of the same bytes.
    assert card(first) == card(second)
    assert first.public_id not in card(first)


def test_what_a_format_left_out_is_counted_with_its_reason(version: DatasetVersion) -> None:
    export = made(version, format=ExportFormat.DPO)

    told = manifest(export)
    assert told["rows"] == CASES // 3
    assert {one["reason"]: one["cases"] for one in told["cases"]["skipped"]} == {
        "approved": CASES // 3,
        "rejected": CASES // 3,
    }
    assert told["ledger"] == {"first_seq": 1, "last_seq": CASES}
    assert f"| Right as proposed | {CASES // 3} | 33.3% |" in card(export)


def test_a_chat_tells_of_every_action_type_of_its_version_as_the_version_knew_them(
    version: DatasetVersion,
) -> None:
    first, *_ = content(made(version, format=ExportFormat.CHAT)).splitlines()

    (tool,) = json.loads(first)["tools"]
    assert tool["function"]["description"] == "Refund"
    assert tool["function"]["parameters"]["properties"] == {"amount": {"type": "number"}}


def test_gzip_is_the_same_rows_in_members_that_follow_each_other(
    version: DatasetVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export_writing, "BLOCK_CASES", 7)
    plain, whole = made(version), made(version, compression="gzip")
    sliced = exporting.request(
        version_id=version.public_id,
        order=Order(compression="gzip"),
        requested_by=None,
        now=database_now(),
    )
    slices = 0
    while exporting.run(export_id=sliced.public_id, clock=database_now, slice_seconds=0) != Ran.FINISHED:
        slices += 1
    sliced.refresh_from_db()

    assert slices > 5
    assert whole.file_name == f"{whole.public_id}.jsonl.gz"
    assert gzip.decompress(content(whole)) == content(plain)
    assert content(sliced) == content(whole)
    assert manifest(sliced)["rows"] == CASES
    # RFC 1952: no name, and no time.
    assert content(whole)[3:8] == b"\0\0\0\0\0"


def test_nothing_at_all_is_a_gzip_file_too(version: DatasetVersion) -> None:
    dataset = make_dataset("Approved", labels=("approved",))

    export = made(freeze(dataset), format=ExportFormat.DPO, compression="gzip")

    assert gzip.decompress(content(export)) == b""
    assert manifest(export)["rows"] == 0


def test_what_is_not_installed_is_no_choice() -> None:
    assert [name for name, _ in compression.choices()][:2] == ["", "gzip"]
    assert set(dict(compression.choices())) - {""} == set(compression.CODECS)


def test_a_split_of_a_version_is_exported_alone() -> None:
    many_cases(CASES)
    dataset = make_dataset()
    Dataset.objects.update(
        choices={"split": {"by": "group", "shares": {"train": 50, "validation": 0, "test": 50}}}
    )
    version = freeze(dataset)
    assert version.split_counts["test"] > 0

    train, test = made(version, split="train"), made(version, split="test")

    both = sorted(content(train).splitlines() + content(test).splitlines())
    assert both == sorted(content(made(version)).splitlines())
    assert manifest(test)["rows_by_split"] == {"test": version.split_counts["test"]}
    assert test.rows_total == version.split_counts["test"]


def test_only_what_is_new_since_an_earlier_version(version: DatasetVersion) -> None:
    old = freeze(make_dataset("Growing", labels=("approved",)))
    Dataset.objects.filter(name="Growing").update(selection=version.selection)
    new = freeze(Dataset.objects.get(name="Growing"))

    export = made(new, since=old)

    rows = [json.loads(line)["label"] for line in content(export).splitlines()]
    assert len(rows) == new.case_count - old.case_count
    assert set(rows) == {"corrected", "rejected"}
    assert "Only what is new since version 1" in card(export)
    with pytest.raises(UnableToExport, match="Only an earlier version of the same dataset"):
        made(version, since=old)


def redacted(version: DatasetVersion, document: dict[str, Any]) -> DatasetVersion:
    profile = RedactionProfile.objects.create(
        public_id=ids.new("rdp"),
        name="Strict",
        number=1,
        document=document,
        created_by_name="a test",
        created_at=database_now(),
    )
    Dataset.objects.filter(pk=version.dataset_id).update(redaction=profile)
    found = freeze(Dataset.objects.get(pk=version.dataset_id))
    assert found.redaction == profile
    return found


def test_a_version_whose_redaction_cannot_be_read_is_never_exported(version: DatasetVersion) -> None:
    version = redacted(version, {"nonsense": True})

    with pytest.raises(UnableToExport, match="it is not exported"):
        made(version)

    assert not Export.objects.exists()
    assert list(Path(site.EXPORT_DIR).iterdir()) == []


def test_a_redacted_version_is_redacted_in_every_format_and_says_so() -> None:
    from datasets.redaction import everything

    mail = "anna.kovac@example.org"
    many_cases(6, filler=f"write to {mail}")
    version = redacted(freeze(make_dataset()), everything().to_document())

    for format in (ExportFormat.JSONL, ExportFormat.CHAT, ExportFormat.CSV):
        export = made(version, format=format)
        assert mail.encode() not in content(export)
        assert manifest(export)["redaction"]["profile"] == "Strict"
        assert sum(manifest(export)["redaction"]["replaced"].values()) > 0
        assert "Profile Strict 1" in card(export)


def test_an_erasure_that_comes_while_it_is_written_starts_it_anew(
    version: DatasetVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export_writing, "BLOCK_CASES", 10)
    export = exporting.request(version_id=version.public_id, requested_by=None, now=database_now())
    assert exporting.run(export_id=export.public_id, clock=database_now, slice_seconds=0) == "to_be_continued"
    mark(version)
    finish = export_claims.finish

    def erased_once_more(*given: Any) -> None:
        monkeypatch.setattr(export_claims, "finish", finish)
        mark(version)
        finish(*given)

    monkeypatch.setattr(export_claims, "finish", erased_once_more)

    # What was written before is not gone on with; and what is erased at the last moment is noticed too.
    assert exporting.run(export_id=export.public_id, clock=database_now) == Ran.INTERRUPTED
    assert list(Path(site.EXPORT_DIR).iterdir()) == []
    assert exporting.run(export_id=export.public_id, clock=database_now) == Ran.FINISHED
    export.refresh_from_db()
    assert len(manifest(export)["erasures"]) == 2
    assert "## Erased since it was frozen" in card(export)


def mark(version: DatasetVersion) -> None:
    number = VersionMark.objects.count()
    VersionMark.objects.create(version=version, erasure_id=f"era_{number}", cases=1, marked_at=database_now())


def test_names_of_people_and_agents_do_nothing_in_a_card() -> None:
    many_cases(3)
    dataset = make_dataset("Refunds")
    Dataset.objects.update(name=HOSTILE[:120], description=HOSTILE)

    text = card(made(freeze(dataset), format=ExportFormat.CSV))

    title = text.splitlines()[0]
    assert title.startswith(r"# \[click\]\(javascript\:alert\(1\)\) \<img src\=x\> \| \`code\`")
    assert "\u202e" not in text
    assert "<img" not in text.replace(r"\<img", "")


def test_a_finished_export_goes_to_its_destination_manifest_last(
    version: DatasetVersion, settings: Settings
) -> None:
    settings.EXPORT_DESTINATIONS = ["memory://bucket/handrail/"]

    export = made(version, destination=destinations.address("memory://bucket/handrail/", "daily/refunds"))

    memory = fsspec.filesystem("memory")
    place = "/bucket/handrail/daily/refunds/refunds-v1"
    written = memory.cat_file(f"{place}/{export.public_id}.jsonl")
    assert hashlib.sha256(written).hexdigest() == export.sha256
    assert json.loads(memory.cat_file(f"{place}/{export.public_id}.manifest.json")) == export.manifest
    found = {name: memory.info(name)["created"] for name in memory.find(place)}
    assert max(found, key=found.__getitem__).endswith(".manifest.json")
    # The data is there and no longer here; what says what it is, stays.
    assert sorted(path.name for path in Path(settings.EXPORT_DIR).iterdir()) == [
        f"{export.public_id}.card.md",
        f"{export.public_id}.manifest.json",
    ]


def test_an_export_cancelled_on_its_way_leaves_nothing_at_its_destination(
    version: DatasetVersion, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "elsewhere"
    settings.EXPORT_DESTINATIONS = [f"file://{place}/"]
    settings.EXPORT_DIR = tmp_path / "exports"
    order = Order(destination=f"file://{place}/")
    export = exporting.request(
        version_id=version.public_id, order=order, requested_by=None, now=database_now()
    )
    publish = export_files.publish_manifest

    def cancelled(**given: Any) -> None:
        publish(**given)
        exporting.cancel(export_id=export.public_id, cancelled_by=None, now=database_now())
        publish(**given)

    upload = destinations.upload

    def uploaded(url: str, files: list[Any], **given: Any) -> None:
        upload(url, files[-1:], **given)
        given["step"]()

    monkeypatch.setattr(export_files, "publish_manifest", cancelled)
    monkeypatch.setattr(destinations, "upload", uploaded)

    assert exporting.run(export_id=export.public_id, clock=database_now) == Ran.NOT_OURS

    assert [path for path in place.rglob("*") if path.is_file()] == []
    assert list((tmp_path / "exports").iterdir()) == []


@pytest.mark.parametrize("given_up", [False, True])
def test_an_export_that_ends_between_two_attempts_leaves_nothing_at_its_destination(
    version: DatasetVersion,
    settings: Settings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    given_up: bool,
) -> None:
    place = tmp_path / "elsewhere"
    settings.EXPORT_DESTINATIONS = [f"file://{place}/"]
    settings.EXPORT_DIR = tmp_path / "exports"
    order = Order(destination=f"file://{place}/")
    export = exporting.request(
        version_id=version.public_id, order=order, requested_by=None, now=database_now()
    )
    upload, remove_all = destinations.upload, destinations.remove_all

    def uploaded(url: str, files: list[Any], **given: Any) -> None:
        upload(url, files, **given)
        raise OSError("the line went dead")

    def out_of_reach(*given: Any, **named: Any) -> None:
        raise OSError("nobody there")

    monkeypatch.setattr(destinations, "upload", uploaded)
    assert exporting.run(export_id=export.public_id, clock=database_now) == Ran.INTERRUPTED
    assert [path for path in place.rglob("*") if path.is_file()]
    if given_up:
        Export.objects.filter(pk=export.pk).update(attempts=MAX_ATTEMPTS)
    else:
        exporting.cancel(export_id=export.public_id, cancelled_by=None, now=database_now())

    monkeypatch.setattr(destinations, "remove_all", out_of_reach)
    assert exporting.run(export_id=export.public_id, clock=database_now) == Ran.NOT_OURS
    assert exporting.run(export_id=export.public_id, clock=database_now) == Ran.NOT_OURS
    assert exports.to_do_ids(limit=20) == []
    monkeypatch.setattr(destinations, "remove_all", remove_all)
    Export.objects.filter(pk=export.pk).update(lease_expires_at=database_now())
    assert exports.to_do_ids(limit=20) == [export.public_id]
    assert exporting.run(export_id=export.public_id, clock=database_now) == Ran.NOT_OURS

    assert [path for path in place.rglob("*") if path.is_file()] == []
    assert list((tmp_path / "exports").iterdir()) == []
    assert exports.to_do_ids(limit=20) == []


@pytest.mark.parametrize(
    ("prefix", "folder"),
    [
        ("s3://other/", ""),
        ("memory://bucket/handrail-of-others/", ""),
        ("memory://bucket/handrail/", "../up"),
        ("memory://bucket/handrail/", "a/../../b"),
        ("memory://bucket/handrail/", ".hidden"),
        ("memory://bucket/handrail/", "a//b"),
        ("memory://bucket/handrail/", "a%2e%2e"),
        ("memory://bucket/handrail/", "a?x=1"),
        ("memory://bucket/handrail/", "a::file:///etc"),
        ("http://169.254.169.254/", ""),
        ("file:///etc/", ""),
        ("", "etc"),
    ],
)
def test_no_other_place_than_the_operator_allows(prefix: str, folder: str, settings: Settings) -> None:
    settings.EXPORT_DESTINATIONS = ["memory://bucket/handrail"]

    with pytest.raises(UnusableDestination):
        destinations.address(prefix, folder)


@pytest.mark.parametrize(
    "setting",
    [
        "simplecache::s3://bucket/",
        "s3://key:secret@bucket/",
        "/tmp/exports",
        "file:///a/../b/",
        "s3://b/%2e%2e/",
    ],
)
def test_a_setting_that_is_no_plain_address_allows_nothing(setting: str, settings: Settings) -> None:
    settings.EXPORT_DESTINATIONS = [setting]

    assert destinations.allowed() == []


def test_a_place_that_cannot_be_spoken_to_is_refused_when_it_is_asked_for(
    version: DatasetVersion, settings: Settings
) -> None:
    settings.EXPORT_DESTINATIONS = ["nosuch://bucket/"]

    with pytest.raises(UnableToExport, match="nosuch:// is not spoken here"):
        made(version, destination="nosuch://bucket/")

    assert not Export.objects.exists()


def test_which_exports_have_rows_of_their_own() -> None:
    whole = {name for name in registry.formats() if not isinstance(registry.exporter(name, {}), RowExporter)}
    assert whole == {"parquet", "hugging_face"}
