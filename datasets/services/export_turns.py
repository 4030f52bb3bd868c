"""One worker's turn at an export: data, data card, manifest, and the way to its destination."""

from __future__ import annotations

import time
from functools import partial
from typing import Final

from django.utils.text import slugify

from datasets.exporters import registry
from datasets.exporters.base import FolderExporter, RowExporter
from datasets.exporters.tools import NO_TOOLS, Tools
from datasets.models import Export
from datasets.selectors.export_counts import balance
from datasets.services import (
    compression,
    destinations,
    export_card,
    export_claims,
    export_files,
    export_manifest,
    export_members,
    export_writing,
)
from datasets.services.destinations import Upload
from datasets.services.export_claims import Claim, Clock, LostLease
from datasets.services.export_files import NOTHING, DataFile, PartFile, PartFolder
from datasets.services.export_members import CaseChanged, Pages
from datasets.services.export_redaction import redactor_of
from datasets.services.export_writing import Tally

STEP_SECONDS: Final = 0.5


class _Turn:
    """How a turn goes: it saves steps, renews the lease, and ends in time."""

    def __init__(self, claim: Claim, *, deadline: float) -> None:
        self.claim = claim
        self.tally = claim.tally
        self._deadline = deadline
        self._saved = time.monotonic()

    def step(self, part: PartFile) -> bool:
        """Behind a whole block: save it now and then; False when the slice of time is over."""
        if time.monotonic() >= self._deadline:
            export_claims.save(self.claim, part.written(), self.tally, hand_over=True)
            return False
        if self._is_due():
            export_claims.save(self.claim, part.written(), self.tally)
        return True

    def touch(self) -> None:
        """Wherever time has passed: keep the lease."""
        if self._is_due():
            export_claims.renew(self.claim, cases=self.tally.cases)

    def _is_due(self) -> bool:
        now = time.monotonic()
        if now - self._saved < STEP_SECONDS:
            return False
        self._saved = now
        return True


def write(claim: Claim, clock: Clock, *, deadline: float) -> bool:
    """Write the export or go on with it; False when the slice ended before it did."""
    export = claim.export
    exporter = registry.exporter(export.format, export.options, tools=_tools(export))
    turn = _Turn(claim, deadline=deadline if exporter.resumable else float("inf"))
    if isinstance(exporter, RowExporter):
        files = _write_rows(turn, exporter)
    else:
        files = _write_folder(turn, exporter)
    if files is None:
        return False
    export_claims.renew(claim, cases=turn.tally.cases)
    codec = compression.CODECS.get(export.compression)
    found = export_manifest.finished(
        export,
        files,
        turn.tally,
        media_type=exporter.media_type if codec is None else codec.media_type,
        notes=exporter.notes,
    )
    text = export_card.card(found, balance(export_members.taken(export)))
    card = export_files.publish_card(export_id=export.public_id, epoch=claim.epoch, text=text)
    manifest = export_manifest.manifest(found, card, finished_at=clock())
    export_files.publish_manifest(export_id=export.public_id, epoch=claim.epoch, manifest=manifest)
    if export.destination:
        _upload(turn, [*files, card])
    export_claims.finish(claim, manifest, clock)
    if export.destination:
        export_files.remove_data(export.public_id)
    return True


def destination_of(export: Export) -> str:
    """Return where an export's files go: a folder of the version below the destination, "" for our own."""
    if not export.destination:
        return ""
    name = slugify(export.version.dataset.name) or export.version.dataset.public_id
    return f"{export.destination.rstrip('/')}/{name}-v{export.version.number}"


def _tools(export: Export) -> Tools:
    # To look for them takes a walk through the version: only where a format asks for them.
    asks = "tools" in export.options
    return export_members.tools(export) if asks else NO_TOOLS


def _write_rows(turn: _Turn, exporter: RowExporter) -> list[DataFile] | None:
    export, claim = turn.claim.export, turn.claim
    known = claim.known if exporter.resumable else NOTHING
    with PartFile(export_id=export.public_id, epoch=claim.epoch, name=export.file_name, known=known) as part:
        if not part.took_over:
            turn.tally = Tally()
        try:
            whole = export_writing.write_rows(
                exporter,
                _pages(turn),
                part,
                turn.tally,
                codec=compression.CODECS.get(export.compression),
                step=partial(turn.step, part),
                touch=turn.touch,
            )
            if not whole:
                return None
            _check_complete(turn)
            export_claims.save(claim, part.written(), turn.tally)
            return part.publish()
        except (LostLease, CaseChanged):
            part.discard()
            raise


def _write_folder(turn: _Turn, exporter: FolderExporter) -> list[DataFile]:
    export, claim = turn.claim.export, turn.claim
    turn.tally = Tally()
    if not exporter.extension:
        export.file_name = f"{export.public_id}.{claim.epoch}"
    part = PartFolder(export_id=export.public_id, epoch=claim.epoch, name=export.file_name)
    try:
        names = export_writing.write_folder(exporter, _pages(turn), part, turn.tally, touch=turn.touch)
        _check_complete(turn)
        export_claims.renew(claim, cases=turn.tally.cases)
        return export_writing.publish_folder(exporter, part, names)
    except (LostLease, CaseChanged):
        part.discard()
        raise


def _pages(turn: _Turn) -> Pages:
    export = turn.claim.export
    return export_members.members(export, after=turn.tally.position, redactor=redactor_of(export.version))


def _check_complete(turn: _Turn) -> None:
    total = turn.claim.export.rows_total
    if turn.tally.cases != total:
        raise CaseChanged(f"The version has {turn.tally.cases} of its {total} cases.")


def _upload(turn: _Turn, files: list[DataFile]) -> None:
    export = turn.claim.export
    name, size = export_manifest.manifest_file(export)
    order = [*((file.name, file.size) for file in files), (name, size)]
    uploads = [Upload(name, size, partial(export_files.open_finished, name)) for name, size in order]
    destinations.upload(destination_of(export), uploads, step=turn.touch)
    if turn.claim.epoch > 1:
        # A worker before may have left a folder of its own there, with what was erased since.
        destinations.remove_all(
            destination_of(export), export.public_id, but=[upload.name for upload in uploads]
        )
