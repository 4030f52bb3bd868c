"""Draws that are random to an agent and reproducible to an auditor (statistics.md section 0)."""

from __future__ import annotations

import hashlib
import hmac

# A float holds 53 bits: taking the first 53 of the 256 keeps the quotient under 1.
# Dividing the whole digest by 2**256 would round the very largest ones up to 1.0.
_BITS = 53


def audit_draw(secret: bytes, action_id: str, purpose: str) -> float:
    """Return HMAC-SHA256(secret, purpose and action) / 2**256, cut to 53 bits: a number in [0, 1).

    Each purpose ("audit", "blind", ...) has a stream of its own. The secret must not be empty, since
    an agent that could compute the draw could choose which of its actions are looked at.
    """
    if not secret:
        raise ValueError("A draw needs a secret: without one the agent could predict it.")
    if "\0" in purpose:
        raise ValueError("The purpose of a draw must not contain U+0000, which ends it.")
    message = purpose.encode() + b"\0" + action_id.encode()
    digest = hmac.new(secret, message, hashlib.sha256).digest()
    return (int.from_bytes(digest[:8], "big") >> (64 - _BITS)) / (1 << _BITS)
