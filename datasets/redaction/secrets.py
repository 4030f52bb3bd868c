"""What opens doors: keys and tokens, private keys, passwords in addresses and after their names."""

from __future__ import annotations

import base64
import binascii
import itertools
import json
import re
from collections.abc import Iterator
from typing import Final

from datasets.redaction.checksums import entropy

Span = tuple[int, int]

# Each pattern is looked for only in texts with its mark: a search for a word is far quicker than a pattern.
_PREFIXED: Final[tuple[tuple[str, re.Pattern[str]], ...]] = tuple(
    (mark, re.compile(pattern))
    for mark, pattern in (
        ("hr_", r"hr_(?:live|test)_[0-9A-Za-z_]{8,}"),
        ("sk-", r"(?<![A-Za-z])sk-[0-9A-Za-z_\-]{16,}"),
        ("gh", r"gh[pousr]_[0-9A-Za-z]{16,}"),
        ("github_pat_", r"github_pat_[0-9A-Za-z_]{16,}"),
        ("glpat-", r"glpat-[0-9A-Za-z_\-]{16,}"),
        ("A", r"(?:AKIA|ASIA)[0-9A-Z]{16}"),
        ("xox", r"xox[a-z]-[0-9A-Za-z\-]{10,}"),
        ("xapp-", r"xapp-[0-9A-Za-z\-]{10,}"),
        ("AIza", r"AIza[0-9A-Za-z_\-]{35}"),
        ("ya29.", r"ya29\.[0-9A-Za-z_\-]{16,}"),
        ("_live_", r"(?:sk|pk|rk)_live_[0-9A-Za-z]{10,}"),
        ("_test_", r"(?:sk|pk|rk)_test_[0-9A-Za-z]{10,}"),
        ("whsec_", r"whsec_[0-9A-Za-z+/=]{16,}"),
        ("SG.", r"SG\.[0-9A-Za-z_\-]{16,}\.[0-9A-Za-z_\-]{16,}"),
        ("npm_", r"npm_[0-9A-Za-z]{30,}"),
        ("pypi-", r"pypi-[0-9A-Za-z_\-]{16,}"),
        ("hf_", r"hf_[0-9A-Za-z]{30,}"),
        ("shpat_", r"shpat_[0-9a-fA-F]{32}"),
        ("dop_v1_", r"dop_v1_[0-9a-f]{64}"),
    )
)
_BEARER: Final = re.compile(r"\b(?:bearer|basic)[ \t:=]{1,4}([0-9A-Za-z._~+/\-]{12,}={0,2})", re.IGNORECASE)
_ASSIGNED: Final = re.compile(
    r"(?<![A-Za-z])(password|passwort|passwd|passphrase|pwd|api[_\- ]?key|secret[_\- ]?key|private[_\- ]?key|"
    r"client[_\-]?secret|secret|access[_\-]?token|refresh[_\-]?token|auth[_\-]?token|id[_\-]?token|token|"
    r"signature|sig)[\"']?[ \t]{0,4}[:=][ \t]{0,4}[\"']?([^\s\"'<>&;,]{6,})",
    re.IGNORECASE,
)
_WORDS_OF_PASSWORDS: Final = ("pass", "pwd")
_MARKS_OF_ASSIGNMENTS: Final = ("pass", "pwd", "key", "secret", "token", "sig")
_DOTTED: Final = re.compile(r"[0-9A-Za-z_.\-]++")
_HEADER_START: Final = re.compile(r"e[wy]")
_MAX_HEADERS: Final = 8
_PARTS: Final = (3, 5)  # signed (RFC 7515), encrypted (RFC 7516)
_PEM_BEGIN: Final = "-----BEGIN "
_PEM_END: Final = re.compile(r"-----END [A-Z0-9 ]{1,64}-----")
_URL_ENDS: Final = re.compile(r"[\s\"'<>]")
_PATH_STARTS: Final = re.compile(r"[/?#\\]")
_PORT: Final = re.compile(r"[0-9]{0,5}")
_MAX_USERINFO: Final = 2048
_MEMBER: Final = re.compile(
    r"(?:.*[_\-. ])?(?:password|passwort|passwd|passphrase|pwd|secret|credentials?|api_?key|"
    r"(?:client|app|shared)_?secret|(?:access|refresh|auth|id|session|bearer|csrf|api)_?token|token|authorization|(?:private|secret|signing)_?key|"
    r"(?:set_)?cookie)",
    re.IGNORECASE,
)


def is_secret_member(member: str) -> bool:
    """Say whether a member's name says that its text opens something."""
    return bool(_MEMBER.fullmatch(member.replace("-", "_")))


def keys(text: str) -> Iterator[Span]:
    """Yield keys and tokens: known prefixes, JSON web tokens, PEM blocks, what follows Bearer or a name."""
    if len(text) < 8:
        return
    if _PEM_BEGIN in text:
        yield from _pem_blocks(text)
    for mark, pattern in _PREFIXED:
        if mark in text:
            for found in pattern.finditer(text):
                yield found.span()
    if text.count(".") >= 2:
        for found in _DOTTED.finditer(text):
            if found[0].count(".") >= _PARTS[0] - 1:
                yield from _web_tokens(text, *found.span())
    lowered = text.lower()
    if "bearer" in lowered or "basic" in lowered:
        for found in _BEARER.finditer(text):
            if _is_random(found[1]):
                yield found.span(1)
    if ("=" in text or ":" in text) and any(mark in lowered for mark in _MARKS_OF_ASSIGNMENTS):
        for found in _ASSIGNED.finditer(text):
            if _is_assigned(found):
                yield found.span(2)


def credentials(text: str) -> Iterator[Span]:
    """Yield what stands between ``://`` and ``@`` in addresses: a name, and perhaps a password."""
    position = text.find("://")
    while position >= 0:
        start = position + 3
        position = text.find("://", start)
        limit = min(len(text), start + _MAX_USERINFO)
        end = _URL_ENDS.search(text, start, limit)
        stop = end.start() if end else limit
        path = _PATH_STARTS.search(text, start, stop)
        at = text.rfind("@", start, path.start() if path else stop)
        if at < 0 and path and not _PORT.fullmatch(text[start : path.start()].partition(":")[2]):
            # A password with a slash in it that nobody encoded.
            at = text.rfind("@", start, stop)
        if at > start:
            yield start, at


def _pem_blocks(text: str) -> Iterator[Span]:
    start = text.find(_PEM_BEGIN)
    while start >= 0:
        end = _PEM_END.search(text, start)
        # A block that is cut off is as secret as a whole one.
        stop = end.end() if end else len(text)
        yield start, stop
        start = text.find(_PEM_BEGIN, stop)


def _web_tokens(text: str, start: int, end: int) -> Iterator[Span]:
    """Yield the tokens in a run of the characters that they are made of."""
    parts = text[start:end].split(".")
    begin = start
    over = 0
    for number, part in enumerate(parts):
        following = len(parts) - number - 1
        if number >= over and following >= _PARTS[0] - 1:
            for header in itertools.islice(_HEADER_START.finditer(part), _MAX_HEADERS):
                if _is_header(part[header.start() :]):
                    over = min(number + _PARTS[1], len(parts))
                    yield begin + header.start(), begin + len(".".join(parts[number:over]))
                    break
        begin += len(part) + 1


def _is_header(part: str) -> bool:
    """Say whether this is the header of a JSON web token (RFC 7515): an object that names its algorithm."""
    if len(part) > 4096:
        return False
    try:
        header = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except (binascii.Error, ValueError, RecursionError):
        return False
    return isinstance(header, dict) and "alg" in header


def _is_random(text: str) -> bool:
    """Say whether this looks drawn and not written: long, mixed, and of many different characters."""
    if len(text) < 12 or not any(character.isdigit() for character in text):
        return len(text) >= 24 and entropy(text) >= 4 and any(map(str.isupper, text))
    return entropy(text) >= 2.8


def _is_assigned(found: re.Match[str]) -> bool:
    name, value = found[1].lower(), found[2]
    if any(word in name for word in _WORDS_OF_PASSWORDS):
        # "Password: required" is a sentence; a password has more than letters in it, or "=" before it.
        return "=" in found[0][len(name) : -len(value)] or not value.strip(".!?)").isalpha()
    lowered = value.lower()
    return (len(value) >= 16 and _is_random(value)) or any(word in lowered for word in _WORDS_OF_PASSWORDS)
