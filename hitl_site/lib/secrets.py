"""Secrets of one installation: a master secret, and keys derived from it for one purpose each.

The master secret comes from the environment or from a file of mode 0600 that is made on first use. Keys for
single purposes are derived by HKDF-SHA256 (RFC 5869), so that no two purposes ever share a key.
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF


def load_or_create(path: Path) -> str:
    """Return the secret kept in ``path``, making it (mode 0600) when it is not there yet."""
    try:
        return path.read_text(encoding="ascii").strip()
    except FileNotFoundError:
        pass
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    temporary = path.with_name(f"{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(secrets.token_urlsafe(48))
        file.flush()
        os.fsync(file.fileno())
    try:
        # A hard link fails when another process was first: then its secret is the one that counts.
        os.link(temporary, path)
    except FileExistsError:
        pass
    finally:
        temporary.unlink()
    return path.read_text(encoding="ascii").strip()


def derive(master: str, purpose: str, length: int = 32) -> bytes:
    """Return ``length`` bytes for one purpose, independent of those for any other purpose."""
    return HKDF(
        algorithm=hashes.SHA256(), length=length, salt=None, info=f"handrail/{purpose}".encode()
    ).derive(master.encode())
