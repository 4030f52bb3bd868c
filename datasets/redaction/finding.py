"""What a text holds that should not leave: the stretches of it, each with its kind and plain form."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from datasets.redaction import contacts, numbers, secrets
from datasets.redaction.normalised import Normalised, normalise, unescape, without_marks
from datasets.redaction.profile import Detector
from datasets.redaction.pseudonyms import plain_form
from hitl_site.lib import ids

_ID: Final = rf"(?:{'|'.join(sorted(ids.PREFIXES))})_[0-9a-f]{{32}}"
_DIGEST: Final = r"(?:sha(?:1|224|256|384|512)|md5|blake2[bs]?|blake3)[:=\-][0-9A-Fa-f]{32,128}"
_CLOCK: Final = r"[0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,9})?)?(?:Z|[+\-][0-9]{2}:?[0-9]{2})?"
_INSTANT: Final = rf"[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}(?:[T ]{_CLOCK})?"
_UUID: Final = r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}"
_HEX: Final = r"(?:[0-9A-Fa-f]{128}|[0-9A-Fa-f]{96}|[0-9A-Fa-f]{64}|[0-9A-Fa-f]{40}|[0-9A-Fa-f]{32})"
NAMES: Final = re.compile(rf"{_ID}|{_DIGEST}")
_HARMLESS: Final = re.compile(rf"{_ID}|{_DIGEST}|{_INSTANT}|{_UUID}")
# By chance a digest has a card number in it one time in a thousand; it is a digest all the same.
_DIGESTS: Final = re.compile(rf"(?<![0-9A-Za-z])(?:{_ID}|{_DIGEST}|{_UUID}|{_HEX})(?![0-9A-Za-z])")
# An escape of an escape, and so on: what is written so is read by nobody, deeper least of all.
_MOST_ESCAPES: Final = 8
_DIGITS: Final = re.compile(r"[0-9](?:[^0-9A-Za-z]{0,3}[0-9]){5}")


@dataclass(frozen=True, slots=True)
class Found:
    """A stretch of the original text."""

    start: int
    end: int
    kind: Detector
    plain: str


@dataclass(frozen=True, slots=True)
class _Stretch:
    start: int
    end: int
    kind: Detector


def find(text: str, member: str, detectors: frozenset[Detector]) -> list[Found]:
    """Return what the detectors find, in order, never overlapping.

    The text is read in its plain form; if there is nothing, with its escapes read too, and those within them,
    then without combining marks. What is inside of something else, or overlaps with it, goes with it. So a
    caller looks again at what is left between.
    """
    if len(text) < 3 or _HARMLESS.fullmatch(text):
        return []
    for plain in _readings(text):
        if stretches := _stretches(plain.text, member, detectors):
            return [_found(plain, stretch) for stretch in stretches]
    return []


def _readings(text: str) -> Iterator[Normalised]:
    reading = normalise(text)
    yield reading
    for _ in range(_MOST_ESCAPES):
        escaped = unescape(reading)
        if escaped is None:
            break
        reading = escaped
        yield reading
    unmarked = without_marks(reading)
    if unmarked is not None:
        yield unmarked


def _found(plain: Normalised, stretch: _Stretch) -> Found:
    start, end = plain.span(stretch.start, stretch.end)
    value = plain_form(stretch.kind, plain.text[stretch.start : stretch.end])
    return Found(start=start, end=end, kind=stretch.kind, plain=value)


def _stretches(text: str, member: str, detectors: frozenset[Detector]) -> list[_Stretch]:
    # A password in an address looks like the name of an e-mail address: what opens doors comes first.
    return _joined(_openers(text, detectors)) or _joined(_identifiers(text, member, detectors))


def _openers(text: str, detectors: frozenset[Detector]) -> Iterator[_Stretch]:
    if Detector.URL_CREDENTIALS in detectors and "://" in text and "@" in text:
        yield from _of(Detector.URL_CREDENTIALS, secrets.credentials(text))
    if Detector.SECRET in detectors:
        for start, end in secrets.keys(text):
            if not NAMES.fullmatch(text, start, end):
                yield _Stretch(start, end, Detector.SECRET)


def _identifiers(text: str, member: str, detectors: frozenset[Detector]) -> Iterator[_Stretch]:
    if Detector.EMAIL in detectors and "@" in text:
        yield from _of(Detector.EMAIL, contacts.emails(text))
    digests: list[tuple[int, int]] | None = None
    for stretch in _numbers(text, member, detectors):
        if digests is None:
            digests = [found.span() for found in _DIGESTS.finditer(text)]
        if not any(start <= stretch.start and stretch.end <= end for start, end in digests):
            yield stretch


def _numbers(text: str, member: str, detectors: frozenset[Detector]) -> Iterator[_Stretch]:
    if Detector.IP in detectors and (text.count(".") >= 3 or text.count(":") >= 2):
        yield from _of(Detector.IP, contacts.addresses(text))
    if Detector.IBAN in detectors and len(text) >= 15:
        yield from _of(Detector.IBAN, numbers.ibans(text))
    if not _DIGITS.search(text):
        return
    if Detector.CARD in detectors:
        yield from _of(Detector.CARD, numbers.cards(text))
    if Detector.PHONE in detectors:
        yield from _of(Detector.PHONE, contacts.phones(text, member))


def _of(kind: Detector, spans: Iterable[tuple[int, int]]) -> Iterator[_Stretch]:
    return (_Stretch(start, end, kind) for start, end in spans)


def _joined(found: Iterable[_Stretch]) -> list[_Stretch]:
    """Return the stretches in order, overlapping ones as one of the longest one's kind."""
    joined: list[_Stretch] = []
    longest = 0
    for stretch in sorted(found, key=lambda one: (one.start, -one.end)):
        length = stretch.end - stretch.start
        if not joined or stretch.start >= joined[-1].end:
            joined.append(stretch)
            longest = length
            continue
        last = joined[-1]
        kind = stretch.kind if length > longest else last.kind
        longest = max(longest, length)
        joined[-1] = _Stretch(last.start, max(last.end, stretch.end), kind)
    return joined
