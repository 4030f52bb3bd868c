"""The keys that sign permits: Ed25519 (RFC 8037), one file a key, published as a JWK set (RFC 7517).

The newest file signs. A rotation makes a new one and destroys the private half of the others; their public
halves stay published until the permits that they signed have run out, or not at all where a key was stolen.
The set says what can be checked without us; whether a permit may be used is only ever ``consume``'s to say.

Files are written beside the folder's readers and moved into place whole, and only one process at a time
writes (``flock``), so any number of web processes may sign while the command rotates. Each of them looks for
new files at most a second late. A new installation makes its first key by itself.
"""

from __future__ import annotations

import base64
import fcntl
import json
import os
import secrets
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import orjson
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.conf import settings
from django.db import connection, transaction
from joserfc.jwk import OKPKey

from policies.models import LedgerEntry
from policies.services import ledger

ALGORITHM = "Ed25519"
TYPE = "handrail-permit+jwt"
# A permit lives a day at most; an hour more for clocks and caches.
OVERLAP: Final = timedelta(hours=25)
_LOOK_AGAIN_SECONDS: Final = 1.0
_RETIRES: Final = "retire_at"


class NoSigningKey(RuntimeError):
    """The folder holds keys, and none of them has its private half."""


@dataclass(frozen=True)
class _Key:
    jwk: OKPKey
    kid: str
    signs: bool
    retire_at: datetime | None


@dataclass(frozen=True)
class _Ring:
    """The keys as they were at one look into the folder, oldest first."""

    folder: Path
    names: tuple[tuple[str, int], ...]
    looked_at: float
    keys: tuple[_Key, ...]


@dataclass(frozen=True)
class Rotation:
    """What a rotation did, by thumbprint (RFC 7638): what signs now, what stays published and until when."""

    kid: str
    before: str | None
    retiring: tuple[tuple[str, datetime], ...]
    removed: tuple[str, ...]


_ring: _Ring | None = None


def forget() -> None:
    """Forget what was read, as a process that has just begun."""
    global _ring
    _ring = None


def sign(claims: Mapping[str, Any]) -> str:
    """Return the compact JWS over ``claims`` by the newest key."""
    key = _signing_key(settings.PERMIT_KEY_DIR)
    # RFC 7515, section 7.1: header and payload in base64url, and the signature over both as they stand.
    signed = f"{_header_of(key.kid)}.{_base64url(orjson.dumps(claims))}"
    private = key.jwk.private_key
    if not isinstance(private, Ed25519PrivateKey):
        raise NoSigningKey("The newest key is not one for Ed25519 signatures.")
    return f"{signed}.{_base64url(private.sign(signed.encode()))}"


@lru_cache(maxsize=16)
def _header_of(kid: str) -> str:
    header = {"alg": ALGORITHM, "typ": TYPE, "kid": kid}
    return _base64url(json.dumps(header, separators=(",", ":")).encode())


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def public_keys(*, now: datetime) -> dict[str, Any]:
    """Return the JWK set that executors verify permits with, newest first. It holds no private part."""
    _signing_key(settings.PERMIT_KEY_DIR)
    return {
        "keys": [
            {**key.jwk.as_dict(private=False), "kid": key.kid, "alg": ALGORITHM, "use": "sig"}
            for key in reversed(_look(settings.PERMIT_KEY_DIR, fresh=True).keys)
            if key.retire_at is None or key.retire_at > now
        ]
    }


@transaction.atomic
def ensure_recorded(*, actor: ledger.Actor, now: datetime) -> bool:
    """Make the first key where there is none, and record the one that signs where the ledger has none of it.

    Every start does this: a first key that a process made for itself, or that an operator put there, is
    on record from then on. Return whether there was anything to record.
    """
    with connection.cursor() as cursor:
        # Two starts at once: the second finds what the first recorded.
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended('permit_key', 0))")
    kid = _signing_key(settings.PERMIT_KEY_DIR).kid
    if LedgerEntry.objects.filter(object_kind="permit_key", object_id=kid).exists():
        return False
    ledger.record(
        actor=actor,
        verb="permit_key.found",
        object_kind="permit_key",
        object_id=kid,
        payload={"before": {"kid": None}, "after": {"kid": kid}},
        now=now,
    )
    return True


@transaction.atomic
def rotate(*, retire_after: timedelta, actor: ledger.Actor, now: datetime) -> Rotation:
    """Make a new key, which signs from now on, and retire the others ``retire_after`` from now.

    A key that was to retire earlier still does. What has retired by now is removed.
    """
    folder: Path = settings.PERMIT_KEY_DIR
    rotation = _change_files(folder, retire_after=retire_after, now=now)
    ledger.record(
        actor=actor,
        verb="permit_key.rotated",
        object_kind="permit_key",
        object_id=rotation.kid,
        payload={
            "before": {"kid": rotation.before},
            "after": {"kid": rotation.kid},
            "retiring": {kid: moment.isoformat() for kid, moment in rotation.retiring},
            "removed": list(rotation.removed),
        },
        now=now,
    )
    return rotation


def _change_files(folder: Path, *, retire_after: timedelta, now: datetime) -> Rotation:
    _make_folder(folder)
    with _only_writer(folder):
        before = _read(folder)
        kid = _write_new(folder)
        retiring, removed = [], []
        for (name, _), key in zip(before.names, before.keys, strict=True):
            retire_at = min(key.retire_at or now + retire_after, now + retire_after)
            if retire_at <= now:
                (folder / name).unlink()
                removed.append(key.kid)
            else:
                public = {**key.jwk.as_dict(private=False), _RETIRES: retire_at.isoformat()}
                _write(folder / name, public)
                retiring.append((key.kid, retire_at))
        _sync(folder)
    forget()
    signed = [key.kid for key in before.keys if key.signs]
    return Rotation(
        kid=kid, before=signed[-1] if signed else None, retiring=tuple(retiring), removed=tuple(removed)
    )


def _signing_key(folder: Path) -> _Key:
    """Return the newest key that has its private half; make the first one where there is none at all."""
    for fresh in (False, True):
        ring = _look(folder, fresh=fresh)
        if not ring.keys:
            _make_first(folder)
            ring = _look(folder, fresh=True)
        for key in reversed(ring.keys):
            if key.signs:
                return key
    raise NoSigningKey(f"No key in {folder} can sign; run rotate_permit_key.")


def _make_first(folder: Path) -> None:
    _make_folder(folder)
    with _only_writer(folder):
        # Another process may have been first while this one waited.
        if not _names(folder):
            _write_new(folder)
            _sync(folder)


def _look(folder: Path, *, fresh: bool = False) -> _Ring:
    """Return the keys, read again only where the folder has changed since the last look."""
    global _ring
    ring, moment = _ring, time.monotonic()
    if ring is not None and ring.folder == folder:
        if not fresh and moment - ring.looked_at < _LOOK_AGAIN_SECONDS:
            return ring
        if ring.names == _names(folder):
            ring = _Ring(folder, ring.names, moment, ring.keys)
            _ring = ring
            return ring
    ring = _read(folder)
    _ring = ring
    return ring


def _read(folder: Path) -> _Ring:
    while True:
        moment, names = time.monotonic(), _names(folder)
        try:
            keys = tuple(_read_key(folder / name) for name, _ in names)
        except FileNotFoundError:
            # Retired between the listing and the reading: list again.
            continue
        return _Ring(folder, names, moment, keys)


def _read_key(path: Path) -> _Key:
    document: dict[str, Any] = json.loads(path.read_text("ascii"))
    retires = document.pop(_RETIRES, None)
    jwk = OKPKey.import_key(document)
    return _Key(
        jwk=jwk,
        kid=jwk.thumbprint(),
        signs="d" in document,
        retire_at=datetime.fromisoformat(retires).astimezone(UTC) if retires else None,
    )


def _names(folder: Path) -> tuple[tuple[str, int], ...]:
    """Return the key files in the order of their making, each with a mark that changes when it does."""
    try:
        with os.scandir(folder) as entries:
            found = [entry for entry in entries if entry.name.endswith(".json")]
            return tuple(sorted((entry.name, entry.stat().st_mtime_ns) for entry in found))
    except FileNotFoundError:
        return ()


def _write_new(folder: Path) -> str:
    jwk = OKPKey.generate_key("Ed25519", private=True)
    # The name sorts by time of making. Where the clock was set back, the newest must still be the last.
    latest = max((int(name.partition("-")[0]) for name, _ in _names(folder)), default=0)
    number = max(time.time_ns(), latest + 1)
    _write(folder / f"{number:020d}-{secrets.token_hex(4)}.json", jwk.as_dict(private=True))
    return jwk.thumbprint()


def _write(path: Path, document: Mapping[str, Any]) -> None:
    """Put a whole file in place, readable by nobody else (0600) from its first byte on."""
    new = path.with_suffix(f".{secrets.token_hex(4)}.new")
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        json.dump(document, file)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)


def _make_folder(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)


@contextmanager
def _only_writer(folder: Path) -> Iterator[None]:
    with (folder / ".lock").open("a", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
