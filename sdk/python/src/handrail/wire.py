"""Requests and responses as values, and strict reading of what a server answered."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import NoReturn

from handrail.canonical import JSONObject, JSONValue
from handrail.errors import ProtocolError

BODY_LIMIT = 1024 * 1024
_FUTURE = 10**9  # seconds; more than this in a Retry-After is no number of seconds


@dataclass(frozen=True)
class Request:
    """One HTTP request, complete but for the credentials."""

    method: str
    url: str
    timeout: float
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    limit: int = BODY_LIMIT


@dataclass(frozen=True)
class Response:
    """One whole HTTP response; header names in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def media_type(self) -> str:
        """The content type without its parameters."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()


@dataclass(frozen=True)
class Lost:
    """No whole response came back, and whether the server acted is unknown."""

    why: str
    retryable: bool = True


def read_json(body: bytes) -> JSONValue:
    """Parse strictly: UTF-8, no duplicate keys, no NaN; anything else is a ``ProtocolError``."""
    try:
        value: JSONValue = json.loads(
            body.decode("utf-8"), object_pairs_hook=_unique_members, parse_constant=_refuse_constant
        )
    except (UnicodeDecodeError, ValueError, RecursionError) as exc:
        raise ProtocolError(f"the answer is not JSON: {exc}") from exc
    return value


def read_object(response: Response, *, media_type: str = "application/json") -> JSONObject:
    """Return the JSON object in a response that says that it is JSON."""
    if response.media_type != media_type:
        raise ProtocolError(f"the answer is {response.media_type or 'of no type'}, not {media_type}")
    value = read_json(response.body)
    if not isinstance(value, dict):
        raise ProtocolError("the answer is not a JSON object")
    return value


def read_retry_after(response: Response, *, now: float) -> float | None:
    """Return the seconds of ``Retry-After`` (RFC 9110, 10.2.3), given as a number or as a date."""
    given = response.headers.get("retry-after", "").strip()
    if given.isascii() and given.isdigit():
        return float(min(int(given[:12]), _FUTURE))
    try:
        return max(0.0, parsedate_to_datetime(given).timestamp() - now)
    except (ValueError, TypeError, OverflowError):
        return None


class Fields:
    """Reads members of a JSON object by name and type; what has the wrong type is a ``ProtocolError``.

    Members that are not asked for are ignored, so that a newer server may say more.
    """

    def __init__(self, document: JSONObject, *, of: str) -> None:
        self._document = document
        self._of = of

    def text(self, name: str) -> str:
        value = self.maybe_text(name)
        return value if value is not None else self._refuse(name, "text")

    def maybe_text(self, name: str) -> str | None:
        value = self._document.get(name)
        return value if value is None or isinstance(value, str) else self._refuse(name, "text")

    def number(self, name: str) -> int:
        value = self._document.get(name)
        if isinstance(value, int) and not isinstance(value, bool):
            return value
        return self._refuse(name, "a whole number")

    def flag(self, name: str) -> bool:
        """Return a truth value."""
        value = self._document.get(name)
        return value if isinstance(value, bool) else self._refuse(name, "true or false")

    def maybe_time(self, name: str) -> datetime | None:
        given = self.maybe_text(name)
        if given is None:
            return None
        try:
            time = datetime.fromisoformat(given)
        except ValueError:
            return self._refuse(name, "an RFC 3339 time")
        return time if time.tzinfo else self._refuse(name, "a time with its offset")

    def time(self, name: str) -> datetime:
        value = self.maybe_time(name)
        return value.astimezone(UTC) if value is not None else self._refuse(name, "an RFC 3339 time")

    def maybe_object(self, name: str) -> JSONObject | None:
        value = self._document.get(name)
        return value if value is None or isinstance(value, dict) else self._refuse(name, "an object")

    def items(self, name: str) -> list[JSONValue]:
        value = self._document.get(name)
        if value is None:
            return []
        return value if isinstance(value, list) else self._refuse(name, "a list")

    def items_if_any(self, name: str) -> list[JSONValue]:
        """Return a list that only explains: where it is something else nothing is lost."""
        value = self._document.get(name)
        return value if isinstance(value, list) else []

    def maybe(self, name: str) -> Fields | None:
        value = self.maybe_object(name)
        return None if value is None else Fields(value, of=f"{self._of}.{name}")

    def _refuse(self, name: str, wanted: str) -> NoReturn:
        raise ProtocolError(f"{self._of}.{name} is not {wanted}")


def _unique_members(pairs: list[tuple[str, JSONValue]]) -> JSONObject:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("an object has the same member twice")
    return members


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
