"""Bodies of requests with bounds: senders that drip or stop never keep all of the site's threads.

The server hands a body over as it comes, and nothing can interrupt a read that waits for a sender. So only
some of the threads may read bodies at once, and one address holds only a part of those places: it takes
senders at several addresses to hold them all. While they do, others that send a body are refused for the
moment, and whatever needs no body (pages, waits, health) is served as ever.
"""

from __future__ import annotations

import io
import threading
from collections.abc import Callable, Iterable
from typing import Any, Final, Protocol

# A read takes a millisecond as a rule: whoever has waited this long for a place is behind slow senders.
_PATIENCE_SECONDS: Final = 0.25

Environ = dict[str, Any]
Application = Callable[[Environ, Callable[..., Any]], Iterable[bytes]]


def _sender(environ: Environ) -> str:
    return str(environ.get("REMOTE_ADDR", ""))


class NoPlaceToRead(OSError):
    """Too many bodies are being read at this moment."""


class _Readable(Protocol):
    def read(self, size: int = ..., /) -> bytes: ...


class _Places:
    """So many places to read at, of which one address holds ``each`` at most."""

    def __init__(self, places: int, each: int) -> None:
        self._changed = threading.Condition()
        self._free = places
        self._each = each
        self._held: dict[str, int] = {}

    def take(self, address: str) -> bool:
        """Wait a moment for a place; say whether there is one."""
        with self._changed:
            found = self._changed.wait_for(
                lambda: self._free > 0 and self._held.get(address, 0) < self._each, timeout=_PATIENCE_SECONDS
            )
            if found:
                self._free -= 1
                self._held[address] = self._held.get(address, 0) + 1
            return found

    def leave(self, address: str) -> None:
        """Give the place back."""
        with self._changed:
            self._free += 1
            left = self._held[address] - 1
            if left:
                self._held[address] = left
            else:
                del self._held[address]
            # All of them: the first in line may be of an address that holds its part already.
            self._changed.notify_all()


class BoundedBodies:
    """A WSGI application around another that lets at most ``places`` requests read their bodies at once.

    Of one ``address`` (as that function tells it from the environment) ``each`` at most. A body without a
    length (chunked) is read up to ``longest`` bytes and one more, which is what the limit of its address then
    refuses.
    """

    def __init__(
        self,
        application: Application,
        *,
        places: int,
        longest: int,
        each: int | None = None,
        address: Callable[[Environ], str] = _sender,
    ) -> None:
        self._application = application
        self._places = _Places(places, each or places)
        self._longest = longest
        self._address = address

    def __call__(self, environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Serve one request."""
        body = _Body(environ["wsgi.input"], self._places, self._address(environ))
        environ["wsgi.input"] = body
        if "chunked" in environ.get("HTTP_TRANSFER_ENCODING", "").lower():
            environ["CONTENT_LENGTH"] = str(body.fill(self._longest + 1))
        return self._application(environ, start_response)


class _Body(io.RawIOBase):
    """The body of one request, which takes a place for as long as a read of it lasts."""

    def __init__(self, source: _Readable, places: _Places, address: str) -> None:
        super().__init__()
        self._source = source
        self._places = places
        self._address = address
        self._ahead: io.BytesIO | None = None
        self._refusal: NoPlaceToRead | None = None

    def readable(self) -> bool:
        return True

    def fill(self, size: int) -> int:
        """Read up to ``size`` bytes ahead and return how many; a refusal is kept for whoever reads."""
        try:
            found = self._fetch(size)
        except NoPlaceToRead as refusal:
            self._refusal = refusal
            return size
        self._ahead = io.BytesIO(found)
        return len(found)

    def read(self, size: int | None = -1, /) -> bytes:
        if self._refusal is not None:
            raise self._refusal
        wanted = -1 if size is None else size
        return self._ahead.read(wanted) if self._ahead is not None else self._fetch(wanted)

    def readall(self) -> bytes:
        return self.read()

    def readinto(self, buffer: Any, /) -> int:
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def _fetch(self, size: int) -> bytes:
        if not self._places.take(self._address):
            raise NoPlaceToRead("Too many requests are being read at this moment.")
        try:
            # The server's own object takes no negative number for "all of it".
            return self._source.read(size) if size >= 0 else self._source.read()
        finally:
            self._places.leave(self._address)
