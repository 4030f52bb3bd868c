"""What an export says of itself to programs: the manifest. ``export_card`` says it to people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from datasets.exporters import composition
from datasets.exporters.base import SKIP_REASONS
from datasets.models import DatasetVersion, Export
from datasets.services import export_files, export_members
from datasets.services.export_files import DataFile
from datasets.services.export_writing import Tally, counts
from hitl_site.lib.canonical import sha256_hex
from hitl_site.lib.strict_json import JsonValue

FORMAT: Final = "handrail.export/2"


@dataclass(frozen=True, slots=True)
class Finished:
    """All that the manifest and the card are made of."""

    export: Export
    files: tuple[DataFile, ...]
    tally: Tally
    media_type: str
    notes: tuple[str, ...]
    ledger: tuple[int, int] | None

    @property
    def size(self) -> int:
        """Return how many bytes of data there are."""
        return sum(file.size for file in self.files)

    @property
    def sha256(self) -> str:
        """Return the hash of the one file; of several, that of their listing as sha256sum prints it."""
        if len(self.files) == 1 and "/" not in self.files[0].name:
            return self.files[0].sha256
        # Below the export's own folder, whose name differs from export to export.
        listed = sorted((file.name.partition("/")[2], file.sha256) for file in self.files)
        return sha256_hex("".join(f"{sha256}  {name}\n" for name, sha256 in listed).encode())


def finished(
    export: Export, files: Sequence[DataFile], tally: Tally, *, media_type: str, notes: Sequence[str]
) -> Finished:
    """Return what is known once the data is complete."""
    return Finished(
        export=export,
        files=tuple(files),
        tally=tally,
        media_type=media_type,
        notes=tuple(notes),
        ledger=export_members.ledger_range(export),
    )


def manifest(found: Finished, card: DataFile, *, finished_at: datetime) -> dict[str, JsonValue]:
    """Return the manifest. Only the export's id, who asked and when differ between two of the same bytes."""
    export, tally = found.export, found.tally
    since = export.since_version
    return {
        "format": FORMAT,
        "export": export.public_id,
        "file": export.file_name,
        "file_format": export.format,
        "media_type": found.media_type,
        "case_format": composition.FORMAT,
        "options": export.options,
        "split": export.split or None,
        "compression": export.compression or None,
        "destination": export.destination or None,
        "since_version": None if since is None else {"id": since.public_id, "number": since.number},
        "files": [
            *(_file(file, "data") for file in found.files),
            _file(card, "card"),
        ],
        "rows": tally.rows,
        "rows_by_split": {name or "none": n for name, n in counts(tally.rows_by_split).items()},
        "bytes": found.size,
        "sha256": found.sha256,
        "cases": {
            "read": tally.cases,
            "erased": tally.erased,
            "skipped": [
                {"reason": reason, "cases": n, "because": SKIP_REASONS.get(reason, reason)}
                for reason, n in sorted(tally.skipped.items())
            ],
            "left_out_of_version": export.version.left_out,
        },
        "redaction": _redaction(export.version, tally),
        "ledger": None
        if found.ledger is None
        else {"first_seq": found.ledger[0], "last_seq": found.ledger[1]},
        "dataset": {"id": export.version.dataset.public_id, "name": export.version.dataset.name},
        "version": _version(export.version),
        "erasures": marks(export.version),
        "requested_by": export.requested_by_name,
        "requested_at": instant(export.requested_at),
        "finished_at": instant(finished_at),
    }


def marks(version: DatasetVersion) -> list[JsonValue]:
    """Return which erasures reached cases of the version since it was frozen."""
    found = version.marks.order_by("id").values_list("erasure_id", "cases", "marked_at")
    return [{"erasure": name, "cases": n, "at": instant(at)} for name, n, at in found]


def instant(moment: datetime) -> str:
    """Return a time as manifests write it: RFC 3339, UTC."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _file(file: DataFile, role: str) -> dict[str, JsonValue]:
    return {"name": file.name, "role": role, "bytes": file.size, "sha256": file.sha256}


def _version(version: DatasetVersion) -> dict[str, JsonValue]:
    return {
        "id": version.public_id,
        "number": version.number,
        "content_sha256": version.content_sha256,
        "case_count": version.case_count,
        "selection": version.selection,
        "choices": version.choices,
        "label_counts": version.label_counts,
        "split_counts": version.split_counts,
        "difference": version.difference,
        "ledger_seq": version.ledger_seq,
        "frozen_at": instant(version.frozen_at),
    }


def _redaction(version: DatasetVersion, tally: Tally) -> dict[str, JsonValue] | None:
    profile = version.redaction
    if profile is None:
        return None
    return {
        "profile": profile.name,
        "number": profile.number,
        "id": profile.public_id,
        "replaced": counts(tally.replaced),
    }


def manifest_file(export: Export) -> tuple[str, int]:
    """Return the name and size of the manifest as it lies in the folder."""
    name = export_files.manifest_name(export.public_id)
    return name, (export_files.folder() / name).stat().st_size
