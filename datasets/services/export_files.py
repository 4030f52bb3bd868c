"""The files of an export: absent or complete, whatever is killed when.

In ``settings.EXPORT_DIR`` an export has, in the order in which they appear:

- ``<id>.<epoch>.part``: being written by the worker that holds this epoch, a file or a folder of them. No two
  workers ever write to one: one that comes back late goes on with its own, which nobody reads any more.
- ``<id>.<ext>``, or the folder ``<id>.<epoch>``: complete; fsync, then rename.
- ``<id>.card.md``: the data card, likewise.
- ``<id>.manifest.json``: last of all, likewise. A file without its manifest is not an export.

A worker that takes over copies the part that the row vouches for (so many bytes, this SHA-256) into its own
file and goes on behind it; when the bytes are not there or differ, it starts from nothing. Both ways end in
the same bytes.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Final

from django.conf import settings

from hitl_site.lib.strict_json import JsonValue

_CHUNK: Final = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Written:
    """What is known of a file so far: its bytes, and the SHA-256 of exactly those bytes."""

    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class DataFile:
    """One finished file: where it lies below the export's folder, and what is in it."""

    name: str
    size: int
    sha256: str


NOTHING: Final = Written(size=0, sha256=hashlib.sha256().hexdigest())


def folder() -> Path:
    """Return the folder of all exports, made for us alone: cases hold personal data."""
    place = Path(settings.EXPORT_DIR)
    place.mkdir(parents=True, exist_ok=True, mode=0o700)
    return place


def data_name(export_id: str, extension: str) -> str:
    """Return the name of the finished file."""
    return f"{export_id}.{extension}"


def card_name(export_id: str) -> str:
    """Return the name of the data card."""
    return f"{export_id}.card.md"


def manifest_name(export_id: str) -> str:
    """Return the name of the manifest."""
    return f"{export_id}.manifest.json"


class PartFile:
    """A file being written by one holder of the lease. ``took_over`` is what it has of an earlier one's."""

    def __init__(self, *, export_id: str, epoch: int, name: str, known: Written) -> None:
        self._final = folder() / name
        self._path = folder() / f"{export_id}.{epoch}.part"
        self._leftovers = _leftovers(export_id, self._path)
        self._file = _open_new(self._path)
        self._hash = hashlib.sha256()
        self._size = 0
        self.took_over = bool(known.size) and self._take_over(known)

    def __enter__(self) -> PartFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def append(self, block: bytes) -> None:
        """Write one block."""
        self._file.write(block)
        self._hash.update(block)
        self._size += len(block)

    def written(self) -> Written:
        """Hand everything to the operating system, which a kill does not stop, and say what there is."""
        self._file.flush()
        return Written(size=self._size, sha256=self._hash.hexdigest())

    def publish(self) -> list[DataFile]:
        """Make the file durable under its final name, and remove what dead workers left."""
        written = self.written()
        os.fsync(self._file.fileno())
        self._path.replace(self._final)
        _sync(folder())
        _remove(self._leftovers)
        return [DataFile(self._final.name, written.size, written.sha256)]

    def discard(self) -> None:
        """Remove this part: nobody will ask for it."""
        self._path.unlink(missing_ok=True)

    def _take_over(self, known: Written) -> bool:
        """Copy what the row vouches for from an earlier holder's file, or leave this one empty."""
        # The finished file counts too: its writer may have died before the manifest.
        for source in [*self._leftovers, self._final]:
            if self._copy(source, known):
                return True
            self._file.seek(0)
            self._file.truncate()
            self._hash = hashlib.sha256()
        return False

    def _copy(self, source: Path, known: Written) -> bool:
        left = known.size
        try:
            with source.open("rb") as earlier:
                while left and (chunk := earlier.read(min(left, _CHUNK))):
                    self._file.write(chunk)
                    self._hash.update(chunk)
                    left -= len(chunk)
        except (FileNotFoundError, IsADirectoryError):
            return False
        if left or self._hash.hexdigest() != known.sha256:
            return False
        self._size = known.size
        return True


class PartFolder:
    """A folder being written by one holder of the lease: always from nothing."""

    def __init__(self, *, export_id: str, epoch: int, name: str) -> None:
        self._epoch = epoch
        self._final = folder() / name
        self.path = folder() / f"{export_id}.{epoch}.part"
        self._leftovers = _leftovers(export_id, self.path)
        _remove([self.path])
        self.path.mkdir(mode=0o700)

    def publish_file(self, name: str) -> list[DataFile]:
        """Make the one file in it durable under the export's final name."""
        written = _durable(self.path / name)
        (self.path / name).replace(self._final)
        _sync(folder())
        _remove([self.path, *self._leftovers])
        return [DataFile(self._final.name, written.size, written.sha256)]

    def publish_folder(self, names: Sequence[str]) -> list[DataFile]:
        """Make the folder durable under a name of its own, in which no other worker ever writes."""
        made = []
        for name in names:
            written = _durable(self.path / name)
            made.append(DataFile(f"{self._final.name}/{name}", written.size, written.sha256))
        for below in sorted({(self.path / name).parent for name in names} | {self.path}):
            _sync(below)
        _remove([self._final])
        self.path.replace(self._final)
        _sync(folder())
        _remove(self._leftovers)
        return made

    def discard(self) -> None:
        """Remove this part: nobody will ask for it."""
        _remove([self.path])


def publish_card(*, export_id: str, epoch: int, text: str) -> DataFile:
    """Write the data card beside the finished file, durably and at once."""
    data = text.encode()
    _publish_text(data, card_name(export_id), part=f"{export_id}.{epoch}.card.md.part")
    return DataFile(card_name(export_id), len(data), hashlib.sha256(data).hexdigest())


def publish_manifest(*, export_id: str, epoch: int, manifest: Mapping[str, JsonValue]) -> None:
    """Write the manifest beside the finished files, durably and at once, after all others."""
    text = json.dumps(manifest, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
    _publish_text(text.encode(), manifest_name(export_id), part=f"{export_id}.{epoch}.manifest.json.part")


def open_finished(name: str) -> BinaryIO:
    """Open a finished file, a card or a manifest, or raise ``FileNotFoundError``."""
    return (folder() / name).open("rb")


def copy_out(*, file_name: str, export_id: str, to: Path) -> Path:
    """Copy a finished file or folder to a place of the operator's; return the path of its manifest there.

    The data card and the manifest come beside it. As in our own folder: each is there as a whole or not at
    all, the manifest last.
    """
    card, manifest = to.with_name(f"{to.name}.card.md"), to.with_name(f"{to.name}.manifest.json")
    # What lies there from last time would vouch for another file.
    manifest.unlink(missing_ok=True)
    if (folder() / file_name).is_dir():
        _copy_folder(folder() / file_name, to)
    else:
        _copy_file(folder() / file_name, to)
    _copy_file(folder() / card_name(export_id), card)
    _copy_file(folder() / manifest_name(export_id), manifest)
    return manifest


def remove(export_id: str) -> None:
    """Remove all files of an export; the manifest first, so that what is left never looks complete."""
    (folder() / manifest_name(export_id)).unlink(missing_ok=True)
    _remove(list(folder().glob(f"{export_id}.*")))


def remove_data(export_id: str) -> None:
    """Remove the data and leave the card and the manifest: the data has gone to its destination."""
    kept = {card_name(export_id), manifest_name(export_id)}
    _remove([path for path in folder().glob(f"{export_id}.*") if path.name not in kept])


def _leftovers(export_id: str, own: Path) -> list[Path]:
    """Return the parts and the unfinished folders of earlier holders."""
    parts = folder().glob(f"{export_id}.*.part")
    folders = (path for path in folder().glob(f"{export_id}.*") if path.is_dir())
    return sorted({*parts, *folders} - {own})


def _remove(paths: Sequence[Path]) -> None:
    for path in paths:
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def _open_new(path: Path) -> BinaryIO:
    if path.is_dir():
        shutil.rmtree(path)
    return os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600), "w+b")


def _publish_text(data: bytes, name: str, *, part: str) -> None:
    path = folder() / part
    with _open_new(path) as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    path.replace(folder() / name)
    _sync(folder())


def _durable(path: Path) -> Written:
    """Sync a written file to disk and hash it."""
    path.chmod(0o600)
    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        os.fsync(file.fileno())
        return Written(size=file.tell(), sha256=sha256)


def _copy_file(source: Path, target: Path) -> None:
    part = target.with_name(f"{target.name}.part")
    with source.open("rb") as reader, part.open("wb") as writer:
        shutil.copyfileobj(reader, writer, _CHUNK)
        writer.flush()
        os.fsync(writer.fileno())
    part.replace(target)


def _copy_folder(source: Path, target: Path) -> None:
    for path in sorted(source.rglob("*")):
        place = target / path.relative_to(source)
        if path.is_dir():
            place.mkdir(parents=True, exist_ok=True)
        else:
            place.parent.mkdir(parents=True, exist_ok=True)
            _copy_file(path, place)


def _sync(place: Path) -> None:
    # A rename is durable when its folder is.
    descriptor = os.open(place, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
