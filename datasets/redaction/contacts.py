"""How to reach somebody or some machine: e-mail addresses, telephone numbers, IP addresses."""

from __future__ import annotations

import ipaddress
import re
import unicodedata
from collections.abc import Iterator
from typing import Final

Span = tuple[int, int]

_LOCAL_MARKS: Final = frozenset("._%+-'~!$*^`{|}")
_MAX_LOCAL: Final = 320
_MAX_DOMAIN: Final = 255
_MAX_QUOTED: Final = 80


def emails(text: str) -> Iterator[Span]:
    """Yield the e-mail addresses, in any script (RFC 6531); a quoted name or an address literal too."""
    after = 0
    position = text.find("@")
    while position >= 0:
        start, end = _local(text, position, after), _domain(text, position + 1)
        if start < position and end > position + 1:
            yield start, end
            after = end
        position = text.find("@", max(position + 1, after))


def _local(text: str, at: int, floor: int) -> int:
    if at > floor and text[at - 1] == '"':
        opening = text.rfind('"', max(floor, at - _MAX_QUOTED), at - 1)
        return opening if opening >= 0 else at
    start = at
    floor = max(floor, at - _MAX_LOCAL)
    while start > floor and (_is_letter(text[start - 1]) or text[start - 1] in _LOCAL_MARKS):
        start -= 1
    while start < at and text[start] in ".'`{|}*":
        start += 1
    return start


def _domain(text: str, start: int) -> int:
    """Return where the domain that begins here ends; ``start`` when there is none."""
    if text[start : start + 1] == "[":
        closing = text.find("]", start, start + 64)
        return closing + 1 if closing > 0 else start
    end = start
    limit = min(len(text), start + _MAX_DOMAIN)
    while end < limit and (_is_letter(text[end]) or text[end] in ".-_"):
        end += 1
    while end > start and text[end - 1] in ".-_":
        end -= 1
    name, dot, top = text[start:end].rpartition(".")
    return end if dot and name.strip(".") and len(top) > 1 and not top.isdigit() else start


def _is_letter(character: str) -> bool:
    return character.isalnum() or (character > "\x7f" and unicodedata.category(character)[0] == "M")


_V4: Final = re.compile(r"(?<![0-9])(?<![0-9]\.)[0-9]{1,3}(?:\.[0-9]{1,3}){3}(?![0-9])(?!\.[0-9])")
_VERSION: Final = re.compile(r"(?:\bv|\bversion:? ?)\Z", re.IGNORECASE)
_V6: Final = re.compile(r"[0-9A-Fa-f]{0,4}(?::[0-9A-Fa-f]{0,4}){2,}(?:\.[0-9]{1,3}){0,3}")
_UP_TO_TWO_COLONS: Final = re.compile(r"(?:(?<!:)::?(?!:)|[0-9A-Fa-f.]++)++")
_MAX_LABELS: Final = 3


def addresses(text: str) -> Iterator[Span]:
    """Yield the IPv4 and IPv6 addresses that the ``ipaddress`` module takes; not what is called a version."""
    for found in _V4.finditer(text):
        octets = found[0].split(".")
        before = text[max(0, found.start() - 9) : found.start()]
        if all(int(octet) <= 255 for octet in octets) and not _VERSION.search(before):
            yield found.span()
    if text.count(":") >= 2:
        for run in _V6.finditer(text):
            # Three colons in a row are in no address: they only stand between two.
            for found in _UP_TO_TWO_COLONS.finditer(text, *run.span()):
                yield from _v6(text, *found.span())


def _v6(text: str, start: int, end: int) -> Iterator[Span]:
    """Yield the address in a run of hex groups; a word and a colon may stand before it, a colon after it."""
    if end - start > 64:
        return
    for _ in range(_MAX_LABELS):
        inside = start > 0 and text[start - 1].isalnum()
        outside = end < len(text) and text[end].isalnum()
        for stop in (end, end - 1) if text[end - 1] == ":" else (end,):
            if not inside and not (outside and stop == end) and _is_v6(text[start:stop]):
                yield start, stop
                return
        colon = text.find(":", start, end)
        if colon < 0 or colon + 1 >= end:
            return
        # "::1" after "to:" is one colon too many; after a word, the word is.
        start = colon + 1 if text[colon + 1] != ":" or colon == start else colon


def _is_v6(text: str) -> bool:
    if not text.strip(":") or ("::" not in text and text.count(":") not in (6, 7)):
        return False
    try:
        ipaddress.IPv6Address(text)
    except ValueError:
        return False
    return True


_GAP: Final = r"[ \t()./\-]{0,3}"
_INTERNATIONAL: Final = re.compile(rf"(?<![0-9])\+[ (]?[1-9](?:{_GAP}[0-9]){{6,14}}(?![0-9])")
_STANDS_ALONE: Final = r"(?<![0-9A-Za-z#_+])(?<![0-9A-Za-z][\-/.])(?<![0-9] )"
_DOUBLE_ZERO: Final = re.compile(rf"{_STANDS_ALONE}00[ ]?[1-9](?:{_GAP}[0-9]){{7,13}}(?![0-9])")
_TRUNK: Final = re.compile(rf"{_STANDS_ALONE}\(?0[1-9](?:{_GAP}[0-9]){{6,10}}(?![0-9A-Za-z])(?!-[0-9])")
_NORTH_AMERICAN: Final = re.compile(
    rf"{_STANDS_ALONE}(?:1[ .\-])?(?:\([2-9][0-9]{{2}}\)[ ]?|[2-9][0-9]{{2}}[ .\-])"
    r"[2-9][0-9]{2}[ .\-][0-9]{4}(?![0-9A-Za-z])(?!-[0-9])"
)
_DATE: Final = re.compile(
    r"[0-9]{1,2}([./\-])[0-9]{1,2}\1(?:[0-9]{4}|[0-9]{2})(?![0-9])(?!\1)|[0-9]{4}-[0-9]{2}-[0-9]{2}(?![0-9])"
)
_NAMED: Final = re.compile(
    r"(?:\b|_)(?:tel|telefon|telephone|phone|mobile|mobil|cell|cellphone|fax|handy|handynummer|telefonnummer|"
    r"call|sms|whatsapp|msisdn|t[ée]l[ée]phone|m[oó]vil)(?![A-Za-z])[^0-9A-Za-z+\n]{0,4}"
    rf"(?:(?:no|nr|number|nummer|is|me|us|at|on|ist|unter)\b[^0-9A-Za-z+\n]{{0,4}}){{0,3}}"
    rf"((?:\+|\()?[0-9](?:{_GAP}[0-9]){{5,14}})(?![0-9])",
    re.IGNORECASE,
)
# What stands before other numbers of this shape.
_OTHER_NUMBER: Final = re.compile(
    r"(?<![A-Za-z])(?:order|invoice|ticket|ref|reference|case|item|sku|article|artikel|bestellung|auftrag|rechnung|kunde|"
    r"customer|account|konto|tracking|shipment|sendung|parcel|serial|batch|id|no|nr|#)"
    r"[ \t:.#=\-]{0,4}(?:(?:id|no|nr|number|nummer|is|ist)\b[ \t:.#=\-]{0,4}){0,2}\Z",
    re.IGNORECASE,
)
_MEMBER_OF_PHONES: Final = re.compile(
    r"phone|mobile|msisdn|whatsapp|telefon|handy|(?:^|[_\-.])(?:tel|fax|cell|sms)(?:$|[_\-.])", re.IGNORECASE
)
_MEMBER_OF_OTHERS: Final = re.compile(
    r"order|invoice|ticket|sku|article|tracking|shipment|parcel|serial|batch|account|(?:^|[_\-.])(?:id|no|nr|ref)$|Id$"
)
_DIGITS_OF_A_PHONE: Final = re.compile(rf"\s*(?:\+|\()?[0-9](?:{_GAP}[0-9]){{5,14}}\s*")
_LONG: Final = 10


def phones(text: str, member: str) -> Iterator[Span]:
    """Yield the telephone numbers of a text that stands under the name ``member``.

    With a plus (E.164) always; national writing where its shape says so and nothing calls it an order, an
    invoice and such; bare digits only where the name or the words before call them a telephone number.
    """
    for found in _INTERNATIONAL.finditer(text):
        yield found.span()
    for found in _NAMED.finditer(text):
        if not _DATE.match(found[1]):
            yield found.span(1)
    if is_phone_member(member) and _DIGITS_OF_A_PHONE.fullmatch(text):
        yield 0, len(text)
        return
    if _MEMBER_OF_OTHERS.search(member):
        return
    for pattern in (_DOUBLE_ZERO, _TRUNK, _NORTH_AMERICAN):
        for found in pattern.finditer(text):
            if _is_national(text, found):
                yield found.span()


def is_phone_member(member: str) -> bool:
    """Say whether a member's name says that it holds a telephone number."""
    return bool(_MEMBER_OF_PHONES.search(member))


def _is_national(text: str, found: re.Match[str]) -> bool:
    number = found[0]
    if _DATE.match(number) or _OTHER_NUMBER.search(text[max(0, found.start() - 32) : found.start()]):
        return False
    # In one piece it is as long as a number with its area code, or it could be anything.
    return not number.isdigit() or len(number) >= _LONG
