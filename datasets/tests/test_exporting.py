from __future__ import annotations

import hashlib
import json
import stat
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from pytest_django import Settings

from datasets.exporters.composition import compose
from datasets.models import DatasetMember, DatasetVersion, Export
from datasets.selectors import exports
from datasets.services import (
    export_claims,
    export_files,
    export_members,
    export_writing,
    exporting,
    freezing,
)
from datasets.services.export_members import Member
from datasets.services.exporting import Ran
from datasets.tests.base import Learners, decide, label, make_dataset, many_cases
from hitl_site.lib.canonical import canonicalize
from hitl_site.lib.clock import database_now
from policies.models import LedgerEntry
from reviews.choices import DecisionKind
from reviews.tests.cast import REFUND

pytestmark = pytest.mark.django_db


def request(version: DatasetVersion) -> Export:
    return exporting.request(version_id=version.public_id, requested_by=None, now=database_now())


def run(export: Export, **given: Any) -> Ran:
    return exporting.run(export_id=export.public_id, clock=database_now, **given)


def version_of(count: int) -> DatasetVersion:
    many_cases(count, filler="x" * 200)
    dataset = make_dataset()
    return freezing.freeze(dataset_id=dataset.public_id, frozen_by=None, now=database_now()).version


def files() -> list[str]:
    return sorted(path.name for path in Path(settings.EXPORT_DIR).iterdir())


def expected_bytes(version: DatasetVersion) -> bytes:
    members = version.members.order_by("position").select_related("case")
    return b"".join(canonicalize(compose(member.case.content, member.later)) + b"\n" for member in members)


def small_blocks(monkeypatch: pytest.MonkeyPatch, cases: int = 100) -> None:
    """Let a step be saved more often than one does where blocks are of a sensible size."""
    monkeypatch.setattr(export_writing, "BLOCK_CASES", cases)


def test_an_export_is_the_cases_one_a_line_with_a_manifest_that_vouches_for_them(learners: Learners) -> None:
    decide(learners.cast)
    decide(learners.cast, DecisionKind.CORRECT, arguments={**REFUND, "amount": 0.1})
    label()
    dataset = make_dataset()
    version = freezing.freeze(
        dataset_id=dataset.public_id, frozen_by=learners.mia, now=database_now()
    ).version
    export = exporting.request(version_id=version.public_id, requested_by=learners.mia, now=database_now())

    assert run(export) == Ran.FINISHED

    export.refresh_from_db()
    written = (Path(settings.EXPORT_DIR) / f"{export.public_id}.jsonl").read_bytes()
    card = (Path(settings.EXPORT_DIR) / f"{export.public_id}.card.md").read_bytes()
    assert written == expected_bytes(version)
    # A reader checks the version's own hash from the file alone.
    lines = [f"{hashlib.sha256(line).hexdigest()}\n" for line in written.splitlines()]
    assert hashlib.sha256("".join(lines).encode()).hexdigest() == version.content_sha256
    manifest = json.loads((Path(settings.EXPORT_DIR) / f"{export.public_id}.manifest.json").read_text())
    assert manifest == export.manifest
    sha256 = hashlib.sha256(written).hexdigest()
    version_told = manifest.pop("version")
    assert manifest | {"requested_at": "", "finished_at": ""} == {
        "format": "handrail.export/2",
        "export": export.public_id,
        "file": f"{export.public_id}.jsonl",
        "file_format": "jsonl",
        "media_type": "application/jsonl",
        "case_format": "handrail.case/2",
        "options": {},
        "split": None,
        "compression": None,
        "destination": None,
        "since_version": None,
        "files": [
            {
                "name": f"{export.public_id}.jsonl",
                "role": "data",
                "bytes": len(written),
                "sha256": sha256,
            },
            {
                "name": f"{export.public_id}.card.md",
                "role": "card",
                "bytes": len(card),
                "sha256": hashlib.sha256(card).hexdigest(),
            },
        ],
        "rows": 2,
        "rows_by_split": {"none": 2},
        "bytes": len(written),
        "sha256": sha256,
        "cases": {"read": 2, "erased": 0, "skipped": [], "left_out_of_version": {}},
        "redaction": None,
        "ledger": manifest["ledger"],
        "dataset": {"id": dataset.public_id, "name": "Refunds"},
        "erasures": [],
        "requested_by": "Mia",
        "requested_at": "",
        "finished_at": "",
    }
    seqs = list(version.members.order_by("position").values_list("case__ledger_seq", flat=True))
    assert manifest["ledger"] == {"first_seq": seqs[0], "last_seq": seqs[1]}
    assert version_told["content_sha256"] == version.content_sha256
    assert version_told["label_counts"] == {"approved": 1, "corrected": 1, "rejected": 0}
    assert (export.state, export.rows_done, export.sha256) == ("done", 2, sha256)
    assert files() == names(export)
    assert stat.S_IMODE((Path(settings.EXPORT_DIR) / f"{export.public_id}.jsonl").stat().st_mode) == 0o600
    verbs = LedgerEntry.objects.filter(object_id=export.public_id).order_by("id")
    assert list(verbs.values_list("verb", "actor_name")) == [
        ("export.requested", "Mia"),
        ("export.started", "handrail"),
        ("export.finished", "handrail"),
    ]


def names(export: Export) -> list[str]:
    return [f"{export.public_id}.{ending}" for ending in ("card.md", "jsonl", "manifest.json")]


def test_two_exports_of_one_version_are_the_same_bytes() -> None:
    version = version_of(250)
    first = request(version)
    run(first)
    second = request(version)
    run(second)

    assert first.public_id != second.public_id
    shas = set(Export.objects.values_list("sha256", flat=True))
    assert len(shas) == 1


def test_asking_again_while_one_is_under_way_answers_that_one() -> None:
    version = version_of(1)
    first = request(version)

    again = request(version)

    assert again == first
    assert Export.objects.count() == 1
    assert LedgerEntry.objects.filter(verb="export.requested").count() == 1


def test_running_what_is_done_or_held_changes_nothing() -> None:
    export = request(version_of(2))
    run(export)
    before = Export.objects.values().get()

    assert run(export) == Ran.NOT_OURS
    assert run(Export(public_id="exp_" + "0" * 32)) == Ran.NOT_OURS

    assert Export.objects.values().get() == before


def test_a_slice_ends_in_time_and_the_next_one_goes_on_where_it_stopped(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    small_blocks(monkeypatch)
    version = version_of(450)
    export = request(version)

    steps = 0
    while run(export, slice_seconds=0) == Ran.TO_BE_CONTINUED:
        steps += 1
        export.refresh_from_db()
        # A whole block further each time, so nothing was written twice.
        assert export.rows_done == min(steps * 100, 450)
        assert not (Path(settings.EXPORT_DIR) / export.file_name).exists()

    export.refresh_from_db()
    assert (export.state, export.attempts, steps) == ("done", 1, 4)
    assert (Path(settings.EXPORT_DIR) / export.file_name).read_bytes() == expected_bytes(version)
    assert files() == names(export)


@pytest.mark.parametrize("damage", ["truncated", "flipped", "gone", "longer"])
def test_a_part_that_is_not_what_the_row_vouches_for_is_written_anew(
    damage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    small_blocks(monkeypatch)
    version = version_of(250)
    export = request(version)
    assert run(export, slice_seconds=0) == Ran.TO_BE_CONTINUED
    (part,) = Path(settings.EXPORT_DIR).glob("*.part")
    content = bytearray(part.read_bytes())
    if damage == "truncated":
        part.write_bytes(content[:-10])
    elif damage == "flipped":
        content[50] ^= 1
        part.write_bytes(content)
    elif damage == "gone":
        part.unlink()
    else:
        # The worker wrote on after its last saved step, and died: that much is cut off.
        part.write_bytes(content + b'{"half a row')

    assert run(export) == Ran.FINISHED

    assert (Path(settings.EXPORT_DIR) / export.file_name).read_bytes() == expected_bytes(version)


def test_a_death_between_the_file_and_its_manifest_loses_neither(monkeypatch: pytest.MonkeyPatch) -> None:
    version = version_of(120)
    export = request(version)

    def die(**_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(export_files, "publish_manifest", die)
        with pytest.raises(KeyboardInterrupt):
            run(export)
    export.refresh_from_db()
    assert export.state == "running"
    assert exports.to_do_ids(limit=9) == []
    lapse(export)
    assert exports.to_do_ids(limit=9) == [export.public_id]

    assert run(export) == Ran.FINISHED

    export.refresh_from_db()
    assert (export.state, export.epoch, export.attempts) == ("done", 2, 2)
    assert (Path(settings.EXPORT_DIR) / export.file_name).read_bytes() == expected_bytes(version)


def test_a_worker_that_lost_its_lease_changes_nothing_any_more(monkeypatch: pytest.MonkeyPatch) -> None:
    version = version_of(250)
    export = request(version)
    member = export_members._member
    others: list[Ran] = []

    def slow(*given: Any) -> Member:
        # In the middle of the first worker's page the lease lapses, and a second one does it all.
        if not others:
            others.append(Ran.NOT_OURS)
            lapse(export)
            others[0] = run(export)
        return member(*given)

    monkeypatch.setattr(export_members, "_member", slow)

    assert run(export) == Ran.NOT_OURS

    assert others == [Ran.FINISHED]
    export.refresh_from_db()
    assert (export.state, export.epoch, export.rows_done) == ("done", 2, 250)
    assert (Path(settings.EXPORT_DIR) / export.file_name).read_bytes() == expected_bytes(version)
    assert files() == names(export)
    assert LedgerEntry.objects.filter(verb="export.finished").count() == 1


def test_a_cancelled_export_leaves_no_file_and_cannot_be_brought_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    version = version_of(250)
    export = request(version)
    member, cancelled = export_members._member, list[Export]()

    def cancelling(*given: Any) -> Member:
        if not cancelled:
            cancelled.append(
                exporting.cancel(export_id=export.public_id, cancelled_by=None, now=database_now())
            )
        return member(*given)

    monkeypatch.setattr(export_members, "_member", cancelling)

    assert run(export) == Ran.NOT_OURS

    export.refresh_from_db()
    assert export.state == "cancelled"
    assert files() == []
    assert run(export) == Ran.NOT_OURS
    assert exporting.cancel(export_id=export.public_id, cancelled_by=None, now=database_now()) == export
    assert LedgerEntry.objects.filter(verb="export.cancelled").count() == 1


def test_what_is_done_cannot_be_cancelled() -> None:
    export = request(version_of(1))
    run(export)

    with pytest.raises(exporting.AlreadyOver):
        exporting.cancel(export_id=export.public_id, cancelled_by=None, now=database_now())

    assert len(files()) == 3


def test_an_error_is_tried_again_and_ends_in_a_failure_that_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    export = request(version_of(5))

    def full(*_: object) -> Member:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(export_members, "_member", full)
        ran = [run(export) for _ in range(export_claims.MAX_ATTEMPTS)]

    export.refresh_from_db()
    assert ran == [Ran.INTERRUPTED] * 4 + [Ran.FAILED]
    assert export.state == "failed"
    assert export.error == "OSError: [Errno 28] No space left on device"
    assert run(export) == Ran.NOT_OURS
    assert LedgerEntry.objects.filter(verb="export.failed").count() == 1


def elsewhere(place: Path) -> list[str]:
    return sorted(str(path.relative_to(place)) for path in place.rglob("*") if path.is_file())


def test_what_an_earlier_attempt_left_at_the_destination_is_gone_when_the_export_is_there(
    tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.EXPORT_DESTINATIONS = [f"file://{tmp_path}/there/"]
    version = version_of(5)
    order = exporting.Order(destination=f"file://{tmp_path}/there/")
    export = exporting.request(
        version_id=version.public_id, order=order, requested_by=None, now=database_now()
    )
    another = f"refunds-v1/{export.public_id[:-1]}.jsonl"
    with monkeypatch.context() as patched:
        patched.setattr(export_claims, "finish", interrupt)
        assert run(export) == Ran.INTERRUPTED
    # As a folder is left: under a name that tells which attempt it was.
    left = tmp_path / "there" / "refunds-v1" / f"{export.public_id}.1" / "data"
    left.mkdir(parents=True)
    (left / "train.parquet").write_text("what was erased since")
    (tmp_path / "there" / another).write_text("of another export")

    assert run(export) == Ran.FINISHED

    ending = ("card.md", "jsonl", "manifest.json")
    assert elsewhere(tmp_path / "there") == sorted(
        [another, *(f"refunds-v1/{export.public_id}.{each}" for each in ending)]
    )


def interrupt(*_: object) -> None:
    raise OSError(28, "No space left on device")


def test_an_export_that_fails_leaves_nothing_at_its_destination(
    tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.EXPORT_DESTINATIONS = [f"file://{tmp_path}/there/"]
    version = version_of(5)
    order = exporting.Order(destination=f"file://{tmp_path}/there/")
    export = exporting.request(
        version_id=version.public_id, order=order, requested_by=None, now=database_now()
    )
    monkeypatch.setattr(export_claims, "finish", interrupt)

    ran = [run(export) for _ in range(export_claims.MAX_ATTEMPTS)]

    assert ran[-1] == Ran.FAILED
    assert elsewhere(tmp_path / "there") == []
    assert files() == ["there"]


def test_a_worker_that_always_dies_is_not_started_for_ever() -> None:
    export = request(version_of(5))
    Export.objects.update(state="running", attempts=export_claims.MAX_ATTEMPTS, epoch=5)
    lapse(export)

    assert run(export) == Ran.NOT_OURS

    export.refresh_from_db()
    assert (export.state, export.error) == ("failed", "The worker died 5 times while writing.")


@pytest.mark.parametrize("hashed", ["member", "case"])
def test_a_case_that_is_not_what_was_frozen_is_never_exported(hashed: str) -> None:
    version = version_of(3)
    # What the database forbids to change is made anew with another hash; "case": from before members had one.
    other = DatasetVersion.objects.get()
    other.pk, other.public_id, other.number = None, "dsv_" + "0" * 32, 2
    other.save(force_insert=True)
    wrong = "0" * 64 if hashed == "member" else ""
    for member in version.members.all():
        kept = {"position": member.position, "later": member.later, "case": member.case}
        DatasetMember.objects.create(version=other, content_sha256=wrong, **kept)
    export = request(other)

    ran = run(export)

    export.refresh_from_db()
    if hashed == "case":
        # The case's own hash vouches for it.
        assert (ran, export.state) == (Ran.FINISHED, "done")
        return
    case_id = version.members.get(position=0).case.public_id
    assert (ran, export.state) == (Ran.FAILED, "failed")
    assert export.error == f"Case {case_id} does not have the content that it was frozen with."
    assert files() == []


def test_progress_is_told_in_words_and_never_a_hundred_before_the_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    small_blocks(monkeypatch)
    version = version_of(300)
    export = request(version)
    waiting = exports.progress(export, now=database_now())
    assert (waiting.under_way, waiting.percent, waiting.note) == (True, 0, "")
    run(export, slice_seconds=0)
    export.refresh_from_db()
    assert exports.progress(export, now=database_now()).percent == 33
    Export.objects.update(rows_done=300)
    export.refresh_from_db()
    assert exports.progress(export, now=database_now()).percent == 99


def lapse(export: Export) -> None:
    Export.objects.filter(pk=export.pk).update(lease_expires_at="2020-01-01T00:00:00Z")
