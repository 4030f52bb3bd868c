"""Finding a value in folded texts: as whole words, as a number, as an address.

- A number is found as a number: 12.5 in "12.50", in "12,50" and in "$12.50"; 1234.5 in "1,234.50",
  "1.234,50", "1 234,50" and "1'234.50". Where a mark can part thousands as well as decimals, both readings
  count. A number is never found inside a longer one or in a word: no 1 in "2021", no 17 in "W17".
- An address (with an @, or a dot or slash between letters or digits) is found as it stands, and never inside
  a longer one: no bob@example.com in "alice.bob@example.com" or in "bob@example.com.evil.net".
- Other texts are found as whole words, whatever the white space and dashes in them: an account number with
  or without spaces.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from decimal import Decimal
from functools import cached_property
from itertools import accumulate

from policies.engine.folding import number_in

# Stands between two texts: nothing that is looked for holds it.
_BORDER = "\x00"
_COMPARED = 20_000_000
_LONGEST_NUMBER = 40
_SHORT_CODE = 8

_ADDRESS = re.compile(r"@|\w[./\\]\w")
_DIGITS = re.compile(r"(?<![\w.,'’-])-?[0-9]+(?:[.,'’][0-9]+)*(?![\w]|[.,'’][0-9])")
_SPACED = re.compile(r"(?<![\w.,'’-])-?[0-9]{1,3}(?: [0-9]{3})+(?:[.,][0-9]+)?(?![\w]|[.,'’][0-9])")
_GROUPED = {
    ",": re.compile(r"[0-9]{1,3}(?:,[0-9]{2,3})*,[0-9]{3}(?:\.[0-9]+)?", re.ASCII),
    ".": re.compile(r"[0-9]{1,3}(?:\.[0-9]{3})+(?:,[0-9]+)?", re.ASCII),
    "'": re.compile(r"[0-9]{1,3}(?:'[0-9]{3})+(?:[.,][0-9]+)?", re.ASCII),
}
_DECIMAL = re.compile(r"[0-9]+(?:[.,][0-9]+)?", re.ASCII)
_WORD = re.compile(r"\w+")
_GAP = re.compile("[ -]+")
# What would make an address a part of a longer one. A scheme before it does not.
_JOINED_BEFORE = re.compile(r"(?:[\w.%+@\\-]|(?<!/)/)\Z")
_JOINED_AFTER = re.compile(r"\A(?:[\w@]|[./\\%+:?#&=-]+[\w@])")


class Mentions:
    """The folded texts of one voice, ready to be asked."""

    def __init__(self, texts: Sequence[str]) -> None:
        # A border inside a text would part what belongs together.
        self._text = _BORDER.join(text.replace(_BORDER, " ") for text in texts)
        self.size = len(self._text)

    def has_number(self, number: Decimal) -> bool:
        """Return whether a text names the number."""
        return number in self._numbers

    def has_text(self, text: str, *, in_doubt: bool) -> bool:
        """Return whether a text holds this one, folded as they are; `in_doubt` where that takes too long."""
        if not text or _BORDER in text:
            return False
        number = number_in(text)
        # What starts with idle zeros is a code and no number.
        if number is not None and not re.match(r"-?0[0-9]", text) and self.has_number(number):
            return True
        if _ADDRESS.search(text):
            return self._is_there(text, self._text, in_doubt=in_doubt)
        squeezed = _squeeze(text)
        if squeezed.isdigit() and len(squeezed) < _SHORT_CODE:
            return self._is_there(text, self._text, in_doubt=in_doubt)
        # Of dashes alone nothing is left to look for.
        return bool(squeezed) and self._is_there_squeezed(squeezed, in_doubt=in_doubt)

    def _is_there(self, text: str, where: str, *, in_doubt: bool) -> bool:
        for start in _places(text, where, in_doubt):
            if start is None:
                return in_doubt
            end = start + len(text)
            before, after = where[max(start - 2, 0) : start], where[end : end + 20]
            if not _JOINED_BEFORE.search(before) and not _JOINED_AFTER.match(after):
                return True
        return False

    def _is_there_squeezed(self, text: str, *, in_doubt: bool) -> bool:
        where, gaps = self._squeezed
        for start in _places(text, where, in_doubt):
            if start is None:
                return in_doubt
            end = start + len(text)
            begins = start in gaps or not _is_word(where[start - 1 : start + 1])
            ends = end in gaps or not _is_word(where[end - 1 : end + 1])
            if begins and ends:
                return True
        return False

    @cached_property
    def _squeezed(self) -> tuple[str, frozenset[int]]:
        """Return the text without white space and dashes, and the places in it where some stood."""
        chunks = _GAP.split(self._text)
        return "".join(chunks), frozenset({0, *accumulate(map(len, chunks))})

    @cached_property
    def _numbers(self) -> frozenset[Decimal]:
        written = [*_DIGITS.findall(self._text), *_SPACED.findall(self._text)]
        return frozenset(number for each in set(written) for number in _readings(each))


def _is_word(pair: str) -> bool:
    """Return whether two characters side by side are parts of one word."""
    return _WORD.fullmatch(pair) is not None


def _squeeze(text: str) -> str:
    return text.replace(" ", "").replace("-", "")


def _places(text: str, where: str, in_doubt: bool) -> Iterator[int | None]:
    """Yield where the text stands, and None in the end where it stands too often to look at each."""
    left = max(100, _COMPARED // len(text))
    start = where.find(text)
    while start >= 0:
        if not left:
            yield None
            return
        left -= 1
        yield start
        start = where.find(text, start + 1)


def _readings(written: str) -> Iterator[Decimal]:
    """Yield what a written number can mean."""
    if len(written) > _LONGEST_NUMBER:
        return
    sign, digits = ("-", written[1:]) if written.startswith("-") else ("", written)
    digits = digits.replace("’", "'").replace(" ", "'")
    if _DECIMAL.fullmatch(digits):
        yield Decimal(sign + digits.replace(",", "."))
    for mark, form in _GROUPED.items():
        if form.fullmatch(digits):
            yield Decimal(sign + digits.replace(mark, "").replace(",", "."))
