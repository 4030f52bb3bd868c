"""The files of an export: absent or complete, whatever is killed when.

In ``settings.EXPORT_DIR`` an export has, in the order in which they appear:

- ``<id>.<epoch>.<ext>.part``: being written by the worker that holds this epoch. No two workers ever write to
  one file: one that comes back late goes on with its own, which nobody reads any more.
- ``<id>.<ext>``: complete; fsync, then rename.
- ``<id>.manifest.json``: last of all, likewise. A file without its manifest is not an export.

A worker that takes over copies the part that the row vouches for (so many bytes, so many rows, this SHA-256)
into its own file and goes on behind it; when the bytes are not there or differ, it starts from nothing.
Both ways end in the same bytes.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Final

from django.conf import settings

from hitl_site.lib.strict_json import JsonValue

_CHUNK: Final = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Written:
    """What is known of a file so far: its rows, its bytes, and the SHA-256 of exactly those bytes."""

    rows: int
    size: int
    sha256: str


NOTHING: Final = Written(rows=0, size=0, sha256=hashlib.sha256().hexdigest())


def folder() -> Path:
    """Return the folder of all exports, made for us alone: cases hold personal data."""
    place = Path(settings.EXPORT_DIR)
    place.mkdir(parents=True, exist_ok=True, mode=0o700)
    return place


def data_name(export_id: str, extension: str) -> str:
    """Return the name of the finished file."""
    return f"{export_id}.{extension}"


def manifest_name(export_id: str) -> str:
    """Return the name of the manifest."""
    return f"{export_id}.manifest.json"


class PartFile:
    """A file being written by one holder of the lease."""

    def __init__(self, *, export_id: str, epoch: int, extension: str, known: Written) -> None:
        self._export_id = export_id
        self._final = folder() / data_name(export_id, extension)
        self._path = folder() / f"{export_id}.{epoch}.{extension}.part"
        self._leftovers = [path for path in folder().glob(f"{export_id}.*.part") if path != self._path]
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
        self._file = os.fdopen(descriptor, "w+b")
        self._hash = hashlib.sha256()
        self._rows = self._size = 0
        if known.rows:
            self._take_over(known)

    def __enter__(self) -> PartFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def append(self, row: bytes) -> None:
        """Write one row."""
        self._file.write(row)
        self._hash.update(row)
        self._rows += 1
        self._size += len(row)

    def written(self) -> Written:
        """Hand everything to the operating system, which a kill does not stop, and say what there is."""
        self._file.flush()
        return Written(rows=self._rows, size=self._size, sha256=self._hash.hexdigest())

    def publish(self) -> Written:
        """Make the file durable under its final name, and remove what dead workers left."""
        written = self.written()
        os.fsync(self._file.fileno())
        self._path.replace(self._final)
        _sync_folder()
        for path in self._leftovers:
            path.unlink(missing_ok=True)
        return written

    def discard(self) -> None:
        """Remove this part: nobody will ask for it."""
        self._path.unlink(missing_ok=True)

    def _take_over(self, known: Written) -> None:
        """Copy what the row vouches for from an earlier holder's file, or leave this one empty."""
        # The finished file counts too: its writer may have died before the manifest.
        for source in [*self._leftovers, self._final]:
            if self._copy(source, known):
                return
            self._file.seek(0)
            self._file.truncate()
            self._hash = hashlib.sha256()

    def _copy(self, source: Path, known: Written) -> bool:
        rows, left = 0, known.size
        try:
            with source.open("rb") as earlier:
                while left and (chunk := earlier.read(min(left, _CHUNK))):
                    self._file.write(chunk)
                    self._hash.update(chunk)
                    rows += chunk.count(b"\n")
                    left -= len(chunk)
        except FileNotFoundError:
            return False
        if left or rows != known.rows or self._hash.hexdigest() != known.sha256:
            return False
        self._rows, self._size = rows, known.size
        return True


def publish_manifest(*, export_id: str, epoch: int, manifest: Mapping[str, JsonValue]) -> None:
    """Write the manifest beside the finished file, durably and at once."""
    final = folder() / manifest_name(export_id)
    part = folder() / f"{export_id}.{epoch}.manifest.json.part"
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(manifest, file, indent=2, sort_keys=True, ensure_ascii=False)
        file.write("\n")
        file.flush()
        os.fsync(file.fileno())
    part.replace(final)
    _sync_folder()


def open_finished(name: str) -> BinaryIO:
    """Open a finished file or a manifest, or raise ``FileNotFoundError``."""
    return (folder() / name).open("rb")


def copy_out(*, file_name: str, export_id: str, to: Path) -> Path:
    """Copy a finished file to a place of the operator's, its manifest beside it; return the manifest's path.

    As in our own folder: each is there as a whole or not at all, the manifest last.
    """
    manifest = to.with_name(f"{to.name}.manifest.json")
    # What lies there from last time would vouch for another file.
    manifest.unlink(missing_ok=True)
    for source, target in ((file_name, to), (manifest_name(export_id), manifest)):
        part = target.with_name(f"{target.name}.part")
        with open_finished(source) as reader, part.open("wb") as writer:
            shutil.copyfileobj(reader, writer, _CHUNK)
            writer.flush()
            os.fsync(writer.fileno())
        part.replace(target)
    return manifest


def remove(export_id: str, extension: str) -> None:
    """Remove all files of an export; the manifest first, so that what is left never looks complete."""
    (folder() / manifest_name(export_id)).unlink(missing_ok=True)
    (folder() / data_name(export_id, extension)).unlink(missing_ok=True)
    for path in folder().glob(f"{export_id}.*.part"):
        path.unlink(missing_ok=True)


def _sync_folder() -> None:
    # A rename is durable when its folder is.
    descriptor = os.open(folder(), os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
