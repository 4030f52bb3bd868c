"""Canonical bytes (RFC 8785) and the digests over them: the identity of what was proposed, decided and run.

The digest of an action. An agent, this site and an executor each compute it by themselves and must agree, so
the preimage is fixed to the byte:

    sha256( b"handrail-action-v1\\0" + JCS(document) )

where the document has exactly these six members, all of them always present:

    {"v": 1,                      the version of this layout, a number
     "agent": "...",              the name of the agent that asks, as its key identifies it
     "subject": "..." or null,    on whose behalf; null when nobody was named
     "action_type": "...",        the name of the action type, refund.issue
     "environment": "...",        the environment of the key, production
     "arguments": {...}}          the arguments, exactly those that would run

and JCS is RFC 8785: members sorted by UTF-16 code units, numbers as ECMAScript writes them, no white space,
UTF-8. Text is not normalised: NFC and NFD are different arguments. The prefix with its final zero byte keeps
this digest apart from every other use of SHA-256. It is written "sha256:" and 64 lower-case hex digits.
"""

from __future__ import annotations

import hashlib
import math
import re

import orjson
import rfc8785

from hitl_site.lib.strict_json import MAX_SAFE_INTEGER, JsonValue

ACTION_PREFIX = b"handrail-action-v1\0"
DIGEST_SCHEME = "sha256:"


_FAST = (
    orjson.OPT_SORT_KEYS
    | orjson.OPT_STRICT_INTEGER
    | orjson.OPT_PASSTHROUGH_DATACLASS
    | orjson.OPT_PASSTHROUGH_DATETIME
)
# A double ends so where it has an exponent. Each begins with a byte that is rare, and found sooner by itself.
_EXPONENT_ENDS = tuple(
    (sign, re.compile(re.escape(sign) + rb"[0-9]{1,3}(?:[,\]}]|\Z)")) for sign in (b"+", b"-")
)
_EXPONENT = re.compile(rb"(?:\A|[:,\[])-?[0-9.]+e")
_POINT_ZERO = re.compile(rb"\.0(?:[,\]}]|\Z)")
_BEYOND_THE_FIRST_PLANE = re.compile(rb"[\xf0-\xf7]")


class NotCanonical(ValueError):
    """A value without a canonical form: NaN, an integer beyond 2^53-1, a lone surrogate, a foreign type."""


def canonicalize(value: JsonValue, *, known_finite: bool = False) -> bytes:
    """Return the RFC 8785 bytes of a JSON value. What the door accepts always has them.

    ``known_finite`` says that the caller has made sure that no NaN and no infinity is in the value, so that
    nobody looks for one.

    A fast encoder writes nearly every value in just these bytes. Where it may not have, the reference
    implementation of the RFC writes them (a hundred times slower, and never wrong).
    """
    data = _fast(value)
    if data and _POINT_ZERO.search(data):
        # 1.0 and -0.0 are written as 1 and 0: as whole numbers they are, by the fast encoder too.
        value = _whole(value)
        data = _fast(value)
        if _POINT_ZERO.search(data):
            data = b""
    if data and _is_sure(data) and (known_finite or b"null" not in data or _is_finite(value)):
        return data
    try:
        return rfc8785.dumps(value)
    # rfc8785 0.1.4 lets a lone surrogate in a key escape as the codec's own error.
    except (rfc8785.CanonicalizationError, UnicodeEncodeError) as exc:
        raise NotCanonical(str(exc)) from exc


def _fast(value: JsonValue) -> bytes:
    """Return what the fast encoder writes, nothing where it cannot."""
    try:
        return orjson.dumps(value, option=_FAST)
    except TypeError:  # orjson's JSONEncodeError is one: the other encoder says what is wrong
        return b""


def _whole(value: JsonValue) -> JsonValue:
    """Return an equal value in which doubles that are whole, and exact as integers, are integers."""
    if isinstance(value, float):
        return int(value) if value.is_integer() and abs(value) <= MAX_SAFE_INTEGER else value
    if isinstance(value, dict):
        return {name: _whole(member) for name, member in value.items()}
    if isinstance(value, list | tuple):
        return [_whole(member) for member in value]
    return value


def _is_sure(data: bytes) -> bool:
    """Say whether the fast encoder cannot have differed but for what is no number, and whole doubles.

    In doubt, as for a text that looks like it, no.
    """
    # From 1e16 to 1e21 it writes an exponent where ECMAScript writes digits.
    if any(sign in data and end.search(data) for sign, end in _EXPONENT_ENDS) and _EXPONENT.search(data):
        return False
    # It sorts by code points; by UTF-16 code units those beyond U+FFFF come before U+E000.
    return data.isascii() or not _BEYOND_THE_FIRST_PLANE.search(data)


def _is_finite(value: JsonValue) -> bool:
    """Say whether every number is one: the fast encoder writes NaN and the infinities as null."""
    left: list[JsonValue] = [value]
    while left:
        node = left.pop()
        if isinstance(node, dict):
            left.extend(node.values())
        elif isinstance(node, list | tuple):
            left.extend(node)
        elif isinstance(node, float) and not math.isfinite(node):
            return False
    return True


def sha256_hex(data: bytes) -> str:
    """Return the SHA-256 of the bytes as 64 lower-case hex digits."""
    return hashlib.sha256(data).hexdigest()


def body_digest(value: JsonValue) -> str:
    """Return the digest of a whole JSON value; equal values, however written, have equal digests."""
    return digest_of_canonical(canonicalize(value))


def digest_of_canonical(canonical: bytes) -> str:
    """Return ``body_digest`` of the value whose canonical bytes these are."""
    return DIGEST_SCHEME + sha256_hex(canonical)


def action_digest(
    *,
    agent: str,
    subject: str | None,
    action_type: str,
    environment: str,
    arguments: JsonValue,
    known_finite: bool = False,
) -> str:
    """Return the digest of one action; the module says exactly what is hashed.

    ``known_finite`` as in ``canonicalize``.
    """
    document: dict[str, JsonValue] = {
        "v": 1,
        "agent": agent,
        "subject": subject,
        "action_type": action_type,
        "environment": environment,
        "arguments": arguments,
    }
    return DIGEST_SCHEME + sha256_hex(ACTION_PREFIX + canonicalize(document, known_finite=known_finite))
