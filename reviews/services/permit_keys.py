"""The keys that sign permits: Ed25519 (RFC 8037), one file a key, published as a JWK set (RFC 7517).

The newest file signs; older ones stay published until an operator removes them, so that permits signed before
a rotation still verify. A new installation makes its first key by itself.
"""

from __future__ import annotations

import json
import os
import secrets
import time
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from django.conf import settings
from joserfc import jws
from joserfc.jwk import OKPKey

ALGORITHM = "Ed25519"
TYPE = "handrail-permit+jwt"


def sign(claims: Mapping[str, Any]) -> str:
    """Return the compact JWS over ``claims`` by the newest key."""
    key = _keys(settings.PERMIT_KEY_DIR, _generation(settings.PERMIT_KEY_DIR))[-1]
    header = {"alg": ALGORITHM, "typ": TYPE, "kid": key.thumbprint()}
    payload = json.dumps(claims, separators=(",", ":")).encode()
    return jws.serialize_compact(header, payload, key, algorithms=[ALGORITHM])


def public_keys() -> dict[str, Any]:
    """Return the JWK set that executors verify permits with. It holds no private part."""
    keys = _keys(settings.PERMIT_KEY_DIR, _generation(settings.PERMIT_KEY_DIR))
    return {
        "keys": [
            {**key.as_dict(private=False), "kid": key.thumbprint(), "alg": ALGORITHM, "use": "sig"}
            for key in reversed(keys)
        ]
    }


def make_key(folder: Path) -> Path:
    """Make a new signing key, which signs from now on, and return its file (mode 0600)."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    key = OKPKey.generate_key("Ed25519", private=True)
    # The name sorts by time of making: the newest key is the last.
    path = folder / f"{time.time_ns():020d}-{secrets.token_hex(4)}.json"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        json.dump(key.as_dict(private=True), file)
        file.flush()
        os.fsync(file.fileno())
    return path


def _generation(folder: Path) -> tuple[str, ...]:
    """Return the names of the key files, so that a rotation is seen without a restart."""
    names = tuple(sorted(path.name for path in folder.glob("*.json")))
    if names:
        return names
    make_key(folder)
    return tuple(sorted(path.name for path in folder.glob("*.json")))


@lru_cache(maxsize=4)
def _keys(folder: Path, names: tuple[str, ...]) -> tuple[OKPKey, ...]:
    return tuple(OKPKey.import_key(json.loads((folder / name).read_text("ascii"))) for name in names)
