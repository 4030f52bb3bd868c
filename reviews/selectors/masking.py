"""Secrets in what an agent shows: covered where a reviewer reads the context. Never in what will run.

What is masked is named by its key, or has the form of a card number. The reader sees that something is
there, and the last four characters of a card.
"""

from __future__ import annotations

import re
from itertools import pairwise

from hitl_site.lib.strict_json import JsonValue

COVER = "••••••"

_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_SECRET_WORDS = frozenset(
    {"password", "passwd", "pwd", "passphrase", "secret", "token", "authorization", "cookie", "otp"}
    | {"cvv", "cvc", "pin", "ssn", "apikey", "iban", "credential", "credentials"}
)
_SECRET_PAIRS = frozenset({("api", "key"), ("private", "key"), ("access", "key"), ("secret", "key")})
_CARD_PAIRS = frozenset({("card", "number"), ("card", "no"), ("credit", "card"), ("debit", "card")})
_IN_TEXT = re.compile(
    r"(?i)\b((?:password|passwd|passphrase|api[_-]?key|secret|access[_-]?token|token)\b[\"']?\s*[:=]\s*[\"']?"
    r"|bearer\s+)([^\s\"',;]{4,})"
)
_DIGITS = re.compile(r"(?<![0-9])(?:[0-9][ -]?){12,18}[0-9](?![0-9])")


def mask(value: JsonValue, *, key: str = "") -> JsonValue:
    """Return the document with secrets covered; its shape stays."""
    if isinstance(value, dict):
        # What stands below the name of a secret is all of it secret, whatever it is called there.
        hidden = _names_secret(key)
        return {name: mask(member, key=key if hidden else name) for name, member in value.items()}
    if isinstance(value, list):
        return [mask(member, key=key) for member in value]
    if value is None or isinstance(value, bool) or value == "":
        return value
    if _names_secret(key):
        return COVER
    if _names_card(key) and _digits_of(str(value)) >= 12:
        return f"{COVER} {str(value)[-4:]}"
    return mask_text(value) if isinstance(value, str) else value


def mask_text(text: str) -> str:
    """Return the text with what is announced as a secret, and card numbers, covered."""
    covered = _IN_TEXT.sub(lambda match: match[1] + COVER, text)
    return _DIGITS.sub(_covered_card, covered)


def _covered_card(match: re.Match[str]) -> str:
    digits = re.sub(r"[^0-9]", "", match[0])
    return f"{COVER} {digits[-4:]}" if _passes_luhn(digits) else match[0]


def _names_secret(key: str) -> bool:
    words = [word.lower() for word in _WORDS.findall(key)]
    return not _SECRET_WORDS.isdisjoint(words) or any(pair in _SECRET_PAIRS for pair in pairwise(words))


def _names_card(key: str) -> bool:
    words = [word.lower() for word in _WORDS.findall(key)]
    return words == ["card"] or any(pair in _CARD_PAIRS for pair in pairwise(words))


def _digits_of(text: str) -> int:
    return sum(character.isdecimal() for character in text)


def _passes_luhn(digits: str) -> bool:
    """Say whether the digits end in the check digit of a card number (ISO/IEC 7812-1, annex B)."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        doubled = int(digit) * (1 + place % 2)
        total += doubled - 9 if doubled > 9 else doubled
    return total % 10 == 0
