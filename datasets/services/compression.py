"""Compression of exports, in blocks that stand alone: the same rows give the same bytes, resumed or not.

A block is one gzip member (RFC 1952, without a name and with the time 0) or one Zstandard frame (RFC 8878).
Both formats say that such blocks may follow each other and read as one stream, so an export that was killed
goes on behind its last block. Zstandard is offered where this Python has it.
"""

from __future__ import annotations

import gzip
import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Final, cast

from datasets.choices import Compression

_GZIP_LEVEL: Final = 6
_ZSTD_LEVEL: Final = 3
_ZSTD_MODULES: Final = ("compression.zstd", "backports.zstd")


@dataclass(frozen=True, slots=True)
class Codec:
    """How blocks are compressed, and what the file's name and type say of it."""

    suffix: str
    media_type: str
    compress: Callable[[bytes], bytes]


def _gzip_member(data: bytes) -> bytes:
    return gzip.compress(data, _GZIP_LEVEL, mtime=0)


def _found() -> dict[str, Codec]:
    found = {Compression.GZIP.value: Codec(".gz", "application/gzip", _gzip_member)}
    for name in _ZSTD_MODULES:
        try:
            zstd = importlib.import_module(name)
        except ImportError:
            continue
        frame = partial(cast(Callable[..., bytes], zstd.compress), level=_ZSTD_LEVEL)
        found[Compression.ZSTD.value] = Codec(".zst", "application/zstd", frame)
        break
    return found


CODECS: Final[Mapping[str, Codec]] = _found()


def choices() -> list[tuple[str, str]]:
    """Return what can be chosen here, as a form shows it."""
    return [(kind.value, str(kind.label)) for kind in Compression if not kind or kind.value in CODECS]
