"""Texts brought into one form, so that a cosmetic difference is none.

`plain` undoes what does not change what a text says: Unicode's compatibility forms (NFKC, UAX #15), case,
characters that draw nothing, kinds of white space and of dashes. `lookalike` goes on to what does change it
but cannot be seen: a letter of another script that looks like a Latin letter or a digit is read as that one
(UTS #39, confusables).
"""

from __future__ import annotations

import re
import unicodedata
from decimal import Decimal
from functools import lru_cache

from confusable_homoglyphs.confusables import confusables_data

# Control characters but those that are white space, format characters, the joiners and fillers that draw
# nothing, and variation selectors.
_UNSEEN = re.compile(
    "[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f"
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164"
    "\ufe00-\ufe0f\ufeff\uffa0\ufff9-\ufffb\U000e0000-\U000e0fff]"
)
_DASHES = re.compile("[\u058a\u05be\u2010-\u2015\u2043\u207b\u208b\u2212\u2e3a\u2e3b\ufe58\ufe63\uff0d]")
_NUMBER = re.compile(r"-?[0-9]{1,60}(?:\.[0-9]{1,60})?", re.ASCII)


def plain(text: str) -> str:
    """Return the text in one form of writing: equal for texts that say the same in the same letters."""
    if text.isascii():
        # Nearly every text is printable, and needs no look at each character.
        seen = text if text.isprintable() else _UNSEEN.sub("", text)
        return " ".join(seen.split()).lower()
    seen = _DASHES.sub("-", _UNSEEN.sub("", unicodedata.normalize("NFKC", text)))
    # Folding the case can leave what NFKC would still compose.
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", seen).casefold())
    return " ".join(_UNSEEN.sub("", folded).split())


def lookalike(text: str) -> str:
    """Return the text as it looks: `plain`, and letters of other scripts read as what they look like."""
    if text.isascii():
        return plain(text)
    seen = _UNSEEN.sub("", unicodedata.normalize("NFKC", text))
    return plain(seen.translate(_looks()))


def number_text(value: int | float | Decimal) -> str:
    """Return a finite number in one way of writing it: without exponent, sign of nothing, or idle zeros."""
    text = format(Decimal(repr(value)) if isinstance(value, float) else Decimal(value), "f")
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text in {"-0", ""} else text


def number_in(text: str) -> Decimal | None:
    """Return the number that a text is, if it is nothing but one in plain digits."""
    return Decimal(text) if _NUMBER.fullmatch(text) else None


@lru_cache(maxsize=1)
def _looks() -> dict[int, str]:
    """Return for each character beyond ASCII the letter or digit it looks like; a letter where it is both.

    A small letter without a likeness of its own goes with its capital, so that a text does not change its
    looks with its case.
    """
    table: dict[int, str] = {}
    for char, similar in confusables_data.items():
        if len(char) != 1 or char.isascii():
            continue
        candidates = sorted(
            (
                each["c"]
                for each in similar
                if len(each["c"]) == 1 and each["c"].isascii() and each["c"].isalnum()
            ),
            key=lambda each: (each.isdigit(), each),
        )
        if candidates:
            table[ord(char)] = candidates[0]
    for code, like in list(table.items()):
        small = chr(code).lower()
        if len(small) == 1 and not small.isascii():
            table.setdefault(ord(small), like)
    return table
