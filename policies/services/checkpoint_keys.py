"""The keys that sign checkpoints: Ed25519, one file a key (PEM, mode 0600), apart from those of permits.

The newest file signs. A new installation makes its first key by itself; a lost one is replaced the same way,
and the ledger says so.
"""

from __future__ import annotations

import os
import secrets
import time
from functools import lru_cache
from pathlib import Path
from typing import cast

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from django.conf import settings

from hitl_site.lib.signed_note import SigningKey, VerifierKey


def newest() -> SigningKey:
    """Return the key that signs now, making the first one."""
    folder = Path(settings.CHECKPOINT_KEY_DIR)
    if not _names(folder):
        make_key(folder)
    return _keys(folder, _names(folder), settings.LEDGER_ORIGIN)[-1]


def verifiers() -> tuple[VerifierKey, ...]:
    """Return the public parts of all keys in the folder, the one that signs first."""
    folder = Path(settings.CHECKPOINT_KEY_DIR)
    return tuple(key.verifier for key in reversed(_keys(folder, _names(folder), settings.LEDGER_ORIGIN)))


def make_key(folder: Path) -> Path:
    """Make a key, which signs from the next checkpoint on, and return its file."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    private = Ed25519PrivateKey.generate()
    # The name sorts by time of making: the newest key is the last.
    path = folder / f"{time.time_ns():020d}-{secrets.token_hex(4)}.pem"
    part = path.with_suffix(".part")
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
    return path


def _names(folder: Path) -> tuple[str, ...]:
    return tuple(sorted(path.name for path in folder.glob("*.pem")))


@lru_cache(maxsize=4)
def _keys(folder: Path, names: tuple[str, ...], origin: str) -> tuple[SigningKey, ...]:
    return tuple(
        SigningKey(
            origin, cast(Ed25519PrivateKey, load_pem_private_key((folder / name).read_bytes(), password=None))
        )
        for name in names
    )
