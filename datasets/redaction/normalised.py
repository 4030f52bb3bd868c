"""Texts as a detector reads them, with the way back to the text as it stands.

Who wants to slip a number past a detector writes it with full-width digits, a zero-width space in the middle
or an escape for the ``@``. Detectors read the plain form; what is replaced is the stretch of the original.
"""

from __future__ import annotations

import html
import re
import unicodedata
from dataclasses import dataclass
from typing import Final

from hitl_site.lib.visible_text import HIDDEN_RANGES

# Nothing to do for these, the most of all texts.
_PLAIN: Final = re.compile(r"[\t\n\r\x20-\x7e]*+")
_BREAKS: Final = frozenset("\t\n\r\v\f\x85\u2028\u2029")
_IDEOGRAPHIC_STOPS: Final = frozenset("\u3002\uff61")
# However many backslashes: each time that JSON is put into JSON doubles them.
_ESCAPE: Final = re.compile(
    r"\\{1,64}(?:u[0-9A-Fa-f]{4}|x[0-9A-Fa-f]{2})|%[2-7][0-9A-Fa-f]"
    r"|&(?:#[0-9]{1,7};?|#[xX][0-9A-Fa-f]{1,6};|(?:amp|commat|period|plus);)"
)
_MAX_REMEMBERED: Final = 20_000


@dataclass(frozen=True, slots=True)
class Normalised:
    """A plain text; ``places`` says of each character where it begins and ends in the original.

    None: the text is its own plain form.
    """

    text: str
    places: tuple[list[int], list[int]] | None = None

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Return the stretch of the original that the plain characters of a stretch stand for."""
        if self.places is None:
            return start, end
        begins, ends = self.places
        return begins[start], ends[end - 1]


def normalise(text: str) -> Normalised:
    """Return the text in compatibility form (NFKC, a character at a time), hidden characters left out.

    Every decimal digit is an ASCII one, every dash a hyphen, every space a space; no digit has a mark on it.
    """
    if _PLAIN.fullmatch(text):
        return Normalised(text)
    pieces = _without_marks_on_digits([_FORMS[character] for character in text])
    plain = "".join(pieces)
    return Normalised(text) if plain == text else _placed(plain, pieces, [1] * len(pieces))


def unescape(normalised: Normalised) -> Normalised | None:
    """Return the text with JSON, URL and HTML escapes of single characters read; None if it has none."""
    text = normalised.text
    if not _ESCAPE.search(text):
        return None
    pieces: list[str] = []
    lengths: list[int] = []
    position = 0
    for found in _ESCAPE.finditer(text):
        between = text[position : found.start()]
        pieces.extend(between)
        lengths.extend([1] * len(between))
        pieces.append("".join(_FORMS[character] for character in _meaning(found[0])))
        lengths.append(len(found[0]))
        position = found.end()
    pieces.extend(text[position:])
    lengths.extend([1] * (len(text) - position))
    inner = _placed("".join(pieces), pieces, lengths)
    assert inner.places is not None
    begins, ends = inner.places
    spans = [normalised.span(start, end) for start, end in zip(begins, ends, strict=True)]
    return Normalised(inner.text, ([start for start, _ in spans], [end for _, end in spans]))


def without_marks(normalised: Normalised) -> Normalised | None:
    """Return the text without combining marks on letters as well; None if it has none.

    They break what letters and digits make up. In words they say which letter it is, and are read first.
    """
    text = normalised.text
    if text.isascii():
        return None
    kept = [at for at, character in enumerate(text) if not _is_mark(character)]
    if len(kept) == len(text):
        return None
    spans = [normalised.span(at, at + 1) for at in kept]
    places = ([start for start, _ in spans], [end for _, end in spans])
    return Normalised("".join(text[at] for at in kept), places)


def _without_marks_on_digits(pieces: list[str]) -> list[str]:
    """Take combining marks away that stand on a digit, where no writing needs them."""
    last = ""
    for at, piece in enumerate(pieces):
        if _is_mark(piece[:1]) and "0" <= last <= "9":
            pieces[at] = ""
        elif piece:
            last = piece[-1]
    return pieces


def _is_mark(character: str) -> bool:
    return character >= "\u0300" and unicodedata.category(character)[0] == "M"


def _placed(plain: str, pieces: list[str], lengths: list[int]) -> Normalised:
    begins: list[int] = []
    ends: list[int] = []
    position = 0
    for piece, length in zip(pieces, lengths, strict=True):
        for _ in piece:
            begins.append(position)
            ends.append(position + length)
        position += length
    return Normalised(plain, (begins, ends))


def _meaning(escape: str) -> str:
    if escape[0] == "%":
        return chr(int(escape[1:], 16))
    if escape[0] == "&":
        return html.unescape(escape)
    return chr(int(escape.lstrip("\\")[1:], 16))


class _Forms(dict[str, str]):
    """The plain form of each character, found once."""

    def __missing__(self, character: str) -> str:
        form = _form(character)
        # There are a million characters; a hostile text must not make us remember them all.
        if len(self) < _MAX_REMEMBERED:
            self[character] = form
        return form


def _form(character: str) -> str:
    if character in _BREAKS:
        return "\n" if character != "\t" else "\t"
    category = unicodedata.category(character)
    if category == "Zs":
        return " "
    if category == "Pd" or character == "\u2212":
        return "-"
    if character in _IDEOGRAPHIC_STOPS:
        return "."
    if category == "Nd":
        return str(unicodedata.decimal(character))
    code = ord(character)
    if category in ("Cc", "Cf") or any(low <= code <= high for low, high in HIDDEN_RANGES):
        return ""
    form = unicodedata.normalize("NFKC", character)
    # A full-width stop or dash is one only after it was made plain.
    return form if form == character else "".join(_form(part) if part != character else part for part in form)


_FORMS: Final = _Forms()
