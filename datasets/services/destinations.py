"""Where exports may go besides their own folder: the places that the operator allows, and nothing else.

``HANDRAIL_EXPORT_DESTINATIONS`` lists prefixes (``s3://bucket/handrail/,file:///mnt/exports/``). Whoever asks
for an export picks one of them and may name a folder below it. A free address would let a person who may
export make this server talk to any host of its network, or write over any file of its account.

fsspec speaks to the places. Its settings and secrets come from the environment or its own configuration
files, never from an address. What a place needs beyond fsspec (s3fs for s3://) the operator installs.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final
from urllib.parse import urlsplit

import fsspec
from django.conf import settings
from django.utils.translation import gettext
from fsspec.implementations.local import LocalFileSystem

_CHUNK: Final = 1024 * 1024
MAX_LENGTH: Final = 500
# Letters, digits and a few signs, no segment that begins with a dot: nothing that means something to a shell,
# a URL or a file system.
_FOLDER: Final = re.compile(r"[A-Za-z0-9_=-][A-Za-z0-9._=-]*(?:/[A-Za-z0-9_=-][A-Za-z0-9._=-]*)*")
_PREFIX: Final = re.compile(r"[a-z][a-z0-9+.-]*://[^\s?#*\\@\[\]{}]*/?")


class UnusableDestination(Exception):
    """The place is not allowed, not well named, or cannot be reached from here."""


@dataclass(frozen=True, slots=True)
class Upload:
    """One finished file and its name below the destination."""

    name: str
    size: int
    open: Callable[[], BinaryIO]


def allowed() -> list[str]:
    """Return the allowed prefixes, each ending in a slash. One that is no plain URL is left out."""
    found: list[str] = settings.EXPORT_DESTINATIONS
    return [prefix.rstrip("/") + "/" for prefix in found if _is_plain(prefix)]


def address(prefix: str, folder: str = "") -> str:
    """Return the address of a folder below an allowed prefix, or raise ``UnusableDestination``."""
    folder = folder.strip("/")
    if folder and not _FOLDER.fullmatch(folder):
        raise UnusableDestination(
            gettext("A folder has letters, digits, . _ = - and / in its name, and no part begins with a dot.")
        )
    whole = prefix.rstrip("/") + "/" + (f"{folder}/" if folder else "")
    check(whole)
    return whole


def check(url: str) -> None:
    """Raise ``UnusableDestination`` unless this is at or below an allowed prefix, and can be spoken to."""
    prefix = next((prefix for prefix in allowed() if (url.rstrip("/") + "/").startswith(prefix)), None)
    if prefix is None:
        known = ", ".join(allowed()) or "none"
        raise UnusableDestination(
            gettext("{url} is not below a place that HANDRAIL_EXPORT_DESTINATIONS allows ({known}).").format(
                url=url, known=known
            )
        )
    below = url[len(prefix) :].strip("/")
    if len(url) > MAX_LENGTH or (below and not _FOLDER.fullmatch(below)):
        raise UnusableDestination(
            gettext("{folder!r} cannot be a folder of a destination.").format(folder=below)
        )
    _class_of(url)


def upload(url: str, files: list[Upload], *, step: Callable[[], None]) -> None:
    """Copy the files below ``url`` in this order; each is there as a whole or not at all.

    ``step`` is called after every piece and may raise to give up. Safe to repeat: same names, same bytes.
    """
    check(url)
    places, root = fsspec.core.url_to_fs(url)
    for file in files:
        path = f"{root.rstrip('/')}/{file.name}"
        parent = path.rpartition("/")[0]
        if parent:
            places.makedirs(parent, exist_ok=True)
        _copy(places, path, file, step)
        places.invalidate_cache(parent)
        if places.size(path) != file.size:
            raise OSError(f"{file.name} has another size at its destination than here.")


def remove_all(url: str, export_id: str, *, but: Collection[str] = ()) -> None:
    """Remove every file of an export below ``url``, its manifest first; what is not there is no error.

    ``but`` are the names of those that stay.
    """
    check(url)
    places, root = fsspec.core.url_to_fs(url)
    kept = {f"{root.rstrip('/')}/{name}" for name in but}
    found = [path for path in places.find(root) if f"/{export_id}." in path and path not in kept]
    for path in sorted(found, key=lambda path: not path.endswith(".manifest.json")):
        places.rm_file(path)


def _copy(places: Any, path: str, file: Upload, step: Callable[[], None]) -> None:
    if isinstance(places, LocalFileSystem):
        _copy_on_this_machine(Path(path), file, step)
        return
    # Not autocommit: a writer that is closed by an exception must not leave half a file under the name.
    target = places.open(path, "wb", autocommit=False)
    try:
        with file.open() as source:
            while chunk := source.read(_CHUNK):
                target.write(chunk)
                step()
        target.close()
    except BaseException:
        target.discard()
        # Else its finalizer closes it, which would send once more what was just given up.
        target.closed = True
        raise
    target.commit()


def _copy_on_this_machine(path: Path, file: Upload, step: Callable[[], None]) -> None:
    # fsspec would write below /tmp and move: across file systems that is a copy, and can be cut off.
    part = path.with_name(f"{path.name}.part")
    try:
        with file.open() as source, part.open("wb") as target:
            while chunk := source.read(_CHUNK):
                target.write(chunk)
                step()
            target.flush()
            os.fsync(target.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _is_plain(url: str) -> bool:
    parts = urlsplit(url)
    whole = bool(_PREFIX.fullmatch(url)) and "::" not in url and "%" not in url
    segments = parts.path.split("/")
    return whole and parts.username is None and not any(part in {".", ".."} for part in segments)


def _class_of(url: str) -> None:
    protocol = url.partition("://")[0]
    try:
        fsspec.get_filesystem_class(protocol)
    except (ImportError, ValueError) as exc:
        raise UnusableDestination(
            f"{protocol}:// is not spoken here: {exc}. The operator installs what it needs beside Handrail."
        ) from exc
