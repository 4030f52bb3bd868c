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

import rfc8785

from hitl_site.lib.strict_json import JsonValue

ACTION_PREFIX = b"handrail-action-v1\0"
DIGEST_SCHEME = "sha256:"


class NotCanonical(ValueError):
    """A value without a canonical form: NaN, an integer beyond 2^53-1, a lone surrogate, a foreign type."""


def canonicalize(value: JsonValue) -> bytes:
    """Return the RFC 8785 bytes of a JSON value. What the door accepts always has them."""
    try:
        return rfc8785.dumps(value)
    # rfc8785 0.1.4 lets a lone surrogate in a key escape as the codec's own error.
    except (rfc8785.CanonicalizationError, UnicodeEncodeError) as exc:
        raise NotCanonical(str(exc)) from exc


def sha256_hex(data: bytes) -> str:
    """Return the SHA-256 of the bytes as 64 lower-case hex digits."""
    return hashlib.sha256(data).hexdigest()


def body_digest(value: JsonValue) -> str:
    """Return the digest of a whole JSON value; equal values, however written, have equal digests."""
    return DIGEST_SCHEME + sha256_hex(canonicalize(value))


def action_digest(
    *,
    agent: str,
    subject: str | None,
    action_type: str,
    environment: str,
    arguments: JsonValue,
) -> str:
    """Return the digest of one action; the module says exactly what is hashed."""
    document: dict[str, JsonValue] = {
        "v": 1,
        "agent": agent,
        "subject": subject,
        "action_type": action_type,
        "environment": environment,
        "arguments": arguments,
    }
    return DIGEST_SCHEME + sha256_hex(ACTION_PREFIX + canonicalize(document))
