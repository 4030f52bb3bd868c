"""What stands in the place of what was found: ``⟨email:kxqbtdwmfznr⟩``.

A token is an HMAC-SHA256 of kind and plain form under the key, cut to twelve letters (52 bits): the same
value has the same token wherever it stands, and without the key nobody can check a guess. Twelve consonants
make no word, no number and no address, so nothing that detectors look for can ever be in a token.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import re
from typing import Final

from datasets.redaction.normalised import normalise
from datasets.redaction.profile import Detector

MASK: Final = "⟨masked⟩"
FIELD: Final = "value"
_LETTERS: Final = "bcdfghjklmnpqrstvwxz"
_LENGTH: Final = 12
TOKEN: Final = re.compile(rf"⟨[a-z_]{{2,20}}:[{_LETTERS}]{{{_LENGTH}}}⟩")
_NOT_DIGIT: Final = re.compile(r"[^0-9]")
_NOT_LETTER: Final = re.compile(r"[^0-9A-Za-z]")


def token(key: bytes, kind: str, plain: str) -> str:
    """Return the token of a value in its plain form."""
    message = f"{kind}\0{plain}".encode("utf-8", "surrogatepass")
    number = int.from_bytes(hmac.digest(key, message, hashlib.sha256)[:8], "big")
    letters = []
    for _ in range(_LENGTH):
        number, place = divmod(number, len(_LETTERS))
        letters.append(_LETTERS[place])
    return f"⟨{kind}:{''.join(letters)}⟩"


def plain_form(kind: str, found: str) -> str:
    """Return what all ways to write the same value have in common."""
    if kind == Detector.EMAIL:
        return found.casefold()
    if kind == Detector.IBAN:
        return _NOT_LETTER.sub("", found).upper()
    if kind == Detector.CARD:
        return _NOT_DIGIT.sub("", found)
    if kind == Detector.PHONE:
        return _phone(found)
    if kind == Detector.IP:
        return _address(found)
    if kind == FIELD:
        return " ".join(normalise(found).text.casefold().split())
    return found


def _phone(found: str) -> str:
    digits = _NOT_DIGIT.sub("", found.replace("(0)", ""))
    if found.lstrip(" (").startswith("+"):
        return digits
    return digits.removeprefix("00")


def _address(found: str) -> str:
    try:
        if ":" in found:
            return str(ipaddress.IPv6Address(found))
        return ".".join(str(int(octet)) for octet in found.split("."))
    except ValueError:
        return found
