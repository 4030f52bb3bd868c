"""Numbers with a check digit: payment cards and bank accounts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from datasets.redaction.checksums import IBAN_LENGTHS, Luhn, is_iban, is_issued

Span = tuple[int, int]

_DIGIT_RUN: Final = re.compile(r"[0-9]+(?:[ \t\n.\-_/|\u00b7\u2022]{1,3}[0-9]+)*")
# Between groups of other sizes these stand in dates, paths and lists too.
_MARKS_OF_FOURS: Final = frozenset("._/|\u00b7\u2022")
_GROUP: Final = re.compile(r"[0-9]+")
_IBAN_START: Final = re.compile(r"[A-Za-z]{2}[ \-.]?[0-9]{2}")
_IBAN_SEPARATORS: Final = " -.\t\n\r_/:"
_MAX_IBAN_SEPARATORS: Final = 3
_SHORTEST: Final = 13
_LONGEST: Final = 19


def cards(text: str) -> Iterator[Span]:
    """Yield the payment cards: 13 to 19 digits, in groups or not, of a known issuer's range, with Luhn."""
    for run in _DIGIT_RUN.finditer(text):
        if run.end() - run.start() >= _SHORTEST:
            yield from _cards_of(text, run.start(), run.end())


def _cards_of(text: str, start: int, end: int) -> Iterator[Span]:
    groups = [found.span() for found in _GROUP.finditer(text, start, end)]
    digits = "".join(text[begin:stop] for begin, stop in groups)
    if len(digits) < _SHORTEST:
        return
    luhn = Luhn(digits)
    first = offset = 0
    while first < len(groups):
        last = _last_group(text, groups, first, digits, offset, luhn)
        if last is None:
            last = first
        else:
            yield groups[first][0], groups[last][1]
        offset += sum(stop - begin for begin, stop in groups[first : last + 1])
        first = last + 1


def _last_group(
    text: str, groups: list[Span], first: int, digits: str, offset: int, luhn: Luhn
) -> int | None:
    """Return with which group the longest card ends that begins with group ``first``."""
    begin = groups[first][0]
    fraction = begin >= 2 and text[begin - 1] == "." and text[begin - 2].isdigit()
    found = None
    total = 0
    for last in range(first, len(groups)):
        total += groups[last][1] - groups[last][0]
        if total > _LONGEST:
            break
        if total < _SHORTEST or (fraction and last == first):
            continue
        candidate = digits[offset : offset + total]
        if (
            is_issued(candidate)
            and luhn.holds(offset, offset + total)
            and _is_written_so(text, groups[first : last + 1])
        ):
            found = last
    return found


def _is_written_so(text: str, groups: list[Span]) -> bool:
    """Say whether a card is written in such groups: fours and such, or with one same mark between all."""
    sizes = [stop - begin for begin, stop in groups]
    if len(sizes) == 1:
        return True
    if all(size == 4 for size in sizes[:-1]) or sizes in ([4, 6, 5], [4, 6, 4]):
        return True
    between = {text[groups[i][1] : groups[i + 1][0]] for i in range(len(groups) - 1)}
    return len(between) == 1 and not _MARKS_OF_FOURS & set(next(iter(between)))


def ibans(text: str) -> Iterator[Span]:
    """Yield the bank account numbers: a country's length, mod 97 holds; with marks between or not."""
    position = 0
    while found := _IBAN_START.search(text, position):
        # Letters and digits take turns here, so no other one begins inside of these four characters.
        position = found.end()
        length = IBAN_LENGTHS.get(found[0][:2].upper())
        if length is None:
            continue
        end = _end_of(text, found.end(), length - 4)
        if end is not None and is_iban("".join(filter(str.isalnum, text[found.start() : end]))):
            yield found.start(), end
            position = end


def _end_of(text: str, position: int, wanted: int) -> int | None:
    """Return where ``wanted`` further letters and digits end, marks between left aside."""
    marks = 0
    while position < len(text):
        character = text[position]
        position += 1
        if character.isascii() and character.isalnum():
            wanted -= 1
            marks = 0
            if not wanted:
                return position
        elif character in _IBAN_SEPARATORS and marks < _MAX_IBAN_SEPARATORS:
            marks += 1
        else:
            return None
    return None
