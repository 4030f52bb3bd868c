"""What may be proposed, and its digest.

An action is proposed as I-JSON (RFC 7493) and bound by the SHA-256 of its canonical bytes (RFC 8785), so that
the agent, the reviewer's page and the executor can each compute the same digest on their own.
"""

from __future__ import annotations

import hashlib
import hmac
import math
from collections.abc import Mapping
from typing import TypeAlias

import rfc8785

from handrail.errors import InvalidArguments

JSONValue: TypeAlias = "bool | int | float | str | list[JSONValue] | dict[str, JSONValue] | None"
JSONObject: TypeAlias = "dict[str, JSONValue]"

MAX_SAFE_INTEGER = 2**53 - 1
MAX_DEPTH = 32
_DOMAIN = b"handrail-action-v1\0"


def snapshot(value: object, *, where: str = "", depth: int = 0) -> JSONValue:
    """Return a deep copy of ``value`` made of plain JSON types, or raise ``InvalidArguments``.

    A copy, because an agent that changes its dictionary while a person looks at the proposal must not change
    what runs. Strict, because a silent conversion (a Decimal to a float, a key 1 to "1") would show the
    reviewer one thing and run another.
    """
    if depth > MAX_DEPTH:
        raise InvalidArguments(f"{where or '/'} is nested deeper than {MAX_DEPTH} levels")
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return _text(str.__str__(value), where)
    if isinstance(value, int | float):
        return _number(value, where)
    if isinstance(value, list | tuple):
        return [snapshot(item, where=f"{where}/{at}", depth=depth + 1) for at, item in enumerate(value)]
    if isinstance(value, Mapping):
        return _members(value, where, depth)
    raise InvalidArguments(
        f"{where or '/'} is of the type {type(value).__name__}, which JSON does not have; "
        "give text, a number, true, false, null, a list or an object (money and dates as text)"
    )


def snapshot_object(value: Mapping[str, object], *, where: str = "") -> JSONObject:
    """Return a deep copy of ``value`` as a JSON object."""
    if not isinstance(value, Mapping):
        raise InvalidArguments(f"{where or '/'} must be an object, not a {type(value).__name__}")
    return _members(value, where, 0)


def action_digest(
    *, agent: str, subject: str | None, action_type: str, environment: str, arguments: JSONObject
) -> str:
    """Return the digest that binds a decision to one action (api.md, "The permit")."""
    bound: JSONObject = {
        "v": 1,
        "agent": agent,
        "subject": subject,
        "action_type": action_type,
        "environment": environment,
        "arguments": arguments,
    }
    return "sha256:" + hashlib.sha256(_DOMAIN + canonical_bytes(bound)).hexdigest()


def canonical_bytes(value: JSONValue) -> bytes:
    """Return the RFC 8785 bytes of ``value``."""
    try:
        return rfc8785.dumps(value)
    # rfc8785 lets a lone surrogate in a key escape as the error of the codec.
    except (rfc8785.CanonicalizationError, UnicodeEncodeError, RecursionError) as exc:
        raise InvalidArguments(f"no canonical form: {exc}") from exc


def same_digest(one: str, other: str) -> bool:
    """Compare in constant time; text that is not ASCII is never a digest."""
    return one.isascii() and other.isascii() and hmac.compare_digest(one, other)


def _members(value: Mapping[object, object] | Mapping[str, object], where: str, depth: int) -> JSONObject:
    members: JSONObject = {}
    for key, item in value.items():
        if not isinstance(key, str):
            raise InvalidArguments(f"{where or '/'} has the key {key!r}, which is not text")
        name = _text(str.__str__(key), where)
        pointer = f"{where}/{name.replace('~', '~0').replace('/', '~1')}"
        members[name] = snapshot(item, where=pointer, depth=depth + 1)
    return members


def _text(value: str, where: str) -> str:
    if "\0" in value:
        raise InvalidArguments(f"{where or '/'} holds U+0000")
    try:
        value.encode()
    except UnicodeEncodeError as exc:
        raise InvalidArguments(f"{where or '/'} holds a lone surrogate") from exc
    return value


def _number(value: int | float, where: str) -> int | float:
    if isinstance(value, float) and not math.isfinite(value):
        raise InvalidArguments(f"{where or '/'} is {value}, which JSON does not have")
    if abs(value) > MAX_SAFE_INTEGER:
        raise InvalidArguments(
            f"{where or '/'} is beyond 2^53-1, where JSON numbers lose digits; give it as text"
        )
    return float(value) if isinstance(value, float) else int(value)
