"""Check digits and randomness: what tells a card number from an order number."""

from __future__ import annotations

import math
from collections import Counter
from typing import Final

# Length of an IBAN by country, from the registry that SWIFT keeps for ISO 13616.
IBAN_LENGTHS: Final = {
    "AD": 24, "AE": 23, "AL": 28, "AT": 20, "AZ": 28, "BA": 20, "BE": 16, "BG": 22, "BH": 22, "BI": 27,
    "BR": 29, "BY": 28, "CH": 21, "CR": 22, "CY": 28, "CZ": 24, "DE": 22, "DJ": 27, "DK": 18, "DO": 28,
    "EE": 20, "EG": 29, "ES": 24, "FI": 18, "FK": 18, "FO": 18, "FR": 27, "GB": 22, "GE": 22, "GI": 23,
    "GL": 18, "GR": 27, "GT": 28, "HN": 28, "HR": 21, "HU": 28, "IE": 22, "IL": 23, "IQ": 23, "IS": 26,
    "IT": 27, "JO": 30, "KW": 30, "KZ": 20, "LB": 28, "LC": 32, "LI": 21, "LT": 20, "LU": 20, "LV": 21,
    "LY": 25, "MC": 27, "MD": 24, "ME": 22, "MK": 19, "MN": 20, "MR": 27, "MT": 31, "MU": 30, "NI": 28,
    "NL": 18, "NO": 15, "OM": 23, "PK": 24, "PL": 28, "PS": 29, "PT": 25, "QA": 29, "RO": 24, "RS": 22,
    "RU": 33, "SA": 24, "SC": 31, "SD": 18, "SE": 24, "SI": 19, "SK": 24, "SM": 27, "SO": 23, "ST": 25,
    "SV": 28, "TL": 23, "TN": 24, "TR": 26, "UA": 29, "VA": 22, "VG": 24, "XK": 20, "YE": 30,
}  # fmt: skip
_DOUBLED: Final = (0, 2, 4, 6, 8, 1, 3, 5, 7, 9)


def is_iban(compact: str) -> bool:
    """Say whether this is an IBAN: its country's length, and ISO 7064 mod 97-10 leaves 1."""
    compact = compact.upper()
    if IBAN_LENGTHS.get(compact[:2]) != len(compact):
        return False
    turned = compact[4:] + compact[:4]
    return int("".join(str(int(character, 36)) for character in turned)) % 97 == 1


def is_card(digits: str) -> bool:
    """Say whether this is a payment card's number: an issuer's range and length, and Luhn (ISO 7812-1)."""
    return is_issued(digits) and Luhn(digits).holds(0, len(digits))


def is_issued(digits: str) -> bool:
    """Say whether a card network numbers its cards so: the first digits and the length."""
    length, first = len(digits), digits[:1]
    if length == 16:
        if first == "2":
            return 2200 <= int(digits[:4]) <= 2720
        return first in "34569" or digits[:2] in ("81", "82")
    if length == 13:
        return first in "456"
    if length in (14, 15):
        return first in "356"
    return 17 <= length <= 19 and first in "3456"


class Luhn:
    """The check sums of all stretches of a row of digits, each asked for in constant time."""

    def __init__(self, digits: str) -> None:
        # At i + 2: the sum of the digits i, i - 2, i - 4, ...; as they are, and doubled.
        self._plain = [0, 0]
        self._doubled = [0, 0]
        for character in digits:
            digit = int(character)
            self._plain.append(self._plain[-2] + digit)
            self._doubled.append(self._doubled[-2] + _DOUBLED[digit])

    def holds(self, start: int, end: int) -> bool:
        """Say whether the digits from ``start`` to ``end``, two at least, end with their check digit."""
        even = (end - start) % 2 == 0
        plain = self._plain[end + 1] - self._plain[start + 1 if even else start]
        doubled = self._doubled[end] - self._doubled[start if even else start + 1]
        return (plain + doubled) % 10 == 0


def entropy(text: str) -> float:
    """Return the Shannon entropy of the characters, in bits each."""
    total = len(text)
    return (
        -sum(count / total * math.log2(count / total) for count in Counter(text).values()) if total else 0.0
    )
