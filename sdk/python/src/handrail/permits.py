"""Checking a permit: a compact JWS (RFC 7515) whose claims must name exactly what is about to run.

The online consume is the authority. These checks make a wrong permit fail before it, without a server's help;
with a JWKS and the extra ``handrail[verify]`` the Ed25519 signature (RFC 8037, RFC 9864) is checked as well.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from handrail.canonical import JSONObject, same_digest
from handrail.errors import DigestMismatch, PermitExpired, PermitInvalid, ProtocolError
from handrail.wire import Fields, read_json

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

TYPE = "handrail-permit+jwt"
ALGORITHM = "Ed25519"
LEEWAY = 30  # seconds, for clocks that differ
REFETCH_SECONDS = 60.0
_MAX_TOKEN = 16 * 1024


@dataclass(frozen=True)
class Expected:
    """What the permit must say."""

    permit_id: str
    action_id: str
    action_type: str
    environment: str
    digest: str


class SignatureCheck(Protocol):
    """Raises ``PermitInvalid`` unless the key named ``kid`` signed ``signed``."""

    def __call__(self, *, kid: str, signed: bytes, signature: bytes) -> None: ...


class UnknownSigner(PermitInvalid):
    """The key that signed the permit is not among those that are known."""


def check_permit(
    token: str, expected: Expected, *, now: float, signature_check: SignatureCheck | None
) -> str:
    """Return whom the permit was given to (``sub``), or raise ``PermitInvalid`` or ``DigestMismatch``."""
    if len(token) > _MAX_TOKEN or token.count(".") != 2:
        raise PermitInvalid("the permit is not a compact JWS")
    head, payload, signature = token.split(".")
    try:
        header = Fields(_read_part(head), of="permit header")
        claims = Fields(_read_part(payload), of="permit")
        _check_header(header)
        if signature_check is not None:
            signed = f"{head}.{payload}".encode("ascii")
            signature_check(kid=header.text("kid"), signed=signed, signature=_decode(signature))
        return _check_claims(claims, expected, now=now)
    except ProtocolError as exc:
        raise PermitInvalid(str(exc)) from exc


class PinnedKeys:
    """A check against the Ed25519 keys of a JWKS document. Needs the extra ``handrail[verify]``.

    Asking for verification without the means to do it is an error now, not a silent skip later. What was
    pinned stays as it is: a permit by another key is refused.
    """

    def __init__(self, jwks: Mapping[str, object]) -> None:
        self._keys = _public_keys(jwks)

    def __call__(self, *, kid: str, signed: bytes, signature: bytes) -> None:
        from cryptography.exceptions import InvalidSignature

        key = self._keys.get(kid)
        if key is None:
            raise UnknownSigner("the permit is signed by a key that is not in the JWKS")
        try:
            key.verify(signature, signed)
        except InvalidSignature as exc:
            raise PermitInvalid("the permit's signature does not hold") from exc


class FetchedKeys(PinnedKeys):
    """The same for keys that the server itself publishes, fetched when first needed.

    A permit by an unknown key has them fetched again, since keys are rotated: at most once in
    ``REFETCH_SECONDS``, so that forged permits are no way to keep the server busy.
    """

    def __init__(self) -> None:
        _public_key_class()
        self._keys = {}
        self._fetched_at: float | None = None

    def may_fetch(self, now: float) -> bool:
        """Say whether it is time to fetch, and count it as done: whoever is told so fetches."""
        if self._fetched_at is not None and now < self._fetched_at + REFETCH_SECONDS:
            return False
        self._fetched_at = now
        return True

    def take(self, jwks: Mapping[str, object]) -> None:
        """Know these keys from now on, and no others."""
        self._keys = _public_keys(jwks)


def ed25519_check(jwks: Mapping[str, object]) -> SignatureCheck:
    """Return the check against a JWKS document that the caller has pinned."""
    return PinnedKeys(jwks)


def _public_key_class() -> type[Ed25519PublicKey]:
    try:
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    except ImportError as exc:
        raise RuntimeError("a JWKS was given: install handrail[verify] to check signatures") from exc
    return Ed25519PublicKey


def _public_keys(jwks: Mapping[str, object]) -> dict[str, Ed25519PublicKey]:
    read = _public_key_class()
    return {kid: read.from_public_bytes(point) for kid, point in _read_public_keys(jwks).items()}


def _check_header(header: Fields) -> None:
    if header.text("alg") != ALGORITHM or header.text("typ") != TYPE:
        raise PermitInvalid(f"the permit is not a {TYPE} signed with {ALGORITHM}")
    # RFC 7515, 4.1.11: an extension that is critical and not understood voids the whole.
    if header.items("crit"):
        raise PermitInvalid("the permit demands an extension that this client does not know")


def _check_claims(claims: Fields, expected: Expected, *, now: float) -> str:
    if claims.number("exp") + LEEWAY <= now:
        raise PermitExpired()
    if claims.number("nbf") - LEEWAY > now:
        raise PermitInvalid("the permit does not hold yet")
    act = claims.maybe("act")
    if act is None:
        raise PermitInvalid("the permit names no action")
    if not same_digest(act.text("digest"), expected.digest):
        raise DigestMismatch("the permit is for other arguments than those about to run")
    said = (claims.text("jti"), act.text("id"), act.text("type"), act.text("env"))
    if said != (expected.permit_id, expected.action_id, expected.action_type, expected.environment):
        raise PermitInvalid("the permit is for another action")
    return claims.text("sub")


def _read_public_keys(jwks: Mapping[str, object]) -> dict[str, bytes]:
    keys = jwks.get("keys")
    points: dict[str, bytes] = {}
    for key in keys if isinstance(keys, list) else []:
        if isinstance(key, Mapping) and key.get("kty") == "OKP" and key.get("crv") == "Ed25519":
            points[str(key.get("kid"))] = _decode(str(key.get("x")))
    if not points:
        raise ValueError("the JWKS holds no Ed25519 key")
    return points


def _read_part(part: str) -> JSONObject:
    value = read_json(_decode(part))
    if not isinstance(value, dict):
        raise PermitInvalid("a part of the permit is not an object")
    return value


def _decode(part: str) -> bytes:
    try:
        raw = part.encode("ascii")
        return base64.b64decode(raw + b"=" * (-len(raw) % 4), altchars=b"-_", validate=True)
    except (ValueError, binascii.Error) as exc:
        raise PermitInvalid("a part of the permit is not base64url") from exc
