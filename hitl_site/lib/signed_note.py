"""Signed notes (C2SP signed-note) and the checkpoints of a log written as such (C2SP tlog-checkpoint).

A note is a text that ends with a newline, an empty line, and a signature line for each key::

    example.com/log
    15
    +Mwb...=

    — example.com/log 2RsL...=

The signature line holds the key's name and, in base64, four bytes of the key's id and the Ed25519 signature
over the text. A key is written ``name+hex(id)+base64(0x01 || public key)``; its id is the first four bytes of
SHA-256 over ``name || 0x0A || 0x01 || public key``. Any tool for signed notes verifies them.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

_ED25519: Final = b"\x01"
_SIGNATURE: Final = re.compile(r"— (?P<name>[^\s+]+) (?P<blob>[A-Za-z0-9+/]+={0,2})")
_SIZE: Final = re.compile(r"0|[1-9][0-9]{0,18}")
_NAME: Final = re.compile(r"[^\s+]{1,200}")


class InvalidNote(ValueError):
    """The text is no note, or no key that was given signed it."""


class InvalidKey(ValueError):
    """The text is no key of a signed note."""


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """A public key under the name that its notes carry."""

    name: str
    public: bytes

    @property
    def id(self) -> bytes:
        material = self.name.encode() + b"\n" + _ED25519 + self.public
        return hashlib.sha256(material).digest()[:4]

    @property
    def text(self) -> str:
        return f"{self.name}+{self.id.hex()}+{_base64(_ED25519 + self.public)}"

    @staticmethod
    def parse(text: str) -> VerifierKey:
        """Return the key of its text, as ``text`` writes it."""
        name, _, rest = text.strip().partition("+")
        claimed, _, blob = rest.partition("+")
        try:
            material = base64.b64decode(blob, validate=True)
        except binascii.Error:
            raise InvalidKey("The key is not name+id+base64.") from None
        key = VerifierKey(name, material[1:])
        if not _NAME.fullmatch(name) or material[:1] != _ED25519 or len(key.public) != 32:
            raise InvalidKey("The key is not an Ed25519 key of a signed note.")
        if claimed != key.id.hex():
            raise InvalidKey("The id in the key is not the key's own.")
        return key


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A private key under the name that its notes carry."""

    name: str
    private: Ed25519PrivateKey

    @property
    def verifier(self) -> VerifierKey:
        public = self.private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        return VerifierKey(self.name, public)


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """How long a log was, and the hash that stood for all of it."""

    origin: str
    size: int
    hash: str

    @property
    def text(self) -> str:
        return f"{self.origin}\n{self.size}\n{_base64(bytes.fromhex(self.hash))}\n"

    @staticmethod
    def parse(text: str) -> Checkpoint:
        """Read the three lines; further lines are extensions, which mean nothing here."""
        lines = text.split("\n")
        if len(lines) < 4 or not lines[0] or not _SIZE.fullmatch(lines[1]):
            raise InvalidNote("The text is no checkpoint.")
        try:
            digest = base64.b64decode(lines[2], validate=True)
        except (binascii.Error, ValueError):
            raise InvalidNote("The checkpoint's hash is not base64.") from None
        return Checkpoint(lines[0], int(lines[1]), digest.hex())


@dataclass(frozen=True, slots=True)
class Note:
    """A text and who signed it, as it was read: nothing is verified yet."""

    text: str
    signatures: tuple[tuple[str, bytes, bytes], ...]

    def is_signed_by(self, key: VerifierKey) -> bool:
        """Say whether this key signed the text; ``InvalidNote`` when its signature does not hold."""
        for name, key_id, signature in self.signatures:
            if (name, key_id) == (key.name, key.id):
                try:
                    Ed25519PublicKey.from_public_bytes(key.public).verify(signature, self.text.encode())
                except InvalidSignature:
                    raise InvalidNote(f"The signature of {name} does not hold.") from None
                return True
        return False


def sign(text: str, key: SigningKey) -> str:
    """Return the note: the text, which must end with a newline, and the key's signature."""
    if not text.endswith("\n") or "\n\n" in text:
        raise ValueError("the text of a note ends with one newline and has no empty line")
    blob = _base64(key.verifier.id + key.private.sign(text.encode()))
    return f"{text}\n— {key.name} {blob}\n"


def parse_all(text: str) -> Iterator[Note]:
    """Return the notes of a file, one after the other; pieces that are no note are passed over."""
    body: list[str] = []
    signatures: list[tuple[str, bytes, bytes]] = []
    lines = [*text.split("\n"), ""]
    for at, line in enumerate(lines):
        found = _SIGNATURE.fullmatch(line)
        if found:
            blob = _unbase64(found["blob"])
            if len(blob) == 4 + 64:
                signatures.append((found["name"], blob[:4], blob[4:]))
            following = lines[at + 1] if at + 1 < len(lines) else ""
            if not _SIGNATURE.fullmatch(following):
                if body and signatures:
                    yield Note("\n".join(body) + "\n", tuple(signatures))
                body, signatures = [], []
        elif line.startswith("—"):
            body, signatures = [], []  # a signature that was cut off
        elif line:
            body.append(line)
        elif body and not _SIGNATURE.fullmatch(lines[at + 1] if at + 1 < len(lines) else ""):
            body = []  # a text without a signature: a write that was cut off


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def _unbase64(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        return b""
